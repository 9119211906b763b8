#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/normalize.h"
#include "sluice/nodes/infer/native/kernels/pool.h"
#include "sluice/nodes/infer/native/kernels/pool_last.h"
#include "sluice/nodes/infer/native/kernels/reduce.h"
#include "sluice/nodes/infer/native/kernels/resize.h"
#include "sluice/nodes/infer/native/layer.h"
#include "sluice/nodes/infer/native/window_nd.h"

#include <algorithm>
#include <cmath>

// Layers without products: normalizations, pools, reductions, resizing.
namespace sluice::native {
namespace {

using graph::resolve;
using graph::WindowAxis;

// One compile function an operation.
struct PlainLayer : Layer {
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
    auto params = with_window<kernels::PoolParams>({h, w});
    params.height = h.in, params.width = w.in;
    params.out_height = h.out, params.out_width = w.out;
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

}  // namespace

Result<CompiledNode> compile_layer(const NodeToCompile& what) {
  return std::visit(PlainLayer{{what}}, what.node.operation);
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
