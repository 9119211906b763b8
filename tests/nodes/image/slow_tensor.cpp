#include "tests/nodes/image/slow_tensor.h"

#include "tests/nodes/image/pictures.h"

#include <algorithm>
#include <cmath>

namespace sluice::testing {
namespace {

struct Position {
  int first;
  int second;
  int first_weight;
  int second_weight;
};

int weight_of(float part) { return static_cast<int>(std::lrint(part * 2048)); }

// resize.cpp: `fx = (float)((dx + 0.5) * scale_x - 0.5)`, and the same for rows. A column beyond
// the picture is the outermost one alone; a row beyond it is the outermost one, mixed with itself.
Position position(int target, int source_size, int target_size, bool is_column) {
  const double scale = 1.0 / (static_cast<double>(target_size) / source_size);
  float part = static_cast<float>((target + 0.5) * scale - 0.5);
  const int floor = static_cast<int>(std::floor(part));
  part -= static_cast<float>(floor);
  if (is_column && (floor < 0 || floor >= source_size - 1)) part = 0;
  return {std::clamp(floor, 0, source_size - 1), std::clamp(floor + 1, 0, source_size - 1),
          weight_of(1.0F - part), weight_of(part)};
}

// How many parts in 2^22 each source position is of a target position: Resample.c,
// precompute_coeffs and normalize_coeffs_8bpc.
std::vector<int> parts_of(int target, int source_size, int target_size) {
  const double scale = static_cast<double>(source_size) / target_size;
  const double filter_scale = std::max(scale, 1.0);
  const double centre = (target + 0.5) * scale;
  const double inverse = 1.0 / filter_scale;
  const int begin = std::max(0, static_cast<int>(centre - filter_scale + 0.5));
  const int end = std::min(source_size, static_cast<int>(centre + filter_scale + 0.5));
  std::vector<double> shares(static_cast<std::size_t>(source_size), 0.0);
  double sum = 0;
  for (int x = begin; x < end; ++x) {
    const double distance = std::fabs((x - begin + begin - centre + 0.5) * inverse);
    shares[static_cast<std::size_t>(x)] = distance < 1.0 ? 1.0 - distance : 0.0;
    sum += shares[static_cast<std::size_t>(x)];
  }
  std::vector<int> parts;
  for (const double share : shares)
    parts.push_back(static_cast<int>(0.5 + share / sum * (1 << 22)));
  return parts;
}

int clipped(long sum) { return static_cast<int>(std::clamp(sum >> 22, 0L, 255L)); }

}  // namespace

Image slow_bilinear(const Image& image, int width, int height) {
  if (image.width() == 2 * width && image.height() == 2 * height) {
    return image_of(width, height, image.channels(), [&](int x, int y, int c) {
      return (pixel(image, 2 * x, 2 * y, c) + pixel(image, 2 * x + 1, 2 * y, c) +
              pixel(image, 2 * x, 2 * y + 1, c) + pixel(image, 2 * x + 1, 2 * y + 1, c) + 2) /
             4;
    });
  }
  return image_of(width, height, image.channels(), [&](int x, int y, int c) {
    const Position across = position(x, image.width(), width, true);
    const Position down = position(y, image.height(), height, false);
    const auto row = [&](int from) {
      return (pixel(image, across.first, from, c) * across.first_weight +
              pixel(image, across.second, from, c) * across.second_weight) /
             16;
    };
    return ((row(down.first) * down.first_weight / 65536) +
            (row(down.second) * down.second_weight / 65536) + 2) /
           4;
  });
}

Image slow_antialias(const Image& image, int width, int height) {
  const Image squeezed =
      image_of(width, image.height(), image.channels(), [&](int x, int y, int c) {
        const std::vector<int> parts = parts_of(x, image.width(), width);
        long sum = 1L << 21;
        for (int from = 0; from < image.width(); ++from)
          sum += long{parts[static_cast<std::size_t>(from)]} * pixel(image, from, y, c);
        return clipped(sum);
      });
  return image_of(width, height, image.channels(), [&](int x, int y, int c) {
    const std::vector<int> parts = parts_of(y, image.height(), height);
    long sum = 1L << 21;
    for (int from = 0; from < image.height(); ++from)
      sum += long{parts[static_cast<std::size_t>(from)]} * pixel(squeezed, x, from, c);
    return clipped(sum);
  });
}

std::vector<float> slow_tensor(const Image& image, const SlowRecipe& recipe) {
  const int planes = static_cast<int>(recipe.from.size());
  std::vector<float> values;
  const auto add = [&](int x, int y, int plane) {
    x += recipe.x;
    y += recipe.y;
    if (x < 0 || y < 0 || x >= image.width() || y >= image.height()) {
      values.push_back(0);
      return;
    }
    const auto p = static_cast<std::size_t>(plane);
    const auto channel = [&](int c) {
      return static_cast<float>(pixel(image, x, y, image.channels() < 3 ? 0 : c));
    };
    const float value = planes == 1 && image.channels() >= 3
                            ? 0.299F * channel(0) + 0.587F * channel(1) + 0.114F * channel(2)
                            : channel(recipe.from[p]);
    values.push_back(value * static_cast<float>(1.0 / (255.0 * recipe.deviation[p])) +
                     static_cast<float>(-recipe.mean[p] / recipe.deviation[p]));
  };
  if (recipe.planar) {
    for (int plane = 0; plane < planes; ++plane)
      for (int y = 0; y < recipe.height; ++y)
        for (int x = 0; x < recipe.width; ++x) add(x, y, plane);
  } else {
    for (int y = 0; y < recipe.height; ++y)
      for (int x = 0; x < recipe.width; ++x)
        for (int plane = 0; plane < planes; ++plane) add(x, y, plane);
  }
  return values;
}

}  // namespace sluice::testing
