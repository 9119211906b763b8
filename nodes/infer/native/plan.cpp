#include "sluice/nodes/infer/native/plan.h"

#include "sluice/nodes/infer/native/arena.h"
#include "sluice/nodes/infer/native/layout.h"
#include "sluice/nodes/infer/native/narrow.h"
#include "sluice/nodes/infer/native/storage.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sluice::native {
namespace {

using graph::Fact;
using graph::kNoValue;
using graph::ValueId;

constexpr std::size_t kNever = 0;  // steps count from 1 here: 0 is before all of them
constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();

std::size_t at(ValueId id) { return static_cast<std::size_t>(id); }

// Makes one plan. The order of its methods is the order of the work.
class Planner {
 public:
  Planner(LaidGraph laid, std::span<const PackedWeights> weights)
      : graph_(std::move(laid.graph)),
        weights_from_(std::move(laid.weights_from)),
        first_from_(std::move(laid.first_from)),
        depthwise_from_(std::move(laid.depthwise_from)),
        weights_(weights),
        facts_(std::move(laid.facts)),
        storage_(graph_.values.size()) {}

  Result<std::shared_ptr<const Plan>> plan() {
    choose_nodes();
    find_views();
    find_lifetimes();
    compute_concats_in_place();
    compute_channels_in_place();
    overwrite_dying_operands();
    place_roots();
    if (Status status = compile_steps(); !status.is_ok()) return status;
    lay_out_arena();
    place_outputs();
    return std::make_shared<const Plan>(std::move(plan_));
  }

 private:
  bool is_known(ValueId id) const { return facts_[at(id)].value.has_value(); }
  std::size_t bytes_of(ValueId id) const {
    const Fact& fact = facts_[at(id)];
    return static_cast<std::size_t>(fact.shape.elements()) * size_of(fact.dtype);
  }
  std::size_t root_of(ValueId id) const { return storage_.locate(id).root; }

  std::vector<const Fact*> operands_of(const graph::Node& node) const {
    std::vector<const Fact*> operands;
    for (ValueId id : node.inputs) operands.push_back(id == kNoValue ? nullptr : &facts_[at(id)]);
    return operands;
  }
  std::vector<Fact> outputs_of(const graph::Node& node) const {
    std::vector<Fact> outputs;
    for (ValueId id : node.outputs) outputs.push_back(id == kNoValue ? Fact{} : facts_[at(id)]);
    return outputs;
  }

  // Nodes that something unknown depends on. What is known already needs no computing, and an
  // operand that only gave a shape is not read.
  void choose_nodes() {
    std::vector<char> read(graph_.values.size(), 0);
    for (ValueId id : graph_.outputs) read[at(id)] = is_known(id) ? 0 : 1;
    is_chosen_.assign(graph_.nodes.size(), 0);
    for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
      const graph::Node& node = graph_.nodes[i];
      is_chosen_[i] = std::any_of(node.outputs.begin(), node.outputs.end(),
                                  [&](ValueId id) { return id != kNoValue && read[at(id)] != 0; });
      if (!is_chosen_[i]) continue;
      for (ValueId id : node.inputs) {
        if (id != kNoValue && !is_known(id)) read[at(id)] = 1;
      }
    }
  }

