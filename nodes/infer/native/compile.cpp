#include "sluice/nodes/infer/native/compile.h"

#include <algorithm>

namespace sluice::native {
namespace {

bool is_elementwise(const graph::Operation& operation) {
  return std::holds_alternative<graph::Unary>(operation) ||
         std::holds_alternative<graph::Binary>(operation) ||
         std::holds_alternative<graph::Where>(operation) ||
         std::holds_alternative<graph::Cast>(operation) ||
         std::holds_alternative<graph::Range>(operation);
}

bool is_one_of(DType dtype, std::initializer_list<DType> dtypes) {
  return std::find(dtypes.begin(), dtypes.end(), dtype) != dtypes.end();
}

// What each operation takes; true when it takes these.
struct Takes {
  const std::vector<DType>& dtypes;  // of the operands that are there

  DType x() const { return dtypes.empty() ? DType::kF32 : dtypes[0]; }
  bool all_f32() const {
    return std::all_of(dtypes.begin(), dtypes.end(), [](DType d) { return d == DType::kF32; });
  }
  bool all_same() const {
    return std::all_of(dtypes.begin(), dtypes.end(), [&](DType d) { return d == x(); });
  }
  bool is_counted() const { return is_one_of(x(), {DType::kF32, DType::kI64, DType::kI32}); }
  bool is_arithmetic() const { return is_counted() || x() == DType::kF64; }

  bool operator()(const graph::Unary& op) const {
    using graph::UnaryKind;
    if (op.kind == UnaryKind::kNot) return x() == DType::kBool;
    if (x() == DType::kF32) return true;
    const bool has_integer_form = op.kind == UnaryKind::kNeg || op.kind == UnaryKind::kAbs ||
                                  op.kind == UnaryKind::kSign || op.kind == UnaryKind::kRelu;
    return has_integer_form && is_one_of(x(), {DType::kI64, DType::kI32});
  }
  bool operator()(const graph::Binary& op) const {
    using graph::BinaryKind;
    if (!all_same()) return false;
    switch (op.kind) {
      case BinaryKind::kAnd:
      case BinaryKind::kOr:
      case BinaryKind::kXor:
        return x() == DType::kBool;
      case BinaryKind::kEqual:
        return is_arithmetic() || x() == DType::kBool;
      default:
        return is_arithmetic();
    }
  }
  bool operator()(const graph::Conv&) const { return all_f32(); }
  bool operator()(const graph::ConvTranspose&) const { return all_f32(); }
  bool operator()(const graph::Gemm&) const { return all_f32(); }
  bool operator()(const graph::MatMul&) const { return all_f32(); }
  bool operator()(const graph::BatchNorm&) const { return all_f32(); }
  bool operator()(const graph::LayerNorm&) const { return all_f32(); }
  bool operator()(const graph::InstanceNorm&) const { return all_f32(); }
  bool operator()(const graph::Lrn&) const { return all_f32(); }
  bool operator()(const graph::Pool&) const { return all_f32(); }
  bool operator()(const graph::Softmax&) const { return all_f32(); }
  bool operator()(const graph::Resize&) const { return x() == DType::kF32; }
  bool operator()(const graph::Reduce& op) const {
    using graph::ReduceKind;
    if (x() == DType::kF32) return true;
    const bool has_integer_form = op.kind != ReduceKind::kL2 && op.kind != ReduceKind::kLogSum &&
                                  op.kind != ReduceKind::kLogSumExp;
    return has_integer_form && is_counted();
  }
  bool operator()(const graph::ArgReduce&) const { return is_counted(); }
  bool operator()(const graph::TopK&) const { return is_counted(); }
  bool operator()(const graph::Range&) const { return is_arithmetic(); }
  bool operator()(const graph::Gather&) const {
    return is_one_of(dtypes.back(), {DType::kI64, DType::kI32});
  }
  template <class T>
  bool operator()(const T&) const {
    return true;
  }
};

}  // namespace

Result<CompiledNode> compile(const NodeToCompile& what) {
  const bool is_empty =
      std::all_of(what.outputs.begin(), what.outputs.end(),
                  [](const graph::Fact& output) { return output.shape.elements() == 0; });
  if (is_empty) return CompiledNode{[](const Call&) { return Status::ok(); }};
  return is_elementwise(what.node.operation) ? compile_elementwise(what) : compile_product(what);
}

std::optional<std::string> unsupported_reason(const graph::Graph& graph, const graph::Node& node) {
  std::vector<DType> dtypes;
  std::string list;
  for (graph::ValueId id : node.inputs) {
    if (id == graph::kNoValue) continue;
    dtypes.push_back(graph.values[static_cast<std::size_t>(id)].dtype);
    list += (list.empty() ? "" : ", ") + std::string(to_string(dtypes.back()));
  }
  if (std::visit(Takes{dtypes}, node.operation)) return std::nullopt;
  return node.origin + " over " + list;
}

Result<std::vector<Tensor>> evaluate(const graph::Node& node, graph::Operands operands,
                                     std::span<const graph::Fact> outputs) {
  const Result<CompiledNode> compiled = compile({node, operands, outputs});
  if (!compiled) return compiled.status();
  std::vector<const std::byte*> in;
  for (const graph::Fact* fact : operands)
    in.push_back(fact == nullptr ? nullptr : fact->value->raw());
  std::vector<Tensor> results;
  std::vector<std::byte*> out;
  for (const graph::Fact& fact : outputs) {
    Result<Tensor> made = Tensor::allocate(fact.dtype, fact.shape);
    if (!made) return made.status();
    out.push_back(made->raw());
    results.push_back(std::move(*made));
  }
  const Result<Buffer> scratch = Buffer::allocate(compiled->scratch_bytes);
  if (!scratch) return scratch.status();
  if (Status status = compiled->run({in, out, scratch->data()}); !status.is_ok()) return status;
  return results;
}

bool reads_steps(const graph::Operation& operation, std::size_t operand) {
  constexpr auto kLast = graph::Layout::kChannelsLast;
  if (const auto* conv = std::get_if<graph::Conv>(&operation)) {
    if (operand == 0) return conv->input_layout == kLast;
    return operand == 3 && conv->layout == kLast;
  }
  if (operand != 0) return false;
  if (const auto* pool = std::get_if<graph::Pool>(&operation)) return pool->layout == kLast;
  const auto* norm = std::get_if<graph::BatchNorm>(&operation);
  return norm != nullptr && norm->layout == kLast;
}

bool writes_steps(const graph::Operation& operation) {
  constexpr auto kLast = graph::Layout::kChannelsLast;
  if (const auto* conv = std::get_if<graph::Conv>(&operation)) return conv->layout == kLast;
  const auto* pool = std::get_if<graph::Pool>(&operation);
  return pool != nullptr && pool->layout == kLast;
}

std::vector<std::size_t> overwritable_operands(const graph::Operation& operation) {
  using std::holds_alternative;
  if (holds_alternative<graph::Binary>(operation)) return {0, 1};
  if (holds_alternative<graph::Conv>(operation)) return {3};  // the residual
  const bool in_place = holds_alternative<graph::Unary>(operation) ||
                        holds_alternative<graph::BatchNorm>(operation) ||
                        holds_alternative<graph::LayerNorm>(operation) ||
                        holds_alternative<graph::InstanceNorm>(operation) ||
                        holds_alternative<graph::Softmax>(operation);
  return in_place ? std::vector<std::size_t>{0} : std::vector<std::size_t>{};
}

}  // namespace sluice::native
