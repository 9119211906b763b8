#include "sluice/nodes/infer/gpu/lowering.h"

#include "sluice/nodes/infer/native/arena.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace sluice::gpu {
namespace {

using graph::Fact;
using graph::kNoValue;
using graph::ValueId;

// Which other form of a value is remembered.
enum Form : int { kStored, kDenseForm, kChannelsLastForm };

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

}  // namespace

Lowering::Lowering(const graph::Graph& graph, std::vector<Fact> facts, sluice_cuda_type type,
                   Constants& constants)
    : graph_(graph),
      uses_(graph),
      facts_(std::move(facts)),
      type_(type),
      constants_(constants),
      attentions_(find_attentions(graph, facts_)),
      operands_(graph.values.size()) {}

Result<std::shared_ptr<const GpuPlan>> Lowering::run() {
  choose_nodes();
  for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
    const Fact& input = fact(graph_.inputs[i]);
    put(graph_.inputs[i],
        {{Place::In::kInput, i, 0}, dense(type_of(input.dtype), input.shape.dims())});
  }
  for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
    if (!is_chosen_[i] || attentions_.is_part[i]) continue;
    node_ = &graph_.nodes[i];
    if (Status status = lower(*node_); !status.is_ok()) return status;
  }
  if (Status status = deliver_outputs(); !status.is_ok()) return status;
  lay_out_arena();
  return std::make_shared<const GpuPlan>(std::move(plan_));
}

// Nodes that something unknown depends on.
void Lowering::choose_nodes() {
  std::vector<char> read(graph_.values.size(), 0);
  for (ValueId id : graph_.outputs) read[at(id)] = is_known(id) ? 0 : 1;
  is_chosen_.assign(graph_.nodes.size(), 0);
  for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
    const graph::Node& node = graph_.nodes[i];
    is_chosen_[i] = std::ranges::any_of(
        node.outputs, [&](ValueId id) { return id != kNoValue && read[at(id)] != 0; });
    if (!is_chosen_[i]) continue;
    for (ValueId id : node.inputs) {
      if (id != kNoValue && !is_known(id)) read[at(id)] = 1;
    }
  }
}

// Of a result without elements nothing is computed.
Status Lowering::lower(const graph::Node& node) {
  const bool is_empty = std::ranges::all_of(
      node.outputs, [&](ValueId id) { return id == kNoValue || shape(id).elements() == 0; });
  if (is_empty) {
    for (ValueId id : node.outputs) {
      if (id != kNoValue) put_new(id, dense(stored_type(fact(id).dtype), shape(id).dims()));
    }
    return Status::ok();
  }
  if (const auto found = attentions_.ends.find(&node); found != attentions_.ends.end()) {
    return attend(found->second);
  }
  return std::visit([this](const auto& op) { return lower_op(op); }, node.operation);
}

Status Lowering::deliver_outputs() {
  node_ = nullptr;
  for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
    const ValueId id = graph_.outputs[i];
    plan_.outputs.push_back({fact(id).dtype, shape(id)});
    if (shape(id).elements() == 0) continue;
    const Operand to{{Place::In::kOutput, i, 0}, dense(type_of(fact(id).dtype), shape(id).dims())};
    if (Status status = assign(id, to); !status.is_ok()) return status;
  }
  return Status::ok();
}

std::vector<const Fact*> Lowering::operands_of(const graph::Node& node) const {
  std::vector<const Fact*> operands;
  for (ValueId id : node.inputs) operands.push_back(id == kNoValue ? nullptr : &fact(id));
  return operands;
}

Result<Operand> Lowering::constant(const Tensor& tensor, const View& form,
                                   const std::string& name) {
  Result<Buffer> buffer = constants_.get(name, tensor, form);
  if (!buffer) return buffer.status();
  plan_.constants.push_back(std::move(*buffer));
  return Operand{{Place::In::kConstant, plan_.constants.size() - 1, 0}, form};
}

// What the graph itself holds is shared by all plans; what follows from this plan's shapes is not.
Result<Operand> Lowering::known(ValueId id) {
  const Fact& what = fact(id);
  const bool is_shared = graph_.constant_of(id) != nullptr;
  return constant(*what.value, dense(stored_type(what.dtype), what.shape.dims()),
                  is_shared ? "v" + std::to_string(id) : std::string());
}

Result<Operand> Lowering::get(ValueId id) {
  std::optional<Operand>& operand = operands_[at(id)];
  if (operand) return *operand;
  if (const auto found = chains_.find(id); found != chains_.end()) {
    Chain chain = std::move(found->second);
    chains_.erase(found);
    const Operand to = make(chain.op.out[0]);
    emit_chain(std::move(chain), to);
    put(id, to);
    return to;
  }
  assert(is_known(id));
  Result<Operand> made = known(id);
  if (made) put(id, *made);
  return made;
}

Result<Operand> Lowering::converted(const Operand& from, const View& form) {
  const Operand to = make(form);
  if (from.view.type == form.type) {
    emit(op_of(SLUICE_CUDA_OP_COPY), {&from, 1}, {&to, 1});
  } else {
    emit(op_of(SLUICE_CUDA_OP_MAP), {&from, 1}, {&to, 1});
  }
  return to;
}

Result<Operand> Lowering::get_stored(ValueId id) {
  Result<Operand> operand = get(id);
  const std::int32_t type = stored_type(fact(id).dtype);
  if (!operand || operand->view.type == type) return operand;
  const auto key = std::pair(id, static_cast<int>(kStored));
  if (const auto found = converted_.find(key); found != converted_.end()) return found->second;
  const View& view = operand->view;
  Result<Operand> made = converted(
      *operand, repeats(view) ? dense(type, dims_of(view)) : dense_like(type, dims_of(view), view));
  if (made) converted_.emplace(key, *made);
  return made;
}

