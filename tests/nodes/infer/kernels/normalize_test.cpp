#include "sluice/nodes/infer/native/kernels/normalize.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

namespace sluice::kernels {
namespace {

using test::near;
using test::random_floats;

struct Moments {
  double mean = 0.0, variance = 0.0;
};

Moments moments(const std::vector<float>& values, std::size_t start, std::size_t count) {
  Moments m;
  for (std::size_t i = 0; i < count; ++i) m.mean += values[start + i] / static_cast<double>(count);
  for (std::size_t i = 0; i < count; ++i) {
    m.variance += std::pow(values[start + i] - m.mean, 2) / static_cast<double>(count);
  }
  return m;
}

TEST(BatchNorm, ScalesEachChannel) {
  const auto x = random_floats(2 * 3 * 7, 1), scale = random_floats(3, 2),
             shift = random_floats(3, 3);
  const auto mean = random_floats(3, 4), variance = random_floats(3, 5, 0.1f, 2.0f);
  std::vector<float> y(x.size());
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t c = i / 7 % 3;
    expected.push_back((x[i] - mean[c]) / std::sqrt(variance[c] + 1e-3) * scale[c] + shift[c]);
  }

  batch_norm({2, 3, 7, 1e-3f, scale.data(), shift.data(), mean.data(), variance.data()}, x.data(),
             y.data());

  EXPECT_TRUE(near(y, expected));
}

TEST(InstanceNorm, NormalisesEachPlane) {
  const auto x = random_floats(2 * 3 * 37, 1), scale = random_floats(3, 2),
             shift = random_floats(3, 3);
  std::vector<float> y(x.size());
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Moments m = moments(x, i / 37 * 37, 37);
    expected.push_back((x[i] - m.mean) / std::sqrt(m.variance + 1e-5) * scale[i / 37 % 3] +
                       shift[i / 37 % 3]);
  }

  instance_norm({2, 3, 37, 1e-5f, scale.data(), shift.data()}, x.data(), y.data());

  EXPECT_TRUE(near(y, expected));
}

TEST(LayerNorm, NormalisesEachRow) {
  // Far from zero, where a one-pass variance in fp32 would be wrong.
  const auto x = random_floats(5 * 33, 1, 1000.0f, 1001.0f), scale = random_floats(33, 2),
             shift = random_floats(33, 3);
  std::vector<float> y(x.size()), plain(x.size());
  std::vector<double> expected, expected_plain;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const Moments m = moments(x, i / 33 * 33, 33);
    expected_plain.push_back((x[i] - m.mean) / std::sqrt(m.variance + 1e-5));
    expected.push_back(expected_plain.back() * scale[i % 33] + shift[i % 33]);
  }

  layer_norm({5, 33, 1e-5f, scale.data(), shift.data()}, x.data(), y.data());
  layer_norm({5, 33, 1e-5f, nullptr, nullptr}, x.data(), plain.data());

  // One ulp of an input at 1000 is 6e-5.
  EXPECT_TRUE(near(y, expected, 1e-4, 3e-4));
  EXPECT_TRUE(near(plain, expected_plain, 1e-4, 3e-4));
}

TEST(Lrn, DividesByTheChannelsAround) {
  for (const std::int64_t size : {1, 2, 3, 5}) {
    for (const float beta : {0.75f, 0.6f}) {
      const auto x = random_floats(2 * 6 * 5, 1);
      std::vector<float> y(x.size());
      std::vector<double> expected;
      for (std::int64_t i = 0; i < 60; ++i) {
        const std::int64_t c = i / 5 % 6;
        double squares = 0.0;
        for (std::int64_t o = std::max<std::int64_t>(0, c - (size - 1) / 2);
             o <= std::min<std::int64_t>(5, c + size / 2); ++o) {
          squares += std::pow(x[static_cast<std::size_t>(i + (o - c) * 5)], 2);
        }
        expected.push_back(x[static_cast<std::size_t>(i)] /
                           std::pow(2.0 + 0.5 / static_cast<double>(size) * squares, beta));
      }

      lrn({2, 6, 5, size, 0.5f, beta, 2.0f}, x.data(), y.data());

      EXPECT_TRUE(near(y, expected)) << "size " << size;
    }
  }
}

TEST(Softmax, SumsToOneOverItsAxis) {
  for (const std::int64_t inner : {1, 3}) {
    for (const std::int64_t axis : {1, 7, 40, 5000}) {
      const auto x = random_floats(2 * axis * inner, 1, -30.0f, 30.0f);
      std::vector<float> y(x.size()), logs(x.size());
      std::vector<double> expected, expected_logs;
      for (std::int64_t i = 0; i < 2 * axis * inner; ++i) {
        const std::int64_t start = i / (axis * inner) * axis * inner + i % inner;
        double total = 0.0;
        for (std::int64_t a = 0; a < axis; ++a) {
          total += std::exp(static_cast<double>(x[static_cast<std::size_t>(start + a * inner)]) -
                            x[static_cast<std::size_t>(i)]);
        }
        expected.push_back(1.0 / total);
        expected_logs.push_back(-std::log(total));
      }

      softmax(2, axis, inner, x.data(), y.data());
      log_softmax(2, axis, inner, x.data(), logs.data());

      EXPECT_TRUE(near(y, expected, 1e-5, 1e-9)) << axis << " by " << inner;
      EXPECT_TRUE(near(logs, expected_logs, 1e-5, 1e-5)) << axis << " by " << inner;
    }
  }
}

TEST(Softmax, GivesMaskedElementsNothing) {
  const std::vector<float> x{1.0f, -std::numeric_limits<float>::infinity(), 1.0f};
  std::vector<float> y(3);

  softmax(1, 3, 1, x.data(), y.data());

  EXPECT_TRUE(near(y, std::vector<float>{0.5f, 0.0f, 0.5f}, 1e-6, 0));
}

}  // namespace
}  // namespace sluice::kernels
