#include "sluice/nodes/infer/native/layer.h"

#include "sluice/nodes/infer/native/kernels/elementwise.h"

namespace sluice::native {

using graph::WindowAxis;

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) count *= shape[i];
  return count;
}

Axes2d as_2d(const std::vector<WindowAxis>& axes) {
  WindowAxis flat;
  flat.in = flat.out = 1;
  return axes.size() == 1 ? Axes2d{flat, axes[0]} : Axes2d{axes[0], axes[1]};
}

kernels::ConvParams conv_params(const graph::Conv& op, const Shape& weights,
                                const std::vector<WindowAxis>& axes) {
  auto params = with_window<kernels::ConvParams>(as_2d(axes));
  params.out_channels = weights[0];
  params.in_channels = weights[1] * op.group;
  params.groups = op.group;
  return params;
}

kernels::ConvTransposeParams conv_transpose_params(const graph::ConvTranspose& op,
                                                   const Shape& weights,
                                                   const std::vector<WindowAxis>& axes) {
  const Axes2d window = as_2d(axes);
  auto params = with_window<kernels::ConvTransposeParams>(window);
  params.out_channels = weights[1] * op.group;
  params.in_channels = weights[0];
  params.groups = op.group;
  params.output_pad_h = window.h.output_pad, params.output_pad_w = window.w.output_pad;
  return params;
}

CompiledNode with_activation(Kernel compute, const std::optional<graph::Unary>& unary,
                             std::int64_t count) {
  return {
      [compute = std::move(compute), activation = activation_of(unary), count](const Call& call) {
        if (Status status = compute(call); !status.is_ok()) return status;
        kernels::apply(activation, count, call.out<float>(0), call.out<float>(0));
        return Status::ok();
      }};
}

}  // namespace sluice::native
