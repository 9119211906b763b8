#pragma once

#include "sluice/core/device.h"

#include <memory>

namespace sluice {

// A point on a stream of CUDA's that somebody else made, for what that stream was given until then.
// Streams of a GPU's lanes wait for it as for an event of their own.
// Lifetime: keeps nothing of the stream. Threads: as Event says.
class CudaReady final : public Event {
 public:
  // Records it. `stream` is a cudaStream_t of that device; null: the default stream.
  // Errors: those of the device.
  static Result<std::shared_ptr<const CudaReady>> record(const sluice_cuda_api& api, int ordinal,
                                                         CUstream_st* stream);
  ~CudaReady() override;
  CudaReady(const CudaReady&) = delete;
  CudaReady& operator=(const CudaReady&) = delete;

  Result<bool> is_done() override;
  // What the stream, of any GPU, is given from here on starts after it. Errors: those of the
  // device.
  Status hold_back(CUstream_st* stream) const;
  void* handle() const { return event_; }  // the cudaEvent_t

 private:
  CudaReady(const sluice_cuda_api& api, int ordinal, void* event)
      : api_(api), ordinal_(ordinal), event_(event) {}

  const sluice_cuda_api& api_;
  const int ordinal_;
  void* const event_;
};

}  // namespace sluice
