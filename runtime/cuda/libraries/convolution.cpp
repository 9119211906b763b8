#include "sluice/runtime/cuda/libraries/convolution.h"

#include "sluice/runtime/cuda/view.h"

#include <algorithm>

namespace sluice::cuda {
namespace {

constexpr int kX = 0, kWeights = 1, kBias = 2;

bool is_float(std::int32_t type) {
  return type == SLUICE_CUDA_F32 || type == SLUICE_CUDA_F16 || type == SLUICE_CUDA_BF16;
}

// An image of rank 3 gets a height of 1: cuDNN knows images of two and three dims.
sluice_cuda_view as_image(sluice_cuda_view view) {
  if (view.rank != 3) return view;
  view.rank = 4;
  view.dims[3] = view.dims[2];
  view.strides[3] = view.strides[2];
  view.dims[2] = 1;
  view.strides[2] = 0;
  return view;
}

// With the channels last, pixels side by side and nothing repeated; pixels may have other channels
// between them, as where images are written beside each other into one.
bool is_channels_last(const sluice_cuda_view& view) {
  if (view.dims[1] != 1 && view.strides[1] != 1) return false;
  std::int64_t least = view.dims[1];
  for (int i = 1; i < view.rank; ++i) {
    const int axis = i == view.rank - 1 ? 0 : view.rank - i;
    if (view.dims[axis] == 1) continue;
    if (view.strides[axis] < least) return false;
    least = view.dims[axis] * view.strides[axis];
  }
  return true;
}

const char* what_is_wrong(const sluice_cuda_view& view, std::int32_t type) {
  if (view.type != type) return "operands of different types";
  if (view.rank < 3 || view.rank > 5) return "not an image of one to three dims";
  if (element_count(view) == 0) return "no elements";
  if (!is_channels_last(view)) return "channels that are not last in memory";
  if (offset_bytes(view) % 16 != 0) return "a beginning that is not at a multiple of 16 bytes";
  return nullptr;
}

const char* what_is_wrong(const sluice_cuda_op& op) {
  const std::int32_t type = op.out[0].type;
  if (!is_float(type)) return "a type that is not f32, f16 or bf16";
  for (const auto* view : {&op.in[kX], &op.in[kWeights], &op.out[0]}) {
    if (const char* wrong = what_is_wrong(*view, type)) return wrong;
  }
  const auto& conv = op.as.conv;
  const bool transposed = op.kind == SLUICE_CUDA_OP_CONV_TRANSPOSE;
  const std::int64_t inner = transposed ? op.in[kX].dims[1] / conv.group : op.in[kWeights].dims[1];
  const std::int64_t outer = transposed ? op.in[kWeights].dims[1] : op.out[0].dims[1] / conv.group;
  if (conv.group > 1 && (inner == 1 || outer == 1)) return "groups of one channel";
  return nullptr;
}

ConvolutionGraph graph_of(const sluice_cuda_op& op) {
  ConvolutionGraph graph;
  graph.transposed = op.kind == SLUICE_CUDA_OP_CONV_TRANSPOSE;
  graph.x = cudnn_tensor(as_image(op.in[kX]));
  graph.weights = cudnn_tensor(as_image(op.in[kWeights]));
  graph.y = cudnn_tensor(as_image(op.out[0]));
  const sluice_cuda_window& window = op.as.conv.window;
  const auto of_axes = [&](const std::int64_t* values, std::int64_t of_height) {
    std::vector<std::int64_t> all(values, values + window.axes);
    if (window.axes == 1) all.insert(all.begin(), of_height);
    return all;
  };
  graph.pad_begin = of_axes(window.pad_begin, 0);
  graph.pad_end = of_axes(window.pad_end, 0);
  graph.stride = of_axes(window.stride, 1);
  graph.dilation = of_axes(window.dilation, 1);
  return graph;
}

// A bias of the graph's type, one number a channel.
CudnnTensor vector_of_channels(const ConvolutionGraph& graph) {
  CudnnTensor bias = graph.y;
  const std::int64_t channels = bias.dims[1];
  std::ranges::fill(bias.dims, 1);
  std::ranges::fill(bias.strides, channels);
  bias.dims[1] = channels;
  bias.strides[1] = 1;
  return bias;
}

bool can_fuse_bias(const sluice_cuda_op& op) {
  const sluice_cuda_view& bias = op.in[kBias];
  return bias.type == op.out[0].type && (bias.dims[0] == 1 || bias.strides[0] == 1) &&
         offset_bytes(bias) % 16 == 0;
}

bool has_zeros(const sluice_cuda_op& op) {
  const auto channels = static_cast<std::size_t>(op.out[0].dims[1]);
  return channels * element_bytes(op.out[0].type) <= LaneResources::kZeroBytes;
}

// What is fused, one after the other, until something cannot be.
class Fuser {
 public:
  Fuser(const sluice_cuda_op& op, Fusion fusion) : op_(op), fusion_(fusion) {}

