#include "sluice/nodes/image/tensor_recipe.h"

#include "sluice/nodes/image/opencv.h"

#include <opencv2/imgproc.hpp>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>

namespace sluice {
namespace {

std::int64_t to_multiple(double size, std::int64_t step) {
  const auto steps = static_cast<std::int64_t>(std::nearbyint(size / static_cast<double>(step)));
  return std::max<std::int64_t>(1, steps) * step;
}

Placement place_fixed(const TensorRecipe& recipe, int picture_width, int picture_height) {
  const int width = recipe.width;
  const int height = recipe.height;
  if (recipe.fit == Fit::kStretch) return {width, height, width, height, 0, 0};
  const bool crops = recipe.fit == Fit::kCrop;
  const double scale_x = static_cast<double>(width) / picture_width;
  const double scale_y = static_cast<double>(height) / picture_height;
  double scale = crops ? std::max(scale_x, scale_y) : std::min(scale_x, scale_y);
  if (recipe.short_side > 0)
    scale = static_cast<double>(recipe.short_side) / std::min(picture_width, picture_height);
  // Truncated like torchvision's Resize, but never below what the crop needs.
  const auto scaled_side = [&](int side, int wanted) {
    const int scaled = std::clamp(static_cast<int>(side * scale + 1e-6), 1, kMaxTensorSide);
    return crops ? std::max(scaled, wanted) : scaled;
  };
  const int scaled_width = scaled_side(picture_width, width);
  const int scaled_height = scaled_side(picture_height, height);
  const auto middle = [](int larger, int smaller) {
    return static_cast<int>(std::nearbyint((larger - smaller) / 2.0));
  };
  return {scaled_width,
          scaled_height,
          width,
          height,
          middle(scaled_width, width),
          middle(scaled_height, height)};
}

// What of the scaled picture the tensor shows, and where that begins in the tensor.
struct Shown {
  ScaledPart part;
  int column;
  int row;
  bool is_padded;
};

Shown shown(const Placement& placed) {
  const cv::Rect window(placed.x, placed.y, placed.width, placed.height);
  const cv::Rect part = window & cv::Rect(0, 0, placed.scaled_width, placed.scaled_height);
  return {{placed.scaled_width, placed.scaled_height, part.x, part.y, part.width, part.height},
          part.x - window.x,
          part.y - window.y,
          part != window};
}

// Puts the rows of the part that is shown where they belong.
class Filler {
 public:
  Filler(const TensorRecipe& recipe, const Placement& placed, int channels, const Tensor& tensor)
      : channels_(channels), columns_(shown(placed).part.columns) {
    const Shown on = shown(placed);
    if (on.is_padded) std::fill_n(tensor.data<float>(), tensor.elements(), 0.0F);
    target_.planes = recipe.planes();
    target_.scales = recipe.scales;
    target_.step = recipe.is_planar ? 1 : target_.planes;
    if (channels < 3)
      target_.from = {0, 0, 0};
    else if (recipe.colours == Colours::kBgr)
      target_.from = {2, 1, 0};
    target_.mixes_grey = recipe.colours == Colours::kGrey && channels >= 3;
    row_step_ = placed.width * target_.step;
    const std::ptrdiff_t plane_step =
        recipe.is_planar ? std::ptrdiff_t{placed.width} * placed.height : 1;
    for (int plane = 0; plane < target_.planes; ++plane) {
      target_.to[static_cast<std::size_t>(plane)] =
          tensor.data<float>() + plane * plane_step + on.row * row_step_ + on.column * target_.step;
    }
  }

  void operator()(int y, const std::uint8_t* pixels) const {
    RowTarget target = target_;
    for (int plane = 0; plane < target.planes; ++plane)
      target.to[static_cast<std::size_t>(plane)] += y * row_step_;
    row_kernels().normalize(pixels, channels_, columns_, target);
  }

