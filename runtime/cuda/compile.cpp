#include "sluice/runtime/cuda/compile.h"

#include "sluice/runtime/cuda/autotune.h"
#include "sluice/runtime/cuda/kernels/kernels.h"
#include "sluice/runtime/cuda/libraries/attention.h"
#include "sluice/runtime/cuda/libraries/convolution.h"
#include "sluice/runtime/cuda/libraries/cublaslt_operator.h"
#include "sluice/runtime/cuda/operator_text.h"

#include <vector>

namespace sluice::cuda {
namespace {

struct Candidates {
  Outcome outcome = Outcome::unsupported("no library is asked for it");
  std::vector<std::unique_ptr<LibraryOperator>> found;

  // What a library does not take, or fails at, leaves its reason: something else may compute it. A
  // lost device ends it.
  void add(MadeLibraryOperator made) {
    if (made.outcome.is_ok()) {
      found.push_back(std::move(made.made));
    } else if (outcome.code != SLUICE_CUDA_LOST) {
      outcome = std::move(made.outcome);
    }
  }
};

Candidates library_candidates(const LaneResources& lane, const sluice_cuda_op& op) {
  Candidates candidates;
  switch (op.kind) {
    case SLUICE_CUDA_OP_CONV:
      if (lane.can_run()) candidates.add(make_product(lane, op, product_of_convolution(op)));
      candidates.add(make_convolution(lane, op));
      break;
    case SLUICE_CUDA_OP_CONV_TRANSPOSE:
      candidates.add(make_convolution(lane, op));
      break;
    case SLUICE_CUDA_OP_MATMUL:
      candidates.add(make_product(lane, op, product_of_matmul(op)));
      break;
    case SLUICE_CUDA_OP_ATTENTION:
      candidates.add(make_attention(lane, op));
      break;
    default:
      break;
  }
  return candidates;
}

// The library's, unless there is none: then a kernel of ours.
template <class Choose>
Made library_or_kernel(const LaneResources& lane, const sluice_cuda_op& op, const Choose& choose) {
  Candidates candidates = library_candidates(lane, op);
  Outcome refusal = std::move(candidates.outcome);
  if (refusal.code == SLUICE_CUDA_LOST) return {std::move(refusal), nullptr};
  if (!candidates.found.empty()) {
    Made made = choose(std::span(candidates.found));
    if (made.outcome.code != SLUICE_CUDA_UNSUPPORTED) return made;
    refusal = std::move(made.outcome);
  }
  Made made = make_kernel(op);
  if (made.outcome.code == SLUICE_CUDA_UNSUPPORTED) {
    made.outcome.message += "; " + refusal.message;
  }
  return made;
}

}  // namespace

Made compile(Lane& lane, const sluice_cuda_op& op) {
  return library_or_kernel(
      lane.resources(), op, [&](std::span<std::unique_ptr<LibraryOperator>> candidates) {
        if (!lane.options().autotune) return first_way(candidates);
        return fastest(op, operator_text(op, lane.options()), candidates, lane);
      });
}

Made check(const LaneResources& resources, const sluice_cuda_op& op) {
  return library_or_kernel(resources, op, first_way);
}

}  // namespace sluice::cuda
