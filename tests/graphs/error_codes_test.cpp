#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>

namespace sluice {
namespace {

const std::filesystem::path kSources = SLUICE_SOURCE_DIR;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::multiset<std::string> find_codes(const std::string& text, const std::string& pattern) {
  std::multiset<std::string> codes;
  const std::regex regex(pattern);
  for (std::sregex_iterator match(text.begin(), text.end(), regex), end; match != end; ++match) {
    codes.insert((*match)[1]);
  }
  return codes;
}

TEST(ErrorCodes, AreListedOnceEach) {
  const std::multiset<std::string> listed =
      find_codes(read_file(kSources / "docs/errors.md"), "\\n\\| (SL[0-9]{4}) \\|");
  std::set<std::string> used;
  for (const char* folder : {"graphs", "nodes", "runtime"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kSources / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      for (const std::string& code : find_codes(read_file(entry.path()), "\"(SL[0-9]{4})\""))
        used.insert(code);
    }
  }

  for (const std::string& code : used)
    EXPECT_EQ(listed.count(code), 1u) << code << " in docs/errors.md";
  for (const std::string& code : listed) EXPECT_EQ(listed.count(code), 1u) << code;
}

}  // namespace
}  // namespace sluice
