#include "sluice/runtime/lanes/lane.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kAlignment = 256;  // of each tensor, as kernels like it

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

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

Status not_taken() {
  return unsupported("lane.input", "a lane takes contiguous tensors from the host's memory");
}

// The tensors one behind the other, and zeros after them.
void copy_bytes(std::span<const Tensor> tensors, const BufferRange& to) {
  std::byte* at = to.data();
  for (const Tensor& tensor : tensors) {
    const std::size_t bytes = tensor.size_bytes();
    if (bytes > 0) std::memcpy(at, tensor.raw(), bytes);
    at += bytes;
  }
  const auto left = static_cast<std::size_t>(to.data() + to.size_bytes - at);
  if (left > 0) std::memset(at, 0, left);
}

}  // namespace

Result<std::unique_ptr<Lane>> Lane::create(Device& device, std::shared_ptr<DeviceProgram> program,
                                           std::size_t slots, LaneFault fault) {
  std::unique_ptr<Lane> lane(new Lane(device, std::move(program), fault));
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
  for (const Tensor& input : inputs) {
    if (input.buffer().kind() == MemoryKind::kCuda) return not_taken();
    in.add(input.size_bytes());
  }
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

Status Lane::fill(LaneSlot& slot, std::span<const Tensor> inputs, std::span<const Rows> rows) {
  clear(slot);
  if (Status status = reserve(slot, inputs); !status.is_ok()) return status;

  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Tensor& input = inputs[i];
    const LaneSlot::Part part = slot.input_parts[i];
    slot.device_inputs.emplace_back(input.dtype(), input.shape(), slot.input.device,
                                    part.offset_bytes);
    const bool has_rows = i < rows.size() && !rows[i].empty();
    if (!has_rows && !input.is_contiguous()) return not_taken();
    if (!has_rows && input.buffer().kind() == MemoryKind::kPinned) {
      const auto offset = static_cast<std::size_t>(input.raw() - input.buffer().data());
      slot.copies.push_back({input.buffer(), offset, part.size_bytes});
      continue;
    }
    const BufferRange staged{slot.input.pinned, part.offset_bytes, part.size_bytes};
    device_.on_host_access(staged, Access::kWrite);
    copy_bytes(has_rows ? rows[i] : inputs.subspan(i, 1), staged);
    slot.copies.push_back(staged);
  }
  for (std::size_t i = 0; i < slot.plan.outputs.size(); ++i) {
    const TensorSpec& output = slot.plan.outputs[i];
    slot.device_outputs.emplace_back(output.dtype, output.shape, slot.output_memory->device,
                                     slot.output_parts[i].offset_bytes);
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

// Parts that lie one behind the other go in one copy.
Status Lane::copy_in(LaneSlot& slot) {
  for (std::size_t i = 0; i < slot.copies.size();) {
    BufferRange from = slot.copies[i];
    const std::size_t to = slot.input_parts[i].offset_bytes;
    const bool staged = from.buffer.data() == slot.input.pinned.data();
    for (++i; staged && i < slot.copies.size(); ++i) {
      if (slot.copies[i].buffer.data() != from.buffer.data()) break;
      from.size_bytes = slot.copies[i].offset_bytes + slot.copies[i].size_bytes - from.offset_bytes;
    }
    if (from.size_bytes == 0) continue;
    Status status = copy_in_->copy(from, {slot.input.device, to, from.size_bytes});
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

Status Lane::copy_out(LaneSlot& slot) {
  if (slot.output_bytes == 0) return Status::ok();
  Stream& out = fault_ == LaneFault::kOneStream ? *copy_in_ : *copy_out_;
  return out
      .copy({slot.output_memory->device, 0, slot.output_bytes},
            {slot.output_memory->pinned, 0, slot.output_bytes})
      .with_context("copying out");
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
}

Result<std::vector<Tensor>> Lane::read_outputs(LaneSlot& slot,
                                               const std::shared_ptr<MemoryBudget>& budget) {
  std::vector<Tensor> outputs;
  outputs.reserve(slot.plan.outputs.size());
  for (std::size_t i = 0; i < slot.plan.outputs.size(); ++i) {
    const TensorSpec& spec = slot.plan.outputs[i];
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
