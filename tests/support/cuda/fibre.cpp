#include "tests/support/cuda/fibre.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#if SLUICE_TEST_ASAN
#include <sanitizer/common_interface_defs.h>
#elif SLUICE_TEST_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace sluice::cuda::emulated {
namespace {

constexpr std::size_t kStackBytes = std::size_t{128} << 10;

}  // namespace

#if !SLUICE_TEST_UCONTEXT
// Saves what the System V ABI has a callee keep, and goes on where `to` was left. swapcontext also
// asks the kernel for the signal mask each time, which takes most of a test's time.
extern "C" void sluice_switch_stack(void** from, void* to);
asm(R"(
.text
.type sluice_switch_stack,@function
sluice_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sluice_switch_stack,.-sluice_switch_stack
)");

namespace {
thread_local Fibre* starting = nullptr;
}  // namespace
#endif

Fibre::Fibre() {
  void* const memory = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("emulated CUDA: a stack");
    std::abort();
  }
  stack_ = static_cast<std::byte*>(memory);
#if SLUICE_TEST_TSAN
  own_note_ = __tsan_create_fiber(0);
#endif
}

Fibre::~Fibre() {
#if SLUICE_TEST_TSAN
  __tsan_destroy_fiber(own_note_);
#endif
  munmap(stack_, kStackBytes);
}

void Fibre::enter(Fibre* self) {
#if SLUICE_TEST_ASAN
  __sanitizer_finish_switch_fiber(nullptr, &self->outer_stack_, &self->outer_bytes_);
#endif
  self->function_(self->argument_);
  self->switch_over(false, true);
  std::abort();  // nobody resumes what has returned
}

void Fibre::start(void (*function)(void*), void* argument) {
  function_ = function;
  argument_ = argument;
#if SLUICE_TEST_UCONTEXT
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_;
  inside_.uc_stack.ss_size = kStackBytes;
  inside_.uc_link = nullptr;
  // makecontext hands over ints: the pointer in two halves.
  const auto bits = reinterpret_cast<std::uintptr_t>(this);
  const auto entry = [](unsigned high, unsigned low) {
    enter(reinterpret_cast<Fibre*>(std::uintptr_t{high} << 32 | low));
  };
  void (*const plain)(unsigned, unsigned) = entry;
  makecontext(&inside_, reinterpret_cast<void (*)()>(plain), 2, static_cast<unsigned>(bits >> 32),
              static_cast<unsigned>(bits));
#else
  void (*const entry)() = [] { enter(starting); };
  auto** top = reinterpret_cast<void**>(stack_ + kStackBytes);
  *--top = nullptr;  // where a caller's address would be; keeps the stack aligned as after a call
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;  // the registers
  inside_ = top;
#endif
}

void Fibre::switch_over(bool into, [[maybe_unused]] bool for_good) {
#if SLUICE_TEST_ASAN
  void*& note = into ? outer_note_ : own_note_;
  if (into)
    __sanitizer_start_switch_fiber(&note, stack_, kStackBytes);
  else
    __sanitizer_start_switch_fiber(for_good ? nullptr : &note, outer_stack_, outer_bytes_);
#elif SLUICE_TEST_TSAN
  if (into) outer_note_ = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(into ? own_note_ : outer_note_, 0);
#endif
#if SLUICE_TEST_UCONTEXT
  swapcontext(into ? &outside_ : &inside_, into ? &inside_ : &outside_);
#else
  if (into) starting = this;
  sluice_switch_stack(into ? &outside_ : &inside_, into ? inside_ : outside_);
#endif
#if SLUICE_TEST_ASAN
  __sanitizer_finish_switch_fiber(note, into ? nullptr : &outer_stack_,
                                  into ? nullptr : &outer_bytes_);
#endif
}

void Fibre::resume() { switch_over(true, false); }
void Fibre::leave() { switch_over(false, false); }

}  // namespace sluice::cuda::emulated
