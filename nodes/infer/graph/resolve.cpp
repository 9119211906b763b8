#include "sluice/nodes/infer/graph/resolve.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace sluice::graph {
namespace {

// Far beyond any memory, far below overflow when multiplied by the size of an element.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 36;
constexpr std::int64_t kMaxWindow = std::int64_t{1} << 24;

Status misfit(const std::string& what) { return invalid("infer.shape", what); }

std::string text(std::int64_t number) { return std::to_string(number); }

Status check_range(std::span<const std::int64_t> numbers, std::int64_t low, const char* what) {
  for (std::int64_t number : numbers) {
    if (number < low || number > kMaxWindow) {
      return misfit(std::string(what) + " is " + text(number) + ", out of range");
    }
  }
  return Status::ok();
}

// Attribute lists are empty or have the right number of entries; this fills in the empty ones.
Result<std::vector<std::int64_t>> list_or(const std::vector<std::int64_t>& list, std::size_t count,
                                          std::int64_t otherwise, const char* what) {
  if (list.empty()) return std::vector<std::int64_t>(count, otherwise);
  if (list.size() == count) return list;
  return misfit(std::string(what) + " has " + std::to_string(list.size()) + " entries, " +
                std::to_string(count) + " are due");
}

// Kernel, strides, dilations and pads of a window over the spatial axes of `x`.
Result<std::vector<WindowAxis>> axes_of(const Window& window, const Shape& x,
                                        std::span<const std::int64_t> kernel) {
  const std::size_t count = x.rank() - 2;
  if (kernel.size() != count) {
    return misfit("a kernel of " + std::to_string(kernel.size()) + " axes over an input " +
                  x.to_string());
  }
  const auto strides = list_or(window.strides, count, 1, "strides");
  if (!strides) return strides.status();
  const auto dilations = list_or(window.dilations, count, 1, "dilations");
  if (!dilations) return dilations.status();
  const auto pads = list_or(window.pads, 2 * count, 0, "pads");
  if (!pads) return pads.status();
  for (const Status& status :
       {check_range(kernel, 1, "a kernel extent"), check_range(*strides, 1, "a stride"),
        check_range(*dilations, 1, "a dilation"), check_range(*pads, 0, "a pad")}) {
    if (!status.is_ok()) return status;
  }
  std::vector<WindowAxis> axes(count);
  for (std::size_t i = 0; i < count; ++i) {
    axes[i].in = x[i + 2];
    axes[i].kernel = kernel[i];
    axes[i].stride = (*strides)[i];
    axes[i].dilation = (*dilations)[i];
    axes[i].pad_begin = window.auto_pad == AutoPad::kExplicit ? (*pads)[i] : 0;
    axes[i].pad_end = window.auto_pad == AutoPad::kExplicit ? (*pads)[i + count] : 0;
  }
  return axes;
}

std::int64_t reach(const WindowAxis& axis) { return (axis.kernel - 1) * axis.dilation + 1; }

enum class Rounding { kDown, kUp };

// Output extents of a window that slides (convolution, pooling), and the pads of "same".
Status slide(std::vector<WindowAxis>& axes, AutoPad auto_pad, Rounding rounding) {
  for (WindowAxis& axis : axes) {
    if (auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower) {
      axis.out = (axis.in + axis.stride - 1) / axis.stride;
      const std::int64_t total =
          std::max<std::int64_t>(0, (axis.out - 1) * axis.stride + reach(axis) - axis.in);
      axis.pad_begin = auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
      axis.pad_end = total - axis.pad_begin;
      continue;
    }
    const std::int64_t room = axis.in + axis.pad_begin + axis.pad_end - reach(axis);
    if (room < 0 || axis.in == 0) {
      return misfit("a window of " + text(reach(axis)) + " does not fit an extent of " +
                    text(axis.in) + " padded by " + text(axis.pad_begin) + " and " +
                    text(axis.pad_end));
    }
    axis.out = room / axis.stride + 1;
    if (rounding == Rounding::kUp && room % axis.stride != 0) {
      // The last window has to begin inside the input or its padding before it.
      if (axis.out * axis.stride < axis.in + axis.pad_begin) ++axis.out;
    }
  }
  return Status::ok();
}

Status check_layer_input(Operands operands) {
  if (operands[0]->shape.rank() < 3) {
    return misfit("an input " + operands[0]->shape.to_string() + " has no spatial axes");
  }
  return Status::ok();
}

// Weights of a convolution: [first, second, kernel...]; the kernel's extents.
Result<std::vector<std::int64_t>> kernel_of(const Window& window, const Shape& weights,
                                            std::size_t rank) {
  if (weights.rank() != rank) {
    return misfit("weights " + weights.to_string() + " for an input of " + std::to_string(rank) +
                  " axes");
  }
  std::vector<std::int64_t> kernel(weights.begin() + 2, weights.end());
  if (!window.kernel.empty() && window.kernel != kernel) {
    return misfit("kernel_shape is not that of the weights " + weights.to_string());
  }
  return kernel;
}

Status check_bias(const Fact* bias, std::int64_t channels) {
  if (bias == nullptr || bias->shape == Shape{channels}) return Status::ok();
  return misfit("a bias " + bias->shape.to_string() + " for " + text(channels) + " channels");
}

}  // namespace

