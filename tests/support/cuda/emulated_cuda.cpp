#include "tests/support/cuda/emulated_cuda.h"

#include "tests/support/cuda/fibre.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <vector>

namespace sluice::cuda::emulated {

thread_local Place place;

namespace {

constexpr unsigned kWarp = 32;

enum class State : std::uint8_t { kReady, kWaitsForWarp, kWaitsForBlock, kEnded };

struct Thread {
  Fibre fibre;
  State state = State::kReady;
  int line = 0;
  uint3 index{};
  std::uint64_t bits = 0;
};

[[noreturn]] void die(const char* what, int line) {
  std::fprintf(stderr, "emulated CUDA: %s (line %d of a kernel)\n", what, line);
  std::abort();
}

// The threads of the block that runs, on the host's thread that launched.
class Block {
 public:
  void run(dim3 size, Call call, const void* body) {
    call_ = call;
    body_ = body;
    count_ = size.x * size.y * size.z;
    while (threads_.size() < count_) threads_.push_back(std::make_unique<Thread>());
    for (unsigned i = 0; i < count_; ++i) {
      Thread& thread = *threads_[i];
      thread.index = {i % size.x, i / size.x % size.y, i / (size.x * size.y)};
      thread.state = State::kReady;
      thread.fibre.start(&Block::enter, this);
    }
    do {
      resume_ready();
    } while (release());
  }

  void wait(State state, int line) {
    if (!current_) die("a thread waits in a kernel that was launched as one that does not", line);
    current_->state = state;
    current_->line = line;
    current_->fibre.leave();
  }

  std::uint64_t exchange(int line, std::uint64_t bits, int lanes) {
    if (!current_) die("a shuffle in a kernel that was launched as one without", line);
    const unsigned own = rank_;
    current_->bits = bits;
    wait(State::kWaitsForWarp, line);
    const unsigned other =
        (own & ~(kWarp - 1)) | ((own ^ static_cast<unsigned>(lanes)) & (kWarp - 1));
    if (other >= count_) die("a shuffle with a lane that is not there", line);
    const std::uint64_t theirs = threads_[other]->bits;
    wait(State::kWaitsForWarp, line);  // nobody overwrites what is still to be read
    return theirs;
  }

 private:
  static void enter(void* self) {
    auto& block = *static_cast<Block*>(self);
    block.call_(block.body_);
    block.current_->state = State::kEnded;
  }

  void resume_ready() {
    for (rank_ = 0; rank_ < count_; ++rank_) {
      if (threads_[rank_]->state != State::kReady) continue;
      current_ = threads_[rank_].get();
      place.thread = current_->index;
      current_->fibre.resume();
    }
    current_ = nullptr;
  }

  // Whether the threads from `begin` to `end` all wait in `state` at one line; then they go on.
  bool release(unsigned begin, unsigned end, State state) {
    const Thread& first = *threads_[begin];
    for (unsigned i = begin; i < end; ++i) {
      const Thread& thread = *threads_[i];
      if (thread.state != state || thread.line != first.line) return false;
    }
    for (unsigned i = begin; i < end; ++i) threads_[i]->state = State::kReady;
    return true;
  }

  // False: all have ended.
  bool release() {
    bool any = false;
    for (unsigned warp = 0; warp < count_; warp += kWarp)
      any |= release(warp, warp + kWarp < count_ ? warp + kWarp : count_, State::kWaitsForWarp);
    if (any || release(0, count_, State::kWaitsForBlock)) return true;
    for (unsigned i = 0; i < count_; ++i) {
      if (threads_[i]->state != State::kEnded)
        die("threads wait for others that do not come to the same place", threads_[i]->line);
    }
    return false;
  }

  std::vector<std::unique_ptr<Thread>> threads_;
  Thread* current_ = nullptr;
  unsigned rank_ = 0, count_ = 0;
  Call call_ = nullptr;
  const void* body_ = nullptr;
};

thread_local Block block;

void run_alone(dim3 size, Call call, const void* body) {
  for (place.thread.z = 0; place.thread.z < size.z; ++place.thread.z) {
    for (place.thread.y = 0; place.thread.y < size.y; ++place.thread.y) {
      for (place.thread.x = 0; place.thread.x < size.x; ++place.thread.x) call(body);
    }
  }
}

}  // namespace

void wait_for_block(int line) { block.wait(State::kWaitsForBlock, line); }
void wait_for_warp(int line) { block.wait(State::kWaitsForWarp, line); }
std::uint64_t exchange(int line, std::uint64_t bits, int lanes) {
  return block.exchange(line, bits, lanes);
}

void run_grid(dim3 blocks, dim3 threads, bool together, Call call, const void* body) {
  const unsigned size = threads.x * threads.y * threads.z;
  const bool fits = size > 0 && size <= 1024 && blocks.x > 0 && blocks.y > 0 && blocks.z > 0 &&
                    blocks.x <= 0x7fffffffu && blocks.y <= 0xffffu && blocks.z <= 0xffffu;
  if (!fits) die("a grid that CUDA does not take", 0);
  place.threads = threads;
  place.blocks = blocks;
  for (place.block.z = 0; place.block.z < blocks.z; ++place.block.z) {
    for (place.block.y = 0; place.block.y < blocks.y; ++place.block.y) {
      for (place.block.x = 0; place.block.x < blocks.x; ++place.block.x) {
        if (together)
          block.run(threads, call, body);
        else
          run_alone(threads, call, body);
      }
    }
  }
}

}  // namespace sluice::cuda::emulated
