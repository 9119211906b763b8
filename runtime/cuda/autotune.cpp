#include "sluice/runtime/cuda/autotune.h"

#include "sluice/runtime/cuda/error.h"
#include "sluice/runtime/cuda/view.h"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>

namespace sluice::cuda {
namespace {

constexpr std::size_t kMostWays = 8;  // of a candidate
constexpr int kRuns = 5;

template <class T, auto destroy>
class Handle {
 public:
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value_ != nullptr) destroy(value_);
  }
  T* receive() { return &value_; }
  T get() const { return value_; }

 private:
  T value_ = nullptr;
};
using TimingEvent = Handle<cudaEvent_t, cudaEventDestroy>;

// Memory for each operand of an operator, and for a workspace, in one block.
class Scratch {
 public:
  Outcome allocate(const sluice_cuda_op& op, const Lane& lane);
  void* workspace() const { return block_.get(); }
  const void* const* inputs() const { return inputs_.data(); }
  void* const* outputs() const { return outputs_.data(); }

 private:
  Handle<void*, cudaFree> block_;
  std::array<const void*, SLUICE_CUDA_MAX_OPERANDS> inputs_ = {};
  std::array<void*, 2> outputs_ = {};
};

Outcome Scratch::allocate(const sluice_cuda_op& op, const Lane& lane) {
  constexpr std::size_t kAlignment = 256;
  const auto aligned = [](std::size_t size) {
    return (size + kAlignment - 1) / kAlignment * kAlignment;
  };
  std::size_t bytes = aligned(lane.options().workspace_bytes);
  const auto place = [&](const sluice_cuda_view& view) {
    const std::size_t at = bytes;
    bytes += aligned(extent_bytes(view));
    return at;
  };
  std::array<std::size_t, SLUICE_CUDA_MAX_OPERANDS> at = {};
  for (int i = 0; i < op.inputs; ++i) at[static_cast<std::size_t>(i)] = place(op.in[i]);
  const std::size_t out = place(op.out[0]);
  if (auto failed = outcome_of(cudaMalloc(block_.receive(), bytes), "cudaMalloc for timing");
      !failed.is_ok()) {
    return failed;
  }
  auto* start = static_cast<std::byte*>(block_.get());
  for (std::size_t i = 0; i < at.size(); ++i) inputs_[i] = start + at[i];
  outputs_[0] = start + out;
  // 0x3c3c is about 1 in f16, and small in bf16 and f32: no zeros, which take less power, and
  // nothing that becomes infinite.
  return outcome_of(cudaMemsetAsync(start, 0x3c, bytes, lane.timing_stream()),
                    "cudaMemsetAsync for timing");
}

class Timer {
 public:
  explicit Timer(CUstream_st* stream) : stream_(stream) {}

  Outcome open() {
    if (auto failed = outcome_of(cudaEventCreate(begin_.receive()), "cudaEventCreate");
        !failed.is_ok()) {
      return failed;
    }
    return outcome_of(cudaEventCreate(end_.receive()), "cudaEventCreate");
  }

  // The median of some runs in milliseconds, after one that counts for nothing.
  Outcome time(Operator& way, const Scratch& scratch, float& milliseconds) {
    std::array<float, kRuns> taken = {};
    float first = 0;
    if (auto failed = time_once(way, scratch, first); !failed.is_ok()) return failed;
    for (float& run : taken) {
      if (auto failed = time_once(way, scratch, run); !failed.is_ok()) return failed;
    }
    std::ranges::sort(taken);
    milliseconds = taken[kRuns / 2];
    return Outcome::ok();
  }

 private:
  Outcome time_once(Operator& way, const Scratch& scratch, float& milliseconds) {
    if (auto failed = outcome_of(cudaEventRecord(begin_.get(), stream_), "cudaEventRecord");
        !failed.is_ok()) {
      return failed;
    }
    if (auto failed = way.run(stream_, scratch.inputs(), scratch.outputs()); !failed.is_ok()) {
      return failed;
    }
    if (auto failed = outcome_of(cudaEventRecord(end_.get(), stream_), "cudaEventRecord");
        !failed.is_ok()) {
      return failed;
    }
    if (auto failed = outcome_of(cudaEventSynchronize(end_.get()), "cudaEventSynchronize");
        !failed.is_ok()) {
      return failed;
    }
    return outcome_of(cudaEventElapsedTime(&milliseconds, begin_.get(), end_.get()),
                      "cudaEventElapsedTime");
  }