Result<Shape> checked(std::span<const std::int64_t> dims) {
  if (dims.size() > Shape::kMaxRank) return misfit("more than 8 axes");
  std::int64_t elements = 1;
  for (std::int64_t dim : dims) {
    if (dim < 0) return misfit("an extent is negative: " + text(dim));
    if (dim > kMaxElements || (dim > 0 && elements > kMaxElements / dim)) {
      return misfit("a tensor is larger than any memory");
    }
    elements *= std::max<std::int64_t>(dim, 1);
  }
  return Shape(dims);
}

Result<Shape> checked(const Shape& shape) { return checked(shape.dims()); }

Result<std::size_t> resolve_axis(std::int64_t axis, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    return misfit("axis " + text(axis) + " of a tensor with " + text(count) + " axes");
  }
  return static_cast<std::size_t>(axis < 0 ? axis + count : axis);
}

Result<std::vector<std::int64_t>> integers_of(Operands operands, std::size_t index) {
  const Fact* fact = operand(operands, index);
  if (fact == nullptr) return misfit("input " + std::to_string(index) + " is missing");
  if (!fact->value) {
    return unsupported("infer.values",
                       "its shape depends on the values of input " + std::to_string(index));
  }
  if (fact->shape.rank() > 1) {
    return misfit("input " + std::to_string(index) + " is no list: " + fact->shape.to_string());
  }
  const auto count = static_cast<std::size_t>(fact->shape.elements());
  std::vector<std::int64_t> numbers(count);
  if (fact->dtype == DType::kI64) {
    std::copy_n(fact->value->data<std::int64_t>(), count, numbers.begin());
  } else if (fact->dtype == DType::kI32) {
    std::copy_n(fact->value->data<std::int32_t>(), count, numbers.begin());
  } else {
    return misfit("input " + std::to_string(index) + " is no list of integers");
  }
  return numbers;
}

Result<std::vector<float>> numbers_of(Operands operands, std::size_t index) {
  const Fact* fact = operand(operands, index);
  if (fact == nullptr) return misfit("input " + std::to_string(index) + " is missing");
  if (!fact->value) {
    return unsupported("infer.values",
                       "its shape depends on the values of input " + std::to_string(index));
  }
  if (fact->shape.rank() > 1 || fact->dtype != DType::kF32) {
    return misfit("input " + std::to_string(index) + " is no list of f32");
  }
  const float* data = fact->value->data<float>();
  return std::vector<float>(data, data + fact->shape.elements());
}

Result<Shape> broadcast(const Shape& a, const Shape& b) {
  const std::size_t rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> dims(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    const std::int64_t x = i + a.rank() < rank ? 1 : a[i + a.rank() - rank];
    const std::int64_t y = i + b.rank() < rank ? 1 : b[i + b.rank() - rank];
    if (x != y && x != 1 && y != 1) {
      return misfit("shapes " + a.to_string() + " and " + b.to_string() + " do not broadcast");
    }
    dims[i] = x == 1 ? y : x;
  }
  return checked(dims);
}

