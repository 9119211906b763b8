#include "sluice/runtime/cuda/capture.h"

#include "sluice/runtime/cuda/error.h"
#include "sluice/runtime/cuda/lane.h"

#include <cuda_runtime_api.h>

namespace sluice::cuda {

Outcome CapturedGraph::begin(int device, CUstream_st* stream) {
  if (Outcome failed = use_device(device); !failed.is_ok()) return failed;
  return outcome_of(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal),
                    "cudaStreamBeginCapture");
}

CapturedGraph::Captured CapturedGraph::end(int device, CUstream_st* stream) {
  if (Outcome failed = use_device(device); !failed.is_ok()) return {std::move(failed), nullptr};
  cudaGraph_t captured = nullptr;
  Outcome outcome = outcome_of(cudaStreamEndCapture(stream, &captured), "cudaStreamEndCapture");
  if (!outcome.is_ok()) return {std::move(outcome), nullptr};
  cudaGraphExec_t graph = nullptr;
  outcome = outcome_of(cudaGraphInstantiate(&graph, captured, 0), "cudaGraphInstantiate");
  cudaGraphDestroy(captured);
  if (!outcome.is_ok()) return {std::move(outcome), nullptr};
  return {Outcome::ok(), std::unique_ptr<CapturedGraph>(new CapturedGraph(device, graph))};
}

CapturedGraph::~CapturedGraph() {
  cudaSetDevice(device_);
  cudaGraphExecDestroy(graph_);
  cudaGetLastError();
}

Outcome CapturedGraph::launch(CUstream_st* stream) {
  if (Outcome failed = use_device(device_); !failed.is_ok()) return failed;
  return outcome_of(cudaGraphLaunch(graph_, stream), "cudaGraphLaunch");
}

}  // namespace sluice::cuda
