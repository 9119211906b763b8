#include "sluice/nodes/infer/native/compile.h"
#include "sluice/nodes/infer/native/kernels/conv_last_pair.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/kernels/normalize.h"
#include "sluice/nodes/infer/native/kernels/pool.h"
#include "sluice/nodes/infer/native/kernels/pool_last.h"
#include "sluice/nodes/infer/native/kernels/reduce.h"
#include "sluice/nodes/infer/native/kernels/resize.h"
#include "sluice/nodes/infer/native/layout.h"
#include "sluice/nodes/infer/native/window_nd.h"

#include <algorithm>
#include <cmath>

namespace sluice::native {
namespace {

using graph::Fact;
using graph::operand;
using graph::resolve;
using graph::WindowAxis;

std::int64_t product(const Shape& shape, std::size_t begin, std::size_t end) {
  std::int64_t count = 1;
  for (std::size_t i = begin; i < end; ++i) count *= shape[i];
  return count;
}

// A one-dimensional window is a two-dimensional one of height 1.
struct Axes2d {
  WindowAxis h, w;
};

Axes2d as_2d(const std::vector<WindowAxis>& axes) {
  WindowAxis flat;
  flat.in = flat.out = 1;
  return axes.size() == 1 ? Axes2d{flat, axes[0]} : Axes2d{axes[0], axes[1]};
}

kernels::ConvParams conv_params(const graph::Conv& op, const Shape& weights,
                                const std::vector<WindowAxis>& axes) {
  const auto [h, w] = as_2d(axes);
  kernels::ConvParams params;
  params.out_channels = weights[0];
  params.in_channels = weights[1] * op.group;
  params.groups = op.group;
  params.kernel_h = h.kernel, params.kernel_w = w.kernel;
  params.stride_h = h.stride, params.stride_w = w.stride;
  params.dilation_h = h.dilation, params.dilation_w = w.dilation;
  params.pad_top = h.pad_begin, params.pad_left = w.pad_begin;
  params.pad_bottom = h.pad_end, params.pad_right = w.pad_end;
  return params;
}

kernels::ConvTransposeParams conv_transpose_params(const graph::ConvTranspose& op,
                                                   const Shape& weights,
                                                   const std::vector<WindowAxis>& axes) {
  const auto [h, w] = as_2d(axes);
  kernels::ConvTransposeParams params;
  params.out_channels = weights[1] * op.group;
  params.in_channels = weights[0];
  params.groups = op.group;
  params.kernel_h = h.kernel, params.kernel_w = w.kernel;
  params.stride_h = h.stride, params.stride_w = w.stride;
  params.dilation_h = h.dilation, params.dilation_w = w.dilation;
  params.pad_top = h.pad_begin, params.pad_left = w.pad_begin;
  params.pad_bottom = h.pad_end, params.pad_right = w.pad_end;
  params.output_pad_h = h.output_pad, params.output_pad_w = w.output_pad;
  return params;
}

bool same_pads(const auto& a, const auto& b) {
  return a.pad_top == b.pad_top && a.pad_left == b.pad_left && a.pad_bottom == b.pad_bottom &&
         a.pad_right == b.pad_right;
}

// A kernel that runs `compute` into the output, then the activation over it.
CompiledNode with_activation(Kernel compute, const std::optional<graph::Unary>& unary,
                             std::int64_t count) {
  return {
      [compute = std::move(compute), activation = activation_of(unary), count](const Call& call) {
        if (Status status = compute(call); !status.is_ok()) return status;
        kernels::apply(activation, count, call.out<float>(0), call.out<float>(0));
        return Status::ok();
      }};
}

// One compile function an operation; the operands' shapes are known to fit.
struct Layer {
  const NodeToCompile& what;

  const Shape& x(std::size_t index = 0) const { return what.operands[index]->shape; }
  const Shape& out() const { return what.outputs[0].shape; }
  const float* known(std::size_t index) const {
    const Fact* fact = operand(what.operands, index);
    return fact != nullptr && fact->value ? fact->value->data<float>() : nullptr;
  }
  bool has(std::size_t index) const { return operand(what.operands, index) != nullptr; }

  // The layer with its weights, packed at load, packed for this plan, or null when the weights are
  // only known at the call.
  std::shared_ptr<const kernels::PackedConv> packed(const kernels::ConvParams& params,
                                                    const kernels::Epilogue& epilogue) const {
    const bool at_load = what.weights != nullptr && what.weights->conv != nullptr;
    if (at_load && same_pads(what.weights->conv->params(), params)) return what.weights->conv;
    if (known(1) == nullptr || (has(2) && known(2) == nullptr)) return nullptr;
    return std::make_shared<const kernels::PackedConv>(params, known(1), known(2), epilogue);
  }

  // The axes of a window over channels-last images.
  template <class Op>
  Result<std::vector<WindowAxis>> axes_of_turned(const Op& op) const {
    Fact planar = *what.operands[0];
    planar.shape = permuted(planar.shape, to_planar(planar.shape.rank()));
    std::vector<const Fact*> operands(what.operands.begin(), what.operands.end());
    operands[0] = &planar;
    return resolve(op, operands);
  }