Result<std::vector<WindowAxis>> resolve(const Conv& conv, Operands operands) {
  if (Status status = check_layer_input(operands); !status.is_ok()) return status;
  const Shape& x = operands[0]->shape;
  const Shape& weights = operands[1]->shape;
  const auto kernel = kernel_of(conv.window, weights, x.rank());
  if (!kernel) return kernel.status();
  if (conv.group < 1 || conv.group > kMaxWindow || weights[0] < 1 || weights[1] < 1 ||
      x[1] != weights[1] * conv.group || weights[0] % conv.group != 0) {
    return misfit("weights " + weights.to_string() + " in " + text(conv.group) +
                  " groups do not fit an input " + x.to_string());
  }
  if (Status status = check_bias(operand(operands, 2), weights[0]); !status.is_ok()) return status;
  auto axes = axes_of(conv.window, x, *kernel);
  if (!axes) return axes;
  if (Status status = slide(*axes, conv.window.auto_pad, Rounding::kDown); !status.is_ok()) {
    return status;
  }
  return axes;
}

Result<std::vector<WindowAxis>> resolve(const Pool& pool, Operands operands) {
  if (Status status = check_layer_input(operands); !status.is_ok()) return status;
  auto axes = axes_of(pool.window, operands[0]->shape, pool.window.kernel);
  if (!axes) return axes;
  const Rounding rounding = pool.ceil_mode ? Rounding::kUp : Rounding::kDown;
  if (Status status = slide(*axes, pool.window.auto_pad, rounding); !status.is_ok()) return status;
  return axes;
}

Result<std::vector<WindowAxis>> resolve(const ConvTranspose& conv, Operands operands) {
  if (Status status = check_layer_input(operands); !status.is_ok()) return status;
  const Shape& x = operands[0]->shape;
  const Shape& weights = operands[1]->shape;
  const auto kernel = kernel_of(conv.window, weights, x.rank());
  if (!kernel) return kernel.status();
  if (conv.group < 1 || conv.group > kMaxWindow || weights[0] < 1 || weights[1] < 1 ||
      x[1] != weights[0] || weights[0] % conv.group != 0) {
    return misfit("weights " + weights.to_string() + " in " + text(conv.group) +
                  " groups do not fit an input " + x.to_string());
  }
  if (Status status = check_bias(operand(operands, 2), weights[1] * conv.group); !status.is_ok()) {
    return status;
  }
  auto axes = axes_of(conv.window, x, *kernel);
  if (!axes) return axes;
  const auto output_padding = list_or(conv.output_padding, axes->size(), 0, "output_padding");
  if (!output_padding) return output_padding.status();
  if (Status status = check_range(*output_padding, 0, "an output_padding"); !status.is_ok()) {
    return status;
  }
  if (!conv.output_shape.empty() && conv.output_shape.size() != axes->size()) {
    return misfit("output_shape has the wrong number of entries");
  }
  const AutoPad auto_pad = conv.window.auto_pad;
  const bool is_same = auto_pad == AutoPad::kSameUpper || auto_pad == AutoPad::kSameLower;
  for (std::size_t i = 0; i < axes->size(); ++i) {
    WindowAxis& axis = (*axes)[i];
    axis.output_pad = (*output_padding)[i];
    const std::int64_t whole = axis.stride * (axis.in - 1) + axis.output_pad + reach(axis);
    if (conv.output_shape.empty() && !is_same) {
      axis.out = whole - axis.pad_begin - axis.pad_end;
    } else {
      axis.out =
          is_same && conv.output_shape.empty() ? axis.in * axis.stride : conv.output_shape[i];
      const std::int64_t total = whole - axis.out;
      if (total < 0) {
        // More is asked for than the windows reach: the rest is filled like output padding.
        axis.output_pad -= total;
        axis.pad_begin = axis.pad_end = 0;
      } else {
        axis.pad_begin = auto_pad == AutoPad::kSameUpper ? total / 2 : total - total / 2;
        axis.pad_end = total - axis.pad_begin;
      }
    }
    if (axis.out < 1 || axis.out > kMaxElements) {
      return misfit("an output extent of " + text(axis.out));
    }
  }
  return axes;
}

