#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

// Reads the #include lines of the tree, so that an arrow up between the layers fails here.

namespace sluice {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = SLUICE_SOURCE_DIR;

struct Include {
  fs::path file;  // relative to the tree
  std::string header;
};

std::vector<Include> includes_below(const std::string& folder) {
  std::vector<Include> found;
  for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
    const std::string extension = entry.path().extension();
    if (extension != ".h" && extension != ".cpp") continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with("#include ")) continue;
      const std::string header = line.substr(10, line.find_first_of("\">", 10) - 10);
      found.push_back({fs::relative(entry.path(), kRoot), header});
    }
  }
  return found;
}

// The first folder of a header of ours, "" for one of somebody else.
std::string layer_of(const std::string& header) {
  if (!header.starts_with("sluice/")) return {};
  return header.substr(7, header.find('/', 7) - 7);
}

// Files of `folder` that include a header which begins with `prefix`.
std::set<std::string> users_of(const std::string& folder, const std::string& prefix) {
  std::set<std::string> users;
  for (const Include& include : includes_below(folder)) {
    if (include.header.starts_with(prefix)) users.insert(include.file);
  }
  return users;
}

TEST(Layers, PointDownOnly) {
  const std::map<std::string, std::set<std::string>> allowed{
      {"core", {"core"}},
      {"graphs", {"core", "graphs"}},
      {"nodes", {"core", "nodes"}},
      {"runtime", {"core", "graphs", "runtime"}},
  };

  for (const auto& [folder, below] : allowed) {
    for (const Include& include : includes_below(folder)) {
      const std::string layer = layer_of(include.header);
      EXPECT_TRUE(layer.empty() || below.contains(layer))
          << include.file << " includes " << include.header;
    }
  }
}

TEST(Layers, HaveOneSpellingForEveryHeaderOfOurs) {
  for (const std::string folder : {"core", "graphs", "nodes", "runtime"}) {
    for (const Include& include : includes_below(folder)) {
      const bool exists_in_tree = fs::exists(kRoot / include.header) ||
                                  fs::exists((kRoot / include.file).parent_path() / include.header);
      EXPECT_FALSE(exists_in_tree)
          << include.file << " includes " << include.header << " without \"sluice/\"";
    }
  }
}

TEST(Layers, KeepTheCoreToTheStandardLibrary) {
  for (const Include& include : includes_below("core")) {
    const bool of_platform =
        include.header.starts_with("sanitizer/") || include.header.starts_with("sys/");
    const bool third_party = include.header.find('/') != std::string::npos && !of_platform &&
                             layer_of(include.header).empty();
    EXPECT_FALSE(third_party) << include.file << " includes " << include.header;
  }
}

TEST(Layers, KeepTheFlowGraphInOneFileOfTheRuntime) {
  EXPECT_LE(users_of("runtime", "tbb/flow_graph").size() +
                users_of("runtime", "oneapi/tbb/flow_graph").size(),
            1u);
  for (const std::string folder : {"core", "graphs", "nodes"}) {
    EXPECT_EQ(users_of(folder, "tbb/"), std::set<std::string>{});
    EXPECT_EQ(users_of(folder, "oneapi/"), std::set<std::string>{});
  }
}

TEST(Layers, KeepTheYamlParserInOneFileOfTheGraphs) {
  EXPECT_LE(users_of("graphs", "yaml-cpp/").size(), 1u);
  for (const std::string folder : {"core", "nodes", "runtime"}) {
    EXPECT_EQ(users_of(folder, "yaml-cpp/"), std::set<std::string>{});
  }
}

TEST(Layers, KeepLargeThirdPartyHeadersOutOfWhatIsInstalled) {
  for (const std::string folder : {"core", "graphs", "runtime"}) {
    for (const std::string prefix :
         {"opencv2/", "nlohmann/", "tbb/", "oneapi/", "spdlog/", "CLI/", "fmt/"}) {
      for (const std::string& user : users_of(folder, prefix)) {
        EXPECT_NE(fs::path(user).extension(), ".h") << user << " includes " << prefix;
      }
    }
  }
}

}  // namespace
}  // namespace sluice
