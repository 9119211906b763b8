#include "sluice/runtime/lanes/lane.h"

#include "sluice/runtime/lanes/alignment.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

// Places parts one behind the other; gives the bytes they take together.
class Layout {
 public:
  explicit Layout(std::vector<LaneSlot::Part>& parts) : parts_(parts) { parts_.clear(); }
  void add(std::size_t size_bytes) {
    parts_.push_back({end_, size_bytes});
    end_ = aligned(end_ + size_bytes);
  }
  std::size_t size_bytes() const { return end_; }

 private:
  std::vector<LaneSlot::Part>& parts_;
  std::size_t end_ = 0;
};

Status not_taken() { return unsupported("lane.input", "a lane takes contiguous tensors"); }

bool is_there_for_device(const Tensor& tensor) {
  return tensor.buffer().kind() != MemoryKind::kHost;
}

BufferRange range_of(const Tensor& tensor) {
  const auto offset = static_cast<std::size_t>(tensor.raw() - tensor.buffer().data());
  return {tensor.buffer(), offset, tensor.size_bytes()};
}

}  // namespace

Result<std::unique_ptr<Lane>> Lane::create(Device& device, std::shared_ptr<DevicePool> pool,
                                           std::shared_ptr<DeviceProgram> program,
                                           std::size_t slots, LaneFault fault) {
  std::unique_ptr<Lane> lane(new Lane(device, std::move(pool), std::move(program), fault));
  if (Status status = lane->open(slots); !status.is_ok()) return status;
  return lane;
}

Status Lane::open(std::size_t slots) {
  for (std::unique_ptr<Stream>* stream : std::array{&copy_in_, &compute_, &copy_out_}) {
    Result<std::unique_ptr<Stream>> made = device_.new_stream();
    if (!made) return made.status();
    *stream = std::move(*made);
  }
  slots_ = std::vector<LaneSlot>(slots);
  for (LaneSlot& slot : slots_) {
    for (auto* event : std::array{&slot.copied_in, &slot.computed, &slot.copied_out}) {
      Result<std::unique_ptr<Event>> made = device_.new_event();
      if (!made) return made.status();
      *event = std::move(*made);
    }
    if (fault_ == LaneFault::kSlotsShareOutput) slot.output_memory = &slots_.front().output;
  }
  return Status::ok();
}

Status Lane::lay_out(LaneSlot& slot, std::span<const Tensor> inputs) {
  Result<DeviceProgram::Plan> plan = program_->plan(inputs);
  if (!plan) return plan.status();
  slot.plan = std::move(*plan);

  Layout in(slot.input_parts);
  for (const Tensor& input : inputs) in.add(input.size_bytes());
  Layout out(slot.output_parts);
  for (const TensorSpec& output : slot.plan.outputs) out.add(output.size_bytes());
  slot.input_bytes = in.size_bytes();
  slot.output_bytes = out.size_bytes();
  return Status::ok();
}

Status Lane::reserve(LaneSlot& slot, std::span<const Tensor> inputs) {
  Status status = lay_out(slot, inputs);
  if (!status.is_ok()) return status;
  const auto grow_to = [&](Buffer& buffer, MemoryKind kind, std::size_t size_bytes) {
    if (status.is_ok()) status = grow(buffer, kind, size_bytes);
  };
  const MemoryKind on_device = device_.memory();
  grow_to(slot.input.pinned, MemoryKind::kPinned, slot.input_bytes);
  grow_to(slot.input.device, on_device, slot.input_bytes);
  grow_to(slot.output_memory->pinned, MemoryKind::kPinned, slot.output_bytes);
  grow_to(slot.output_memory->device, on_device, slot.output_bytes);
  grow_to(slot.arena, on_device, slot.plan.arena_bytes);
  if (!status.is_ok()) {
    // What is there is of no use to this work, and may be all that a smaller one needs.
    slot.input = *slot.output_memory = {};
    slot.arena = Buffer();
  }
  return status;
}

Status Lane::grow(Buffer& buffer, MemoryKind kind, std::size_t size_bytes) {
  if (size_bytes <= buffer.size_bytes()) return Status::ok();
  buffer = Buffer();  // first, so that both never count at once
  Result<Buffer> larger = device_.allocate(kind, size_bytes, nullptr);
  if (!larger) return larger.status();
  buffer = std::move(*larger);
  allocations_.fetch_add(1, std::memory_order_relaxed);
  return Status::ok();
}

