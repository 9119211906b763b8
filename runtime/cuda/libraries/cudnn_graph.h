#pragma once

#include "sluice/runtime/cuda/operator.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

struct cudnnContext;

namespace sluice::cuda {

// What plans of cuDNN are made for.
struct CudnnTarget {
  cudnnContext* handle = nullptr;
  // If there is no handle: cuDNN's JSON of a device that need not be there. Nothing is run then,
  // but whether there is a plan is known.
  std::string device_properties;
  std::uint64_t workspace_bytes = 0;
  bool allow_tf32 = true;
};

// In elements; its memory begins at a multiple of 16 bytes.
struct CudnnTensor {
  std::int32_t type = SLUICE_CUDA_F32;  // of sluice_cuda_type: F32, F16 or BF16
  std::vector<std::int64_t> dims;
  std::vector<std::int64_t> strides;
};

// y = relu(conv(x, weights) + residual + bias): the one order that cuDNN's precompiled engines
// fuse. They take a bias of y's type, and none of them goes without one if there is anything after
// the convolution. Operands of a run: x, weights, then residual and bias if they are there, y.
struct ConvolutionGraph {
  CudnnTensor x, weights, y;
  std::optional<CudnnTensor> residual, bias;
  bool relu = false;
  bool transposed = false;  // then nothing is fused; weights are those of the convolution undone
  std::vector<std::int64_t> pad_begin, pad_end, stride, dilation;
};

// Operands of a run: q, k, v, then mask if it is there, out.
struct AttentionGraph {
  CudnnTensor q, k, v, out;
  std::optional<CudnnTensor> mask;
  float scale = 1;
};

// A graph of cuDNN's, and the configurations that compute it, which cuDNN thinks the best first.
// Lifetime: a CUDA graph that a run was captured into may outlive it. Threads: one at a time.
class CudnnGraph {
 public:
  virtual ~CudnnGraph() = default;
  virtual std::size_t configurations() const = 0;
  // Makes the plan of a configuration, and runs that one from here on. May take seconds, where the
  // configuration is compiled at run time. Errors: unsupported, and what was chosen stays.
  virtual Outcome choose(std::size_t configuration) = 0;
  // The same for one that `text` gave, maybe in another process.
  virtual Outcome choose(const std::string& text) = 0;
  // Of the chosen one: "58" is its engine, "58 2=1 17=4" has its knobs, too.
  virtual std::string engine() const = 0;
  virtual std::string text() const = 0;
  // REQUIRES: a handle, and one chosen; a workspace of the target's size that no work of another
  // stream uses. The handle's stream says where it is queued.
  virtual Outcome run(std::span<void* const> operands, void* workspace) = 0;
};

struct MadeGraph {
  Outcome outcome;
  std::unique_ptr<CudnnGraph> made;
};

// Errors: unsupported, if cuDNN says so, with its message.
MadeGraph make_graph(const CudnnTarget& target, const ConvolutionGraph& graph);
MadeGraph make_graph(const CudnnTarget& target, const AttentionGraph& graph);

// 13200 is 1.32. The numbers of knobs in `text` are the front end's own.
int cudnn_front_end_version();

}  // namespace sluice::cuda
