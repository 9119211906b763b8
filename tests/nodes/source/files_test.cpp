#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

OptionList with_glob(const std::string& glob, OptionList options = {}) {
  options.emplace_back("glob", glob);
  return options;
}

// What became of each file: its name within the folder, and its text or why it was rejected.
std::vector<std::string> all_of(NodeHarness& node, const TempFolder& folder) {
  std::vector<std::string> seen;
  while (true) {
    const auto produced = node.next();
    if (produced.next && *produced.next == Next::kEnd) return seen;
    const std::string name = produced.key.substr(folder.path().size() + 1);
    if (!produced.next) {
      seen.push_back(name + ": " + produced.next.status().reason());
      if (produced.key.empty()) return seen;
      continue;
    }
    const Bytes& bytes = produced.outputs.at("out").at(0).get<Bytes>();
    EXPECT_EQ(bytes.name, produced.key);
    seen.push_back(
        name + "=" +
        std::string(reinterpret_cast<const char*>(bytes.data.data()), bytes.data.size_bytes()));
  }
}

std::vector<std::string> files(const TempFolder& folder, const std::string& pattern,
                               OptionList options = {}) {
  NodeHarness node("files", with_glob(folder.path(pattern), std::move(options)));
  EXPECT_THAT(node.open(), IsOk());
  return all_of(node, folder);
}

TEST(Files, GivesEachFileOnceSortedByPath) {
  const TempFolder folder;
  folder.write("b.txt", "2");
  folder.write("a.txt", "1");
  folder.write("sub/c.txt", "3");
  folder.write("sub/d.md", "4");

  EXPECT_THAT(files(folder, "**/*.txt"), ElementsAre("a.txt=1", "b.txt=2", "sub/c.txt=3"));
  EXPECT_THAT(files(folder, "*.txt"), ElementsAre("a.txt=1", "b.txt=2"));
  EXPECT_THAT(files(folder, "{a,b}.txt"), ElementsAre("a.txt=1", "b.txt=2"));
  EXPECT_THAT(files(folder, "{a.txt,*.txt}"), ElementsAre("a.txt=1", "b.txt=2"));
  EXPECT_THAT(files(folder, "[!a].txt"), ElementsAre("b.txt=2"));
  EXPECT_THAT(files(folder, "sub/?.md"), ElementsAre("sub/d.md=4"));
}

TEST(Files, KnowsHowManyThereAre) {
  const TempFolder folder;
  folder.write("a", "");
  folder.write("b", "");
  NodeHarness node("files", with_glob(folder.path("*")));
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_EQ(all_of(node, folder).size(), 2u);
  EXPECT_EQ(*node.next().next, Next::kEnd);
}

TEST(Files, CountsAFilesMemoryForItsItem) {
  const TempFolder folder;
  folder.write("a", std::string(5000, 'x'));
  NodeHarness node("files", with_glob(folder.path("*")));
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_GE(node.next().allocated_bytes, 5000u);
}

TEST(Files, GivesAnEmptyFileAsNoBytes) {
  const TempFolder folder;
  folder.write("empty", "");

  EXPECT_THAT(files(folder, "*"), ElementsAre("empty="));
}

TEST(Files, TakesNamesWithBlanksAndWildcardCharacters) {
  const TempFolder folder;
  folder.write("a b*[1].txt", "x");
  folder.write("a b1.txt", "y");

  EXPECT_THAT(files(folder, "a b\\*\\[1\\].txt"), ElementsAre("a b*[1].txt=x"));
}

TEST(Files, PassesHiddenNamesOverUnlessSaid) {
  const TempFolder folder;
  folder.write(".hidden", "h");
  folder.write(".folder/a", "f");
  folder.write("seen", "s");

  EXPECT_THAT(files(folder, "**/*"), ElementsAre("seen=s"));
  EXPECT_THAT(files(folder, ".*"), ElementsAre(".hidden=h"));
}

