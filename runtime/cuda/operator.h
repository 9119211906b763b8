#pragma once

#include "sluice/core/cuda_abi.h"

#include <memory>
#include <string>
#include <utility>

struct CUstream_st;

namespace sluice::cuda {

// How a call of the plugin went.
struct [[nodiscard]] Outcome {
  int code = SLUICE_CUDA_OK;
  std::string message;  // empty when it went well

  static Outcome ok() { return {}; }
  static Outcome unsupported(std::string message) {
    return {SLUICE_CUDA_UNSUPPORTED, std::move(message)};
  }
  static Outcome failed(std::string message) { return {SLUICE_CUDA_FAILED, std::move(message)}; }
  bool is_ok() const { return code == SLUICE_CUDA_OK; }
};

// An operator made ready for one lane. Threads: one at a time.
class Operator {
 public:
  virtual ~Operator() = default;
  // What was chosen to compute it.
  virtual const char* name() const = 0;
  // Queues it. Never waits for the device. One pointer an operand.
  virtual Outcome run(CUstream_st* stream, const void* const* inputs, void* const* outputs) = 0;
};

struct Made {
  Outcome outcome;
  std::unique_ptr<Operator> made;  // if it went well
};

}  // namespace sluice::cuda
