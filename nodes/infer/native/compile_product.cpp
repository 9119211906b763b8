#include "sluice/nodes/infer/native/kernels/conv_last_pair.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/layer.h"
#include "sluice/nodes/infer/native/window_nd.h"

// Layers that are products with weights: convolutions and matrix products.
namespace sluice::native {
namespace {

using graph::Fact;
using graph::resolve;
using graph::WindowAxis;

bool same_pads(const auto& a, const auto& b) {
  return a.pad_top == b.pad_top && a.pad_left == b.pad_left && a.pad_bottom == b.pad_bottom &&
         a.pad_right == b.pad_right;
}

// One compile function an operation.
struct Product : Layer {
  // The layer with its weights, packed at load, packed for this plan, or null when the weights are
  // only known at the call.
  std::shared_ptr<const kernels::PackedConv> packed(const kernels::ConvParams& params,
                                                    const kernels::Epilogue& epilogue) const {
    const bool at_load = what.weights != nullptr && what.weights->conv != nullptr;
    if (at_load && same_pads(what.weights->conv->params(), params)) return what.weights->conv;
    if (known(1) == nullptr || (has(2) && known(2) == nullptr)) return nullptr;
    return std::make_shared<const kernels::PackedConv>(params, known(1), known(2), epilogue);
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

  template <class T>
  Result<CompiledNode> operator()(const T&) const {
    return compile_layer(what);
  }
};

}  // namespace

Result<CompiledNode> compile_product(const NodeToCompile& what) {
  return std::visit(Product{{what}}, what.node.operation);
}

}  // namespace sluice::native
