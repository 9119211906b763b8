#include "sluice/nodes/infer/native/kernels/gemm.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

namespace sluice::kernels {
namespace {

using test::Extents;
using test::near;
using test::random_floats;

double dot(const GemmParams& p, const float* a, const float* b, std::int64_t row,
           std::int64_t column) {
  double sum = 0.0;
  for (std::int64_t k = 0; k < p.k; ++k) {
    sum += static_cast<double>(p.transpose_a ? a[k * p.m + row] : a[row * p.k + k]) *
           (p.transpose_b ? b[column * p.k + k] : b[k * p.n + column]);
  }
  return sum;
}

TEST(Gemm, FollowsItsDefinition) {
  std::mt19937 engine(1);
  for (unsigned i = 0; i < 60; ++i) {
    GemmParams p{.m = test::pick(engine, 1, 20),
                 .n = test::pick(engine, 1, 20),
                 .k = test::pick(engine, 0, 20)};
    p.transpose_a = test::pick(engine, 0, 1) > 0;
    p.transpose_b = test::pick(engine, 0, 1) > 0;
    p.alpha = 0.5f;
    p.beta = 2.0f;
    p.bias = static_cast<GemmBias>(test::pick(engine, 0, 4));
    p.activation.kind =
        test::pick(engine, 0, 1) > 0 ? ActivationKind::kRelu : ActivationKind::kNone;
    const auto a = random_floats(p.m * p.k, i), b = random_floats(p.k * p.n, i + 1),
               c = random_floats(p.m * p.n, i + 2);
    std::vector<float> y(static_cast<std::size_t>(p.m * p.n), std::nanf(""));
    std::vector<double> expected;
    for (std::int64_t at = 0; at < p.m * p.n; ++at) {
      const std::int64_t from[] = {0, 0, at / p.n, at % p.n, at};
      const double bias = p.bias == GemmBias::kNone
                              ? 0.0
                              : c[static_cast<std::size_t>(from[static_cast<int>(p.bias)])];
      const double value = p.alpha * dot(p, a.data(), b.data(), at / p.n, at % p.n) + p.beta * bias;
      expected.push_back(p.activation.kind == ActivationKind::kRelu ? std::max(value, 0.0) : value);
    }

    gemm(p, a.data(), b.data(), c.data(), y.data());

    ASSERT_TRUE(near(y, expected)) << "case " << i;
  }
}

TEST(PackedGemm, FollowsItsDefinition) {
  std::mt19937 engine(2);
  for (unsigned i = 0; i < 80; ++i) {
    const std::int64_t m = test::pick(engine, 1, 20), n = test::pick(engine, 1, 70);
    const std::int64_t k =
        test::pick(engine, 0, 9) > 0 ? test::pick(engine, 0, 60) : test::pick(engine, 513, 1200);
    const GemmParams p{.m = m, .n = n, .k = k, .transpose_b = test::pick(engine, 0, 1) > 0};
    const auto a = random_floats(m * k, i), b = random_floats(k * n, i + 1),
               bias = random_floats(n, i + 2);
    const auto residual = random_floats(m * n, i + 3);
    const bool adds = test::pick(engine, 0, 1) > 0;
    const auto layout = p.transpose_b ? PackedGemm::Layout::kNByK : PackedGemm::Layout::kKByN;
    const PackedGemm packed(k, n, layout, b.data(), bias.data(), {ActivationKind::kRelu});
    test::Scratch scratch(packed.scratch_bytes(m));
    std::vector<float> y(static_cast<std::size_t>(m * n), std::nanf(""));
    std::vector<double> expected;
    for (std::int64_t at = 0; at < m * n; ++at) {
      const double sum =
          dot(p, a.data(), b.data(), at / n, at % n) + bias[static_cast<std::size_t>(at % n)];
      expected.push_back(std::max(sum, 0.0) +
                         (adds ? residual[static_cast<std::size_t>(at)] : 0.0));
    }

    packed.run(m, a.data(), adds ? residual.data() : nullptr, y.data(), scratch.data());

    ASSERT_TRUE(scratch.intact());
    ASSERT_TRUE(near(y, expected, 1e-5, 5e-5)) << "case " << i;
  }
}

struct MatMulCase {
  Extents a, b, out;
};

TEST(MatMul, BroadcastsTheLeadingAxes) {
  const std::vector<MatMulCase> cases{{{3, 4}, {4, 5}, {3, 5}},
                                      {{4}, {4, 5}, {5}},
                                      {{3, 4}, {4}, {3}},
                                      {{4}, {4}, {}},
                                      {{2, 3, 4}, {4, 5}, {2, 3, 5}},
                                      {{2, 3, 4}, {2, 4, 5}, {2, 3, 5}},
                                      {{3, 4}, {2, 4, 5}, {2, 3, 5}},
                                      {{2, 1, 3, 4}, {7, 4, 5}, {2, 7, 3, 5}},
                                      {{2, 7, 3, 4}, {2, 1, 4, 5}, {2, 7, 3, 5}}};
  for (const MatMulCase& c : cases) {
    const auto a = random_floats(c.a, 1), b = random_floats(c.b, 2);
    const std::int64_t k = c.a.back(), m = c.a.size() == 1 ? 1 : c.a[c.a.size() - 2];
    const std::int64_t n = c.b.size() == 1 ? 1 : c.b.back();
    const std::int64_t batches = element_count(c.out) / (m * n);
    const std::int64_t outer = c.out.size() == 4 ? c.out[0] : 1, inner = batches / outer;
    const auto batch_of = [&](const Extents& dims, std::int64_t batch) {
      if (dims.size() < 3) return std::int64_t{0};
      const std::int64_t last = dims[dims.size() - 3] == 1 ? 0 : batch % inner;
      return dims.size() == 4 ? batch / inner * dims[1] + last : last;
    };
    std::vector<double> expected;
    for (std::int64_t at = 0; at < element_count(c.out); ++at) {
      const std::int64_t batch = at / (m * n);
      expected.push_back(dot({.m = m, .n = n, .k = k}, a.data() + batch_of(c.a, batch) * m * k,
                             b.data() + batch_of(c.b, batch) * k * n, at / n % m, at % n));
    }
    std::vector<float> y(static_cast<std::size_t>(element_count(c.out)));

    matmul({.a_dims = c.a, .b_dims = c.b}, a.data(), b.data(), y.data());

    EXPECT_TRUE(near(y, expected)) << "a of rank " << c.a.size() << ", b of rank " << c.b.size();
  }
}

TEST(MatMul, AddsABiasToEveryRow) {
  const Extents a_dims{1, 2, 1}, b_dims{1, 3};
  const std::vector<float> a{1, -2}, b{1, 2, 3}, bias{10, 0, -1};
  std::vector<float> y(6);

  matmul({.a_dims = a_dims,
          .b_dims = b_dims,
          .bias = bias.data(),
          .activation = {ActivationKind::kRelu}},
         a.data(), b.data(), y.data());

  EXPECT_EQ(y, (std::vector<float>{11, 2, 2, 8, 0, 0}));
}

}  // namespace
}  // namespace sluice::kernels
