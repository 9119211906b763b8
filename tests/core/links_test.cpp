#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

// Follows the links of the documentation that lead to files of the tree.

namespace sluice {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = SLUICE_SOURCE_DIR;

std::vector<fs::path> pages() {
  std::vector<fs::path> found{kRoot / "README.md"};
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / "docs")) {
    if (entry.path().extension() == ".md") found.push_back(entry.path());
  }
  return found;
}

struct Link {
  int line = 0;
  std::string target;  // without what follows a '#'
};

// The targets of [text](target) and ![text](target) that are files; none inside of fenced code.
std::vector<Link> links_to_files(const fs::path& page) {
  static const std::regex kLink(R"(\]\(([^)#\s]+)[^)]*\))");
  static const std::regex kElsewhere("^[a-z]+:.*");
  std::vector<Link> found;
  std::ifstream file(page);
  bool is_code = false;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.starts_with("```")) is_code = !is_code;
    if (is_code) continue;
    for (std::sregex_iterator match(line.begin(), line.end(), kLink), end; match != end; ++match) {
      const std::string target = (*match)[1];
      if (!std::regex_match(target, kElsewhere)) found.push_back({number, target});
    }
  }
  return found;
}

TEST(Documentation, LinksToFilesThatExist) {
  std::size_t count = 0;
  for (const fs::path& page : pages()) {
    for (const Link& link : links_to_files(page)) {
      ++count;
      EXPECT_TRUE(fs::exists(page.parent_path() / link.target))
          << fs::relative(page, kRoot).string() << ':' << link.line << ": no file " << link.target;
    }
  }
  EXPECT_GT(count, 0u) << "no link was found at all";
}

}  // namespace
}  // namespace sluice
