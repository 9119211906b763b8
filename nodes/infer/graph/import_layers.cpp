#include "sluice/nodes/infer/graph/import_node.h"

#include <cmath>

namespace sluice::graph {
namespace {

Window window_of(NodeImport& node) {
  Window window;
  window.kernel = node.integers("kernel_shape");
  window.strides = node.integers("strides");
  window.dilations = node.integers("dilations");
  window.pads = node.integers("pads");
  const std::string_view auto_pad = node.text("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER") {
    window.auto_pad = AutoPad::kSameUpper;
  } else if (auto_pad == "SAME_LOWER") {
    window.auto_pad = AutoPad::kSameLower;
  } else if (auto_pad == "VALID") {
    window.auto_pad = AutoPad::kValid;
  } else if (auto_pad != "NOTSET" && !auto_pad.empty()) {
    node.fail("has an unknown 'auto_pad'");
  }
  return window;
}

std::vector<ValueId> operands(const NodeImport& node) {
  return {node.inputs().begin(), node.inputs().end()};
}

void conv(NodeImport& node) {
  if (!node.require(2)) return;
  Conv conv;
  conv.window = window_of(node);
  conv.group = node.integer("group", 1);
  node.finish(std::move(conv), operands(node), {node.dtype(node.input(0))});
}

void conv_transpose(NodeImport& node) {
  if (!node.require(2)) return;
  ConvTranspose conv;
  conv.window = window_of(node);
  conv.group = node.integer("group", 1);
  conv.output_padding = node.integers("output_padding");
  conv.output_shape = node.integers("output_shape");
  node.finish(std::move(conv), operands(node), {node.dtype(node.input(0))});
}

void gemm(NodeImport& node) {
  if (!node.require(2)) return;
  Gemm gemm;
  gemm.alpha = node.number("alpha", 1.0f);
  gemm.beta = node.number("beta", 1.0f);
  gemm.transpose_a = node.integer("transA", 0) != 0;
  gemm.transpose_b = node.integer("transB", 0) != 0;
  node.finish(gemm, operands(node), {node.dtype(node.input(0))});
}

void matmul(NodeImport& node) {
  if (!node.require(2)) return;
  node.finish(MatMul{}, {node.input(0), node.input(1)}, {node.dtype(node.input(0))});
}

void batch_norm(NodeImport& node) {
  if (!node.require(5)) return;
  // Old files list the training outputs and leave them unread; the importer checks who reads them.
  if (node.integer("training_mode", 0) != 0) return node.refuse("training_mode");
  if (node.opset() < 7 && node.integer("is_test", 0) == 0) return node.refuse("is_test 0");
  if (node.opset() < 9 && node.integer("spatial", 1) == 0) return node.refuse("spatial 0");
  node.finish(BatchNorm{node.number("epsilon", 1e-5f), {}, {}}, operands(node),
              {node.dtype(node.input(0))});
}

void layer_norm(NodeImport& node) {
  if (!node.require(1)) return;
  if (node.wants_output(1) || node.wants_output(2)) return node.refuse("its mean as an output");
  node.finish(LayerNorm{node.integer("axis", -1), node.number("epsilon", 1e-5f)}, operands(node),
              {node.dtype(node.input(0))});
}

void instance_norm(NodeImport& node) {
  if (!node.require(3)) return;
  node.finish(InstanceNorm{node.number("epsilon", 1e-5f)}, operands(node),
              {node.dtype(node.input(0))});
}

void lrn(NodeImport& node) {
  if (!node.require(1)) return;
  if (!node.has("size")) return node.fail("has no 'size'");
  node.finish(Lrn{node.integer("size", 1), node.number("alpha", 1e-4f), node.number("beta", 0.75f),
                  node.number("bias", 1.0f)},
              {node.input(0)}, {node.dtype(node.input(0))});
}

void pool(NodeImport& node, Pool::Kind kind) {
  if (!node.require(1)) return;
  Pool pool;
  pool.kind = kind;
  pool.window = window_of(node);
  pool.ceil_mode = node.integer("ceil_mode", 0) != 0;
  pool.count_include_pad = node.integer("count_include_pad", 0) != 0;
  if (pool.window.kernel.empty()) return node.fail("has no 'kernel_shape'");
  if (node.integer("storage_order", 0) != 0 && node.wants_output(1)) {
    return node.refuse("storage_order 1");
  }
  const DType dtype = node.dtype(node.input(0));
  if (kind == Pool::Kind::kMax)
    return node.finish(std::move(pool), {node.input(0)}, {dtype, DType::kI64});
  node.finish(std::move(pool), {node.input(0)}, {dtype});
}

void max_pool(NodeImport& node) { pool(node, Pool::Kind::kMax); }
void average_pool(NodeImport& node) { pool(node, Pool::Kind::kAverage); }

template <ReduceKind kKind>
void global_pool(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Reduce{kKind, true, Reduce::NoAxes::kSpatial}, {node.input(0)},
              {node.dtype(node.input(0))});
}

void softmax_of(NodeImport& node, bool logarithm) {
  if (!node.require(1)) return;
  Softmax softmax;
  softmax.logarithm = logarithm;
  // Until operator set 13 the input was coerced to two dimensions at the axis, which was 1.
  softmax.extent = node.opset() < 13 ? Softmax::Extent::kFromAxis : Softmax::Extent::kAxis;
  softmax.axis = node.integer("axis", node.opset() < 13 ? 1 : -1);
  node.finish(softmax, {node.input(0)}, {node.dtype(node.input(0))});
}

void softmax(NodeImport& node) { softmax_of(node, false); }
void log_softmax(NodeImport& node) { softmax_of(node, true); }

// The axes became an operand at operator set 13 for ReduceSum, at 18 for the others.
template <ReduceKind kKind>
void reduce(NodeImport& node) {
  if (!node.require(1)) return;
  Reduce reduce;
  reduce.kind = kKind;
  reduce.keep_dims = node.integer("keepdims", 1) != 0;
  ValueId axes = node.input(1);
  const std::int64_t axes_as_input = kKind == ReduceKind::kSum ? 13 : 18;
  if (node.opset() < axes_as_input) {
    axes = node.has("axes") ? node.constant_integers(node.integers("axes")) : kNoValue;
  } else if (node.integer("noop_with_empty_axes", 0) != 0) {
    reduce.no_axes = Reduce::NoAxes::kNone;
  }
  node.finish(reduce, {node.input(0), axes}, {node.dtype(node.input(0))});
}

template <ArgReduce::Kind kKind>
void arg_reduce(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(ArgReduce{kKind, node.integer("axis", 0), node.integer("keepdims", 1) != 0,
                        node.integer("select_last_index", 0) != 0},
              {node.input(0)}, {DType::kI64});
}

void top_k(NodeImport& node) {
  if (!node.require(1)) return;
  ValueId k = node.input(1);
  if (node.opset() < 10) k = node.constant_integers({node.integer("k", 1)});
  if (k == kNoValue) return node.fail("has no k");
  node.finish(TopK{node.integer("axis", -1), node.integer("largest", 1) != 0}, {node.input(0), k},
              {node.dtype(node.input(0)), DType::kI64});
}

constexpr OperatorImport kImports[] = {
    {"Conv", conv},
    {"ConvTranspose", conv_transpose},
    {"Gemm", gemm},
    {"MatMul", matmul},
    {"BatchNormalization", batch_norm},
    {"LayerNormalization", layer_norm},
    {"InstanceNormalization", instance_norm},
    {"LRN", lrn},
    {"MaxPool", max_pool},
    {"AveragePool", average_pool},
    {"GlobalAveragePool", global_pool<ReduceKind::kMean>},
    {"GlobalMaxPool", global_pool<ReduceKind::kMax>},
    {"Softmax", softmax},
    {"LogSoftmax", log_softmax},
    {"ReduceSum", reduce<ReduceKind::kSum>},
    {"ReduceMean", reduce<ReduceKind::kMean>},
    {"ReduceMax", reduce<ReduceKind::kMax>},
    {"ReduceMin", reduce<ReduceKind::kMin>},
    {"ReduceProd", reduce<ReduceKind::kProd>},
    {"ReduceL1", reduce<ReduceKind::kL1>},
    {"ReduceL2", reduce<ReduceKind::kL2>},
    {"ReduceSumSquare", reduce<ReduceKind::kSumSquare>},
    {"ReduceLogSum", reduce<ReduceKind::kLogSum>},
    {"ReduceLogSumExp", reduce<ReduceKind::kLogSumExp>},
    {"ArgMax", arg_reduce<ArgReduce::Kind::kMax>},
    {"ArgMin", arg_reduce<ArgReduce::Kind::kMin>},
    {"TopK", top_k},
};

}  // namespace

std::span<const OperatorImport> layer_imports() { return kImports; }

}  // namespace sluice::graph