  void find_views() {
    is_view_.assign(graph_.nodes.size(), 0);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const graph::Node& node = graph_.nodes[i];
      if (!is_chosen_[i] || is_known(node.inputs[0])) continue;
      const auto offsets = view_offsets(node, operands_of(node), outputs_of(node));
      if (!offsets) continue;
      is_view_[i] = 1;
      for (std::size_t k = 0; k < node.outputs.size(); ++k) {
        storage_.place(node.outputs[k], node.inputs[0], (*offsets)[k]);
      }
    }
  }

  bool runs(std::size_t node) const { return is_chosen_[node] && !is_view_[node]; }

  // First and last step at which the bytes of each root are needed.
  void find_lifetimes() {
    first_.assign(graph_.values.size(), kForever);
    last_.assign(graph_.values.size(), kNever);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!runs(i)) continue;
      for (ValueId id : graph_.nodes[i].outputs) {
        if (id == kNoValue) continue;
        first_[root_of(id)] = std::min(first_[root_of(id)], i + 1);
        last_[root_of(id)] = std::max(last_[root_of(id)], i + 1);
      }
      for (ValueId id : graph_.nodes[i].inputs) {
        if (id != kNoValue) last_[root_of(id)] = std::max(last_[root_of(id)], i + 1);
      }
    }
    has_parts_.assign(graph_.values.size(), 0);
    is_fixed_.assign(graph_.values.size(), 0);
    for (ValueId id : graph_.inputs) is_fixed_[at(id)] = 1;
    for (std::size_t id = 0; id < graph_.values.size(); ++id) {
      if (facts_[id].value) is_fixed_[id] = 1;
    }
    for (ValueId id : graph_.outputs) last_[root_of(id)] = kForever;
  }

  // Moves the root `from` into `into`; its life becomes part of the other's.
  void merge(std::size_t from, ValueId into, std::size_t offset) {
    storage_.place(static_cast<ValueId>(from), into, offset);
    const std::size_t root = root_of(into);
    first_[root] = std::min(first_[root], first_[from]);
    last_[root] = std::max(last_[root], last_[from]);
  }

  // True when the value fills its root, which is written by a step and goes nowhere else.
  bool is_movable(ValueId id) const {
    const Storage::Location location = storage_.locate(id);
    return !is_known(id) && !has_parts_[location.root] && location.offset == 0 &&
           !is_fixed_[location.root] && last_[location.root] != kForever &&
           bytes_of(id) == bytes_of(static_cast<ValueId>(location.root));
  }

  static bool is_flat(const Shape& shape, std::size_t axis) {
    return std::all_of(shape.begin(), shape.begin() + axis,
                       [](std::int64_t extent) { return extent == 1; });
  }

  // With nothing before the axis, each part is one run of the result.
  void compute_concats_in_place() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      const graph::Node& node = graph_.nodes[i];
      const auto* concat = std::get_if<graph::Concat>(&node.operation);
      if (concat == nullptr || !runs(i)) continue;
      const Shape& out = facts_[at(node.outputs[0])].shape;
      const auto axis = graph::resolve_axis(concat->axis, out.rank());
      if (!axis || !is_flat(out, *axis)) continue;
      std::size_t offset = 0;
      for (ValueId id : node.inputs) {
        // A part that is there twice is merged once, for its first place.
        if (is_movable(id) && root_of(id) != root_of(node.outputs[0])) {
          merge(root_of(id), node.outputs[0], offset);
        }
        offset += bytes_of(id);
      }
      flat_concats_.push_back(i);
    }
  }

  // A concatenation of the channels of images that have them innermost.
  bool joins_channels(std::size_t index) const {
    const graph::Node& node = graph_.nodes[index];
    const auto* concat = std::get_if<graph::Concat>(&node.operation);
    if (concat == nullptr || !runs(index)) return false;
    const Shape& out = facts_[at(node.outputs[0])].shape;
    const auto axis = graph::resolve_axis(concat->axis, out.rank());
    return axis && out.rank() >= 3 && *axis + 1 == out.rank() && !is_flat(out, *axis);
  }

  // Each part is a run of every pixel of the result: who writes and who reads it has to step over
  // the others.
  void compute_channels_in_place() {
    is_stepped_.assign(graph_.values.size(), 0);
    const graph::Uses uses(graph_);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!joins_channels(i)) continue;
      const graph::Node& node = graph_.nodes[i];
      std::size_t offset = 0;
      for (ValueId id : node.inputs) {
        if (root_of(id) != root_of(node.outputs[0]) && can_be_part(uses, id)) {
          merge(at(id), node.outputs[0], offset);
          is_stepped_[at(id)] = 1;
          has_parts_[root_of(node.outputs[0])] = 1;
        }
        offset += static_cast<std::size_t>(channels_of(id)) * size_of(facts_[at(id)].dtype);
      }
      channel_concats_.push_back(i);
    }
  }

  bool can_be_part(const graph::Uses& uses, ValueId id) const {
    if (is_known(id) || root_of(id) != at(id) || is_fixed_[at(id)] || last_[at(id)] == kForever) {
      return false;
    }
    // Nothing but parts of its own may lie in it: a view counts on its pixels being dense.
    for (std::size_t other = 0; other < graph_.values.size(); ++other) {
      const bool is_in_it = storage_.locate(static_cast<ValueId>(other)).root == at(id);
      if (is_in_it && other != at(id) && !is_stepped_[other]) return false;
    }
    const auto producer = static_cast<std::size_t>(uses.producer(id));
    if (!runs(producer) ||
        !(writes_steps(graph_.nodes[producer].operation) ||
          std::binary_search(channel_concats_.begin(), channel_concats_.end(), producer))) {
      return false;
    }
    for (std::int32_t index : uses.consumers(id)) {
      const auto consumer = static_cast<std::size_t>(index);
      if (!is_chosen_[consumer] || joins_channels(consumer)) continue;
      const graph::Node& node = graph_.nodes[consumer];
      for (std::size_t k = 0; k < node.inputs.size(); ++k) {
        if (node.inputs[k] == id && !reads_steps(node.operation, k)) return false;
      }
    }
    return true;
  }

  std::int64_t channels_of(ValueId id) const {
    const Shape& shape = facts_[at(id)].shape;
    return shape[shape.rank() - 1];
  }

  // The floats from a pixel of the value to the next; 0 where its pixels are dense.
  std::int64_t step_of(ValueId id) const {
    const bool is_part = id != kNoValue && is_stepped_[at(id)];
    return is_part ? channels_of(static_cast<ValueId>(root_of(id))) : 0;
  }

  void overwrite_dying_operands() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!runs(i)) continue;
      const graph::Node& node = graph_.nodes[i];
      for (std::size_t index : overwritable_operands(node.operation)) {
        const ValueId in = graph::Graph::operand(node, index);
        if (in != kNoValue && can_overwrite(i, in, node.outputs[0])) {
          merge(root_of(node.outputs[0]), in, 0);
          break;
        }
      }
    }
  }

  bool can_overwrite(std::size_t node, ValueId in, ValueId out) const {
    const std::size_t root = root_of(out);
    const graph::Node& n = graph_.nodes[node];
    const bool reads_it_otherwise =
        std::count_if(n.inputs.begin(), n.inputs.end(),
                      [&](ValueId id) { return id != kNoValue && root_of(id) == root_of(in); }) > 1;
    return is_movable(in) && last_[root_of(in)] == node + 1 && bytes_of(in) == bytes_of(out) &&
           facts_[at(in)].shape == facts_[at(out)].shape && root == at(out) &&
           root != root_of(in) && !reads_it_otherwise;
  }

  // Outputs of the model take the bytes that are delivered; inputs and constants are where they
  // are.
  void place_roots() {
    places_.assign(graph_.values.size(), {});
    for (std::size_t i = 0; i < graph_.inputs.size(); ++i) {
      if (!is_known(graph_.inputs[i])) places_[at(graph_.inputs[i])] = {Place::In::kInput, i, 0};
    }
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ValueId id = graph_.outputs[i];
      if (is_known(id)) continue;
      const Storage::Location location = storage_.locate(id);
      Place& place = places_[location.root];
      const bool fills =
          location.offset == 0 && bytes_of(static_cast<ValueId>(location.root)) == bytes_of(id);
      if (fills && place.in == Place::In::kNowhere && !is_fixed_[location.root]) {
        place = {Place::In::kOutput, i, 0};
      }
    }
  }

  // The place of a value. A root that has none yet gets a block of the arena.
  Place place_of(ValueId id) {
    if (id == kNoValue) return {};
    if (is_known(id)) {
      Place& place = places_[at(id)];
      if (place.in == Place::In::kNowhere) {
        place = {Place::In::kConstant, plan_.constants.size(), 0};
        plan_.constants.push_back(*facts_[at(id)].value);
      }
      return place;
    }
    const Storage::Location location = storage_.locate(id);
    Place& root = places_[location.root];
    if (root.in == Place::In::kNowhere) {
      // The index of an arena place is its block until the arena is laid out.
      root = {Place::In::kArena, blocks_.size(), 0};
      blocks_.push_back({bytes_of(static_cast<ValueId>(location.root)), first_[location.root],
                         last_[location.root]});
    }
    return {root.in, root.index, root.offset + location.offset};
  }

  Status compile_steps() {
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (!runs(i)) continue;
      if (std::binary_search(flat_concats_.begin(), flat_concats_.end(), i)) {
        compile_flat_concat(i);
      } else if (std::binary_search(channel_concats_.begin(), channel_concats_.end(), i)) {
        compile_channel_concat(i);
      } else if (Status status = compile_step(i); !status.is_ok()) {
        return status;
      }
    }
    return Status::ok();
  }

  Status compile_step(std::size_t index) {
    const graph::Node& node = graph_.nodes[index];
    const std::vector<const Fact*> operands = operands_of(node);
    const std::vector<Fact> outputs = outputs_of(node);
    const PackedWeights none;
    const auto weights_of = [&](std::size_t from) {
      return from == LaidGraph::kNoWeights ? nullptr : &weights_[from];
    };
    const PackedWeights* weights = weights_of(weights_from_[index]);
    std::vector<std::int64_t> input_steps, output_steps;
    for (ValueId id : node.inputs) input_steps.push_back(step_of(id));
    for (ValueId id : node.outputs) output_steps.push_back(step_of(id));
    Result<CompiledNode> compiled =
        compile({node, operands, outputs, weights == nullptr ? &none : weights,
                 weights_of(first_from_[index]), weights_of(depthwise_from_[index]), input_steps,
                 output_steps});
    if (!compiled) return compiled.status();
    Step step{std::move(compiled->run),
              plan_.operands.size(),
              node.inputs.size(),
              node.outputs.size(),
              {},
              node.origin,
              compiled->algorithm};
    for (ValueId id : node.inputs) plan_.operands.push_back(place_of(id));
    for (ValueId id : node.outputs) plan_.operands.push_back(place_of(id));
    if (compiled->scratch_bytes > 0) {
      step.scratch = {Place::In::kArena, blocks_.size(), 0};
      blocks_.push_back({compiled->scratch_bytes, index + 1, index + 1});
    }
    plan_.steps.push_back(std::move(step));
    return Status::ok();
  }

  // The parts that could not be computed in their place are copied there.
  void compile_channel_concat(std::size_t index) {
    const graph::Node& node = graph_.nodes[index];
    const ValueId result = node.outputs[0];
    const Place out = place_of(result);
    const Storage::Location whole = storage_.locate(result);
    const std::size_t bytes = size_of(facts_[at(result)].dtype);
    const auto step_bytes = [&](ValueId id) {
      return static_cast<std::size_t>(step_of(id) != 0 ? step_of(id) : channels_of(id)) * bytes;
    };
    std::size_t offset = 0;
    for (ValueId id : node.inputs) {
      const std::size_t run = static_cast<std::size_t>(channels_of(id)) * bytes;
      const Storage::Location part = storage_.locate(id);
      const bool is_there = !is_known(id) && is_stepped_[at(id)] && part.root == whole.root &&
                            part.offset == whole.offset + offset;
      if (!is_there && run > 0) {
        const std::size_t pixels = bytes_of(id) / run;
        Kernel copy = [pixels, run, from_step = step_bytes(id),
                       to_step = step_bytes(result)](const Call& call) {
          const std::byte* from = call.in<std::byte>(0);
          std::byte* to = call.out<std::byte>(0);
          for (std::size_t i = 0; i < pixels; ++i, from += from_step, to += to_step) {
            std::memcpy(to, from, run);
          }
          return Status::ok();
        };
        add_copy(std::move(copy), id, {out.in, out.index, out.offset + offset}, node.origin);
      }
      offset += run;
    }
  }

  void add_copy(Kernel copy, ValueId from, const Place& to, const std::string& origin) {
    plan_.steps.push_back({std::move(copy), plan_.operands.size(), 1, 1, {}, origin, "copy"});
    plan_.operands.push_back(place_of(from));
    plan_.operands.push_back(to);
  }

  void compile_flat_concat(std::size_t index) {
    const graph::Node& node = graph_.nodes[index];
    const Place out = place_of(node.outputs[0]);
    const Storage::Location whole = storage_.locate(node.outputs[0]);
    std::size_t offset = 0;
    for (ValueId id : node.inputs) {
      const std::size_t bytes = bytes_of(id);
      const Storage::Location part = storage_.locate(id);
      const bool is_there =
          !is_known(id) && part.root == whole.root && part.offset == whole.offset + offset;
      if (!is_there && bytes > 0) {
        Kernel copy = [bytes](const Call& call) {
          std::copy_n(call.in<std::byte>(0), bytes, call.out<std::byte>(0));
          return Status::ok();
        };
        add_copy(std::move(copy), id, {out.in, out.index, out.offset + offset}, node.origin);
      }
      offset += bytes;
    }
  }

  void lay_out_arena() {
    for (ValueId id : graph_.outputs) place_of(id);
    const ArenaLayout layout = lay_out(blocks_);
    plan_.arena_bytes = layout.bytes;
    const auto settle = [&](Place& place) {
      if (place.in == Place::In::kArena) {
        place = {Place::In::kArena, 0, place.offset + layout.offsets[place.index]};
      }
    };
    std::for_each(plan_.operands.begin(), plan_.operands.end(), settle);
    for (Step& step : plan_.steps) settle(step.scratch);
    std::for_each(places_.begin(), places_.end(), settle);
  }

  void place_outputs() {
    for (std::size_t i = 0; i < graph_.outputs.size(); ++i) {
      const ValueId id = graph_.outputs[i];
      const Place place = place_of(id);
      const bool is_in_place =
          place.in == Place::In::kOutput && place.index == i && place.offset == 0;
      plan_.outputs.push_back(
          {facts_[at(id)].dtype, facts_[at(id)].shape, is_in_place ? Place{} : place});
    }
  }

  const graph::Graph graph_;
  const std::vector<std::size_t> weights_from_, first_from_, depthwise_from_;  // by node
  const std::span<const PackedWeights> weights_;
  const std::vector<Fact> facts_;
  Storage storage_;
  std::vector<char> is_chosen_, is_view_;  // by node
  std::vector<std::size_t> first_, last_;  // by root
  std::vector<char> is_fixed_;             // by root: inputs and constants, never written
  std::vector<char> has_parts_;            // by root: values lie in it pixel by pixel
  std::vector<char> is_stepped_;           // by value: it lies so in its root
  std::vector<std::size_t> flat_concats_, channel_concats_;  // nodes, ascending
  std::vector<Place> places_;                                // by root, and by constant
  std::vector<Block> blocks_;
  Plan plan_;
};

}  // namespace

Result<std::shared_ptr<const Plan>> make_plan(const graph::Graph& graph,
                                              std::span<const PackedWeights> weights,
                                              std::span<const Fact> inputs) {
  Result<std::vector<Fact>> facts = graph::infer_facts(graph, inputs, evaluate);
  if (!facts) return facts.status();
  LaidGraph laid = lay_out_images(graph, weights, std::move(*facts));
  store_in_bf16(laid, weights);
  return Planner(std::move(laid), weights).plan();
}

}  // namespace sluice::native
