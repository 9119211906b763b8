#include "sluice/core/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sluice {
namespace {

TEST(Value, WritesCompactJsonInTheOrderOfTheFields) {
  const Value value = Value::Object{
      {"z", 1}, {"a", Value::Array{true, nullptr, "x", -2.5}}, {"o", Value::Object{}}};

  EXPECT_EQ(value.to_json(), R"({"z":1,"a":[true,null,"x",-2.5],"o":{}})");
}

TEST(Value, EscapesWhatJsonDoesNotAllowInText) {
  EXPECT_EQ(Value("a\"b\\c\n\t\x01/").to_json(), R"("a\"b\\c\n\t\u0001/")");
  EXPECT_EQ(Value(std::string("a\0b", 3)).to_json(), R"("a\u0000b")");
  EXPECT_EQ(Value("Größe 中 😀").to_json(), "\"Größe 中 😀\"");
}

TEST(Value, ReplacesBytesThatAreNoUtf8) {
  const std::string replaced =
      "\"a\xEF\xBF\xBD"
      "b\"";

  EXPECT_EQ(Value("a\xFF"
                  "b")
                .to_json(),
            replaced);
  EXPECT_EQ(Value("a\xC3"
                  "b")
                .to_json(),
            replaced)
      << "cut short";
  EXPECT_EQ(Value("\xC0\x80").to_json(), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"") << "overlong";
  EXPECT_EQ(Value("\xED\xA0\x80").to_json().size(), 2u + 9u) << "a surrogate";
  EXPECT_EQ(Value("\xE4\xB8").to_json().size(), 2u + 6u)
      << "the end of the text inside a character";
}

TEST(Value, WritesNumbersInShortestForm) {
  EXPECT_EQ(Value(0.1).to_json(), "0.1");
  EXPECT_EQ(Value(3.0).to_json(), "3");
  EXPECT_EQ(Value(std::int64_t{-9223372036854775807}).to_json(), "-9223372036854775807");
  EXPECT_EQ(Value(std::nan("")).to_json(), "null");
  EXPECT_EQ(Value(std::numeric_limits<double>::infinity()).to_json(), "null");
}

TEST(Value, ShowsAFloatWithoutTheNoiseOfItsDouble) {
  EXPECT_EQ(Value::of_float(0.9f).to_json(), "0.9");
  EXPECT_EQ(Value::of_float(0.98734266f).to_json(), "0.98734266");
  EXPECT_EQ(Value::of_float(std::nanf("")).to_json(), "null");
}

TEST(Value, ShowsPlainTextInTemplates) {
  EXPECT_EQ(Value("a \"b\"").to_text(), "a \"b\"");
  EXPECT_EQ(Value().to_text(), "");
  EXPECT_EQ(Value(12).to_text(), "12");
  EXPECT_EQ(Value(Value::Array{1, 2}).to_text(), "[1,2]");
}

TEST(Value, FindsFieldsOfObjectsOnly) {
  const Value object = Value::Object{{"a", 1}};

  ASSERT_NE(object.find("a"), nullptr);
  EXPECT_EQ(*object.find("a"), Value(1));
  EXPECT_EQ(object.find("b"), nullptr);
  EXPECT_EQ(Value("a").find("a"), nullptr);
}

}  // namespace
}  // namespace sluice
