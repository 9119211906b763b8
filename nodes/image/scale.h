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

// The rows of a picture, from top to bottom, wherever they come from.
struct RowSource {
  int width;
  int height;
  int channels;
  // Row `y`: width x channels bytes, there until the next call. Null: it cannot be had.
  // REQUIRES: y is more than in the call before.
  std::function<const std::uint8_t*(int y)> row;
};
// Lives no longer than the image.
RowSource rows_of(const Image& image);

// All give the rows of the part from top to bottom, so that what is made of a row finds it in the
// cache and nobody holds the scaled picture; what lies outside of the part is not computed, and of
// the source only the rows that are needed are asked for. False: one of those could not be had.
// Threads: may be called at once, on sources of their own.
//
// As the picture is. REQUIRES: the part's width and height are those of the source.
bool give_rows(const RowSource& source, const ScaledPart& part, const RowSink& sink);
// As OpenCV's INTER_LINEAR, to the bit: of the four pixels around, weights in steps of 1/2048, and
// when both sides are halved the mean of the four.
bool scale_bilinear(const RowSource& source, const ScaledPart& part, const RowSink& sink);
// With a triangle filter as wide as the reduction: what Pillow calls BILINEAR and torchvision
// bilinear with antialias. Columns first, then rows, 8 bits between the two, as Pillow does it up
// to version 12, to the bit; Pillow 13 turns the order round where the height shrinks far more.
bool scale_antialiased(const RowSource& source, const ScaledPart& part, const RowSink& sink);

}  // namespace sluice