 private:
  RowTarget target_;
  std::ptrdiff_t row_step_;
  int channels_;
  int columns_;
};

int opencv_method(Filter filter) {
  return filter == Filter::kArea    ? cv::INTER_AREA
         : filter == Filter::kCubic ? cv::INTER_CUBIC
                                    : cv::INTER_NEAREST;
}

bool is_as_large(const Placement& placed, int width, int height) {
  return placed.scaled_width == width && placed.scaled_height == height;
}

}  // namespace

Result<Placement> place(const TensorRecipe& recipe, int picture_width, int picture_height) {
  if (recipe.width > 0 && recipe.height > 0)
    return place_fixed(recipe, picture_width, picture_height);
  const double w = picture_width;
  const double h = picture_height;
  double out_w = 0;
  double out_h = 0;
  if (recipe.height > 0) {
    out_h = recipe.height;
    out_w = std::ceil(out_h * w / h);
    if (recipe.max_width > 0) out_w = std::min(out_w, static_cast<double>(recipe.max_width));
  } else if (recipe.width > 0) {
    out_w = recipe.width;
    out_h = std::max(1.0, std::nearbyint(out_w * h / w));
  } else {
    double scale = 1;
    if (recipe.short_side > 0)
      scale = std::max(1.0, static_cast<double>(recipe.short_side) / std::min(w, h));
    if (recipe.long_side > 0)
      scale = std::min(scale, static_cast<double>(recipe.long_side) / std::max(w, h));
    out_w = static_cast<double>(to_multiple(std::floor(w * scale), recipe.multiple_of));
    out_h = static_cast<double>(to_multiple(std::floor(h * scale), recipe.multiple_of));
  }
  if (std::max(out_w, out_h) > kMaxTensorSide) {
    return invalid("image.tensor_size", "a picture of " + std::to_string(picture_width) + " x " +
                                            std::to_string(picture_height) +
                                            " pixels would become a tensor with a side of more "
                                            "than " +
                                            std::to_string(kMaxTensorSide));
  }
  const int width = static_cast<int>(out_w);
  const int height = static_cast<int>(out_h);
  return Placement{width, height, width, height, 0, 0};
}

Shape shape_of(const TensorRecipe& recipe, const Placement& placed) {
  return recipe.is_planar ? Shape{recipe.planes(), placed.height, placed.width}
                          : Shape{placed.height, placed.width, recipe.planes()};
}

ImageMap map_of(const Placement& placed, int picture_width, int picture_height) {
  ImageMap map;
  map.scale_x = static_cast<float>(picture_width) / static_cast<float>(placed.scaled_width);
  map.scale_y = static_cast<float>(picture_height) / static_cast<float>(placed.scaled_height);
  map.offset_x = static_cast<float>(placed.x) * map.scale_x;
  map.offset_y = static_cast<float>(placed.y) * map.scale_y;
  map.image_width = picture_width;
  map.image_height = picture_height;
  return map;
}

bool takes_rows(const TensorRecipe& recipe, const Placement& placed, int picture_width,
                int picture_height) {
  return recipe.filter == Filter::kBilinear || recipe.filter == Filter::kAntialias ||
         is_as_large(placed, picture_width, picture_height);
}

bool fill_from_rows(const TensorRecipe& recipe, const Placement& placed, const RowSource& source,
                    const Tensor& tensor) {
  const Filler fill(recipe, placed, source.channels, tensor);
  const ScaledPart part = shown(placed).part;
  if (is_as_large(placed, source.width, source.height))
    return give_rows(source, part, std::cref(fill));
  return recipe.filter == Filter::kAntialias ? scale_antialiased(source, part, std::cref(fill))
                                             : scale_bilinear(source, part, std::cref(fill));
}

Status fill_from_image(const TensorRecipe& recipe, const Placement& placed, const Image& picture,
                       Context& ctx, const Tensor& tensor) {
  if (takes_rows(recipe, placed, picture.width(), picture.height())) {
    fill_from_rows(recipe, placed, rows_of(picture), tensor);
    return Status::ok();
  }
  auto scaled = ctx.allocate_image(placed.scaled_width, placed.scaled_height, picture.channels());
  if (!scaled) return scaled.status();
  cv::Mat target = view_of(*scaled);
  cv::resize(view_of(picture), target, target.size(), 0, 0, opencv_method(recipe.filter));
  const Filler fill(recipe, placed, picture.channels(), tensor);
  give_rows(rows_of(*scaled), shown(placed).part, std::cref(fill));
  return Status::ok();
}

void emit_tensor(Context& ctx, const TensorOutputs& outputs, const Placement& placed,
                 int picture_width, int picture_height, Tensor tensor) {
  if (ctx.wanted(outputs.map)) ctx.emit(outputs.map, map_of(placed, picture_width, picture_height));
  ctx.emit(outputs.tensor, std::move(tensor));
}

Status emit_tensor_of(Context& ctx, const TensorOutputs& outputs, const TensorRecipe& recipe,
                      const Image& picture) {
  const auto placed = place(recipe, picture.width(), picture.height());
  if (!placed) return placed.status();
  auto tensor = ctx.allocate_tensor(DType::kF32, shape_of(recipe, *placed));
  if (!tensor) return tensor.status();
  if (Status status = fill_from_image(recipe, *placed, picture, ctx, *tensor); !status)
    return status;
  emit_tensor(ctx, outputs, *placed, picture.width(), picture.height(), std::move(*tensor));
  return Status::ok();
}

}  // namespace sluice
