#pragma once

#include "sluice/nodes/infer/native/kernels/types.h"

#include <array>
#include <cstdint>

namespace sluice::kernels {

// The walk over a broadcast of kInputs arrays: axes that all of them step through together are
// merged, so that the innermost one is as long as it can be. Strides are in elements, 0 where an
// array repeats.
template <std::size_t kInputs>
struct Broadcast {
  std::size_t rank = 0;  // 1.. after merging
  std::array<std::int64_t, kMaxRank> extents{};
  std::array<std::array<std::int64_t, kMaxRank>, kInputs> strides{};

  // `out` is the broadcast shape; each of `inputs` is aligned with it at the last axis.
  Broadcast(Dims out, const std::array<Dims, kInputs>& inputs) {
    std::array<std::int64_t, kInputs> step;
    step.fill(1);
    // From the last axis to the first, filling the arrays backwards.
    std::array<std::int64_t, kMaxRank> reversed{};
    std::array<std::array<std::int64_t, kMaxRank>, kInputs> reversed_strides{};
    for (std::size_t back = 0; back < out.size(); ++back) {
      const std::int64_t extent = out[out.size() - 1 - back];
      std::array<std::int64_t, kInputs> stride{};
      for (std::size_t i = 0; i < kInputs; ++i) {
        const std::int64_t own =
            back < inputs[i].size() ? inputs[i][inputs[i].size() - 1 - back] : 1;
        stride[i] = own == 1 ? 0 : step[i];
        step[i] *= own;
      }
      if (extent == 1) continue;
      bool joins = rank > 0;
      for (std::size_t i = 0; joins && i < kInputs; ++i) {
        joins = stride[i] == reversed_strides[i][rank - 1] * reversed[rank - 1];
      }
      if (joins) {
        reversed[rank - 1] *= extent;
      } else {
        reversed[rank] = extent;
        for (std::size_t i = 0; i < kInputs; ++i) reversed_strides[i][rank] = stride[i];
        ++rank;
      }
    }
    if (rank == 0) {
      rank = 1;
      reversed[0] = 1;
    }
    for (std::size_t axis = 0; axis < rank; ++axis) {
      extents[axis] = reversed[rank - 1 - axis];
      for (std::size_t i = 0; i < kInputs; ++i)
        strides[i][axis] = reversed_strides[i][rank - 1 - axis];
    }
  }

  std::int64_t inner() const { return extents[rank - 1]; }

  // Calls row(offsets) once per innermost row, in output order; offsets[i] is where input i's row
  // starts.
  template <class Row>
  void for_each_row(Row&& row) const {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      if (extents[axis] == 0) return;
    }
    std::array<std::int64_t, kInputs> offsets{};
    std::array<std::int64_t, kMaxRank> at{};
    for (;;) {
      row(offsets);
      std::size_t axis = rank - 1;
      for (;;) {
        if (axis == 0) return;
        --axis;
        for (std::size_t i = 0; i < kInputs; ++i) offsets[i] += strides[i][axis];
        if (++at[axis] < extents[axis]) break;
        for (std::size_t i = 0; i < kInputs; ++i) offsets[i] -= strides[i][axis] * extents[axis];
        at[axis] = 0;
      }
    }
  }
};

}  // namespace sluice::kernels
