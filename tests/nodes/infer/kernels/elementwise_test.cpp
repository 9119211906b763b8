#include "sluice/nodes/infer/native/kernels/elementwise.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>
#include <memory>

namespace sluice::kernels {
namespace {

using test::Extents;
using test::near;
using test::random_floats;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct UnaryCase {
  Unary fn;
  float alpha, beta, low, high;
  std::function<double(double)> expected;
};

std::vector<float> unary_of(const UnaryCase& c, const std::vector<float>& input) {
  std::vector<float> output(input.size());
  unary(c.fn, c.alpha, c.beta, static_cast<std::int64_t>(input.size()), input.data(),
        output.data());
  return output;
}

TEST(Unary, MatchesTheStandardLibrary) {
  const auto sigmoid = [](double x) { return 1 / (1 + std::exp(-x)); };
  const auto gelu = [](double x) { return x / 2 * (1 + std::erf(x / std::sqrt(2.0))); };
  const auto softplus = [](double x) { return std::log1p(std::exp(x)); };
  const std::vector<UnaryCase> cases{
      {Unary::kIdentity, 0, 0, -9, 9, [](double x) { return x; }},
      {Unary::kRelu, 0, 0, -9, 9, [](double x) { return std::max(x, 0.0); }},
      {Unary::kClip, -2, 3, -9, 9, [](double x) { return std::clamp(x, -2.0, 3.0); }},
      {Unary::kLeakyRelu, 0.25f, 0, -9, 9, [](double x) { return x < 0 ? x / 4 : x; }},
      {Unary::kSigmoid, 0, 0, -80, 80, sigmoid},
      {Unary::kSilu, 0, 0, -80, 80, [&](double x) { return x * sigmoid(x); }},
      {Unary::kHardSigmoid, 0.25f, 0.5f, -9, 9,
       [](double x) { return std::clamp(x / 4 + 0.5, 0.0, 1.0); }},
      {Unary::kHardSwish, 0, 0, -9, 9,
       [](double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }},
      {Unary::kGelu, 0, 0, -9, 9, gelu},
      {Unary::kGeluTanh, 0, 0, -9, 9,
       [](double x) {
         return x / 2 * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
       }},
      {Unary::kTanh, 0, 0, -12, 12, [](double x) { return std::tanh(x); }},
      {Unary::kExp, 0, 0, -86, 88, [](double x) { return std::exp(x); }},
      {Unary::kLog, 0, 0, 0.001f, 9, [](double x) { return std::log(x); }},
      {Unary::kSqrt, 0, 0, 0, 9, [](double x) { return std::sqrt(x); }},
      {Unary::kReciprocal, 0, 0, 0.1f, 9, [](double x) { return 1 / x; }},
      {Unary::kErf, 0, 0, -5, 5, [](double x) { return std::erf(x); }},
      {Unary::kNeg, 0, 0, -9, 9, [](double x) { return -x; }},
      {Unary::kAbs, 0, 0, -9, 9, [](double x) { return std::fabs(x); }},
      {Unary::kFloor, 0, 0, -9, 9, [](double x) { return std::floor(x); }},
      {Unary::kCeil, 0, 0, -9, 9, [](double x) { return std::ceil(x); }},
      {Unary::kRound, 0, 0, -9, 9, [](double x) { return std::nearbyint(x); }},
      {Unary::kSign, 0, 0, -9, 9, [](double x) { return x > 0 ? 1.0 : -1.0; }},
      {Unary::kElu, 0.5f, 0, -9, 9, [](double x) { return x < 0 ? 0.5 * std::expm1(x) : x; }},
      {Unary::kSelu, 1.5f, 2, -9, 9,
       [](double x) { return 2 * (x < 0 ? 1.5 * std::expm1(x) : x); }},
      {Unary::kCelu, 2, 0, -9, 9, [](double x) { return x < 0 ? 2 * std::expm1(x / 2) : x; }},
      {Unary::kSoftplus, 0, 0, -60, 60, softplus},
      {Unary::kSoftsign, 0, 0, -9, 9, [](double x) { return x / (1 + std::fabs(x)); }},
      {Unary::kThresholdedRelu, 1, 0, -9, 9, [](double x) { return x > 1 ? x : 0.0; }},
      {Unary::kMish, 0, 0, -20, 20, [&](double x) { return x * std::tanh(softplus(x)); }},
      {Unary::kSin, 0, 0, -9, 9, [](double x) { return std::sin(x); }},
      {Unary::kCos, 0, 0, -9, 9, [](double x) { return std::cos(x); }},
      {Unary::kTan, 0, 0, -1, 1, [](double x) { return std::tan(x); }},
      {Unary::kAsin, 0, 0, -1, 1, [](double x) { return std::asin(x); }},
      {Unary::kAcos, 0, 0, -1, 1, [](double x) { return std::acos(x); }},
      {Unary::kAtan, 0, 0, -9, 9, [](double x) { return std::atan(x); }},
      {Unary::kSinh, 0, 0, -9, 9, [](double x) { return std::sinh(x); }},
      {Unary::kCosh, 0, 0, -9, 9, [](double x) { return std::cosh(x); }}};
  for (const UnaryCase& c : cases) {
    const auto input = random_floats(10007, 1, c.low, c.high);
    std::vector<double> expected;
    for (float x : input) expected.push_back(c.expected(x));
    EXPECT_TRUE(near(unary_of(c, input), expected, 2e-6, 1e-6))
        << "function " << static_cast<int>(c.fn);
  }
}

TEST(Unary, KeepsRelativeAccuracyWhereTheResultIsSmall) {
  std::vector<float> input;
  for (float x = 1e-30f; x < 0.1f; x *= 3.0f) input.push_back(x);
  std::vector<double> erfs, tanhs;
  for (float x : input) {
    erfs.push_back(std::erf(static_cast<double>(x)));
    tanhs.push_back(std::tanh(static_cast<double>(x)));
  }

  EXPECT_TRUE(near(unary_of({Unary::kErf, 0, 0, 0, 0, {}}, input), erfs, 1e-6, 0));
  EXPECT_TRUE(near(unary_of({Unary::kTanh, 0, 0, 0, 0, {}}, input), tanhs, 1e-6, 0));
}

TEST(Unary, HandlesInfinitiesAndNaN) {
  const std::vector<float> input{-kInfinity, kInfinity, std::nanf(""), -200.0f, 200.0f};
  const auto of = [&](Unary fn) { return unary_of({fn, 0, 0, 0, 0, {}}, input); };

  EXPECT_TRUE(near(of(Unary::kExp), std::vector<float>{0, kInfinity, std::nanf(""), 0, kInfinity},
                   0, 1e-37));
  EXPECT_TRUE(near(of(Unary::kSigmoid), std::vector<float>{0, 1, std::nanf(""), 0, 1}, 0, 1e-37));
  EXPECT_TRUE(near(of(Unary::kTanh), std::vector<float>{-1, 1, std::nanf(""), -1, 1}, 0, 0));
  EXPECT_TRUE(near(of(Unary::kErf), std::vector<float>{-1, 1, std::nanf(""), -1, 1}, 0, 0));
  EXPECT_TRUE(
      near(of(Unary::kRelu), std::vector<float>{0, kInfinity, std::nanf(""), 0, 200}, 0, 0));
}

TEST(Unary, WritesNothingBeyondItsCount) {
  for (std::int64_t count = 0; count < 40; ++count) {
    const std::vector<float> input(64, 1.0f);
    std::vector<float> output(64, 7.0f);

    unary(Unary::kNeg, 0, 0, count, input.data(), output.data());

    EXPECT_EQ(std::count(output.begin(), output.end(), 7.0f), 64 - count);
  }
}

TEST(Unary, WorksOnIntegers) {
  const std::vector<std::int64_t> input{-5, 0, 9};
  std::vector<std::int64_t> output(3);

  unary_i64(Unary::kClip, -2, 4, 3, input.data(), output.data());
  EXPECT_EQ(output, (std::vector<std::int64_t>{-2, 0, 4}));
  unary_i64(Unary::kSign, 0, 0, 3, input.data(), output.data());
  EXPECT_EQ(output, (std::vector<std::int64_t>{-1, 0, 1}));
}

// numpy's rule, element by element: the flat index in an array of extents `dims` of output index
// `flat`.
std::size_t source_of(std::int64_t flat, const Extents& out, const Extents& dims) {
  std::int64_t index = 0, step = 1;
  for (std::size_t back = 1; back <= out.size(); ++back) {
    const std::int64_t at = flat % out[out.size() - back];
    flat /= out[out.size() - back];
    if (back > dims.size()) continue;
    if (dims[dims.size() - back] != 1) index += at * step;
    step *= dims[dims.size() - back];
  }
  return static_cast<std::size_t>(index);
}

TEST(Binary, BroadcastsAsNumpyDoes) {
  std::mt19937 engine(5);
  for (unsigned i = 0; i < 300; ++i) {
    Extents out, a_dims, b_dims;
    const std::int64_t rank = test::pick(engine, 0, 5), missing = test::pick(engine, 0, rank);
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      out.push_back(test::pick(engine, 1, axis + 1 == rank ? 40 : 5));
      a_dims.push_back(test::pick(engine, 0, 2) > 0 ? out.back() : 1);
      if (axis >= missing) b_dims.push_back(test::pick(engine, 0, 1) > 0 ? out.back() : 1);
      if (a_dims.back() == 1 && (axis < missing || b_dims.back() == 1)) out.back() = 1;
    }
    const auto a = random_floats(a_dims, i), b = random_floats(b_dims, i + 1);
    std::vector<float> output(static_cast<std::size_t>(element_count(out))), swapped = output;
    std::vector<double> expected, expected_swapped;
    for (std::int64_t n = 0; n < element_count(out); ++n) {
      const double x = a[source_of(n, out, a_dims)], y = b[source_of(n, out, b_dims)];
      expected.push_back(x - y);
      expected_swapped.push_back(y - x);
    }

    binary<float>(Binary::kSub, a_dims, a.data(), b_dims, b.data(), output.data());
    binary<float>(Binary::kSub, b_dims, b.data(), a_dims, a.data(), swapped.data());

    ASSERT_TRUE(near(output, expected)) << "case " << i;
    ASSERT_TRUE(near(swapped, expected_swapped)) << "case " << i;
  }
}

TEST(Binary, ComputesEachFunction) {
  const Extents dims{6};
  const std::vector<float> a{-3, 2, 5, 0.5f, -7, 4}, b{2, -3, 5, 2, 3, 0.5f};
  const auto of = [&](Binary fn) {
    std::vector<float> output(6);
    binary<float>(fn, dims, a.data(), dims, b.data(), output.data());
    return output;
  };

  EXPECT_EQ(of(Binary::kAdd), (std::vector<float>{-1, -1, 10, 2.5f, -4, 4.5f}));
  EXPECT_EQ(of(Binary::kMul), (std::vector<float>{-6, -6, 25, 1, -21, 2}));
  EXPECT_EQ(of(Binary::kMin), (std::vector<float>{-3, -3, 5, 0.5f, -7, 0.5f}));
  EXPECT_EQ(of(Binary::kMax), (std::vector<float>{2, 2, 5, 2, 3, 4}));
  EXPECT_EQ(of(Binary::kPRelu), (std::vector<float>{-6, 2, 5, 0.5f, -21, 4}));
  EXPECT_TRUE(near(of(Binary::kDiv), std::vector<float>{-1.5f, -2.0f / 3, 1, 0.25f, -7.0f / 3, 8}));
  EXPECT_TRUE(near(of(Binary::kPow), std::vector<float>{9, 0.125f, 3125, 0.25f, -343, 2}));
  EXPECT_TRUE(near(of(Binary::kFmod), std::vector<float>{-1, 2, 0, 0.5f, -1, 0}));
  EXPECT_TRUE(near(of(Binary::kMod), std::vector<float>{1, -1, 0, 0.5f, 2, 0}));
}

TEST(Binary, RaisesToCommonPowersAsPowDoes) {
  const Extents dims{3}, scalar{};
  const std::vector<float> a{0.5f, 2, 9};
  for (const float exponent : {2.0f, 3.0f, 0.5f, 1.7f}) {
    std::vector<float> output(3), expected;
    for (float x : a) expected.push_back(std::pow(x, exponent));
    binary<float>(Binary::kPow, dims, a.data(), scalar, &exponent, output.data());
    EXPECT_TRUE(near(output, expected, 1e-6, 0));
  }
}

TEST(Binary, DividesIntegersWithoutTrapping) {
  constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
  const Extents dims{4};
  const std::vector<std::int64_t> a{7, -7, 5, kMin}, b{2, 2, 0, -1};
  std::vector<std::int64_t> output(4);

  binary<std::int64_t>(Binary::kDiv, dims, a.data(), dims, b.data(), output.data());

  EXPECT_EQ(output, (std::vector<std::int64_t>{3, -3, 0, kMin}));
}

TEST(Binary, DoesNothingForAnEmptyArray) {
  const Extents a{2, 0}, b{1};
  const float one = 1.0f;
  binary<float>(Binary::kAdd, a, nullptr, b, &one, nullptr);
}

TEST(Compare, BroadcastsAndCompares) {
  const Extents a_dims{2, 1}, b_dims{3};
  const std::vector<std::int32_t> a{1, 2}, b{1, 2, 3};
  const auto of = [&](Compare fn) {
    std::array<bool, 6> output{};
    compare<std::int32_t>(fn, a_dims, a.data(), b_dims, b.data(), output.data());
    return output;
  };

  EXPECT_EQ(of(Compare::kEqual), (std::array{true, false, false, false, true, false}));
  EXPECT_EQ(of(Compare::kLess), (std::array{false, true, true, false, false, true}));
  EXPECT_EQ(of(Compare::kGreaterOrEqual), (std::array{true, false, false, true, true, false}));
}

TEST(Logical, CombinesAndNegates) {
  const Extents dims{4};
  const std::array a{true, true, false, false}, b{true, false, true, false};
  std::array<bool, 4> output{};

  logical(Logical::kXor, dims, a.data(), dims, b.data(), output.data());
  EXPECT_EQ(output, (std::array{false, true, true, false}));
  logical_not(4, a.data(), output.data());
  EXPECT_EQ(output, (std::array{false, false, true, true}));
}

TEST(Where, BroadcastsAllThree) {
  const Extents out{2, 3}, condition_dims{2, 1}, a_dims{3}, b_dims{};
  const std::array condition{true, false};
  const std::vector<float> a{1, 2, 3}, b{9};
  std::vector<float> output(6);

  where({out, condition_dims, a_dims, b_dims, 4}, condition.data(), a.data(), b.data(),
        output.data());

  EXPECT_EQ(output, (std::vector<float>{1, 2, 3, 9, 9, 9}));
}

TEST(Cast, TruncatesSaturatesAndTakesNaNForZero) {
  const std::vector<float> input{1.9f, -1.9f, 1e20f, -1e20f, std::nanf("")};
  std::vector<std::int32_t> ints(5);
  std::vector<std::uint8_t> bytes(5);

  cast(DType::kF32, DType::kI32, 5, input.data(), ints.data());
  cast(DType::kF32, DType::kU8, 5, input.data(), bytes.data());

  EXPECT_EQ(ints, (std::vector<std::int32_t>{1, -1, INT32_MAX, INT32_MIN, 0}));
  EXPECT_EQ(bytes, (std::vector<std::uint8_t>{1, 0, 255, 0, 0}));
}

TEST(Cast, ReadsAndRoundsHalfPrecision) {
  std::vector<std::uint16_t> every(0x10000);
  for (std::size_t i = 0; i < every.size(); ++i) every[i] = static_cast<std::uint16_t>(i);
  std::vector<float> wide(every.size());
  std::vector<std::uint16_t> back(every.size());

  cast(DType::kF16, DType::kF32, 0x10000, every.data(), wide.data());
  cast(DType::kF32, DType::kF16, 0x10000, wide.data(), back.data());

  for (std::size_t i = 0; i < every.size(); ++i) {
    if (!std::isnan(wide[i])) {
      ASSERT_EQ(back[i], every[i]);
    }
  }
  EXPECT_EQ(wide[0x3c00], 1.0f);
  EXPECT_EQ(wide[0x0001], 0x1p-24f);
  EXPECT_EQ(wide[0xfc00], -kInfinity);
  const std::vector<float> ties{1.0f + 0x1p-11f, 1.0f + 0x3p-11f, 65520.0f};
  cast(DType::kF32, DType::kF16, 3, ties.data(), back.data());
  EXPECT_EQ(back[0], 0x3c00);  // to even
  EXPECT_EQ(back[1], 0x3c02);
  EXPECT_EQ(back[2], 0x7c00);  // infinity
}

}  // namespace
}  // namespace sluice::kernels
