#pragma once

#include "sluice/core/image.h"

#include <cstdint>
#include <functional>

namespace sluice {

// A part of a picture that was scaled to width x height: `columns` x `rows` from (x, y) on.
// REQUIRES, where it is used: the part lies within the scaled picture.
struct ScaledPart {
  int width;
  int height;
  int x;
  int y;
  int columns;
  int rows;
};

// Gets row `y` of the part, 0 first: columns x channels bytes, there during the call.
using RowSink = std::function<void(int y, const std::uint8_t* row)>;

// Both give the rows of the part from top to bottom, so that what is made of a row finds it in the
// cache and nobody holds the scaled picture; what lies outside of the part is not computed.
// Threads: may be called at once.
//
// As OpenCV's INTER_LINEAR, to the bit: of the four pixels around, weights in steps of 1/2048, and
// when both sides are halved the mean of the four.
void scale_bilinear(const Image& source, const ScaledPart& part, const RowSink& sink);
// With a triangle filter as wide as the reduction: what Pillow calls BILINEAR and torchvision
// bilinear with antialias. Columns first, then rows, 8 bits between the two, as Pillow does it.
void scale_antialiased(const Image& source, const ScaledPart& part, const RowSink& sink);

}  // namespace sluice
