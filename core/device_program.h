#pragma once

#include "sluice/core/device.h"
#include "sluice/core/tensor.h"

#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace sluice {

// A tensor that is yet to be made.
struct TensorSpec {
  DType dtype = DType::kF32;
  Shape shape;

  std::size_t size_bytes() const {
    return static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  }
};

// A computation made ready for one lane of a device, with what only one lane may use at a time:
// library handles, a workspace, captured graphs. Many programs may share a model's weights.
// Threads: `plan` on any thread, beside anything; `run` one call at a time.
class DeviceProgram {
 public:
  virtual ~DeviceProgram() = default;

  // Of the model or operator, for messages.
  virtual std::string_view name() const = 0;

  struct Plan {
    std::vector<TensorSpec> outputs;
    std::size_t arena_bytes = 0;  // of the device's memory, for what lies between its operators
    std::shared_ptr<const void> prepared;  // the program's own, for the run
  };
  // What inputs like these make of it. Looks at their types and shapes only; computes nothing.
  // Errors: infer.shape and the like; they are those of the work.
  virtual Result<Plan> plan(std::span<const Tensor> inputs) = 0;

  struct Run {
    CUstream_st* stream = nullptr;         // on a CUDA device: where the work is to be queued
    std::span<const Tensor> inputs;        // in the device's memory, as are
    std::span<const Tensor> outputs;       // these, which it writes, and
    BufferRange arena;                     // this
    std::shared_ptr<const void> prepared;  // what `plan` gave for inputs like these
  };
  // Kernel::run says when it is called. What the spans name lives until the work is done.
  virtual Status run(const Run& run) = 0;
};

// The tensors that an input is made of, of several items mostly: they lie one behind the other in
// it, and zeros are after them. Contiguous.
using Rows = std::vector<Tensor>;

}  // namespace sluice
