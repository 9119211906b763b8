#pragma once

#include "sluice/core/cuda_abi.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

// One operator with its operands in memory of their own, for tests of kernels against a reference.
namespace sluice::cuda {

using Extents = std::vector<std::int64_t>;

int size_of(int type);
const char* name_of(int type);
bool is_float(int type);

// A dense view of these dims, row-major.
sluice_cuda_view dense(int type, const Extents& dims);
// The same elements with the axes in another order in memory: order[0] is the outermost.
sluice_cuda_view ordered(int type, const Extents& dims, const std::vector<int>& order);
// [N, C, ...] with the channels innermost.
sluice_cuda_view channels_last(int type, const Extents& dims);

// The memory of a view, nothing more than its elements reach, so that AddressSanitizer sees a step
// too far on either side; every byte no element covers keeps its value, which `is_intact` says.
class Block {
 public:
  explicit Block(const sluice_cuda_view& view);

  // What the operator is given.
  void* pointer() { return bytes_.data(); }
  // Element `position` in row-major order.
  double get(std::int64_t position) const;
  void set(std::int64_t position, double value);
  std::size_t size_bytes() const { return bytes_.size(); }
  std::int64_t count() const { return count_; }
  const sluice_cuda_view& view() const { return view_; }
  bool is_intact() const;

 private:
  std::int64_t offset_of(std::int64_t position) const;

  sluice_cuda_view view_;
  std::int64_t count_;
  std::vector<std::byte> bytes_;
};

// A source of numbers that is the same in each run.
class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::int64_t whole(std::int64_t least, std::int64_t most);
  double real(double least, double most);
  bool once_in(std::int64_t times) { return whole(1, times) == 1; }
  template <class T>
  T of(std::initializer_list<T> values) {
    return values.begin()[whole(0, static_cast<std::int64_t>(values.size()) - 1)];
  }

 private:
  std::mt19937_64 engine_;
};

// A view of these dims in any order, with gaps, negative strides, and an offset.
sluice_cuda_view scattered(int type, const Extents& dims, Dice& dice);
// The same where some axes repeat one element.
sluice_cuda_view repeated(int type, const Extents& dims, Dice& dice);

struct Case {
  sluice_cuda_op op{};
  std::vector<Block> inputs, outputs;

  // The operands are made of op's views; `fill` gives each element of a float input its value.
  void make(Dice& dice, double least = -2, double most = 2);
  // Runs the kernel and compares with the reference. Empty: all is well; else what is not.
  // `name`: the kernel that must have been chosen, if not null.
  std::string check(const char* name = nullptr);
};

// Compiles the operator and runs it once on the test's blocks; empty, or what went wrong. On our
// kernels on the host (run_emulated.cpp), unless a program brings its own: tests/gpu does.
std::string run_case(Case& test, const char* name);

// The bound of the difference, relative to the greater of 1 and the expected value.
double bound_of(int type);

}  // namespace sluice::cuda