TEST(Files, EndsInACircleOfLinks) {
  const TempFolder folder;
  folder.write("sub/a", "1");
  std::filesystem::create_directory_symlink(folder.path(), folder.path("sub/up"));

  EXPECT_THAT(files(folder, "**/a"), ElementsAre("sub/a=1"));
}

TEST(Files, PassesPipesAndFoldersOver) {
  const TempFolder folder;
  folder.write("file", "1");
  std::filesystem::create_directory(folder.path("folder"));
  ASSERT_EQ(::mkfifo(folder.path("pipe").c_str(), 0600), 0);

  EXPECT_THAT(files(folder, "*"), ElementsAre("file=1"));
}

TEST(Files, RejectsALargeFileUnread) {
  const TempFolder folder;
  folder.write("small", "1");
  folder.write("sparse", "");
  ASSERT_EQ(::truncate(folder.path("sparse").c_str(), 10'000'000'000), 0);
  NodeHarness node("files", with_glob(folder.path("*")));
  node.limit_memory(1 << 20);
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_THAT(all_of(node, folder), ElementsAre("small=1", "sparse: files.too_large"));
  EXPECT_LE(node.budget()->peak_bytes(), std::size_t{1} << 20);
}

TEST(Files, StaysWithinTheMemoryLimit) {
  const TempFolder folder;
  folder.write("sparse", "");
  ASSERT_EQ(::truncate(folder.path("sparse").c_str(), 10'000'000'000), 0);
  folder.write("z", "1");
  NodeHarness node("files", with_glob(folder.path("*"), {{"max_size", ByteSize{20'000'000'000}}}));
  node.limit_memory(1 << 20);
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_THAT(all_of(node, folder), ElementsAre("sparse: memory.limit", "z=1"));
}

TEST(Files, RejectsWhatWentAwayAndGoesOn) {
  const TempFolder folder;
  for (const char* name : {"a", "b", "c", "d"}) folder.write(name, name);
  NodeHarness node("files", with_glob(folder.path("*")));
  ASSERT_THAT(node.open(), IsOk());
  std::filesystem::remove(folder.path("a"));
  std::filesystem::remove(folder.path("b"));
  std::filesystem::create_directory(folder.path("b"));
  std::filesystem::remove(folder.path("c"));
  ASSERT_EQ(::mkfifo(folder.path("c").c_str(), 0600), 0);

  EXPECT_THAT(all_of(node, folder), ElementsAre("a: files.unreadable", "b: files.not_a_file",
                                                "c: files.not_a_file", "d=d"));
}

TEST(Files, RejectsAFileItMayNotRead) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  const TempFolder folder;
  folder.write("locked", "1");
  ASSERT_EQ(::chmod(folder.path("locked").c_str(), 0), 0);

  EXPECT_THAT(files(folder, "*"), ElementsAre("locked: files.unreadable"));
}

TEST(Files, RefusesAPatternThatMatchesNothing) {
  const TempFolder folder;
  folder.write("sub/a.txt", "1");
  NodeHarness node("files", with_glob(folder.path("**/*.jpg")));

  const Status status = node.open();

  EXPECT_THAT(status, FailsWith("node.resolve", "SL0701"));
  EXPECT_THAT(status.message(), HasSubstr("looked into 2 folders from " + folder.path()));
  EXPECT_THAT(files(folder, "**/*.jpg", {{"allow_empty", true}}), ElementsAre());
}

TEST(Files, RefusesAPatternThatCannotBeRead) {
  const TempFolder folder;
  std::string many;
  for (int i = 0; i < 11; ++i) many += "{a,b}";
  for (const std::string& pattern : {std::string("{a,b"), std::string("{a,{b}"), many}) {
    EXPECT_THAT(NodeHarness("files", with_glob(folder.path(pattern))).open(),
                FailsWith("node.resolve", "SL0703"))
        << pattern;
  }
}

}  // namespace
}  // namespace sluice
