#pragma once

#include "sluice/runtime/cuda/library_operator.h"

#include <vector>

namespace sluice::cuda {

// What is left to do over the output of a library's call: one MAP in place, by a kernel of ours.
class Tail {
 public:
  // `out`: the operator's output.
  explicit Tail(const sluice_cuda_view& out);

  // y = activation(y). One that is none adds nothing.
  void apply(const sluice_cuda_activation& activation);
  // y = y + input; `view` has the output's dims, and `place` says which of the operator's inputs.
  void add(const sluice_cuda_view& view, int place);

  bool is_empty() const { return op_.as.map.stages == 0; }
  const sluice_cuda_op& op() const { return op_; }
  const std::vector<int>& places() const { return places_; }

 private:
  sluice_cuda_stage& next_stage();

  sluice_cuda_op op_ = {};
  std::vector<int> places_;  // of the inputs after the first, which is the output
};

struct MadeLibraryOperator {
  Outcome outcome;
  std::unique_ptr<LibraryOperator> made;  // if it went well
};

// `first`, and then the tail if there is one. Errors: those of make_kernel().
MadeLibraryOperator with_tail(std::unique_ptr<LibraryOperator> first, const Tail& tail);

// A vector along `axis` of the output as a view of the output's dims.
sluice_cuda_view along(const sluice_cuda_view& out, const sluice_cuda_view& vector, int axis);

}  // namespace sluice::cuda