  CUstream_st* stream_;
  TimingEvent begin_, end_;
};

struct Winner {
  std::size_t candidate = 0;
  std::string way;
  float milliseconds = std::numeric_limits<float>::max();
};

// Times the ways there are of one candidate. Those that fail are passed over, but for one that
// takes the device with it.
Outcome time_ways(LibraryOperator& candidate, std::size_t place, Timer& timer,
                  const Scratch& scratch, Winner& winner) {
  std::size_t tried = 0;
  for (std::size_t way = 0; way < candidate.ways() && tried < kMostWays; ++way) {
    if (!candidate.select(way).is_ok()) continue;
    ++tried;
    float milliseconds = 0;
    Outcome timed = timer.time(candidate, scratch, milliseconds);
    if (timed.code == SLUICE_CUDA_LOST) return timed;
    if (timed.is_ok() && milliseconds < winner.milliseconds) {
      winner = {place, candidate.way(), milliseconds};
    }
  }
  return Outcome::ok();
}

Outcome time_all(const sluice_cuda_op& op, std::span<std::unique_ptr<LibraryOperator>> candidates,
                 Lane& lane, Winner& winner) {
  Scratch scratch;
  Timer timer(lane.timing_stream());
  if (Outcome failed = timer.open(); !failed.is_ok()) return failed;
  if (Outcome failed = scratch.allocate(op, lane); !failed.is_ok()) return failed;
  // Earlier work of the lane may still use its own.
  const Lane::OtherWorkspace other(lane, scratch.workspace());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Outcome failed = time_ways(*candidates[i], i, timer, scratch, winner);
    if (!failed.is_ok()) return failed;
  }
  // The scratch memory goes: what may still use it is done first.
  return outcome_of(cudaStreamSynchronize(lane.timing_stream()),
                    "cudaStreamSynchronize after timing");
}

Made known_way(std::span<std::unique_ptr<LibraryOperator>> candidates, const std::string& way) {
  for (std::unique_ptr<LibraryOperator>& candidate : candidates) {
    if (candidate->select(way).is_ok()) return {Outcome::ok(), std::move(candidate)};
  }
  return {Outcome::unsupported("no library knows '" + way + "'"), nullptr};
}

}  // namespace

Made first_way(std::span<std::unique_ptr<LibraryOperator>> candidates) {
  Outcome why = Outcome::unsupported("no library computes this");
  for (std::unique_ptr<LibraryOperator>& candidate : candidates) {
    for (std::size_t way = 0; way < candidate->ways(); ++way) {
      Outcome outcome = candidate->select(way);
      if (outcome.is_ok()) return {Outcome::ok(), std::move(candidate)};
      why = std::move(outcome);
    }
  }
  return {std::move(why), nullptr};
}

Made fastest(const sluice_cuda_op& op, const std::string& question,
             std::span<std::unique_ptr<LibraryOperator>> candidates, Lane& lane) {
  // Lanes that time beside each other would time each other, and one operator more than once.
  static std::mutex& one_at_a_time = *new std::mutex;
  const std::scoped_lock lock(one_at_a_time);
  if (const auto known = lane.plan_cache().find(question)) {
    if (Made made = known_way(candidates, *known); made.outcome.is_ok()) return made;
  }
  Winner winner;
  Outcome timed = time_all(op, candidates, lane, winner);
  if (timed.code == SLUICE_CUDA_LOST) return {std::move(timed), nullptr};
  if (timed.is_ok() && !winner.way.empty()) {
    lane.plan_cache().keep(question, winner.way);
    std::unique_ptr<LibraryOperator>& best = candidates[winner.candidate];
    if (best->select(winner.way).is_ok()) return {Outcome::ok(), std::move(best)};
  }
  return first_way(candidates);
}

}  // namespace sluice::cuda
