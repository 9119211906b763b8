#include "sluice/nodes/infer/native/kernels/pool.h"

#include "tests/nodes/infer/kernels/values.h"

#include <gtest/gtest.h>

namespace sluice::kernels {
namespace {

using test::near;
using test::random_floats;

PoolParams random_pool(std::mt19937& engine) {
  PoolParams p;
  p.planes = test::pick(engine, 1, 3);
  p.height = test::pick(engine, 1, 20);
  p.width = test::pick(engine, 1, 40);
  p.kernel_h = test::pick(engine, 1, 4);
  p.kernel_w = test::pick(engine, 1, 4);
  p.stride_h = test::pick(engine, 1, 3);
  p.stride_w = test::pick(engine, 1, 3);
  p.dilation_h = test::pick(engine, 1, 2);
  p.dilation_w = test::pick(engine, 1, 2);
  p.pad_top = test::pick(engine, 0, p.kernel_h - 1);
  p.pad_left = test::pick(engine, 0, p.kernel_w - 1);
  p.pad_bottom = test::pick(engine, 0, p.kernel_h - 1);
  p.pad_right = test::pick(engine, 0, p.kernel_w - 1);
  p.count_include_pad = test::pick(engine, 0, 1) > 0;
  const std::int64_t up = test::pick(engine, 0, 1);  // ceil_mode
  const auto extent = [up](std::int64_t in, std::int64_t window, std::int64_t stride) {
    return in < window ? 0 : (in - window + up * (stride - 1)) / stride + 1;
  };
  p.out_height =
      extent(p.height + p.pad_top + p.pad_bottom, (p.kernel_h - 1) * p.dilation_h + 1, p.stride_h);
  p.out_width =
      extent(p.width + p.pad_left + p.pad_right, (p.kernel_w - 1) * p.dilation_w + 1, p.stride_w);
  return p;
}

struct Window {
  double sum = 0.0, best = -std::numeric_limits<double>::infinity();
  std::int64_t inside = 0, padded = 0, position = -1;
};

Window window(const PoolParams& p, const std::vector<float>& input, std::int64_t plane,
              std::int64_t out_y, std::int64_t out_x) {
  Window w;
  for (std::int64_t k = 0; k < p.kernel_h * p.kernel_w; ++k) {
    const std::int64_t y = out_y * p.stride_h - p.pad_top + k / p.kernel_w * p.dilation_h;
    const std::int64_t x = out_x * p.stride_w - p.pad_left + k % p.kernel_w * p.dilation_w;
    if (y < p.height + p.pad_bottom && x < p.width + p.pad_right) ++w.padded;
    if (y < 0 || y >= p.height || x < 0 || x >= p.width) continue;
    const std::int64_t at = (plane * p.height + y) * p.width + x;
    const double value = input[static_cast<std::size_t>(at)];
    ++w.inside;
    w.sum += value;
    if (value > w.best) {
      w.best = value;
      w.position = at;
    }
  }
  return w;
}

TEST(Pool, FollowsItsDefinitionOnRandomShapes) {
  std::mt19937 engine(1);
  for (unsigned i = 0; i < 200; ++i) {
    const PoolParams p = random_pool(engine);
    const auto input = random_floats(p.planes * p.height * p.width, i);
    const std::int64_t count = p.planes * p.out_height * p.out_width;
    std::vector<float> largest(static_cast<std::size_t>(count)), mean = largest;
    std::vector<std::int64_t> indices(static_cast<std::size_t>(count));
    std::vector<double> expected_largest, expected_mean;
    std::vector<std::int64_t> expected_indices;
    for (std::int64_t at = 0; at < count; ++at) {
      const std::int64_t area = p.out_height * p.out_width;
      const Window w = window(p, input, at / area, at % area / p.out_width, at % p.out_width);
      expected_largest.push_back(w.best);
      expected_indices.push_back(w.position);
      const std::int64_t divisor = p.count_include_pad ? w.padded : w.inside;
      expected_mean.push_back(w.inside == 0 ? 0.0 : w.sum / static_cast<double>(divisor));
    }

    max_pool(p, input.data(), largest.data(), indices.data());
    average_pool(p, input.data(), mean.data());

    ASSERT_TRUE(near(largest, expected_largest)) << "case " << i;
    ASSERT_EQ(indices, expected_indices) << "case " << i;
    ASSERT_TRUE(near(mean, expected_mean)) << "case " << i;
  }
}

TEST(Pool, TakesWholePlanes) {
  const auto input = random_floats(3 * 77, 1);
  std::vector<float> mean(3), largest(3);
  std::vector<double> expected_mean(3), expected_largest(3, -2.0);
  for (std::size_t i = 0; i < input.size(); ++i) {
    expected_mean[i / 77] += input[i] / 77.0;
    expected_largest[i / 77] = std::max<double>(expected_largest[i / 77], input[i]);
  }

  global_average_pool(3, 77, input.data(), mean.data());
  global_max_pool(3, 77, input.data(), largest.data());

  EXPECT_TRUE(near(mean, expected_mean));
  EXPECT_TRUE(near(largest, expected_largest));
}

TEST(Pool, KeepsTheDigitsOfAMeanOverAWholePage) {
  const std::vector<float> page(4'000'000, 0.1f);
  float mean = 0;

  global_average_pool(1, 4'000'000, page.data(), &mean);

  EXPECT_NEAR(mean, 0.1f, 1e-6f);
}

}  // namespace
}  // namespace sluice::kernels
