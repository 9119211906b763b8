#include "sluice/nodes/infer/graph/operation.h"

#include <array>

namespace sluice::graph {
namespace {

constexpr auto kUnaryNames =
    std::to_array<std::string_view>({"Relu",      "Clip",       "LeakyRelu",
                                     "Sigmoid",   "Silu",       "HardSigmoid",
                                     "HardSwish", "Gelu",       "Gelu",
                                     "Tanh",      "Exp",        "Log",
                                     "Sqrt",      "Reciprocal", "Erf",
                                     "Neg",       "Abs",        "Floor",
                                     "Ceil",      "Round",      "Sign",
                                     "Elu",       "Selu",       "Celu",
                                     "Softplus",  "Softsign",   "ThresholdedRelu",
                                     "Mish",      "Sin",        "Cos",
                                     "Tan",       "Asin",       "Acos",
                                     "Atan",      "Sinh",       "Cosh",
                                     "Not"});

constexpr auto kBinaryNames = std::to_array<std::string_view>(
    {"Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Mod", "Mod", "PRelu", "And", "Or", "Xor",
     "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"});

constexpr auto kReduceNames = std::to_array<std::string_view>(
    {"ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
     "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"});

struct NameOf {
  std::string_view operator()(const Unary& op) const {
    return kUnaryNames[static_cast<std::size_t>(op.kind)];
  }
  std::string_view operator()(const Binary& op) const {
    return kBinaryNames[static_cast<std::size_t>(op.kind)];
  }
  std::string_view operator()(const Reduce& op) const {
    return kReduceNames[static_cast<std::size_t>(op.kind)];
  }
  std::string_view operator()(const Pool& op) const {
    return op.kind == Pool::Kind::kMax ? "MaxPool" : "AveragePool";
  }
  std::string_view operator()(const ArgReduce& op) const {
    return op.kind == ArgReduce::Kind::kMax ? "ArgMax" : "ArgMin";
  }
  std::string_view operator()(const Softmax& op) const {
    return op.logarithm ? "LogSoftmax" : "Softmax";
  }
  std::string_view operator()(const Where&) const { return "Where"; }
  std::string_view operator()(const Conv&) const { return "Conv"; }
  std::string_view operator()(const ConvTranspose&) const { return "ConvTranspose"; }
  std::string_view operator()(const Gemm&) const { return "Gemm"; }
  std::string_view operator()(const MatMul&) const { return "MatMul"; }
  std::string_view operator()(const BatchNorm&) const { return "BatchNormalization"; }
  std::string_view operator()(const LayerNorm&) const { return "LayerNormalization"; }
  std::string_view operator()(const InstanceNorm&) const { return "InstanceNormalization"; }
  std::string_view operator()(const Lrn&) const { return "LRN"; }
  std::string_view operator()(const TopK&) const { return "TopK"; }
  std::string_view operator()(const Concat&) const { return "Concat"; }
  std::string_view operator()(const Split&) const { return "Split"; }
  std::string_view operator()(const Slice&) const { return "Slice"; }
  std::string_view operator()(const Gather&) const { return "Gather"; }
  std::string_view operator()(const Reshape&) const { return "Reshape"; }
  std::string_view operator()(const Flatten&) const { return "Flatten"; }
  std::string_view operator()(const Transpose&) const { return "Transpose"; }
  std::string_view operator()(const Squeeze&) const { return "Squeeze"; }
  std::string_view operator()(const Unsqueeze&) const { return "Unsqueeze"; }
  std::string_view operator()(const Expand&) const { return "Expand"; }
  std::string_view operator()(const Tile&) const { return "Tile"; }
  std::string_view operator()(const Pad&) const { return "Pad"; }
  std::string_view operator()(const Resize&) const { return "Resize"; }
  std::string_view operator()(const DepthToSpace&) const { return "DepthToSpace"; }
  std::string_view operator()(const SpaceToDepth&) const { return "SpaceToDepth"; }
  std::string_view operator()(const ShapeOf&) const { return "Shape"; }
  std::string_view operator()(const SizeOf&) const { return "Size"; }
  std::string_view operator()(const ConstantOfShape&) const { return "ConstantOfShape"; }
  std::string_view operator()(const Range&) const { return "Range"; }
  std::string_view operator()(const Cast&) const { return "Cast"; }
  std::string_view operator()(const Identity&) const { return "Identity"; }
};

}  // namespace

std::string_view name_of(const Operation& operation) { return std::visit(NameOf{}, operation); }

}  // namespace sluice::graph
