#pragma once

#include "sluice/core/node.h"
#include "sluice/core/payloads.h"
#include "sluice/nodes/image/row_kernels.h"
#include "sluice/nodes/image/scale.h"

#include <array>

namespace sluice {

inline constexpr int kMaxTensorSide = 65535;

enum class Fit : std::uint8_t { kStretch, kCrop, kPad };
enum class Colours : std::uint8_t { kRgb, kBgr, kGrey };
enum class Filter : std::uint8_t { kBilinear, kAntialias, kArea, kCubic, kNearest };

// How a picture becomes a model's input, as the options of TensorOptions say.
struct TensorRecipe {
  int width = 0;  // these five in pixels, 0: not given
  int height = 0;
  int max_width = 0;
  int short_side = 0;
  int long_side = 0;
  int multiple_of = 1;
  Fit fit = Fit::kStretch;
  bool is_planar = true;
  Colours colours = Colours::kRgb;
  Filter filter = Filter::kBilinear;
  std::array<ByteScale, 3> scales{};

  int planes() const { return colours == Colours::kGrey ? 1 : 3; }
};

// How large the picture becomes, and which part of that is the tensor.
struct Placement {
  int scaled_width;
  int scaled_height;
  int width;  // of the tensor
  int height;
  int x;  // of the tensor's corner on the scaled picture; negative where it is padded
  int y;
};

// Of a picture of that size. Errors: image.tensor_size.
Result<Placement> place(const TensorRecipe& recipe, int picture_width, int picture_height);
Shape shape_of(const TensorRecipe& recipe, const Placement& placed);
ImageMap map_of(const Placement& placed, int picture_width, int picture_height);

// Whether the recipe can be followed row by row: a few filters are OpenCV's, which want a picture.
bool takes_rows(const TensorRecipe& recipe, const Placement& placed, int picture_width,
                int picture_height);
// Fills a tensor of shape_of(). False: a row of the source could not be had, and the tensor is
// half filled. REQUIRES: takes_rows().
bool fill_from_rows(const TensorRecipe& recipe, const Placement& placed, const RowSource& source,
                    const Tensor& tensor);
// The same from a picture, by any filter. Errors: memory.limit, memory.exhausted.
Status fill_from_image(const TensorRecipe& recipe, const Placement& placed, const Image& picture,
                       Context& ctx, const Tensor& tensor);

// Where a node gives the tensor, and how it lies on the picture.
struct TensorOutputs {
  const Out<Tensor>& tensor;
  const Out<ImageMap>& map;
};
void emit_tensor(Context& ctx, const TensorOutputs& outputs, const Placement& placed,
                 int picture_width, int picture_height, Tensor tensor);
// Makes the tensor of a picture, and gives it. Errors: those of `place` and of fill_from_image.
Status emit_tensor_of(Context& ctx, const TensorOutputs& outputs, const TensorRecipe& recipe,
                      const Image& picture);

}  // namespace sluice