  void fuse(ConvolutionParts& parts) {
    parts.operands = {kX, kWeights};
    const auto& conv = op_.as.conv;
    const bool fuses_bias = fusion_ != Fusion::kNone && conv.has_bias && can_fuse_bias(op_);
    // Whatever comes after the bias is fused only with a bias, be it of zeros.
    const bool goes_on = fusion_ == Fusion::kAll && (conv.has_bias ? fuses_bias : has_zeros(op_));
    const bool fuses_residual = goes_on && can_fuse_residual();
    const bool fuses_relu = goes_on && relu_follows(fuses_residual);
    if (fuses_residual) {
      parts.graph.residual = cudnn_tensor(as_image(op_.in[residual()]));
      parts.operands.push_back(residual());
    }
    if (fuses_bias || fuses_residual || fuses_relu) {
      parts.graph.bias = vector_of_channels(parts.graph);
      parts.operands.push_back(conv.has_bias ? kBias : kZeros);
    }
    parts.graph.relu = fuses_relu;
    parts.operands.push_back(kOutput);
    leave(parts.tail, fuses_bias, fuses_residual, fuses_relu);
  }

 private:
  int residual() const { return op_.as.conv.has_bias ? kBias + 1 : kBias; }
  bool has_residual() const { return op_.as.conv.has_residual != 0; }

  // out = after(conv + bias + residual), with an `after` that may be a ReLU.
  bool can_fuse_residual() const {
    if (!has_residual() || !is_none(op_.as.conv.activation)) return false;
    const sluice_cuda_view& view = op_.in[residual()];
    return what_is_wrong(view, op_.out[0].type) == nullptr;
  }
  bool relu_follows(bool fuses_residual) const {
    const auto& conv = op_.as.conv;
    const bool goes_to_after = is_none(conv.activation) && (!has_residual() || fuses_residual);
    return is_plain(goes_to_after ? conv.after : conv.activation, SLUICE_CUDA_RELU);
  }

  void leave(Tail& tail, bool fused_bias, bool fused_residual, bool fused_relu) const {
    const auto& conv = op_.as.conv;
    if (conv.has_bias && !fused_bias) tail.add(along(op_.out[0], op_.in[kBias], 1), kBias);
    const bool relu_is_after =
        fused_relu && is_none(conv.activation) && (!has_residual() || fused_residual);
    if (!fused_relu || relu_is_after) tail.apply(conv.activation);
    if (has_residual() && !fused_residual) tail.add(op_.in[residual()], residual());
    if (!relu_is_after) tail.apply(conv.after);
  }

  const sluice_cuda_op& op_;
  const Fusion fusion_;
};

}  // namespace

ConvolutionParts convolution_parts(const sluice_cuda_op& op, Fusion fusion) {
  ConvolutionParts parts{Outcome::ok(), {}, {}, Tail(op.out[0])};
  if (const char* wrong = what_is_wrong(op)) {
    parts.outcome = Outcome::unsupported(std::string("cuDNN is not asked for ") + wrong);
    return parts;
  }
  parts.graph = graph_of(op);
  Fuser(op, parts.graph.transposed ? Fusion::kNone : fusion).fuse(parts);
  return parts;
}

MadeLibraryOperator make_convolution(const LaneResources& lane, const sluice_cuda_op& op) {
  Outcome outcome;
  for (const Fusion fusion : {Fusion::kAll, Fusion::kBias, Fusion::kNone}) {
    ConvolutionParts parts = convolution_parts(op, fusion);
    if (!parts.outcome.is_ok()) return {std::move(parts.outcome), nullptr};
    MadeGraph graph = make_graph(lane.cudnn, parts.graph);
    if (graph.outcome.is_ok()) {
      const char* kind = parts.graph.transposed ? "conv_transpose" : "conv";
      return with_tail(cudnn_operator(lane, kind, op, std::move(graph.made), parts.operands),
                       parts.tail);
    }
    outcome = std::move(graph.outcome);
  }
  return {std::move(outcome), nullptr};
}

}  // namespace sluice::cuda