Status Lane::fill(LaneSlot& slot, std::span<const Tensor> inputs, std::span<const Rows> rows,
                  const std::vector<bool>& stays) {
  clear(slot);
  if (Status status = reserve(slot, inputs); !status.is_ok()) return status;

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const LaneSlot::Part part = slot.input_parts[i];
    slot.device_inputs.emplace_back(inputs[i].dtype(), inputs[i].shape(), slot.input.device,
                                    part.offset_bytes);
    const bool has_rows = i < rows.size() && !rows[i].empty();
    const std::span<const Tensor> all = has_rows ? rows[i] : inputs.subspan(i, 1);
    if (!std::ranges::all_of(all, &Tensor::is_contiguous)) return not_taken();
    stage(slot, all, part);
  }
  for (std::size_t i = 0; i < slot.plan.outputs.size(); ++i) {
    const TensorSpec& output = slot.plan.outputs[i];
    slot.device_outputs.emplace_back(output.dtype, output.shape, slot.output_memory->device,
                                     slot.output_parts[i].offset_bytes);
  }
  return keep_on_device(slot, stays);
}

// What the device reaches is copied from where it is; the rest goes by way of the slot's pinned
// memory, with zeros where nothing is given.
void Lane::stage(LaneSlot& slot, std::span<const Tensor> rows, LaneSlot::Part part) {
  std::size_t at = part.offset_bytes;
  const std::size_t end = part.offset_bytes + part.size_bytes;
  const auto stage_bytes = [&](const std::byte* from, std::size_t size_bytes) {
    if (size_bytes == 0) return;
    const BufferRange staged{slot.input.pinned, at, size_bytes};
    device_.on_host_access(staged, Access::kWrite);
    if (from != nullptr) {
      std::memcpy(staged.data(), from, size_bytes);
    } else {
      std::memset(staged.data(), 0, size_bytes);
    }
    slot.copies.push_back({staged, at});
    at += size_bytes;
  };
  for (const Tensor& row : rows) {
    if (!is_there_for_device(row)) {
      stage_bytes(row.raw(), row.size_bytes());
    } else if (row.size_bytes() > 0) {
      slot.copies.push_back({range_of(row), at});
      at += row.size_bytes();
    }
  }
  stage_bytes(nullptr, end - at);
}

Status Lane::keep_on_device(LaneSlot& slot, const std::vector<bool>& stays) {
  slot.staying.resize(slot.plan.outputs.size());
  for (std::size_t i = 0; i < std::min(stays.size(), slot.staying.size()); ++i) {
    if (!stays[i]) continue;
    Result<DevicePool::Taken> taken = pool_->take(slot.output_parts[i].size_bytes);
    if (!taken) return taken.status();
    if (taken->is_new) allocations_.fetch_add(1, std::memory_order_relaxed);
    slot.staying[i] = std::move(taken->buffer);
  }
  return Status::ok();
}

// Every step is followed by its event whether or not it could be queued, so that the last event
// comes after all that the device has to do with the slot.
Lane::Queued Lane::queue(LaneSlot& slot) {
  Stream& in = *copy_in_;
  Stream& compute = fault_ == LaneFault::kOneStream ? in : *compute_;
  Stream& out = fault_ == LaneFault::kOneStream ? in : *copy_out_;
  Status failure = copy_in(slot);
  Status order;
  const auto then = [&](Status status) {
    if (order.is_ok()) order = std::move(status);
  };

  if (fault_ == LaneFault::kWaitBeforeRecord) then(compute.wait(*slot.copied_in));
  then(in.record(*slot.copied_in));
  if (fault_ != LaneFault::kComputeSkipsWait && fault_ != LaneFault::kWaitBeforeRecord) {
    then(compute.wait(*slot.copied_in));
  }
  if (failure.is_ok() && order.is_ok()) failure = launch(slot);
  then(compute.record(*slot.computed));
  if (fault_ != LaneFault::kCopyOutSkipsWait) then(out.wait(*slot.computed));
  if (fault_ == LaneFault::kEndBeforeCopyOut) then(out.record(*slot.copied_out));
  if (failure.is_ok() && order.is_ok()) failure = copy_out(slot);
  if (fault_ != LaneFault::kEndBeforeCopyOut) then(out.record(*slot.copied_out));
  if (fault_ == LaneFault::kRefusalIgnored) failure = Status::ok();
  return {failure.is_ok() ? order : failure, order.is_ok()};
}

