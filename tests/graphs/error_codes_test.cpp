#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace sluice {
namespace {

const std::filesystem::path kSources = SLUICE_SOURCE_DIR;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Every SLxxxx in `text` that stands between these.
std::multiset<std::string> find_codes(const std::string& text, const std::string& before,
                                      const std::string& after) {
  std::multiset<std::string> codes;
  const std::string start = before + "SL";
  constexpr std::size_t kLength = 6;
  for (std::size_t at = text.find(start); at != std::string::npos; at = text.find(start, at + 1)) {
    const std::size_t code = at + before.size();
    if (text.compare(code + kLength, after.size(), after) == 0)
      codes.insert(text.substr(code, kLength));
  }
  return codes;
}

TEST(ErrorCodes, AreListedOnceEach) {
  const std::multiset<std::string> listed =
      find_codes(read_file(kSources / "docs/errors.md"), "\n| ", " |");
  std::set<std::string> used;
  for (const char* folder : {"graphs", "nodes", "runtime"}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kSources / folder)) {
      if (entry.path().extension() != ".cpp") continue;
      for (const std::string& code : find_codes(read_file(entry.path()), "\"", "\""))
        used.insert(code);
    }
  }

  for (const std::string& code : used)
    EXPECT_EQ(listed.count(code), 1u) << code << " in docs/errors.md";
  for (const std::string& code : listed) EXPECT_EQ(listed.count(code), 1u) << code;
}

}  // namespace
}  // namespace sluice
