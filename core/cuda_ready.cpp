#include "sluice/core/cuda_ready.h"

#include "sluice/core/cuda_abi.h"
#include "sluice/core/cuda_status.h"

namespace sluice {

Result<std::shared_ptr<const CudaReady>> CudaReady::record(const sluice_cuda_api& api, int ordinal,
                                                           CUstream_st* stream) {
  void* event = nullptr;
  Status status = cuda_status(api, api.event_create(ordinal, &event));
  if (!status.is_ok()) return status;
  std::shared_ptr<const CudaReady> ready(new CudaReady(api, ordinal, event));
  status = cuda_status(api, api.event_record(ordinal, event, stream));
  if (!status.is_ok()) return status;
  return ready;
}

CudaReady::~CudaReady() { static_cast<void>(api_.event_destroy(ordinal_, event_)); }

Result<bool> CudaReady::is_done() {
  const int result = api_.event_query(ordinal_, event_);
  if (result == SLUICE_CUDA_NOT_READY) return false;
  if (Status status = cuda_status(api_, result); !status.is_ok()) return status;
  return true;
}

Status CudaReady::hold_back(CUstream_st* stream) const {
  return cuda_status(api_, api_.stream_wait(ordinal_, stream, event_));
}

}  // namespace sluice
