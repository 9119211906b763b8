#pragma once

#include "sluice/core/node.h"
#include "sluice/core/resolve.h"
#include "sluice/core/spec.h"
#include "sluice/nodes/image/tensor_recipe.h"

namespace sluice {

// The options of a node that makes a picture into a model's input. Each such node has its own: an
// option knows its place in one spec. REQUIRES: lives as long as the spec.
class TensorOptions {
 public:
  const Option<int> width = Option<int>("width", "of the tensor, pixels").range(1, kMaxTensorSide);
  const Option<int> height =
      Option<int>("height", "of the tensor, pixels").range(1, kMaxTensorSide);
  const Option<Choice> fit =
      Option<Choice>("fit",
                     "with width and height, how the picture gets there: stretch it, crop its "
                     "middle, or pad it with zeros to the middle")
          .one_of({"stretch", "crop", "pad"})
          .or_default({"stretch"});
  const Option<int> max_width =
      Option<int>("max_width",
                  "with height alone: a picture that would become wider is squeezed to it, pixels")
          .range(1, kMaxTensorSide);
  const Option<int> short_side =
      Option<int>("short_side",
                  "a picture whose shorter side is less is enlarged to it, pixels; with fit: crop, "
                  "the shorter side before the crop")
          .range(1, kMaxTensorSide);
  const Option<int> long_side =
      Option<int>(
          "long_side",
          "a picture whose longer side is more is reduced to it, pixels; goes before short_side")
          .range(1, kMaxTensorSide);
  const Option<int> multiple_of =
      Option<int>("multiple_of", "both sides are rounded to the nearest multiple, pixels")
          .range(1, 1024)
          .or_default(1);
  const Option<Choice> layout =
      Option<Choice>("layout", "order of the axes").one_of({"chw", "hwc"}).or_default({"chw"});
  const Option<Choice> channels = Option<Choice>("channels", "order of the colours")
                                      .one_of({"rgb", "bgr", "grey"})
                                      .or_default({"rgb"});
  const Option<NumberList> mean =
      Option<NumberList>(
          "mean", "taken off each pixel, whose values are 0..1; one number, or one a channel")
          .range(-1e6, 1e6)
          .or_default({0.0});
  const Option<NumberList> std_dev =
      Option<NumberList>("std",
                         "each pixel is then divided by; one number, or one a channel; "
                         "0.00392156862745098 gives 0..255")
          .range(1e-6, 1e6)
          .or_default({1.0});
  const Option<Choice> filter =
      Option<Choice>(
          "filter",
          "bilinear: OpenCV's, of the four pixels around; antialias: Pillow's and "
          "torchvision's bilinear; area: mean of the pixels covered; cubic: OpenCV's; nearest")
          .one_of({"bilinear", "antialias", "area", "cubic", "nearest"})
          .or_default({"bilinear"});

  // `spec` with these options.
  Spec added_to(const Spec& spec) const;
  // The ports, where `out` is the tensor's place among the outputs; reports what is wrong.
  Ports resolve(Resolve& plan, std::size_t out) const;
  // Whether a device computes what they say; reports why not where the device was asked for.
  bool suits_device(Resolve& plan) const;
  // What they say. REQUIRES: resolved without a problem.
  TensorRecipe recipe(const Context& ctx) const;

 private:
  void check_sizes(Resolve& plan) const;
};

}  // namespace sluice
