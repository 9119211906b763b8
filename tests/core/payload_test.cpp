#include "sluice/core/payload.h"

#include "sluice/core/payloads.h"

#include "tests/support/tensors.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::tensor_of;

Quad sample_quad() { return {{{{1, 2}, {3.5f, 2}, {3.5f, 4}, {1, 4}}}, 0.9f}; }

TEST(PayloadRef, LivesAsLongAsSomebodyHoldsIt) {
  Image image = *Image::allocate(2, 2, 1);
  const Buffer pixels = image.buffer();
  PayloadRef first = PayloadRef::make(std::move(image));
  PayloadRef second = first;

  first.reset();
  EXPECT_EQ(second.get<Image>().width(), 2);
  second.reset();

  EXPECT_TRUE(pixels.is_unique());
}

TEST(PayloadRef, MovesWithoutCounting) {
  PayloadRef first = PayloadRef::make(Text{"a"});

  const PayloadRef second = std::move(first);

  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): empty is what is promised
  EXPECT_EQ(second.get<Text>().text, "a");
}

TEST(PayloadType, IsOneObjectForEachListType) {
  const PayloadType& quads = list_of(payload_type<Quad>());

  EXPECT_EQ(&quads, &list_of(payload_type<Quad>()));
  EXPECT_EQ(quads.name, "[Quad]");
  EXPECT_EQ(list_of(quads).name, "[[Quad]]");
  EXPECT_EQ(quads.element, &payload_type<Quad>());
}

TEST(PayloadType, NamesTheFieldsThatExpressionsMayRead) {
  const PayloadRef image = PayloadRef::make(*Image::allocate(640, 480, 3));

  const PayloadField* width = image.type().find_field("width");

  ASSERT_NE(width, nullptr);
  EXPECT_EQ(width->get(image.data()), Value(640));
  EXPECT_EQ(image.type().find_field("widht"), nullptr);
}

TEST(PayloadType, CountsTheBytesOfAListWithItsItems) {
  List<Text> list;
  list.push_back(Text{std::string(1000, 'x')});
  list.push_back(Text{std::string(1000, 'y')});

  const PayloadRef ref = PayloadRef::make_list(payload_type<Text>(), std::move(list).take());

  EXPECT_GE(ref.size_bytes(), 2000u);
  EXPECT_EQ(ListView<Text>(ref.items())[1].text, std::string(1000, 'y'));
}

TEST(Payloads, HaveTheirJsonForms) {
  EXPECT_EQ(PayloadRef::make(*Image::allocate(2, 1, 3)).to_value().to_json(),
            R"({"width":2,"height":1,"channels":3})");
  EXPECT_EQ(PayloadRef::make(Text{"hi"}).to_value().to_json(), R"("hi")");
  EXPECT_EQ(PayloadRef::make(Record{Value::Object{{"a", 1}}}).to_value().to_json(), R"({"a":1})");
  EXPECT_EQ(PayloadRef::make(sample_quad()).to_value().to_json(), "[[1,2],[3.5,2],[3.5,4],[1,4]]");
  EXPECT_EQ(PayloadRef::make(TextLine{"Abc", 0.5f, sample_quad()}).to_value().to_json(),
            R"({"text":"Abc","score":0.5,"quad":[[1,2],[3.5,2],[3.5,4],[1,4]]})");
  EXPECT_EQ(PayloadRef::make(Detection{3, 0.25f, "cat"}).to_value().to_json(),
            R"({"class":3,"score":0.25,"label":"cat"})");
  EXPECT_EQ(PayloadRef::make(Detection{3, 0.25f, ""}).to_value().to_json(),
            R"({"class":3,"score":0.25})");
}

TEST(Payloads, ShowASmallTensorByValueAndALargeOneByShape) {
  const PayloadRef small = PayloadRef::make(tensor_of<float>({2, 2}, {0.1f, 2, 3, 4}));
  const PayloadRef large = PayloadRef::make(*Tensor::allocate(DType::kU8, {64, 64}));

  EXPECT_EQ(small.to_value().to_json(), "[[0.1,2],[3,4]]");
  EXPECT_EQ(large.to_value().to_json(), R"({"dtype":"u8","shape":[64,64]})");
}

TEST(Payloads, ShowAStridedTensorInItsOwnOrder) {
  const Tensor whole = tensor_of<std::int64_t>({2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor transposed(DType::kI64, {3, 2}, {1, 3}, whole.buffer(), 0);

  EXPECT_EQ(PayloadRef::make(transposed).to_value().to_json(), "[[1,4],[2,5],[3,6]]");
}

TEST(Payloads, ShowAListAsTheJsonOfItsItems) {
  std::vector<PayloadRef> items;
  items.push_back(PayloadRef::make(Text{"a"}));
  items.push_back(PayloadRef::make(Text{"b"}));

  EXPECT_EQ(PayloadRef::make_list(payload_type<Text>(), std::move(items)).to_value().to_json(),
            R"(["a","b"])");
}

}  // namespace
}  // namespace sluice