  std::int64_t input_step(std::size_t index, std::int64_t channels) const {
    const bool is_given = index < what.input_steps.size() && what.input_steps[index] != 0;
    return is_given ? what.input_steps[index] : channels;
  }
  std::int64_t output_step(std::int64_t channels) const {
    const bool is_given = !what.output_steps.empty() && what.output_steps[0] != 0;
    return is_given ? what.output_steps[0] : channels;
  }
  static kernels::Precision precision_of(const Fact& fact) {
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
  kernels::ConvLastCall image_of(std::int64_t inputs, std::int64_t outputs) const {
    kernels::ConvLastCall image;
    image.input = input_pixels(0, inputs);
    image.residual = input_pixels(3, outputs);
    image.output = output_pixels(outputs);
    return image;
  }

  // Two 1x1 convolutions and perhaps a depthwise one; what the node reads is the input of the first
  // of them.
  Result<CompiledNode> conv_last_pair(const graph::Conv& op) const {
    const auto& first = what.first->conv_last;
    const auto& second = what.weights->conv_last;
    kernels::ConvLastCall image =
        image_of(first->params().in_channels, second->params().out_channels);
    if (what.depthwise == nullptr) {
      image.batch = image.height = image.out_height = 1;
      image.width = image.out_width = product(out(), 0, out().rank() - 1);
      return over_images(std::make_shared<const kernels::ConvLastPair>(first, second), image);
    }
    const auto& depthwise = what.depthwise->conv_last;
    // The window is the depthwise one's, and so must be the weights that it is resolved with.
    const kernels::ConvParams& p = depthwise->params();
    Fact planar = *what.operands[0], weights = *what.operands[1];
    const std::size_t rank = planar.shape.rank();
    planar.shape = permuted(planar.shape, to_planar(rank));
    weights.shape = rank == 3 ? Shape{p.out_channels, 1, p.kernel_w}
                              : Shape{p.out_channels, 1, p.kernel_h, p.kernel_w};
    const Fact* operands[] = {&planar, &weights};
    graph::Conv window = op;
    window.group = p.groups;
    const auto axes = resolve(window, operands);
    if (!axes) return axes.status();
    const auto [h, w] = as_2d(*axes);
    image.batch = x()[0];
    image.height = h.in, image.width = w.in;
    image.pad_top = h.pad_begin, image.pad_left = w.pad_begin;
    image.out_height = h.out, image.out_width = w.out;
    auto pair = std::make_shared<kernels::ConvLastPair>(first, second, depthwise);
    if (op.adds_depthwise) pair->set_residual(kernels::ConvLastPair::Residual::kDepthwise);
    return over_images(std::shared_ptr<const kernels::ConvLastPair>(std::move(pair)), image);
  }

  Result<CompiledNode> conv_last(const graph::Conv& op) const {
    if (what.first != nullptr) return conv_last_pair(op);
    const bool reads_planar = op.input_layout == graph::Layout::kPlanar;
    const auto axes = reads_planar ? resolve(op, what.operands) : axes_of_turned(op);
    if (!axes) return axes.status();
    const auto [h, w] = as_2d(*axes);
    const std::shared_ptr<const kernels::ConvLast> conv = what.weights->conv_last;
    kernels::ConvLastCall image = image_of(conv->params().in_channels, conv->params().out_channels);
    image.input_is_planar = reads_planar;
    image.batch = x()[0];
    image.height = h.in, image.width = w.in;
    image.pad_top = h.pad_begin, image.pad_left = w.pad_begin;
    image.out_height = h.out, image.out_width = w.out;
    if (!reads_planar && chooses_winograd(*what.weights, out())) {
      return over_images(what.weights->winograd->get(), image);
    }
    return over_images(conv, image);
  }

  template <class Kernel>
  static CompiledNode over_images(std::shared_ptr<const Kernel> kernel,
                                  const kernels::ConvLastCall& image) {
    return {[kernel, image](const Call& call) {
              kernels::ConvLastCall bound = image;
              bound.input.data = call.in<std::byte>(0);
              bound.residual.data = call.in<std::byte>(3);
              bound.output.data = call.out<std::byte>(0);
              bound.scratch = call.scratch;
              kernel->run(bound);
              return Status::ok();
            },
            kernel->scratch_bytes(image), kernel->algorithm()};
  }

  Result<CompiledNode> operator()(const graph::Conv& op) const {
    if (op.layout == graph::Layout::kChannelsLast) return conv_last(op);
    const auto axes = resolve(op, what.operands);
    if (!axes) return axes.status();
    Shape conv_shape{x()[0], x(1)[0]};
    for (const WindowAxis& axis : *axes) conv_shape.push_back(axis.out);
    const bool adds_in_kernel = has(3) && x(3) == conv_shape && axes->size() < 3;
    if (axes->size() < 3 && (adds_in_kernel || !has(3))) return conv_2d(op, *axes);

    // The sum that does not fit the kernel is taken apart again.
    Result<CompiledNode> conv = axes->size() < 3 ? conv_2d(op, *axes) : conv_nd(op, *axes);
    if (!conv || !has(3)) return conv;
    const std::size_t own =
        (static_cast<std::size_t>(conv_shape.elements()) * sizeof(float) + 63) / 64 * 64;
    return CompiledNode{
        [run = std::move(conv->run), own, conv_shape, residual = x(3), count = out().elements(),
         after = activation_of(op.after)](const Call& call) {
          std::byte* sum[] = {call.scratch};
          const Call inner{call.inputs.first(3), sum, call.scratch + own};
          if (Status status = run(inner); !status.is_ok()) return status;
          kernels::binary<float>(kernels::Binary::kAdd, conv_shape.dims(), inner.out<float>(0),
                                 residual.dims(), call.in<float>(3), call.out<float>(0));
          kernels::apply(after, count, call.out<float>(0), call.out<float>(0));
          return Status::ok();
        },
        own + conv->scratch_bytes, conv->algorithm};
  }

  Result<CompiledNode> conv_2d(const graph::Conv& op, const std::vector<WindowAxis>& axes) const {
    const kernels::ConvParams params = conv_params(op, x(1), axes);
    const kernels::Epilogue epilogue{activation_of(op.activation), activation_of(op.after)};
    const auto [h, w] = as_2d(axes);
    const std::int64_t batch = x()[0];
    const auto call_of = [batch, height = h.in, width = w.in](const Call& call) {
      return kernels::ConvCall{call.in<float>(0),  batch,       height, width, call.in<float>(3),
                               call.out<float>(0), call.scratch};
    };
    if (const auto conv = packed(params, epilogue)) {
      return CompiledNode{[conv, call_of](const Call& call) {
                            conv->run(call_of(call));
                            return Status::ok();
                          },
                          conv->scratch_bytes(h.in, w.in), conv->algorithm()};
    }
    // Weights that are computed: laid out at every call, which allocates.
    return CompiledNode{[params, epilogue, call_of](const Call& call) {
      const kernels::PackedConv conv(params, call.in<float>(1), call.in<float>(2), epilogue);
      kernels::ConvCall bound = call_of(call);
      const std::size_t bytes = conv.scratch_bytes(bound.height, bound.width);
      Result<Buffer> scratch = Buffer::allocate(bytes);
      if (!scratch) return scratch.status();
      bound.scratch = scratch->data();
      conv.run(bound);
      return Status::ok();
    }};
  }

  Result<CompiledNode> conv_nd(const graph::Conv& op, const std::vector<WindowAxis>& axes) const {
    std::int64_t count = x()[0] * x(1)[0];
    for (const WindowAxis& axis : axes) count *= axis.out;
    Kernel compute = [batch = x()[0], channels = x()[1], filters = x(1)[0], groups = op.group,
                      axes](const Call& call) {
      native::conv_nd({batch, channels, filters, groups, axes}, call.in<float>(0),
                      call.in<float>(1), call.in<float>(2), call.out<float>(0));
      return Status::ok();
    };
    return with_activation(std::move(compute), op.activation, count);
  }

  Result<CompiledNode> operator()(const graph::ConvTranspose& op) const {
    if (op.layout == graph::Layout::kChannelsLast) {
      const auto conv = what.weights->conv_transpose_last;
      const std::int64_t height = x().rank() == 3 ? 1 : x()[1], width = x()[x().rank() - 2];
      return CompiledNode{[conv, batch = x()[0], height, width](const Call& call) {
                            conv->run(batch, height, width, call.in<float>(0), call.out<float>(0));
                            return Status::ok();
                          },
                          0, "pointwise"};
    }
    const auto axes = resolve(op, what.operands);
    if (!axes) return axes.status();
    if (axes->size() > 2) {
      Kernel compute = [batch = x()[0], channels = x()[1], filters = x(1)[1] * op.group,
                        groups = op.group, axes = *axes](const Call& call) {
        conv_transpose_nd({batch, channels, filters, groups, axes}, call.in<float>(0),
                          call.in<float>(1), call.in<float>(2), call.out<float>(0));
        return Status::ok();
      };
      return with_activation(std::move(compute), op.activation, out().elements());
    }
    const kernels::ConvTransposeParams params = conv_transpose_params(op, x(1), *axes);
    const kernels::Activation activation = activation_of(op.activation);
    const auto [h, w] = as_2d(*axes);
    const auto call_of = [batch = x()[0], height = h.in, width = w.in](const Call& call) {
      return kernels::ConvCall{call.in<float>(0),  batch,       height, width, nullptr,
                               call.out<float>(0), call.scratch};
    };
    std::shared_ptr<const kernels::PackedConvTranspose> conv;
    if (what.weights != nullptr && what.weights->conv_transpose != nullptr &&
        same_pads(what.weights->conv_transpose->params(), params)) {
      conv = what.weights->conv_transpose;
    } else if (known(1) != nullptr && (!has(2) || known(2) != nullptr)) {
      conv = std::make_shared<const kernels::PackedConvTranspose>(params, known(1), known(2),
                                                                  activation);
    }
    if (conv != nullptr) {
      return CompiledNode{[conv, call_of](const Call& call) {
                            conv->run(call_of(call));
                            return Status::ok();
                          },
                          conv->scratch_bytes(h.in, w.in)};
    }
    return CompiledNode{[params, activation, call_of](const Call& call) {
      const kernels::PackedConvTranspose late(params, call.in<float>(1), call.in<float>(2),
                                              activation);
      kernels::ConvCall bound = call_of(call);
      Result<Buffer> scratch = Buffer::allocate(late.scratch_bytes(bound.height, bound.width));
      if (!scratch) return scratch.status();
      bound.scratch = scratch->data();
      late.run(bound);
      return Status::ok();
    }};
  }

  CompiledNode packed_product(std::int64_t rows) const {
    if (const std::shared_ptr<const kernels::ConvLast> product = what.weights->matmul) {
      kernels::ConvLastCall image =
          image_of(product->params().in_channels, product->params().out_channels);
      image.height = image.out_height = 1;
      image.width = image.out_width = rows;
      return over_images(product, image);
    }
    return {[gemm = what.weights->gemm, rows](const Call& call) {
              gemm->run(rows, call.in<float>(0), nullptr, call.out<float>(0), call.scratch);
              return Status::ok();
            },
            what.weights->gemm->scratch_bytes(rows), "packed gemm"};
  }
  bool is_packed() const {
    return what.weights != nullptr &&
           (what.weights->gemm != nullptr || what.weights->matmul != nullptr);
  }

  Result<CompiledNode> operator()(const graph::Gemm& op) const {
    if (is_packed()) return packed_product(out()[0]);
    kernels::GemmParams params;
    params.m = out()[0];
    params.n = out()[1];
    params.k = x(0)[op.transpose_a ? 0 : 1];
    if (params.k == 0)
      return unsupported("infer.unsupported", what.node.origin + ": an empty product");
    params.transpose_a = op.transpose_a;
    params.transpose_b = op.transpose_b;
    params.alpha = op.alpha;
    params.beta = op.beta;
    params.activation = activation_of(op.activation);
    if (has(2)) {
      const Shape& c = x(2);
      const std::int64_t last = c.rank() == 0 ? 1 : c[c.rank() - 1];
      const std::int64_t rows = c.elements() / std::max<std::int64_t>(last, 1);
      params.bias = c.elements() == 1 ? kernels::GemmBias::kScalar
                    : rows == 1       ? kernels::GemmBias::kPerColumn
                    : last == 1       ? kernels::GemmBias::kPerRow
                                      : kernels::GemmBias::kFull;
    }
    return CompiledNode{[params](const Call& call) {
      kernels::gemm(params, call.in<float>(0), call.in<float>(1), call.in<float>(2),
                    call.out<float>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::MatMul& op) const {
    const Shape& a = x(0);
    if (a[a.rank() - 1] == 0) {
      return unsupported("infer.unsupported", what.node.origin + ": an empty product");
    }
    if (is_packed()) return packed_product(product(a, 0, a.rank() - 1));
    return CompiledNode{[a, b = x(1), activation = activation_of(op.activation)](const Call& call) {
      kernels::matmul({a.dims(), b.dims(), call.in<float>(2), activation}, call.in<float>(0),
                      call.in<float>(1), call.out<float>(0));
      return Status::ok();
    }};
  }

  CompiledNode batch_norm_last(const graph::BatchNorm& op) const {
    const std::int64_t channels = x()[x().rank() - 1];
    // [2, channels]: the scales, then the shifts.
    auto affine = std::make_shared<std::vector<float>>(static_cast<std::size_t>(2 * channels));
    for (std::int64_t c = 0; c < channels; ++c) {
      const double variance = static_cast<double>(known(4)[c]) + static_cast<double>(op.epsilon);
      const double scale = static_cast<double>(known(1)[c]) / std::sqrt(variance);
      const double shift =
          static_cast<double>(known(2)[c]) - static_cast<double>(known(3)[c]) * scale;
      (*affine)[static_cast<std::size_t>(c)] = static_cast<float>(scale);
      (*affine)[static_cast<std::size_t>(channels + c)] = static_cast<float>(shift);
    }
    kernels::ScaledPixels pixels;
    pixels.count = x().elements() / channels;
    pixels.channels = channels;
    pixels.input_step = input_step(0, channels);
    pixels.activation = activation_of(op.activation);
    const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());
    return {[simd, affine, pixels](const Call& call) {
              kernels::ScaledPixels bound = pixels;
              bound.input = call.in<float>(0);
              bound.scale = affine->data();
              bound.shift = affine->data() + pixels.channels;
              bound.output = call.out<float>(0);
              simd->scale(bound);
              return Status::ok();
            },
            0, "channels last"};
  }

  Result<CompiledNode> operator()(const graph::BatchNorm& op) const {
    if (op.layout == graph::Layout::kChannelsLast) return batch_norm_last(op);
    kernels::BatchNormParams params;
    params.batch = x()[0];
    params.channels = x()[1];
    params.area = product(x(), 2, x().rank());
    params.epsilon = op.epsilon;
    Kernel compute = [params](const Call& call) {
      kernels::BatchNormParams bound = params;
      bound.scale = call.in<float>(1);
      bound.shift = call.in<float>(2);
      bound.mean = call.in<float>(3);
      bound.variance = call.in<float>(4);
      kernels::batch_norm(bound, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    };
    return with_activation(std::move(compute), op.activation, out().elements());
  }

  Result<CompiledNode> operator()(const graph::InstanceNorm& op) const {
    kernels::InstanceNormParams params;
    params.batch = x()[0];
    params.channels = x()[1];
    params.area = product(x(), 2, x().rank());
    params.epsilon = op.epsilon;
    return CompiledNode{[params](const Call& call) {
      kernels::InstanceNormParams bound = params;
      bound.scale = call.in<float>(1);
      bound.shift = call.in<float>(2);
      kernels::instance_norm(bound, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::LayerNorm& op) const {
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    kernels::LayerNormParams params;
    params.rows = product(x(), 0, *axis);
    params.size = product(x(), *axis, x().rank());
    params.epsilon = op.epsilon;
    return CompiledNode{[params](const Call& call) {
      kernels::LayerNormParams bound = params;
      bound.scale = call.in<float>(1);
      bound.shift = call.in<float>(2);
      kernels::layer_norm(bound, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    }};
  }

  CompiledNode lrn_last(const graph::Lrn& op) const {
    kernels::LrnPixels pixels;
    pixels.channels = x()[x().rank() - 1];
    pixels.count = x().elements() / pixels.channels;
    // As ONNX defines the region for even sizes too.
    pixels.before = (op.size - 1) / 2, pixels.after = op.size / 2;
    pixels.factor = op.alpha / static_cast<float>(op.size);
    pixels.bias = op.bias;
    const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());
    const std::int64_t scratch = pixels.before + pixels.channels + pixels.after + simd->lanes;
    return {[simd, pixels](const Call& call) {
              kernels::LrnPixels bound = pixels;
              bound.input = call.in<float>(0);
              bound.output = call.out<float>(0);
              bound.squares = reinterpret_cast<float*>(call.scratch);
              simd->lrn(bound);
              return Status::ok();
            },
            static_cast<std::size_t>(scratch) * sizeof(float), "channels last"};
  }

  Result<CompiledNode> operator()(const graph::Lrn& op) const {
    if (op.layout == graph::Layout::kChannelsLast) return lrn_last(op);
    kernels::LrnParams params;
    params.batch = x()[0];
    params.channels = x()[1];
    params.area = product(x(), 2, x().rank());
    params.size = op.size;
    params.alpha = op.alpha;
    params.beta = op.beta;
    params.bias = op.bias;
    return CompiledNode{[params](const Call& call) {
      kernels::lrn(params, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    }};
  }

  static kernels::PoolParams pool_params(const graph::Pool& op,
                                         const std::vector<WindowAxis>& axes) {
    const auto [h, w] = as_2d(axes);
    kernels::PoolParams params;
    params.height = h.in, params.width = w.in;
    params.out_height = h.out, params.out_width = w.out;
    params.kernel_h = h.kernel, params.kernel_w = w.kernel;
    params.stride_h = h.stride, params.stride_w = w.stride;
    params.dilation_h = h.dilation, params.dilation_w = w.dilation;
    params.pad_top = h.pad_begin, params.pad_left = w.pad_begin;
    params.pad_bottom = h.pad_end, params.pad_right = w.pad_end;
    params.count_include_pad = op.count_include_pad;
    return params;
  }

  Result<CompiledNode> pool_last(const graph::Pool& op) const {
    const auto axes = axes_of_turned(op);
    if (!axes) return axes.status();
    const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());
    kernels::PoolLastParams params;
    params.kind =
        op.kind == graph::Pool::Kind::kMax ? kernels::PoolKind::kMax : kernels::PoolKind::kAverage;
    params.batch = x()[0];
    params.channels = x()[x().rank() - 1];
    params.window = pool_params(op, *axes);
    return CompiledNode{[simd, params, input = input_pixels(0, params.channels),
                         output = output_pixels(params.channels)](const Call& call) {
                          kernels::InputPixels from = input;
                          from.data = call.in<std::byte>(0);
                          kernels::OutputPixels to = output;
                          to.data = call.out<std::byte>(0);
                          kernels::pool_last(*simd, params, from, to, call.scratch);
                          return Status::ok();
                        },
                        kernels::pool_last_scratch_bytes(params), "channels last"};
  }

  Result<CompiledNode> operator()(const graph::Pool& op) const {
    if (op.layout == graph::Layout::kChannelsLast) return pool_last(op);
    const auto axes = resolve(op, what.operands);
    if (!axes) return axes.status();
    const bool is_max = op.kind == graph::Pool::Kind::kMax;
    const std::int64_t planes = x()[0] * x()[1];
    if (axes->size() > 2) return pool_nd(op, *axes, planes);
    kernels::PoolParams params = pool_params(op, *axes);
    params.planes = planes;
    return CompiledNode{[params, is_max](const Call& call) {
      if (is_max) {
        auto* indices = call.outputs.size() > 1 ? call.out<std::int64_t>(1) : nullptr;
        kernels::max_pool(params, call.in<float>(0), call.out<float>(0), indices);
      } else {
        kernels::average_pool(params, call.in<float>(0), call.out<float>(0));
      }
      return Status::ok();
    }};
  }

  Result<CompiledNode> pool_nd(const graph::Pool& op, const std::vector<WindowAxis>& axes,
                               std::int64_t planes) const {
    if (op.kind == graph::Pool::Kind::kMax) {
      return CompiledNode{[axes, planes](const Call& call) {
        auto* indices = call.outputs.size() > 1 ? call.out<std::int64_t>(1) : nullptr;
        max_pool_nd(planes, axes, call.in<float>(0), call.out<float>(0), indices);
        return Status::ok();
      }};
    }
    const auto divisor = op.count_include_pad ? AverageOver::kPaddedInput : AverageOver::kInput;
    return CompiledNode{[axes, planes, divisor](const Call& call) {
      average_pool_nd(planes, axes, divisor, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::Softmax& op) const {
    const std::size_t rank = x().rank();
    const bool from_axis = op.extent == graph::Softmax::Extent::kFromAxis;
    std::size_t axis = rank;
    if (op.axis != static_cast<std::int64_t>(rank)) {
      const auto counted = graph::resolve_axis(op.axis, rank);
      if (!counted) return counted.status();
      axis = *counted;
    }
    const std::int64_t outer = product(x(), 0, axis);
    const std::int64_t extent = from_axis ? product(x(), axis, rank) : x()[axis];
    const std::int64_t inner = from_axis ? 1 : product(x(), axis + 1, rank);
    return CompiledNode{[outer, extent, inner, logarithm = op.logarithm](const Call& call) {
      const auto fn = logarithm ? kernels::log_softmax : kernels::softmax;
      fn(outer, extent, inner, call.in<float>(0), call.out<float>(0));
      return Status::ok();
    }};
  }

  template <class T>
  CompiledNode reduce(kernels::Reduce fn, std::vector<std::int64_t> axes) const {
    return {[fn, dims = x(), axes = std::move(axes)](const Call& call) {
      kernels::reduce<T>(fn, dims.dims(), axes, call.in<T>(0), call.out<T>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::Reduce& op) const {
    auto axes = resolve(op, what.operands);
    if (!axes) return axes.status();
    const std::size_t bytes =
        static_cast<std::size_t>(out().elements()) * size_of(what.outputs[0].dtype);
    if (axes->empty() && op.no_axes == graph::Reduce::NoAxes::kNone) {
      return CompiledNode{[bytes](const Call& call) {
        std::copy_n(call.in<std::byte>(0), bytes, call.out<std::byte>(0));
        return Status::ok();
      }};
    }
    const auto fn = static_cast<kernels::Reduce>(op.kind);
    const DType dtype = what.operands[0]->dtype;
    if (dtype == DType::kI64) return reduce<std::int64_t>(fn, std::move(*axes));
    if (dtype == DType::kI32) return reduce<std::int32_t>(fn, std::move(*axes));
    // Planes as a whole, which is what pooling over an image asks for.
    const std::size_t first = x().rank() - axes->size();
    const bool is_tail = !axes->empty() && axes->front() == static_cast<std::int64_t>(first);
    const std::int64_t planes = product(x(), 0, first);
    const std::int64_t area = product(x(), first, x().rank());
    if (is_tail && area > 0 && op.kind == graph::ReduceKind::kMean) {
      return CompiledNode{[planes, area](const Call& call) {
        kernels::global_average_pool(planes, area, call.in<float>(0), call.out<float>(0));
        return Status::ok();
      }};
    }
    if (is_tail && area > 0 && op.kind == graph::ReduceKind::kMax) {
      return CompiledNode{[planes, area](const Call& call) {
        kernels::global_max_pool(planes, area, call.in<float>(0), call.out<float>(0));
        return Status::ok();
      }};
    }
    if (const auto means = pixels_to_average(op, what.operands)) {
      const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());
      return CompiledNode{
          [simd, means = *means, input = input_pixels(0, means->channels)](const Call& call) {
            kernels::InputPixels from = input;
            from.data = call.in<std::byte>(0);
            kernels::mean_last(*simd, means.images, means.pixels, means.channels, from,
                               call.out<float>(0), call.scratch);
            return Status::ok();
          },
          kernels::mean_last_scratch_bytes(means->channels)};
    }
    return reduce<float>(fn, std::move(*axes));
  }

  template <class T>
  CompiledNode arg_reduce(const graph::ArgReduce& op, std::size_t axis) const {
    const auto ties = op.select_last ? kernels::Ties::kLast : kernels::Ties::kFirst;
    const auto fn =
        op.kind == graph::ArgReduce::Kind::kMax ? kernels::arg_max<T> : kernels::arg_min<T>;
    return {[fn, ties, outer = product(x(), 0, axis), extent = x()[axis],
             inner = product(x(), axis + 1, x().rank())](const Call& call) {
      fn(outer, extent, inner, ties, call.in<T>(0), call.out<std::int64_t>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::ArgReduce& op) const {
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const DType dtype = what.operands[0]->dtype;
    if (dtype == DType::kI64) return arg_reduce<std::int64_t>(op, *axis);
    if (dtype == DType::kI32) return arg_reduce<std::int32_t>(op, *axis);
    return arg_reduce<float>(op, *axis);
  }

  template <class T>
  CompiledNode top_k(const graph::TopK& op, std::size_t axis) const {
    kernels::TopKParams params;
    params.outer = product(x(), 0, axis);
    params.axis = x()[axis];
    params.inner = product(x(), axis + 1, x().rank());
    params.k = out()[axis];
    params.order = op.largest ? kernels::TopKOrder::kLargest : kernels::TopKOrder::kSmallest;
    return {[params](const Call& call) {
              kernels::top_k<T>(params, call.in<T>(0), call.out<T>(0), call.out<std::int64_t>(1),
                                reinterpret_cast<std::int64_t*>(call.scratch));
              return Status::ok();
            },
            static_cast<std::size_t>(params.axis) * sizeof(std::int64_t)};
  }

  Result<CompiledNode> operator()(const graph::TopK& op) const {
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const DType dtype = what.operands[0]->dtype;
    if (dtype == DType::kI64) return top_k<std::int64_t>(op, *axis);
    if (dtype == DType::kI32) return top_k<std::int32_t>(op, *axis);
    return top_k<float>(op, *axis);
  }

  Result<CompiledNode> operator()(const graph::Resize& op) const {
    auto extents = resolve(op, what.operands);
    if (!extents) return extents.status();
    struct Bound {
      Shape dims;
      graph::ResizeExtents extents;
      graph::Resize op;
      kernels::ResizeParams params() const {
        return {dims.dims(),
                extents.out.dims(),
                extents.scales,
                static_cast<kernels::ResizeMode>(op.mode),
                static_cast<kernels::ResizeCoordinates>(op.coordinates),
                static_cast<kernels::ResizeRounding>(op.rounding),
                op.cubic_a,
                op.exclude_outside,
                extents.roi,
                op.extrapolation};
      }
    };
    Bound bound{x(), std::move(*extents), op};
    const std::size_t scratch = kernels::resize_scratch_bytes(bound.params());
    return CompiledNode{[bound = std::move(bound)](const Call& call) {
                          kernels::resize(bound.params(), call.in<float>(0), call.out<float>(0),
                                          call.scratch);
                          return Status::ok();
                        },
                        scratch};
  }

  template <class T>
  Result<CompiledNode> operator()(const T&) const {
    return compile_movement(what);
  }
};

// The graph's words for these are the kernels', in the same order.
static_assert(static_cast<int>(graph::ReduceKind::kLogSumExp) ==
              static_cast<int>(kernels::Reduce::kLogSumExp));
static_assert(static_cast<int>(graph::Resize::Mode::kCubic) ==
              static_cast<int>(kernels::ResizeMode::kCubic));
static_assert(static_cast<int>(graph::Resize::Coordinates::kTfCropAndResize) ==
              static_cast<int>(kernels::ResizeCoordinates::kTfCropAndResize));
static_assert(static_cast<int>(graph::Resize::Rounding::kCeil) ==
              static_cast<int>(kernels::ResizeRounding::kCeil));

// Packing needs pads and extents that do not depend on the input: a stand-in of a size that no
// window is too large for. What does depend on it is found at planning by comparing the pads.
template <class Op>
std::optional<std::vector<WindowAxis>> axes_of_weights(const Op& op, const Shape& weights,
                                                       std::int64_t in_channels) {
  if (weights.rank() < 3 || weights.rank() > 4) return std::nullopt;
  Fact x, w;
  x.shape = Shape{1, in_channels};
  for (std::size_t i = 2; i < weights.rank(); ++i) x.shape.push_back(std::int64_t{1} << 20);
  w.shape = weights;
  const Fact* operands[] = {&x, &w};
  auto axes = resolve(op, operands);
  if (!axes) return std::nullopt;
  return std::move(*axes);
}

struct Matrix {
  std::int64_t k = 0, n = 0;
  kernels::PackedGemm::Layout layout = kernels::PackedGemm::Layout::kKByN;
  const float* data = nullptr;
};

std::shared_ptr<const kernels::ConvLast> pack_matmul(
    const kernels::SimdKernels& simd, kernels::Precision precision, const Matrix& b,
    const float* bias, const std::optional<graph::Unary>& activation) {
  kernels::ConvParams params;
  params.in_channels = b.k, params.out_channels = b.n;
  std::vector<float> turned;
  if (b.layout == kernels::PackedGemm::Layout::kKByN) {
    turned.resize(static_cast<std::size_t>(b.k * b.n));
    for (std::int64_t k = 0; k < b.k; ++k) {
      for (std::int64_t n = 0; n < b.n; ++n) {
        turned[static_cast<std::size_t>(n * b.k + k)] = b.data[k * b.n + n];
      }
    }
  }
  return std::make_shared<const kernels::ConvLast>(
      simd, precision, params, turned.empty() ? b.data : turned.data(), bias,
      kernels::Epilogue{activation_of(activation), {}});
}

}  // namespace

std::shared_ptr<const kernels::Winograd> LazyWinograd::get() const {
  std::call_once(once_, [this] {
    made_ = std::make_shared<const kernels::Winograd>(
        *simd_, params_, weights_.data<float>(), bias_ ? bias_->data<float>() : nullptr, epilogue_);
  });
  return made_;
}

Result<CompiledNode> compile_layer(const NodeToCompile& what) {
  return std::visit(Layer{what}, what.node.operation);
}

PackedWeights pack_weights(const graph::Node& node, std::span<const Tensor* const> constants,
                           kernels::Precision precision) {
  PackedWeights packed;
  const auto constant = [&](std::size_t i) {
    return i < constants.size() ? constants[i] : nullptr;
  };
  const Tensor* weights = constant(1);
  const bool has_bias = graph::Graph::operand(node, 2) != graph::kNoValue;
  const Tensor* bias = constant(2);
  if (weights == nullptr || weights->dtype() != DType::kF32 || weights->elements() == 0)
    return packed;
  if (has_bias && (bias == nullptr || bias->dtype() != DType::kF32)) return packed;
  const float* bias_data = bias == nullptr ? nullptr : bias->data<float>();
  const Shape& shape = weights->shape();
  const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());

  if (const auto* conv = std::get_if<graph::Conv>(&node.operation)) {
    if (conv->group < 1 || shape.rank() < 3) return packed;
    const auto axes = axes_of_weights(*conv, shape, shape[1] * conv->group);
    if (!axes || (bias != nullptr && bias->elements() != shape[0])) return packed;
    if (simd != nullptr) {
      packed.conv_last = std::make_shared<const kernels::ConvLast>(
          *simd, precision, conv_params(*conv, shape, *axes), weights->data<float>(), bias_data,
          kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
      const kernels::ConvParams& params = packed.conv_last->params();
      if (kernels::Winograd::covers(params)) {
        packed.winograd = std::make_shared<const LazyWinograd>(
            *simd, params, *weights, bias == nullptr ? std::nullopt : std::optional(*bias),
            kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
      }
      return packed;
    }
    packed.conv = std::make_shared<const kernels::PackedConv>(
        conv_params(*conv, shape, *axes), weights->data<float>(), bias_data,
        kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
  } else if (const auto* conv = std::get_if<graph::ConvTranspose>(&node.operation)) {
    if (conv->group < 1 || shape.rank() < 3) return packed;
    const auto axes = axes_of_weights(*conv, shape, shape[0]);
    if (!axes || (bias != nullptr && bias->elements() != shape[1] * conv->group)) return packed;
    if (!conv->output_shape.empty()) return packed;
    const kernels::ConvTransposeParams params = conv_transpose_params(*conv, shape, *axes);
    if (simd != nullptr && kernels::ConvTransposeLast::covers(params)) {
      packed.conv_transpose_last = std::make_shared<const kernels::ConvTransposeLast>(
          *simd, params, weights->data<float>(), bias_data, activation_of(conv->activation));
      return packed;
    }
    packed.conv_transpose = std::make_shared<const kernels::PackedConvTranspose>(
        params, weights->data<float>(), bias_data, activation_of(conv->activation));
  } else if (const auto* gemm = std::get_if<graph::Gemm>(&node.operation)) {
    if (shape.rank() != 2 || gemm->transpose_a || gemm->alpha != 1.0f) return packed;
    const std::int64_t n = shape[gemm->transpose_b ? 0 : 1];
    const std::int64_t k = shape[gemm->transpose_b ? 1 : 0];
    const bool is_row = bias == nullptr ||
                        (gemm->beta == 1.0f && bias->elements() == n && bias->shape().rank() > 0 &&
                         bias->shape()[bias->shape().rank() - 1] == n);
    if (!is_row) return packed;
    const auto layout =
        gemm->transpose_b ? kernels::PackedGemm::Layout::kNByK : kernels::PackedGemm::Layout::kKByN;
    if (simd != nullptr) {
      packed.matmul = pack_matmul(*simd, precision, {k, n, layout, weights->data<float>()},
                                  bias_data, gemm->activation);
      return packed;
    }
    packed.gemm = std::make_shared<const kernels::PackedGemm>(
        k, n, layout, weights->data<float>(), bias_data, activation_of(gemm->activation));
  } else if (const auto* matmul = std::get_if<graph::MatMul>(&node.operation)) {
    if (shape.rank() != 2 || (bias != nullptr && bias->elements() != shape[1])) return packed;
    if (simd != nullptr) {
      packed.matmul = pack_matmul(
          *simd, precision,
          {shape[0], shape[1], kernels::PackedGemm::Layout::kKByN, weights->data<float>()},
          bias_data, matmul->activation);
      return packed;
    }
    packed.gemm = std::make_shared<const kernels::PackedGemm>(
        shape[0], shape[1], kernels::PackedGemm::Layout::kKByN, weights->data<float>(), bias_data,
        activation_of(matmul->activation));
  }
  return packed;
}

bool chooses_winograd(const PackedWeights& weights, const Shape& out) {
  if (weights.winograd == nullptr || out.rank() != 4) return false;
  const kernels::ConvLast& direct = *weights.conv_last;
  return kernels::Winograd::pays(
      direct.params(), out[1], out[2],
      direct.reads_bf16() ? kernels::Precision::kBf16 : kernels::Precision::kFp32);
}

std::optional<PixelMeans> pixels_to_average(const graph::Reduce& op, graph::Operands operands) {
  if (op.kind != graph::ReduceKind::kMean || kernels::simd_kernels(kernels::isa()) == nullptr) {
    return std::nullopt;
  }
  const auto axes = graph::resolve(op, operands);
  if (!axes || axes->empty()) return std::nullopt;
  const Shape& x = operands[0]->shape;
  const auto begin = static_cast<std::size_t>(axes->front());
  const auto end = static_cast<std::size_t>(axes->back()) + 1;
  const PixelMeans means{product(x, 0, begin), product(x, begin, end), product(x, end, x.rank())};
  const bool is_run = end - begin == axes->size();
  if (!is_run || means.pixels < 1 || means.channels < 2) return std::nullopt;
  return means;
}

}  // namespace sluice::native