Result<Operand> Lowering::get_dense(ValueId id) {
  Result<Operand> operand = get(id);
  if (!operand) return operand;
  const std::int32_t type = stored_type(fact(id).dtype);
  if (operand->view.type == type && is_dense(operand->view)) return operand;
  const auto key = std::pair(id, static_cast<int>(kDenseForm));
  if (const auto found = converted_.find(key); found != converted_.end()) return found->second;
  Result<Operand> made = converted(*operand, dense(type, dims_of(operand->view)));
  if (made) converted_.emplace(key, *made);
  return made;
}

Result<Operand> Lowering::get_channels_last(ValueId id) {
  Result<Operand> operand = get(id);
  if (!operand) return operand;
  const std::int32_t type = stored_type(fact(id).dtype);
  if (operand->view.type == type && is_channels_last(operand->view)) return operand;
  const auto key = std::pair(id, static_cast<int>(kChannelsLastForm));
  if (const auto found = converted_.find(key); found != converted_.end()) return found->second;
  Result<Operand> made = converted(*operand, channels_last(type, dims_of(operand->view)));
  if (made) converted_.emplace(key, *made);
  return made;
}

Result<Operand> Lowering::get_grouped(ValueId id, Dims dims) {
  Result<Operand> operand = get(id);
  if (!operand) return operand;
  if (const auto view = reshaped(operand->view, dims)) return Operand{operand->place, *view};
  operand = get_dense(id);
  if (!operand) return operand;
  return Operand{operand->place, *reshaped(operand->view, dims)};
}

Operand Lowering::make(const View& view) {
  blocks_.push_back(static_cast<std::size_t>(elements(view)) * bytes_of(view.type));
  return {{Place::In::kArena, blocks_.size() - 1, 0}, view};
}

void Lowering::put(ValueId id, const Operand& operand) { operands_[at(id)] = operand; }

Operand Lowering::put_new(ValueId id, const View& view) {
  const Operand made = make(view);
  put(id, made);
  return made;
}

void Lowering::emit(sluice_cuda_op op, std::span<const Operand> inputs,
                    std::span<const Operand> outputs) {
  Step step{op, {}, {}, node_ == nullptr ? "an output" : node_->origin};
  step.op.inputs = static_cast<std::int32_t>(inputs.size());
  step.op.outputs = static_cast<std::int32_t>(outputs.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    step.op.in[i] = inputs[i].view;
    step.inputs.push_back(inputs[i].place);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    step.op.out[i] = outputs[i].view;
    step.outputs.push_back(outputs[i].place);
  }
  plan_.steps.push_back(std::move(step));
}

void Lowering::emit_chain(Chain chain, const Operand& to) {
  std::vector<Operand> inputs;
  for (std::size_t i = 0; i < chain.inputs.size(); ++i) {
    inputs.push_back({chain.inputs[i], chain.op.in[i]});
  }
  emit(chain.op, inputs, {&to, 1});
}

Status Lowering::assign(ValueId id, const Operand& to) {
  const auto chain = chains_.find(id);
  if (chain != chains_.end() && (uses_.is_private(id) || uses_.consumers(id).empty())) {
    Chain last = std::move(chain->second);
    chains_.erase(chain);
    emit_chain(std::move(last), to);
    return Status::ok();
  }
  Result<Operand> from = get(id);
  if (!from) return from.status();
  const bool same = from->view.type == to.view.type;
  emit(op_of(same ? SLUICE_CUDA_OP_COPY : SLUICE_CUDA_OP_MAP), {&*from, 1}, {&to, 1});
  return Status::ok();
}

Status Lowering::refuse(const std::string& what) const {
  return unsupported("infer.unsupported",
                     (node_ == nullptr ? std::string("the model") : node_->origin) + ": " + what);
}

// A block lives from the step that writes it first to the last that reads it.
void Lowering::lay_out_arena() {
  std::vector<native::Block> blocks(blocks_.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i] = {blocks_[i], std::numeric_limits<std::size_t>::max(), 0};
  }
  for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
    for (const auto* places : {&plan_.steps[i].inputs, &plan_.steps[i].outputs}) {
      for (const Place& place : *places) {
        if (place.in != Place::In::kArena) continue;
        native::Block& block = blocks[place.index];
        block.first_step = std::min(block.first_step, i);
        block.last_step = std::max(block.last_step, i);
      }
    }
  }
  for (native::Block& block : blocks) {
    if (block.first_step > block.last_step) block = {0, 0, 0};  // nothing uses it
  }
  const native::ArenaLayout layout = native::lay_out(blocks);
  plan_.arena_bytes = layout.bytes;
  for (Step& step : plan_.steps) {
    for (auto* places : {&step.inputs, &step.outputs}) {
      for (Place& place : *places) {
        if (place.in == Place::In::kArena)
          place = {Place::In::kArena, 0, layout.offsets[place.index]};
      }
    }
  }
}

Status Lowering::lower_op(const graph::ShapeOf&) {
  return refuse("its input's shape is not known");
}
Status Lowering::lower_op(const graph::SizeOf&) { return refuse("its input's shape is not known"); }
Status Lowering::lower_op(const graph::Range&) { return refuse("its bounds are not known"); }

Status Lowering::lower_op(const graph::ConstantOfShape& op) {
  const ValueId out = node_->outputs[0];
  View view = dense(stored_type(fact(out).dtype), shape(out).dims());
  std::fill_n(view.strides, view.rank, 0);
  const View one = dense(view.type, {});
  Result<Operand> made = constant(op.value.reshaped(Shape{}), one, "");
  if (!made) return made.status();
  put(out, {made->place, view});
  return Status::ok();
}

}  // namespace sluice::gpu
