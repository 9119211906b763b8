#pragma once

#include "sluice/core/image.h"

#include <vector>

// What image.to_tensor is to give, by plain loops over doubles and whole numbers, a pixel at a
// time, made from what OpenCV and Pillow say of themselves and not from the node's code.
namespace sluice::testing {

// OpenCV's INTER_LINEAR of 8 bits; when both sides are halved, the mean of four.
Image slow_bilinear(const Image& image, int width, int height);
// Pillow's resize with BILINEAR, up to version 12: a triangle as wide as the reduction, in 32-bit
// whole numbers, across first, then down, with 8 bits between.
Image slow_antialias(const Image& image, int width, int height);

struct SlowRecipe {
  bool planar = true;
  std::vector<int> from = {0, 1, 2};  // the channel that makes each plane; one: 0.299 R + ...
  std::vector<double> mean = {0.485, 0.456, 0.406};
  std::vector<double> deviation = {0.229, 0.224, 0.225};
  int x = 0;  // of the tensor's corner on the picture; what lies outside is zero
  int y = 0;
  int width = 0;
  int height = 0;
};
// (v / 255 - mean) / deviation, as v * factor + bias in single precision.
std::vector<float> slow_tensor(const Image& image, const SlowRecipe& recipe);

}  // namespace sluice::testing
