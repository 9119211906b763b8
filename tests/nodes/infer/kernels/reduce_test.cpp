#include "sluice/nodes/infer/native/kernels/reduce.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

#include <map>

namespace sluice::kernels {
namespace {

using test::Extents;
using test::near;
using test::random_floats;

double reduced(Reduce fn, const std::vector<double>& values) {
  double sum = 0, product = 1, l1 = 0, squares = 0, exps = 0;
  for (double v : values) {
    sum += v;
    product *= v;
    l1 += std::fabs(v);
    squares += v * v;
    exps += std::exp(v);
  }
  switch (fn) {
    case Reduce::kSum:
      return sum;
    case Reduce::kMean:
      return sum / static_cast<double>(values.size());
    case Reduce::kMax:
      return *std::max_element(values.begin(), values.end());
    case Reduce::kMin:
      return *std::min_element(values.begin(), values.end());
    case Reduce::kProd:
      return product;
    case Reduce::kL1:
      return l1;
    case Reduce::kL2:
      return std::sqrt(squares);
    case Reduce::kSumSquare:
      return squares;
    case Reduce::kLogSum:
      return std::log(sum);
    case Reduce::kLogSumExp:
      return std::log(exps);
  }
  return 0;
}

std::vector<double> reference(Reduce fn, const Extents& dims, const Extents& axes,
                              const std::vector<float>& input) {
  std::map<std::int64_t, std::vector<double>> groups;
  for (std::int64_t flat = 0; flat < element_count(dims); ++flat) {
    std::int64_t rest = flat, key = 0, step = 1;
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      const bool kept =
          std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) == axes.end();
      if (kept) {
        key += rest % dims[axis] * step;
        step *= dims[axis];
      }
      rest /= dims[axis];
    }
    groups[key].push_back(input[static_cast<std::size_t>(flat)]);
  }
  std::vector<double> result;
  for (const auto& [key, values] : groups) result.push_back(reduced(fn, values));
  return result;
}

TEST(Reduce, CoversEveryFunctionAndEverySetOfAxes) {
  const Extents dims{3, 4, 1, 5, 9};
  const auto input = random_floats(element_count(dims), 1, 0.1f, 1.2f);
  for (int fn = 0; fn <= static_cast<int>(Reduce::kLogSumExp); ++fn) {
    for (int set = 1; set < 32; ++set) {
      Extents axes;
      for (std::int64_t axis = 0; axis < 5; ++axis) {
        if ((set >> axis & 1) != 0) axes.push_back(axis);
      }
      const auto expected = reference(static_cast<Reduce>(fn), dims, axes, input);
      std::vector<float> output(expected.size());

      reduce<float>(static_cast<Reduce>(fn), dims, axes, input.data(), output.data());

      ASSERT_TRUE(near(output, expected)) << "function " << fn << " axes " << set;
    }
  }
}

TEST(Reduce, TakesNoAxesForAll) {
  const Extents dims{2, 2};
  const std::vector<std::int64_t> input{1, 2, 3, 5};
  std::int64_t output = 0;

  reduce<std::int64_t>(Reduce::kMean, dims, {}, input.data(), &output);

  EXPECT_EQ(output, 2);
}

TEST(Reduce, GivesTheNeutralElementForNothing) {
  const Extents dims{2, 0}, axes{1};
  std::vector<float> output(2, 5.0f);

  reduce<float>(Reduce::kSum, dims, axes, nullptr, output.data());
  EXPECT_EQ(output, (std::vector<float>{0, 0}));
  reduce<float>(Reduce::kProd, dims, axes, nullptr, output.data());
  EXPECT_EQ(output, (std::vector<float>{1, 1}));
}

TEST(Arg, BreaksTiesAsAsked) {
  const std::vector<float> input{1, 3, 3, 0, 0, 2};
  std::int64_t first = 0, last = 0, least = 0;

  arg_max<float>(1, 6, 1, Ties::kFirst, input.data(), &first);
  arg_max<float>(1, 6, 1, Ties::kLast, input.data(), &last);
  arg_min<float>(1, 6, 1, Ties::kFirst, input.data(), &least);

  EXPECT_EQ(first, 1);
  EXPECT_EQ(last, 2);
  EXPECT_EQ(least, 3);
}

TEST(Arg, WalksTheMiddleAxisAndNeverPicksNaN) {
  const std::vector<float> input{std::nanf(""), 1, 5, std::nanf(""), 2, 0};  // [1, 3, 2]
  std::vector<std::int64_t> output(2);

  arg_max<float>(1, 3, 2, Ties::kFirst, input.data(), output.data());

  EXPECT_EQ(output, (std::vector<std::int64_t>{1, 0}));
}

TEST(TopK, OrdersBestFirst) {
  const std::vector<float> input{4, 9, 1, 9, 5};
  std::vector<float> values(3);
  std::vector<std::int64_t> indices(3), scratch(5);

  top_k<float>({.axis = 5, .k = 3}, input.data(), values.data(), indices.data(), scratch.data());
  EXPECT_EQ(values, (std::vector<float>{9, 9, 5}));
  EXPECT_EQ(indices, (std::vector<std::int64_t>{1, 3, 4}));
  top_k<float>({.axis = 5, .k = 2, .order = TopKOrder::kSmallest}, input.data(), values.data(),
               indices.data(), scratch.data());
  EXPECT_EQ(values[0], 1.0f);
  EXPECT_EQ(indices[1], 0);
}

}  // namespace
}  // namespace sluice::kernels
