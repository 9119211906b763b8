#pragma once

#include "sluice/runtime/cuda/operator.h"

#include <memory>

struct CUgraphExec_st;
struct CUstream_st;

namespace sluice::cuda {

// Captured work, to be launched as often as one likes. What cuDNN runs may be captured but for the
// first time: it loads code then, which a capture does not allow, so that each operator is run once
// before. The same holds for cublasLt and for our kernels. cuDNN's front end has the graph keep
// what was compiled for it; workspace and memory of a run have to be there as long as the graph is.
// Lifetime: may go while it runs. Threads: one at a time.
class CapturedGraph {
 public:
  struct Captured {
    Outcome outcome;
    std::unique_ptr<CapturedGraph> graph;  // if it went well
  };
  // Only calls of this thread are held to the rules of a capture: others allocate and compile
  // meanwhile. It has to be ended by this thread, too.
  static Outcome begin(int device, CUstream_st* stream);
  // The stream is as it was before, whether or not that went well. Errors: failed, also where a
  // call in between was one that cannot be captured.
  static Captured end(int device, CUstream_st* stream);
  ~CapturedGraph();
  CapturedGraph(const CapturedGraph&) = delete;
  CapturedGraph& operator=(const CapturedGraph&) = delete;

  Outcome launch(CUstream_st* stream);

 private:
  CapturedGraph(int device, CUgraphExec_st* graph) : device_(device), graph_(graph) {}

  const int device_;
  CUgraphExec_st* const graph_;
};

}  // namespace sluice::cuda
