#include "sluice/nodes/infer/gpu/lowering.h"

#include <algorithm>
#include <array>

// Arithmetic on elements.
namespace sluice::gpu {
namespace {

using graph::ValueId;

static_assert(static_cast<int>(graph::UnaryKind::kNot) == SLUICE_CUDA_NOT);
static_assert(static_cast<int>(graph::UnaryKind::kElu) == SLUICE_CUDA_ELU);
static_assert(static_cast<int>(graph::BinaryKind::kGreaterOrEqual) == SLUICE_CUDA_GREATER_OR_EQUAL);
static_assert(static_cast<int>(graph::BinaryKind::kPRelu) == SLUICE_CUDA_PRELU);

// Truth values are 0 and 1 in any arithmetic.
std::int32_t compute_of(DType dtype) {
  switch (dtype) {
    case DType::kF32:
    case DType::kF16:
    case DType::kBF16:
    case DType::kBool:
      return SLUICE_CUDA_COMPUTE_F32;
    case DType::kF64:
      return SLUICE_CUDA_COMPUTE_F64;
    default:
      return SLUICE_CUDA_COMPUTE_I64;
  }
}

sluice_cuda_stage& add_stage(sluice_cuda_op& op, sluice_cuda_stage_kind kind) {
  sluice_cuda_stage& stage = op.as.map.stage[op.as.map.stages++];
  stage = {};
  stage.kind = kind;
  stage.activation.function = -1;
  return stage;
}

}  // namespace

// Whether the chain that gives the value can go on with arithmetic of that kind, and takes
// another node: up to three stages with two operands.
bool Lowering::can_go_on(ValueId id, Dims dims, std::int32_t compute) const {
  constexpr int kStages = 3, kOperands = 2;
  const auto found = chains_.find(id);
  if (found == chains_.end() || !uses_.is_private(id)) return false;
  const sluice_cuda_op& op = found->second.op;
  return op.as.map.compute == compute && compute_of(found->second.dtype) == compute &&
         std::ranges::equal(dims_of(op.out[0]), dims) &&
         op.as.map.stages + kStages <= SLUICE_CUDA_MAX_STAGES &&
         op.inputs + kOperands <= SLUICE_CUDA_MAX_OPERANDS;
}

Result<Lowering::Chain> Lowering::begin_chain(ValueId id, Dims dims, std::int32_t compute) {
  if (can_go_on(id, dims, compute)) {
    const auto found = chains_.find(id);
    Chain chain = std::move(found->second);
    chains_.erase(found);
    return chain;
  }
  Chain chain;
  chain.op.kind = SLUICE_CUDA_OP_MAP;
  chain.op.as.map.compute = compute;
  chain.op.outputs = 1;
  chain.op.out[0] = dense(stored_type(fact(id).dtype), dims);
  Result<int> first = add_operand(chain, id, dims);
  if (!first) return first.status();
  return chain;
}

Result<int> Lowering::add_operand(Chain& chain, ValueId id, Dims dims) {
  Result<Operand> operand = get(id);
  if (!operand) return operand.status();
  return add_operand(chain, Operand{operand->place, broadcast(operand->view, dims)});
}

Result<int> Lowering::add_operand(Chain& chain, const Operand& operand) {
  const int index = chain.op.inputs++;
  chain.op.in[index] = operand.view;
  chain.inputs.push_back(operand.place);
  return index;
}

// The result lies as the first of the operands does that is as large.
void Lowering::keep(ValueId id, Chain chain) {
  chain.dtype = fact(id).dtype;
  const std::int32_t type = stored_type(chain.dtype);
  const Dims dims = shape(id).dims();
  View out = dense(type, dims);
  for (int i = 0; i < chain.op.inputs; ++i) {
    if (repeats(chain.op.in[i])) continue;
    out = dense_like(type, dims, chain.op.in[i]);
    break;
  }
  chain.op.out[0] = out;
  chains_.insert_or_assign(id, std::move(chain));
}

void Lowering::add_activation(Chain& chain, const graph::Unary& unary) {
  add_stage(chain.op, SLUICE_CUDA_STAGE_UNARY).activation = {
      static_cast<std::int32_t>(unary.kind), unary.alpha, unary.beta, unary.scale, unary.shift};
}

Status Lowering::lower_op(const graph::Unary& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  Result<Chain> chain = begin_chain(in, shape(out).dims(), compute_of(fact(in).dtype));
  if (!chain) return chain.status();
  add_activation(*chain, op);
  keep(out, std::move(*chain));
  return Status::ok();
}

Status Lowering::lower_op(const graph::Binary& op) {
  const ValueId a = node_->inputs[0], b = node_->inputs[1], out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  const std::int32_t compute = compute_of(fact(a).dtype);
  const bool reversed = a != b && !can_go_on(a, dims, compute) && can_go_on(b, dims, compute);
  Result<Chain> chain = begin_chain(reversed ? b : a, dims, compute);
  if (!chain) return chain.status();
  const Result<int> other = add_operand(*chain, reversed ? a : b, dims);
  if (!other) return other.status();
  sluice_cuda_stage& stage = add_stage(chain->op, SLUICE_CUDA_STAGE_BINARY);
  stage.function = static_cast<std::int32_t>(op.kind);
  stage.operand = *other;
  stage.reversed = reversed ? 1 : 0;
  keep(out, std::move(*chain));
  return Status::ok();
}

Status Lowering::lower_op(const graph::Where&) {
  const ValueId condition = node_->inputs[0], a = node_->inputs[1], b = node_->inputs[2];
  const ValueId out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  Result<Chain> chain = begin_chain(a, dims, compute_of(fact(a).dtype));
  if (!chain) return chain.status();
  const Result<int> chooser = add_operand(*chain, condition, dims);
  if (!chooser) return chooser.status();
  const Result<int> other = add_operand(*chain, b, dims);
  if (!other) return other.status();
  sluice_cuda_stage& stage = add_stage(chain->op, SLUICE_CUDA_STAGE_SELECT);
  stage.operand = *chooser;
  stage.other = *other;
  keep(out, std::move(*chain));
  return Status::ok();
}

// Integers and floats are different arithmetic: what comes before a conversion between them is
// done and stored first.
Status Lowering::lower_op(const graph::Cast& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const std::int32_t from = compute_of(fact(in).dtype), to = compute_of(op.to);
  const bool widens = from == SLUICE_CUDA_COMPUTE_I64 && to != SLUICE_CUDA_COMPUTE_I64;
  const bool to_double = from == SLUICE_CUDA_COMPUTE_F32 && to == SLUICE_CUDA_COMPUTE_F64;
  const std::int32_t compute = op.to == DType::kBool ? from : widens || to_double ? to : from;
  Result<Chain> chain = begin_chain(in, shape(out).dims(), compute);
  if (!chain) return chain.status();
  if (op.to == DType::kBool && fact(in).dtype != DType::kBool) {
    add_activation(*chain, {graph::UnaryKind::kNot});
    add_activation(*chain, {graph::UnaryKind::kNot});
  }
  keep(out, std::move(*chain));
  return Status::ok();
}

// Vectors over the channels, in f32: s = scale / sqrt(variance + epsilon) and shift - mean * s.
Result<std::pair<Operand, Operand>> Lowering::affine(float epsilon) {
  std::array<Operand, 4> parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    Result<Operand> parameter = vector(node_->inputs[i + 1], SLUICE_CUDA_F32);
    if (!parameter) return parameter.status();
    parameters[i] = *parameter;
  }
  const auto& [scale, shift, mean, variance] = parameters;
  const View form = dense(SLUICE_CUDA_F32, dims_of(scale.view));
  const auto chain_of = [&](const Operand& first) {
    Chain chain;
    chain.op.kind = SLUICE_CUDA_OP_MAP;
    chain.op.as.map.compute = SLUICE_CUDA_COMPUTE_F32;
    static_cast<void>(add_operand(chain, first));
    return chain;
  };
  const auto with = [&](Chain& chain, sluice_cuda_binary function, const Operand& other) {
    sluice_cuda_stage& stage = add_stage(chain.op, SLUICE_CUDA_STAGE_BINARY);
    stage.function = function;
    stage.operand = chain.op.inputs;
    stage.reversed = 1;
    static_cast<void>(add_operand(chain, other));
  };
  // A leaky ReLU of slope 1 changes nothing: it is there for what it adds.
  Chain factors = chain_of(variance);
  add_activation(factors, {graph::UnaryKind::kLeakyRelu, 1.0F, 0, 1.0F, epsilon});
  add_activation(factors, {graph::UnaryKind::kSqrt});
  with(factors, SLUICE_CUDA_DIV, scale);
  const Operand factor = make(form);
  emit_chain(std::move(factors), factor);
  Chain offsets = chain_of(mean);
  with(offsets, SLUICE_CUDA_MUL, factor);
  with(offsets, SLUICE_CUDA_SUB, shift);
  const Operand offset = make(form);
  emit_chain(std::move(offsets), offset);
  return std::pair(factor, offset);
}

Status Lowering::lower_op(const graph::BatchNorm& op) {
  const ValueId in = node_->inputs[0], out = node_->outputs[0];
  const Dims dims = shape(out).dims();
  const auto vectors = affine(op.epsilon);
  if (!vectors) return vectors.status();
  Result<Chain> chain = begin_chain(in, dims, SLUICE_CUDA_COMPUTE_F32);
  if (!chain) return chain.status();
  for (const auto& [vector, function] :
       {std::pair(vectors->first, SLUICE_CUDA_MUL), std::pair(vectors->second, SLUICE_CUDA_ADD)}) {
    View wide = dense(SLUICE_CUDA_F32, dims);
    std::fill_n(wide.strides, wide.rank, 0);
    wide.strides[1] = 1;
    const Result<int> operand = add_operand(*chain, Operand{vector.place, wide});
    if (!operand) return operand.status();
    sluice_cuda_stage& stage = add_stage(chain->op, SLUICE_CUDA_STAGE_BINARY);
    stage.function = function;
    stage.operand = *operand;
  }
  if (op.activation) add_activation(*chain, *op.activation);
  keep(out, std::move(*chain));
  return Status::ok();
}

}  // namespace sluice::gpu