Result<std::vector<std::int64_t>> resolve(const Reduce& reduce, Operands operands) {
  const std::size_t rank = operands[0]->shape.rank();
  std::vector<std::int64_t> axes;
  if (operand(operands, 1) != nullptr) {
    const auto listed = integers_of(operands, 1);
    if (!listed) return listed;
    axes = *listed;
  }
  if (axes.empty()) {
    if (reduce.no_axes == Reduce::NoAxes::kNone) return axes;
    const std::size_t first = reduce.no_axes == Reduce::NoAxes::kSpatial ? 2 : 0;
    for (std::size_t i = first; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
    return axes;
  }
  for (std::int64_t& axis : axes) {
    const Result<std::size_t> counted = resolve_axis(axis, rank);
    if (!counted) return counted.status();
    axis = static_cast<std::int64_t>(*counted);
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

Result<SliceRange> resolve(const Slice&, Operands operands) {
  const Shape& x = operands[0]->shape;
  const auto starts = integers_of(operands, 1);
  if (!starts) return starts.status();
  const auto ends = integers_of(operands, 2);
  if (!ends) return ends.status();
  std::vector<std::int64_t> axes, steps;
  if (operand(operands, 3) != nullptr) {
    auto listed = integers_of(operands, 3);
    if (!listed) return listed.status();
    axes = *listed;
  } else {
    for (std::size_t i = 0; i < starts->size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (operand(operands, 4) != nullptr) {
    auto listed = integers_of(operands, 4);
    if (!listed) return listed.status();
    steps = *listed;
  } else {
    steps.assign(starts->size(), 1);
  }
  if (ends->size() != starts->size() || axes.size() != starts->size() ||
      steps.size() != starts->size()) {
    return misfit("starts, ends, axes and steps differ in length");
  }
  SliceRange range{std::vector<std::int64_t>(x.rank(), 0),
                   std::vector<std::int64_t>(x.rank(), 1),
                   {x.begin(), x.end()}};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Result<std::size_t> axis = resolve_axis(axes[i], x.rank());
    if (!axis) return axis.status();
    const std::int64_t step = steps[i];
    if (step == 0 || step == std::numeric_limits<std::int64_t>::min()) {
      return misfit("a step of " + text(step));
    }
    const std::int64_t extent = x[*axis];
    const auto counted = [&](std::int64_t at) { return at < 0 ? at + extent : at; };
    // Going up, positions are cut to 0..extent; going down, to -1..extent-1.
    const std::int64_t low = step > 0 ? 0 : -1;
    const std::int64_t high = step > 0 ? extent : extent - 1;
    const std::int64_t start =
        std::clamp(counted((*starts)[i]), step > 0 ? low : 0, std::max<std::int64_t>(high, 0));
    const std::int64_t end = std::clamp(counted((*ends)[i]), low, high);
    const std::int64_t span = step > 0 ? end - start : start - end;
    const std::int64_t pace = step > 0 ? step : -step;
    range.starts[*axis] = start;
    range.steps[*axis] = step;
    range.extents[*axis] = extent == 0 || span <= 0 ? 0 : (span - 1) / pace + 1;
  }
  return range;
}

Result<std::vector<std::int64_t>> resolve(const Split& split, Operands operands,
                                          std::size_t outputs) {
  const Shape& x = operands[0]->shape;
  const Result<std::size_t> axis = resolve_axis(split.axis, x.rank());
  if (!axis) return axis.status();
  const std::int64_t extent = x[*axis];
  const auto count = static_cast<std::int64_t>(outputs);
  if (operand(operands, 1) == nullptr) {
    const std::int64_t part = (extent + count - 1) / count;
    std::vector<std::int64_t> sizes;
    for (std::int64_t i = 0; i < count; ++i) {
      sizes.push_back(std::clamp<std::int64_t>(extent - i * part, 0, part));
    }
    return sizes;
  }
  auto sizes = integers_of(operands, 1);
  if (!sizes) return sizes;
  std::int64_t sum = 0;
  for (std::int64_t size : *sizes) {
    if (size < 0 || size > extent) return misfit("a part of " + text(size) + " elements");
    sum += size;
  }
  if (sum != extent || sizes->size() != outputs) {
    return misfit(std::to_string(sizes->size()) + " parts of " + text(sum) + " elements for " +
                  text(count) + " outputs and an extent of " + text(extent));
  }
  return sizes;
}

Result<PadAmounts> resolve(const Pad& pad, Operands operands) {
  const Shape& x = operands[0]->shape;
  const auto pads = integers_of(operands, 1);
  if (!pads) return pads.status();
  std::vector<std::int64_t> axes;
  if (operand(operands, 3) != nullptr) {
    const auto listed = integers_of(operands, 3);
    if (!listed) return listed.status();
    axes = *listed;
  } else {
    for (std::size_t i = 0; i < x.rank(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (pads->size() != 2 * axes.size()) {
    return misfit(std::to_string(pads->size()) + " pads for " + std::to_string(axes.size()) +
                  " axes");
  }
  PadAmounts amounts{std::vector<std::int64_t>(x.rank(), 0),
                     std::vector<std::int64_t>(x.rank(), 0)};
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Result<std::size_t> axis = resolve_axis(axes[i], x.rank());
    if (!axis) return axis.status();
    const std::int64_t before = (*pads)[i];
    const std::int64_t after = (*pads)[i + axes.size()];
    const std::int64_t extent = x[*axis];
    if (before < -kMaxElements || before > kMaxElements || after < -kMaxElements ||
        after > kMaxElements) {
      return misfit("a pad is out of range");
    }
    if (pad.mode == Pad::Mode::kReflect && (before >= extent || after >= extent)) {
      return misfit("a reflection of " + text(std::max(before, after)) + " around an extent of " +
                    text(extent));
    }
    if (pad.mode != Pad::Mode::kConstant && extent == 0 && before + after > 0) {
      return misfit("an empty extent cannot be repeated");
    }
    if (before + extent < 0 || after + extent < 0 || before + after + extent < 0) {
      return misfit("more is cut than there is");
    }
    amounts.before[*axis] = before;
    amounts.after[*axis] = after;
  }
  return amounts;
}

Result<ResizeExtents> resolve(const Resize& resize, Operands operands) {
  const Shape& x = operands[0]->shape;
  ResizeExtents extents;
  if (resize.coordinates == Resize::Coordinates::kTfCropAndResize) {
    auto roi = numbers_of(operands, 1);
    if (!roi) return roi.status();
    if (roi->size() != 2 * x.rank()) return misfit("roi has the wrong number of entries");
    extents.roi = *roi;
  }
  std::vector<std::int64_t> out;
  if (operand(operands, 3) != nullptr) {
    const auto sizes = integers_of(operands, 3);
    if (!sizes) return sizes.status();
    out = *sizes;
    if (out.size() != x.rank()) return misfit("sizes has the wrong number of entries");
    for (std::size_t i = 0; i < out.size(); ++i) {
      extents.scales.push_back(static_cast<float>(out[i]) / static_cast<float>(x[i]));
    }
  } else {
    auto scales = numbers_of(operands, 2);
    if (!scales) return scales.status();
    if (scales->size() != x.rank()) return misfit("scales has the wrong number of entries");
    extents.scales = *scales;
    for (std::size_t i = 0; i < x.rank(); ++i) {
      float extent = static_cast<float>(x[i]) * extents.scales[i];
      if (!extents.roi.empty()) {
        extent *= extents.roi[i + x.rank()] - extents.roi[i];
      }
      // Written so that a NaN fails too.
      if (!(extent >= 0.0f && extent < 1e9f)) return misfit("a scale is out of range");
      out.push_back(static_cast<std::int64_t>(std::floor(extent)));
    }
  }
  const Result<Shape> shape = checked(out);
  if (!shape) return shape.status();
  if (x.elements() == 0 && shape->elements() != 0) return misfit("nothing to resize");
  extents.out = *shape;
  return extents;
}

Result<std::vector<std::int64_t>> resolve(const Transpose& transpose, Operands operands) {
  const std::size_t rank = operands[0]->shape.rank();
  std::vector<std::int64_t> permutation = transpose.permutation;
  if (permutation.empty()) {
    for (std::size_t i = rank; i-- > 0;) permutation.push_back(static_cast<std::int64_t>(i));
  }
  std::vector<char> seen(rank, 0);
  for (std::int64_t axis : permutation) {
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank) ||
        seen[static_cast<std::size_t>(axis)]) {
      return misfit("'perm' is no permutation of " + std::to_string(rank) + " axes");
    }
    seen[static_cast<std::size_t>(axis)] = 1;
  }
  if (permutation.size() != rank) return misfit("'perm' has the wrong number of entries");
  return permutation;
}

}  // namespace sluice::graph
