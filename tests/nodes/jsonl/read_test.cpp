#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

class Reader {
 public:
  explicit Reader(std::string_view text, OptionList options = {})
      : path_(folder_.write("in.jsonl", text)), node_("jsonl.read", with_path(std::move(options))) {
    EXPECT_THAT(node_.open(), IsOk());
  }
  NodeHarness::Produced next() { return node_.next(); }

  // Each line's number and value, or why it was rejected.
  std::vector<std::string> all() {
    std::vector<std::string> seen;
    while (true) {
      const auto produced = next();
      if (produced.next && *produced.next == Next::kEnd) return seen;
      const std::string number = produced.key.substr(path_.size() + 1);
      seen.push_back(number + ": " +
                     (produced.next ? produced.outputs.at("out").at(0).get<Record>().value.to_json()
                                    : produced.next.status().reason()));
    }
  }

 private:
  OptionList with_path(OptionList options) const {
    options.emplace_back("path", path_);
    return options;
  }
  TempFolder folder_;
  std::string path_;
  NodeHarness node_;
};

TEST(JsonlRead, GivesAnyJsonValueAndKeepsTheOrderOfFields) {
  Reader reader("{\"b\":1,\"a\":[true,null,-2.5]}\n\"x\"\r\n7");

  EXPECT_THAT(reader.all(), ElementsAre("1: {\"b\":1,\"a\":[true,null,-2.5]}", "2: \"x\"", "3: 7"));
}

TEST(JsonlRead, PassesBlankLinesOverAndCountsThem) {
  Reader reader("\n1\n \t\r\n2\n\n");

  EXPECT_THAT(reader.all(), ElementsAre("2: 1", "4: 2"));
}

TEST(JsonlRead, GivesNothingOfAnEmptyFile) { EXPECT_THAT(Reader("").all(), IsEmpty()); }

TEST(JsonlRead, RejectsABadLineByItsNumberAndGoesOn) {
  Reader reader("{\"a\":1}\n{\"a\":}\n{\"a\":3}\n{\"a\":4");
  ASSERT_TRUE(reader.next().next.is_ok());
  const auto bad = reader.next();

  EXPECT_THAT(bad.next.status(), FailsWith("jsonl.syntax", "line 2 is no JSON"));
  EXPECT_THAT(bad.key, HasSubstr("in.jsonl:2"));
  EXPECT_TRUE(bad.outputs.empty());
  EXPECT_THAT(reader.all(), ElementsAre("3: {\"a\":3}", "4: jsonl.syntax"));
}

TEST(JsonlRead, RejectsWhatOtherParsersLetPass) {
  Reader reader("{'a':1}\n[1,]\nNaN\n01\n1 2\n{\"a\":1}}\n\"\xE9\"\n\"\\ud800\"\n// x\n\"a\tb\"");

  for (const std::string& line : reader.all()) EXPECT_THAT(line, HasSubstr("jsonl.syntax"));
}

TEST(JsonlRead, KeepsTheMessageShortHoweverLongTheLine) {
  Reader reader("\"" + std::string(5'000'000, 'x') + "\x01\"");
  const auto produced = reader.next();

  EXPECT_THAT(produced.next, FailsWith("jsonl.syntax"));
  EXPECT_LT(produced.next.status().message().size(), 400u);
}

TEST(JsonlRead, RejectsWhatIsNestedTooDeep) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  Reader reader(nested(256) + "\n" + nested(257) + "\n" + std::string(1'000'000, '['));

  EXPECT_THAT(reader.all(), ElementsAre("1: " + nested(256), "2: jsonl.syntax", "3: jsonl.syntax"));
}

TEST(JsonlRead, TakesWholeNumbersOf64BitsExactly) {
  Reader reader("[9223372036854775807,-9223372036854775808,9223372036854775808,1e400]");
  const auto produced = reader.next();

  if (produced.next) {
    const auto& array = *produced.outputs.at("out").at(0).get<Record>().value.as_array();
    EXPECT_EQ(*array[0].as_int(), INT64_MAX);
    EXPECT_EQ(*array[1].as_int(), INT64_MIN);
    EXPECT_EQ(*array[2].as_double(), 9223372036854775808.0);
  } else {
    EXPECT_THAT(produced.next, FailsWith("jsonl.syntax"));
  }
}

TEST(JsonlRead, RejectsTheLineThatIsTooLong) {
  Reader reader("[1,2,3]\n[1]", {{"max_line", ByteSize{6}}});

  EXPECT_THAT(reader.all(), ElementsAre("1: lines.too_long", "2: [1]"));
}

TEST(JsonlRead, RefusesAFileThatIsNotThere) {
  EXPECT_THAT(NodeHarness("jsonl.read", {{"path", "/nowhere/at/all.jsonl"}}).open(),
              FailsWith("node.resolve", "SL0704"));
}

}  // namespace
}  // namespace sluice
