#include "sluice/core/expression.h"

#include "sluice/core/payloads.h"
#include "sluice/core/port.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

PortDecl input(std::string name, PortType type) {
  PortDecl port;
  port.name = std::move(name);
  port.type = std::move(type);
  return port;
}

const std::vector<PortDecl> kInputs{input("page", PortType::of<Image>()),
                                    input("row", PortType::of<Record>())};

Value evaluate(std::string_view text, const std::vector<PayloadRef>& payloads) {
  return Expression::parse(text)->bind(kInputs)->evaluate(payloads, {"dir/a.png", 5, 2});
}

TEST(Expression, ReadsFieldsOfInputsAndOfTheItem) {
  const std::vector<PayloadRef> payloads{
      PayloadRef::make(*Image::allocate(640, 480, 3)),
      PayloadRef::make(Record{Value::Object{{"a", Value::Object{{"b", "deep"}}}}})};

  EXPECT_EQ(evaluate("page.width", payloads), Value(640));
  EXPECT_EQ(evaluate("page", payloads).to_json(), R"({"width":640,"height":480,"channels":3})");
  EXPECT_EQ(evaluate("row.a.b", payloads), Value("deep"));
  EXPECT_EQ(evaluate("row.a.c", payloads), Value());
  EXPECT_EQ(evaluate("item.key", payloads), Value("dir/a.png"));
  EXPECT_EQ(evaluate(" item.stem ", payloads), Value("a"));
  EXPECT_EQ(evaluate("item.index", payloads), Value(2));
}

TEST(Expression, GivesLiterals) {
  EXPECT_EQ(evaluate("\"text\"", {}), Value("text"));
  EXPECT_EQ(evaluate("'it'", {}), Value("it"));
  EXPECT_EQ(evaluate("-3", {}), Value(-3));
  EXPECT_EQ(evaluate("2.5", {}), Value(2.5));
  EXPECT_EQ(evaluate("true", {}), Value(true));
  EXPECT_EQ(evaluate("null", {}), Value());
}

TEST(Expression, NamesTheOnlyInputValue) {
  const std::vector<PortDecl> one{input("image", PortType::of<Image>())};
  const std::vector<PayloadRef> payloads{PayloadRef::make(*Image::allocate(7, 1, 1))};

  EXPECT_EQ(Expression::parse("value.width")->bind(one)->evaluate(payloads, {}), Value(7));
  EXPECT_THAT(Expression::parse("value")->bind(kInputs), FailsWith("expression.name"));
}

TEST(Expression, IsNullWhereAnOptionalInputIsUnwired) {
  EXPECT_EQ(evaluate("page.width", {PayloadRef(), PayloadRef()}), Value());
}

TEST(Expression, ListsWhatThereIsWhenANameIsWrong) {
  EXPECT_THAT(Expression::parse("pge.width")->bind(kInputs),
              FailsWith("expression.name", "page, row, item"));
  EXPECT_THAT(Expression::parse("page.widht")->bind(kInputs),
              FailsWith("expression.field", "width, height, channels"));
  EXPECT_THAT(Expression::parse("item.kye")->bind(kInputs),
              FailsWith("expression.field", "key, stem"));
  EXPECT_THAT(Expression::parse("page.width.x")->bind(kInputs),
              FailsWith("expression.field", "has no field `x`"));
}

TEST(Expression, RefusesWhatIsNoPath) {
  for (const std::string_view text :
       {"", "a.", ".a", "a b", "a.1", "a+b", "\"open", "\"a\"b\"", "12x", "-"}) {
    EXPECT_THAT(Expression::parse(text), FailsWith("expression.syntax")) << text;
  }
  EXPECT_THAT(Expression::parse("a.b_1"), IsOk());
}

}  // namespace
}  // namespace sluice
