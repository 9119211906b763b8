#pragma once

#include "sluice/nodes/infer/native/compile.h"
#include "sluice/nodes/infer/native/layout.h"

#include <vector>

// What the files that compile layers have in common.
namespace sluice::native {

// The product of the extents from axis `begin` to before `end`.
std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end);

// A one-dimensional window is a two-dimensional one of height 1.
struct Axes2d {
  graph::WindowAxis h, w;
};

Axes2d as_2d(const std::vector<graph::WindowAxis>& axes);

// A kernel's parameters, of which those of the window are set.
template <class Params>
Params with_window(const Axes2d& window) {
  const auto& [h, w] = window;
  Params params;
  params.kernel_h = h.kernel, params.kernel_w = w.kernel;
  params.stride_h = h.stride, params.stride_w = w.stride;
  params.dilation_h = h.dilation, params.dilation_w = w.dilation;
  params.pad_top = h.pad_begin, params.pad_left = w.pad_begin;
  params.pad_bottom = h.pad_end, params.pad_right = w.pad_end;
  return params;
}

kernels::ConvParams conv_params(const graph::Conv& op, const Shape& weights,
                                const std::vector<graph::WindowAxis>& axes);
kernels::ConvTransposeParams conv_transpose_params(const graph::ConvTranspose& op,
                                                   const Shape& weights,
                                                   const std::vector<graph::WindowAxis>& axes);

// A kernel that runs `compute` into the output, then the activation over it.
CompiledNode with_activation(Kernel compute, const std::optional<graph::Unary>& unary,
                             std::int64_t count);

// A node to compile, and what is known of it; the operands' shapes are known to fit.
struct Layer {
  const NodeToCompile& what;

  const Shape& x(std::size_t index = 0) const { return what.operands[index]->shape; }
  const Shape& out() const { return what.outputs[0].shape; }
  const float* known(std::size_t index) const {
    const graph::Fact* fact = graph::operand(what.operands, index);
    return fact != nullptr && fact->value ? fact->value->data<float>() : nullptr;
  }
  bool has(std::size_t index) const { return graph::operand(what.operands, index) != nullptr; }

  // The axes of a window over channels-last images.
  template <class Op>
  Result<std::vector<graph::WindowAxis>> axes_of_turned(const Op& op) const {
    graph::Fact planar = *what.operands[0];
    planar.shape = permuted(planar.shape, to_planar(planar.shape.rank()));
    std::vector<const graph::Fact*> operands(what.operands.begin(), what.operands.end());
    operands[0] = &planar;
    return graph::resolve(op, operands);
  }

  std::int64_t input_step(std::size_t index, std::int64_t channels) const {
    const bool is_given = index < what.input_steps.size() && what.input_steps[index] != 0;
    return is_given ? what.input_steps[index] : channels;
  }
  std::int64_t output_step(std::int64_t channels) const {
    const bool is_given = !what.output_steps.empty() && what.output_steps[0] != 0;
    return is_given ? what.output_steps[0] : channels;
  }
  static kernels::Precision precision_of(const graph::Fact& fact) {
    return fact.dtype == DType::kBF16 ? kernels::Precision::kBf16 : kernels::Precision::kFp32;
  }
  // Where the pixels of an operand, or of the output, lie from an address on that the call knows.
  kernels::InputPixels input_pixels(std::size_t index, std::int64_t channels) const {
    if (!has(index)) return {};
    return {nullptr, input_step(index, channels), precision_of(*what.operands[index])};
  }
  kernels::OutputPixels output_pixels(std::int64_t channels) const {
    return {nullptr, output_step(channels), precision_of(what.outputs[0])};
  }
};

}  // namespace sluice::native
