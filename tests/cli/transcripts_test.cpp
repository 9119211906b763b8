#include "tests/cli/program.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <vector>

// tests/cases/cli/NAME.txt is a session at a terminal: after each `$ ` a command, then its stdout
// as it is, its stderr with `! ` in front, and `exit N`. The commands of a session share a folder,
// which holds copies of tests/cases/cli/files. Times and rates are written as TIME and RATE.
// SLUICE_UPDATE_CASES=1 writes the answers anew.
namespace sluice {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(SLUICE_SOURCE_DIR) / "tests/cases/cli";

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

// Takes out what differs from one run to the next, or from one machine to another.
std::string normalized(std::string text) {
  const std::string fakes = SLUICE_FAKE_CUDA;
  for (std::size_t at; (at = text.find(fakes)) != std::string::npos;)
    text.replace(at, fakes.size(), "$FAKES");
  text = std::regex_replace(text, std::regex(R"( in [0-9.]+ (ms|s)\n)"), " in TIME\n");
  text = std::regex_replace(text, std::regex(R"([0-9.,]+ items/s)"), "RATE items/s");
  return std::regex_replace(text, std::regex(R"(  bottleneck .*\n)"), "");
}

std::string transcript_of(const std::string& command, const testing::Finished& finished) {
  std::string text = "$ " + command + "\n" + normalized(finished.out);
  std::istringstream errors(normalized(finished.err));
  for (std::string line; std::getline(errors, line);)
    text += line.empty() ? "!\n" : "! " + line + "\n";
  return text + "exit " + std::to_string(finished.exit_code) + "\n";
}

class Transcript : public ::testing::TestWithParam<std::string> {};

TEST_P(Transcript, IsWhatTheProgramSays) {
  const fs::path path = kFolder / (GetParam() + ".txt");
  const std::string expected = text_of(path);
  const testing::Workplace folder;

  std::string actual;
  std::istringstream lines(expected);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("$ ")) continue;
    actual += transcript_of(line.substr(2), testing::run(line.substr(2), folder.path()));
  }

  if (std::getenv("SLUICE_UPDATE_CASES")) std::ofstream(path) << actual;
  EXPECT_EQ(actual, text_of(path));
}

std::vector<std::string> transcripts() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cli, Transcript, ::testing::ValuesIn(transcripts()),
                         [](const auto& info) { return info.param; });

TEST(Catalogue, IsWhatDocsNodesSays) {
  const fs::path page = fs::path(SLUICE_SOURCE_DIR) / "docs/nodes.md";
  const testing::Finished list = testing::run("sluice list --format markdown", "/");

  if (std::getenv("SLUICE_UPDATE_CASES")) std::ofstream(page) << list.out;

  EXPECT_EQ(list.exit_code, 0);
  EXPECT_TRUE(list.out == text_of(page)) << "docs/nodes.md is out of date; write it anew: sluice "
                                            "list --format markdown > docs/nodes.md";
}

}  // namespace
}  // namespace sluice
