#pragma once

#include <bit>
#include <cassert>
#include <cstddef>
#include <utility>
#include <vector>

namespace sluice {

// A queue that keeps its memory: in its stride it asks the system for nothing. What was taken out
// is reset to T() at once. Threads: one thread at a time.
template <class T>
class Fifo {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  // By place in the queue, from its front. REQUIRES: index < size().
  T& operator[](std::size_t index) {
    assert(index < size_);
    return slots_[(first_ + index) & mask()];
  }
  const T& operator[](std::size_t index) const { return slots_[(first_ + index) & mask()]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }

  T& push_back(T value = T()) {
    if (size_ == slots_.size()) grow();
    ++size_;
    return back() = std::move(value);
  }
  void pop_front() {
    front() = T();
    first_ = (first_ + 1) & mask();
    --size_;
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  std::size_t mask() const { return slots_.size() - 1; }
  void grow() {
    std::vector<T> larger(std::bit_ceil(slots_.size() + 1));
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    first_ = 0;
  }

  std::vector<T> slots_;  // as many as a power of two
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace sluice
