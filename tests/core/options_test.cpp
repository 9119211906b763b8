#include "sluice/core/options.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using namespace std::chrono_literals;

TEST(OptionValue, IsWrittenAsInYaml) {
  EXPECT_EQ(to_string(OptionValue(true)), "true");
  EXPECT_EQ(to_string(OptionValue(std::int64_t{7})), "7");
  EXPECT_EQ(to_string(OptionValue(0.5)), "0.5");
  EXPECT_EQ(to_string(OptionValue(ByteSize{512ull << 20})), "512MiB");
  EXPECT_EQ(to_string(OptionValue(ByteSize{1000})), "1000B");
  EXPECT_EQ(to_string(OptionValue(Duration(5ms))), "5ms");
  EXPECT_EQ(to_string(OptionValue(Duration(90s))), "90s");
  EXPECT_EQ(to_string(OptionValue(Duration(2min))), "2min");
  EXPECT_EQ(to_string(OptionValue(Choice{"chw"})), "chw");
  EXPECT_EQ(to_string(OptionValue(NumberList{0.5, 1, 2})), "[0.5, 1, 2]");
  EXPECT_EQ(to_string(OptionValue(NumberList{0.5})), "0.5");
  EXPECT_EQ(to_string(OptionValue(Path{"./out"})), "./out");
  EXPECT_EQ(to_string(OptionValue()), "");
}

TEST(OptionValue, QuotesTextThatYamlWouldReadAsSomethingElse) {
  EXPECT_EQ(to_string(OptionValue(std::string("true"))), "\"true\"");
  EXPECT_EQ(to_string(OptionValue(std::string("12"))), "\"12\"");
  EXPECT_EQ(to_string(OptionValue(std::string(""))), "\"\"");
  EXPECT_EQ(to_string(OptionValue(std::string("a: b"))), "\"a: b\"");
  EXPECT_EQ(to_string(OptionValue(std::string("plain words"))), "plain words");
}

TEST(Option, KnowsItsKindFromItsType) {
  EXPECT_EQ(Option<int>("n", "").kind(), OptionKind::kInt);
  EXPECT_EQ(Option<double>("n", "").kind(), OptionKind::kNumber);
  EXPECT_EQ(Option<Path>("n", "").kind(), OptionKind::kPath);
  EXPECT_EQ(Option<ExpressionMap>("n", "").kind(), OptionKind::kExpressionMap);
}

TEST(PadRule, RoundsUpToItsStep) {
  const PadRule rule{"w", 160, 3200, {}};

  EXPECT_EQ(rule.bucket(1), 160);
  EXPECT_EQ(rule.bucket(160), 160);
  EXPECT_EQ(rule.bucket(161), 320);
  EXPECT_EQ(rule.bucket(3200), 3200);
  EXPECT_EQ(rule.bucket(3201), std::nullopt);
}

TEST(PadRule, EndsAtItsLargestSizeWhereTheStepsMissIt) {
  EXPECT_EQ((PadRule{"w", 100, 250, {}}).bucket(220), 250);
}

TEST(PadRule, TakesTheSmallestListedSizeThatFits) {
  const PadRule rule{"w", 0, 0, {640, 160, 320}};

  EXPECT_EQ(rule.bucket(161), 320);
  EXPECT_EQ(rule.bucket(640), 640);
  EXPECT_EQ(rule.bucket(641), std::nullopt);
}

}  // namespace
}  // namespace sluice
