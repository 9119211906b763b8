#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace sluice {

// Hears SIGINT and SIGTERM for as long as it lives, and lets a write to a closed pipe fail instead
// of ending the process. One at a time in a process. The handlers found are put back at the end.
class Interrupts {
 public:
  // `heard` is called for each signal, on a thread of its own, with how many there have been so
  // far.
  explicit Interrupts(std::function<void(int count)> heard);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // The first signal that came; 0 for none.
  int first_signal() const { return first_.load(std::memory_order_acquire); }

 private:
  void listen();

  const std::function<void(int)> heard_;
  std::atomic<int> first_{0};
  std::thread listener_;
};

}  // namespace sluice
