#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

// Seeded inputs and comparisons for the kernel tests.
namespace sluice::kernels::test {

using Extents = std::vector<std::int64_t>;

inline std::vector<float> random_floats(std::int64_t count, unsigned seed, float low = -1.0f,
                                        float high = 1.0f) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> values(low, high);
  std::vector<float> result(static_cast<std::size_t>(count));
  for (float& value : result) value = values(engine);
  return result;
}

inline std::vector<float> random_floats(const Extents& dims, unsigned seed) {
  return random_floats(element_count(dims), seed);
}

inline std::int64_t pick(std::mt19937& engine, std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(engine);
}

// Scratch on a cache line's boundary, with a guard behind it that tells of writes beyond its end.
class Scratch {
 public:
  explicit Scratch(std::size_t bytes)
      : bytes_(bytes), storage_(bytes + kGuard + kLine, std::byte{0xa5}) {}
  std::byte* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + (kLine - address % kLine) % kLine;
  }
  bool intact() {
    const std::byte* guard = data() + bytes_;
    return std::all_of(guard, guard + kGuard, [](std::byte b) { return b == std::byte{0xa5}; });
  }

 private:
  static constexpr std::size_t kLine = 64, kGuard = 256;
  std::size_t bytes_;
  std::vector<std::byte> storage_;
};

// |actual - expected| <= absolute + relative * |expected|, NaN and infinities equal to themselves.
template <class T>
::testing::AssertionResult near(const std::vector<float>& actual, const std::vector<T>& expected,
                                double relative = 1e-5, double absolute = 1e-5) {
  if (actual.size() != expected.size()) {
    return ::testing::AssertionFailure() << "sizes " << actual.size() << " and " << expected.size();
  }
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double a = actual[i], e = static_cast<double>(expected[i]);
    if ((std::isnan(a) && std::isnan(e)) || a == e) continue;
    if (!(std::fabs(a - e) <= absolute + relative * std::fabs(e))) {
      return ::testing::AssertionFailure()
             << "element " << i << " of " << actual.size() << ": " << a << ", expected " << e;
    }
  }
  return ::testing::AssertionSuccess();
}

}  // namespace sluice::kernels::test
