#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

// Each line's number and text, or why it was rejected.
std::vector<std::string> lines_of(const std::string& path, OptionList options = {}) {
  options.emplace_back("path", path);
  NodeHarness node("lines", std::move(options));
  EXPECT_THAT(node.open(), IsOk());
  std::vector<std::string> seen;
  while (true) {
    const auto produced = node.next();
    if (produced.next && *produced.next == Next::kEnd) return seen;
    EXPECT_EQ(produced.key.substr(0, path.size() + 1), path + ":");
    const std::string number = produced.key.substr(path.size() + 1);
    seen.push_back(number + ": " +
                   (produced.next ? produced.outputs.at("out").at(0).get<Text>().text
                                  : produced.next.status().reason()));
  }
}

std::vector<std::string> lines_in(std::string_view text, OptionList options = {}) {
  const TempFolder folder;
  return lines_of(folder.write("in.txt", text), std::move(options));
}

TEST(Lines, GivesEachLineWithoutItsEnd) {
  EXPECT_THAT(lines_in("a\nb\r\n\nc"), ElementsAre("1: a", "2: b", "3: ", "4: c"));
  EXPECT_THAT(lines_in("a\n"), ElementsAre("1: a"));
  EXPECT_THAT(lines_in("\n\n"), ElementsAre("1: ", "2: "));
  EXPECT_THAT(lines_in("a\r"), ElementsAre("1: a\r"));
}

TEST(Lines, GivesNothingOfAnEmptyFile) {
  EXPECT_THAT(lines_in(""), IsEmpty());
  EXPECT_THAT(lines_in("\xEF\xBB\xBF"), IsEmpty());
}

TEST(Lines, PassesAByteOrderMarkOverInFrontOnly) {
  EXPECT_THAT(lines_in("\xEF\xBB\xBFx\n\xEF\xBB\xBFy"), ElementsAre("1: x", "2: \xEF\xBB\xBFy"));
}

TEST(Lines, RejectsTheLineThatIsNotUtf8AndGoesOn) {
  EXPECT_THAT(
      lines_in("good\ncaf\xE9\n\xED\xA0\x80\n\xC0\xAF\n\xF4\x90\x80\x80\nz\xC3\xA9\xE2\x82\xAC"),
      ElementsAre("1: good", "2: lines.encoding", "3: lines.encoding", "4: lines.encoding",
                  "5: lines.encoding", "6: z\xC3\xA9\xE2\x82\xAC"));
}

TEST(Lines, RejectsTheLineThatIsTooLong) {
  const OptionList four{{"max_line", ByteSize{4}}};

  EXPECT_THAT(lines_in("abcd\nabcde\nabcd\r\nabcde\r\nx", four),
              ElementsAre("1: abcd", "2: lines.too_long", "3: abcd", "4: lines.too_long", "5: x"));
  EXPECT_THAT(lines_in("abcde", four), ElementsAre("1: lines.too_long"));
}

TEST(Lines, ReadsLinesOverTheBoundsOfItsBlocks) {
  const std::string long_line(300'000, 'x');
  const auto lines = lines_in("a\n" + long_line + "\r\nb");

  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1], "2: " + long_line);
  EXPECT_EQ(lines[2], "3: b");
}

TEST(Lines, RejectsAHugeLineWithoutKeepingIt) {
  const TempFolder folder;
  const std::string path = folder.write("huge.txt", "first\n");
  ASSERT_EQ(::truncate(path.c_str(), 1'000'000'000), 0);

  EXPECT_THAT(lines_of(path), ElementsAre("1: first", "2: lines.too_long"));
}

TEST(Lines, ReadsAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "a\nb", 3), 3);
  ::close(ends[1]);

  EXPECT_THAT(lines_of("/dev/fd/" + std::to_string(ends[0])), ElementsAre("1: a", "2: b"));
  ::close(ends[0]);
}

TEST(Lines, RefusesAFileThatIsNotThere) {
  const TempFolder folder;

  EXPECT_THAT(NodeHarness("lines", {{"path", folder.path("none.txt")}}).open(),
              FailsWith("node.resolve", "SL0704"));
}

TEST(Lines, DoesNotOpenAFolder) {
  const TempFolder folder;

  EXPECT_FALSE(NodeHarness("lines", {{"path", folder.path()}}).open().is_ok());
}

}  // namespace
}  // namespace sluice
