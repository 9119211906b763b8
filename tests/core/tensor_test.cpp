#include "sluice/core/tensor.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <limits>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::tensor_of;
using testing::values_of;

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ((Shape{2, 3, 4}).elements(), 24);
  EXPECT_EQ((Shape{2, 0, 4}).elements(), 0);
  EXPECT_EQ((Shape{1, 3, 224, 224}).to_string(), "[1,3,224,224]");
  EXPECT_NE((Shape{2, 3}), (Shape{2, 3, 1}));
}

TEST(Tensor, IsContiguousAndRowMajorWhenAllocated) {
  const Tensor tensor = *Tensor::allocate(DType::kI32, {2, 3, 4});

  EXPECT_EQ(tensor.strides(), (Shape{12, 4, 1}));
  EXPECT_TRUE(tensor.is_contiguous());
  EXPECT_EQ(tensor.size_bytes(), 96u);
}

TEST(Tensor, RefusesShapesThatNoTensorHas) {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

  EXPECT_THAT(Tensor::allocate(DType::kF32, {2, -1}), FailsWith("tensor.shape", "[2,-1]"));
  EXPECT_THAT(Tensor::allocate(DType::kF32, {kHuge, kHuge}), FailsWith("tensor.shape"));
  EXPECT_TRUE(Tensor::allocate(DType::kF32, {0, 3}).is_ok());
}

TEST(Tensor, ChargesItsBudget) {
  const auto budget = std::make_shared<MemoryBudget>(100);

  EXPECT_THAT(Tensor::allocate(DType::kF32, {26}, budget), FailsWith("memory.limit"));
  EXPECT_TRUE(Tensor::allocate(DType::kF32, {25}, budget).is_ok());
}

TEST(Tensor, SharesItsBytesWithReshapedViewsAndRows) {
  const Tensor tensor = tensor_of<float>({2, 3}, {0, 1, 2, 3, 4, 5});

  const Tensor flat = tensor.reshaped({6});
  const Tensor second = tensor.row(1);

  EXPECT_EQ(flat.data<float>(), tensor.data<float>());
  EXPECT_EQ(second.shape(), Shape{3});
  EXPECT_EQ(values_of<float>(second), (std::vector<float>{3, 4, 5}));
}

TEST(Tensor, KnowsStridesThatSkipElements) {
  const Tensor whole = tensor_of<float>({2, 4}, {0, 1, 2, 3, 4, 5, 6, 7});

  const Tensor left(DType::kF32, {2, 2}, {4, 1}, whole.buffer(), 0);
  const Tensor one_row(DType::kF32, {1, 4}, {99, 1}, whole.buffer(), 0);

  EXPECT_FALSE(left.is_contiguous());
  EXPECT_TRUE(one_row.is_contiguous()) << "the stride of a single row is never used";
}

TEST(DType, HasASizeAndAWord) {
  EXPECT_EQ(size_of(DType::kBF16), 2u);
  EXPECT_EQ(size_of(DType::kI64), 8u);
  EXPECT_EQ(to_string(DType::kF32), "f32");
  EXPECT_EQ(to_string(DType::kBool), "bool");
}

}  // namespace
}  // namespace sluice
