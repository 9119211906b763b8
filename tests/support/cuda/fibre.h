#pragma once

#include "tests/support/sanitizers.h"

#include <cstddef>

#if !defined(__x86_64__) || SLUICE_TEST_ASAN || SLUICE_TEST_TSAN
#define SLUICE_TEST_UCONTEXT 1
#include <ucontext.h>
#else
#define SLUICE_TEST_UCONTEXT 0
#endif

namespace sluice::cuda::emulated {

// A function with a stack of its own, which whoever resumes it runs until it leaves or returns.
// Threads: those of one fibre are always the same.
class Fibre {
 public:
  Fibre();
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // REQUIRES: a function started before has returned.
  void start(void (*function)(void*), void* argument);
  void resume();
  // Goes back to the one that resumed it. REQUIRES: called within the function.
  void leave();

 private:
  static void enter(Fibre* self);
  void switch_over(bool into, bool for_good);

  std::byte* stack_;
  void (*function_)(void*) = nullptr;
  void* argument_ = nullptr;
#if SLUICE_TEST_UCONTEXT
  ucontext_t inside_{}, outside_{};
#else
  void* inside_ = nullptr;
  void* outside_ = nullptr;
#endif
  // For the sanitizers: the two stacks, or the two fibres as they know them.
  [[maybe_unused]] void* own_note_ = nullptr;
  [[maybe_unused]] void* outer_note_ = nullptr;
  [[maybe_unused]] const void* outer_stack_ = nullptr;
  [[maybe_unused]] std::size_t outer_bytes_ = 0;
};

}  // namespace sluice::cuda::emulated
