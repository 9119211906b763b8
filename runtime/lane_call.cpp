#include "sluice/runtime/lane_call.h"

#include "sluice/runtime/lanes/alignment.h"
#include "sluice/runtime/lanes/chain_program.h"
#include "sluice/runtime/node_host.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

namespace sluice {
namespace {

// Shapes may depend on the values of other types than f32, which are looked at by the host; and
// items are put together along one more axis.
Status check_inputs(std::span<const Tensor> inputs) {
  for (const Tensor& input : inputs) {
    if (input.shape().rank() >= Shape::kMaxRank) {
      return unsupported("lane.input", "a tensor of " + std::to_string(input.shape().rank()) +
                                           " axes; on a device it may have " +
                                           std::to_string(Shape::kMaxRank - 1));
    }
    if (input.buffer().is_on_host() || input.dtype() == DType::kF32) continue;
    return unsupported("lane.input", "a tensor of " + std::string(to_string(input.dtype())) +
                                         " is to be in the host's memory, not a device's");
  }
  return Status::ok();
}

bool are_alike(std::span<const Tensor> a, std::span<const Tensor> b) {
  return std::ranges::equal(a, b, [](const Tensor& x, const Tensor& y) {
    return x.dtype() == y.dtype() && x.shape() == y.shape();
  });
}

// What the program gives for all inputs together, one after the other.
Result<DeviceProgram::Plan> plan_of_each(DeviceProgram& program, std::span<const Tensor> inputs) {
  DeviceProgram::Plan all;
  for (const Tensor& input : inputs) {
    Result<DeviceProgram::Plan> plan = program.plan({&input, 1});
    if (!plan) return plan;
    if (all.outputs.empty()) {
      all.outputs = std::move(plan->outputs);
      continue;
    }
    for (std::size_t k = 0; k < all.outputs.size(); ++k) {
      all.outputs[k].shape[0] += plan->outputs[k].shape[0];
    }
  }
  return all;
}

}  // namespace

std::span<LaneRun> LaneCall::begin(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  take_inputs(chain, worker, items);
  while (!order_.empty()) {
    take_group(chain);
    LaneRun run;
    run.items = group_;
    // A device gets few different batches, since it chooses and records its work for each.
    const auto all = static_cast<std::int64_t>(std::bit_ceil(group_.size()));
    const std::int64_t most = chain.stacking_.most;
    const Status status = put_together(run, chain.stacking_.is_fixed ? most : std::min(all, most),
                                       items[group_.front()]);
    if (!status.is_ok()) {
      for (const std::size_t i : group_) chain.reject(*chain.members_.front(), items[i], status);
    } else if (check(chain, worker, items, run)) {
      if (chain.keeps_) run.work.stays = stays(chain, run);
      runs_.push_back(std::move(run));
    }
  }
  inputs_.clear();
  passed_on_.clear();
  return runs_;
}

void LaneCall::clear() {
  runs_.clear();
  inputs_.clear();
}

// What each item is made of. Items that are alike come one after the other, small ones first.
void LaneCall::take_inputs(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  LaneChain::Member& first = *chain.members_.front();
  first.items.fetch_add(items.size(), std::memory_order_relaxed);
  inputs_.resize(items.size());
  order_.clear();
  for (std::size_t i = 0; i < items.size(); ++i) {
    Item own = items[i].in_front_of(*first.on_device, items[i].payloads(), emissions_);
    Context ctx(*first.on_device, &own, worker);
    Result<std::vector<Tensor>> inputs = node_calls::device_inputs(*first.node, ctx);
    emissions_.clear();
    const Status there = inputs ? check_inputs(*inputs) : inputs.status();
    if (!there.is_ok()) {
      chain.reject(first, items[i], there);
    } else if (!inputs->empty()) {
      inputs_[i] = std::move(*inputs);
      order_.push_back(i);
    }
  }
  std::ranges::sort(order_, {},
                    [&](std::size_t i) { return std::pair(inputs_[i].front().elements(), i); });
}

// Moves the first item in order, and those that go with it, from the order to the group: as many as
// one run takes. Those that are alike stand one after the other.
void LaneCall::take_group(const LaneChain& chain) {
  const std::size_t first = order_.front();
  const Shape* const passed_on = chain.gathers_ ? shape_passed_on(chain, first) : nullptr;
  const auto joins = [&](std::size_t i) {
    if (are_alike(inputs_[i], inputs_[first])) return true;
    const Shape* const other = passed_on != nullptr ? shape_passed_on(chain, i) : nullptr;
    return other != nullptr && *other == *passed_on;
  };
  group_.clear();
  std::erase_if(order_, [&](std::size_t i) {
    const bool is_taken = std::cmp_less(group_.size(), chain.stacking_.most) && joins(i);
    if (is_taken) group_.push_back(i);
    return is_taken;
  });
  std::ranges::stable_sort(group_, [&](std::size_t a, std::size_t b) {
    return std::ranges::lexicographical_compare(inputs_[a].front().shape(),
                                                inputs_[b].front().shape());
  });
}

// Null where the first node cannot take such an item, or where what it makes of it would not lie as
// programs want it behind that of others. REQUIRES: a chain that gathers.
const Shape* LaneCall::shape_passed_on(const LaneChain& chain, std::size_t item) {
  const Tensor& input = inputs_[item].front();
  const auto known =
      std::ranges::find(passed_on_, input.shape(), &std::pair<Shape, std::optional<Shape>>::first);
  if (known != passed_on_.end()) return known->second ? &*known->second : nullptr;
  std::optional<Shape> shape;
  const LaneChain::Member& first = *chain.members_.front();
  const Tensor alone = input.reshaped(with_batch(input.shape(), 1));
  const Result<DeviceProgram::Plan> plan = first.program->plan({&alone, 1});
  const auto lies_well = [](const TensorSpec& output) {
    return output.shape.rank() > 0 && output.size_bytes() % kOperandAlignment == 0;
  };
  if (plan && std::ranges::all_of(plan->outputs, lies_well)) {
    shape = plan->outputs[first.passed_on].shape;
  }
  passed_on_.reserve(inputs_.size());  // so that those given before stay where they are
  const auto& added = passed_on_.emplace_back(input.shape(), shape);
  return added.second ? &*added.second : nullptr;
}

// Each part of the group is an input, or several, of its own; there is one where all are alike.
// What is missing to a batch is of the last one's shape.
Status LaneCall::put_together(LaneRun& run, std::int64_t batch, Item& payer) {
  for (std::size_t begin = 0; begin < group_.size();) {
    std::size_t end = begin + 1;
    while (end < group_.size() && are_alike(inputs_[group_[begin]], inputs_[group_[end]])) ++end;
    const std::int64_t missing = end == group_.size() ? batch - static_cast<std::int64_t>(end) : 0;
    Status status = put_together(run, std::span(group_).subspan(begin, end - begin),
                                 static_cast<std::int64_t>(end - begin) + missing, payer);
    if (!status.is_ok()) return status;
    run.parts.back().end_row = end;
    begin = end;
  }
  return Status::ok();
}

// Floats and bytes go as rows, which the lane copies to where the device takes them; what shapes
// may depend on is put together here.
Status LaneCall::put_together(LaneRun& run, std::span<const std::size_t> alike, std::int64_t rows,
                              Item& payer) {
  LaneRun::Part& part = run.parts.emplace_back();
  for (std::size_t input = 0; input < inputs_[alike.front()].size(); ++input) {
    const Tensor& like = inputs_[alike.front()][input];
    const Shape shape = with_batch(like.shape(), rows);
    Rows& own_rows = run.work.rows.emplace_back();
    part.inputs.push_back(like.shape());
    if (rows == 1) {
      run.work.inputs.push_back(like.reshaped(shape));
    } else if (like.dtype() == DType::kF32 || like.dtype() == DType::kU8) {
      const auto offset = static_cast<std::size_t>(like.raw() - like.buffer().data());
      run.work.inputs.emplace_back(like.dtype(), shape, with_batch(like.strides(), 0),
                                   like.buffer(), offset);
      for (const std::size_t i : alike) own_rows.push_back(inputs_[i][input]);
    } else {
      Result<Tensor> whole = payer.allocate_tensor(like.dtype(), shape);
      if (!whole) return whole.status();
      std::memset(whole->raw(), 0, whole->size_bytes());
      for (std::size_t row = 0; row < alike.size(); ++row) {
        std::memcpy(whole->raw() + row * like.size_bytes(), inputs_[alike[row]][input].raw(),
                    like.size_bytes());
      }
      run.work.inputs.push_back(std::move(*whole));
    }
  }
  return Status::ok();
}

// Of several nodes: whether each of them takes what the one before will give. Else it rejects the
// items.
bool LaneCall::check(LaneChain& chain, std::size_t worker, std::span<Item> items, LaneRun& run) {
  if (!chain.is_fused()) return true;
  std::vector<Tensor> inputs = run.work.inputs;
  Status status;
  for (const auto& member : chain.members_) {
    const bool is_each = member == chain.members_.front() && chain.gathers_;
    Result<DeviceProgram::Plan> plan =
        is_each ? plan_of_each(*member->program, inputs) : member->program->plan(inputs);
    if (!plan) {
      status = plan.status();
    } else {
      run.output_counts.push_back(plan->outputs.size());
      if (member == chain.members_.back()) return true;
      const TensorSpec& passed_on = plan->outputs[member->passed_on];
      run.passed_on.push_back(without_batch(passed_on.shape));
      inputs = {tensor_to_come(passed_on)};
    }
    std::size_t rejecting = run.passed_on.size();
    if (status.is_ok()) {
      const LaneChain::Member& next = *chain.members_[rejecting];
      Item own = items[run.items.front()].in_front_of(*next.on_device, {}, emissions_);
      Context ctx(*next.on_device, &own, worker);
      status = node_calls::check_device_input(*next.node, ctx, run.passed_on.back());
      emissions_.clear();
    }
    if (status.is_ok()) continue;
    for (const std::size_t i : run.items) chain.reject_at(rejecting, items[i], status);
    return false;
  }
  return true;
}

// Which outputs of the run stay on the device.
std::vector<bool> LaneCall::stays(const LaneChain& chain, const LaneRun& run) {
  std::vector<bool> all;
  for (std::size_t m = 0; m + 1 < chain.members_.size(); ++m) {
    const LaneChain::Member& member = *chain.members_[m];
    for (std::size_t k = 0; k < run.output_counts[m]; ++k) {
      if (k == member.passed_on && !member.is_read_elsewhere) continue;
      all.push_back(k < member.stays.size() && member.stays[k]);
    }
  }
  const std::vector<bool>& of_last = chain.members_.back()->stays;
  all.insert(all.end(), of_last.begin(), of_last.end());
  return all;
}

void LaneCall::end(LaneChain& chain, std::size_t worker, std::span<Item> items) {
  for (const LaneRun& run : runs_) {
    for (const Tensor& output : run.outputs) {
      if (!output.buffer().is_on_host()) continue;
      items[run.items.front()].count_allocated(output.size_bytes());
    }
    for (std::size_t row = 0; row < run.items.size(); ++row) {
      Item& item = items[run.items[row]];
      if (run.status.is_ok()) {
        give(chain, worker, item, run, static_cast<std::int64_t>(row));
      } else {
        chain.reject_at(chain.main_, item, run.status);
      }
    }
  }
}

// Lets each node emit what its program has made of the item, until one rejects it.
void LaneCall::give(LaneChain& chain, std::size_t worker, Item& item, const LaneRun& run,
                    std::int64_t row) {
  const auto part = std::ranges::find_if(run.parts, [&](const LaneRun::Part& candidate) {
    return std::cmp_less(row, candidate.end_row);
  });
  std::size_t given = 0;
  for (std::size_t m = 0; m < chain.members_.size(); ++m) {
    LaneChain::Member& member = *chain.members_[m];
    const bool is_last = m + 1 == chain.members_.size();
    const std::size_t outputs = chain.is_fused() ? run.output_counts[m] : run.outputs.size();
    rows_.clear();
    for (std::size_t k = 0; k < outputs; ++k) {
      const bool stays = !is_last && k == member.passed_on && !member.is_read_elsewhere;
      rows_.push_back(stays ? Tensor() : item_of(run.outputs[given++], row));
    }
    Item own = item.in_front_of(*member.on_device, item.payloads(), emissions_);
    Context ctx(*member.on_device, &own, worker);
    if (m > 0) member.items.fetch_add(1, std::memory_order_relaxed);
    Status status = node_calls::device_outputs(
        *member.node, ctx, m == 0 ? std::span(part->inputs) : std::span(&run.passed_on[m - 1], 1),
        rows_);
    if (!status.is_ok()) {
      emissions_.clear();
      chain.reject(member, item, std::move(status));
      break;
    }
    chain.move_emissions(member, emissions_, item);
  }
  rows_.clear();
}

}  // namespace sluice