// What lies one behind the other goes in one copy.
Status Lane::copy_in(LaneSlot& slot) {
  const auto is_staged = [&](const LaneSlot::Copy& copy) {
    return copy.from.buffer.data() == slot.input.pinned.data();
  };
  for (std::size_t i = 0; i < slot.copies.size();) {
    LaneSlot::Copy copy = slot.copies[i];
    if (const Event* const ready = copy.from.buffer.ready()) {
      if (Status status = copy_in_->wait(*ready); !status.is_ok()) return status;
    }
    for (++i; i < slot.copies.size(); ++i) {
      const LaneSlot::Copy& next = slot.copies[i];
      if (!is_staged(copy) || !is_staged(next)) break;
      copy.from.size_bytes = next.from.offset_bytes + next.from.size_bytes - copy.from.offset_bytes;
    }
    Status status =
        copy_in_->copy(copy.from, {slot.input.device, copy.to_bytes, copy.from.size_bytes});
    if (!status.is_ok()) return status.with_context("copying in");
  }
  return Status::ok();
}

Status Lane::launch(LaneSlot& slot) {
  Stream& compute = fault_ == LaneFault::kOneStream ? *copy_in_ : *compute_;
  const std::array reads{BufferRange{slot.input.device, 0, slot.input_bytes}};
  const std::array writes{BufferRange{slot.output_memory->device, 0, slot.output_bytes},
                          BufferRange{slot.arena, 0, slot.plan.arena_bytes}};
  return compute.launch({program_->name(), reads, writes, [this, &slot](CUstream_st* stream) {
                           return program_->run({stream,
                                                 slot.device_inputs,
                                                 slot.device_outputs,
                                                 {slot.arena, 0, slot.plan.arena_bytes},
                                                 slot.plan.prepared});
                         }});
}

// What does not stay goes in one copy where it lies one behind the other.
Status Lane::copy_out(LaneSlot& slot) {
  Stream& out = fault_ == LaneFault::kOneStream ? *copy_in_ : *copy_out_;
  const auto copy = [&](std::size_t begin, std::size_t end, const BufferRange& to) {
    if (begin == end) return Status::ok();
    return out.copy({slot.output_memory->device, begin, end - begin}, to)
        .with_context("copying out");
  };
  const auto copy_to_host = [&](std::size_t begin, std::size_t end) {
    return copy(begin, end, {slot.output_memory->pinned, begin, end - begin});
  };
  std::size_t begin = 0;  // of what goes to the host and is not copied yet
  std::size_t end = 0;
  for (std::size_t i = 0; i < slot.output_parts.size(); ++i) {
    const auto [offset, size] = slot.output_parts[i];
    if (!slot.staying[i]) {
      end = offset + size;
      continue;
    }
    Status status = copy_to_host(begin, end);
    if (status.is_ok()) status = copy(offset, offset + size, {slot.staying[i], 0, size});
    if (!status.is_ok()) return status;
    begin = end = i + 1 < slot.output_parts.size() ? slot.output_parts[i + 1].offset_bytes : 0;
  }
  return copy_to_host(begin, end);
}

Status Lane::outcome(LaneSlot& slot, const Status& end) {
  if (fault_ == LaneFault::kFailureIgnored) return Status::ok();
  if (Status status = device_.failure(); !status.is_ok()) return status;
  if (Status status = slot.copied_in->is_done().status(); !status.is_ok()) {
    return status.with_context("copying in");
  }
  if (Status status = slot.computed->is_done().status(); !status.is_ok()) return status;
  return end.with_context("copying out");
}

void Lane::clear(LaneSlot& slot) {
  slot.device_inputs.clear();
  slot.device_outputs.clear();
  slot.copies.clear();
  slot.staying.clear();
}

Result<std::vector<Tensor>> Lane::read_outputs(LaneSlot& slot,
                                               const std::shared_ptr<MemoryBudget>& budget) {
  std::vector<Tensor> outputs;
  outputs.reserve(slot.plan.outputs.size());
  for (std::size_t i = 0; i < slot.plan.outputs.size(); ++i) {
    const TensorSpec& spec = slot.plan.outputs[i];
    if (slot.staying[i]) {
      outputs.emplace_back(spec.dtype, spec.shape, slot.staying[i]);
      continue;
    }
    Result<Tensor> output = Tensor::allocate(spec.dtype, spec.shape, budget);
    if (!output) return output.status();
    const LaneSlot::Part part = slot.output_parts[i];
    const BufferRange from{slot.output_memory->pinned, part.offset_bytes, part.size_bytes};
    device_.on_host_access(from, Access::kRead);
    if (part.size_bytes > 0) std::memcpy(output->raw(), from.data(), part.size_bytes);
    outputs.push_back(std::move(*output));
  }
  return outputs;
}

}  // namespace sluice
