#include "sluice/core/cuda_status.h"

#include <string>

namespace sluice {

Status cuda_status(const sluice_cuda_api& api, int result) {
  if (result == SLUICE_CUDA_OK) return Status::ok();
  const char* const words = api.last_error();
  const std::string message = words == nullptr || *words == '\0'
                                  ? "the CUDA plugin gives " + std::to_string(result)
                                  : words;
  switch (result) {
    case SLUICE_CUDA_UNSUPPORTED:
      return unsupported("device.unsupported", message);
    case SLUICE_CUDA_OUT_OF_MEMORY:
      return {Code::kResourceExhausted, "memory.exhausted", message};
    case SLUICE_CUDA_LOST:
      return {Code::kUnavailable, "device.lost", message};
    default:
      return internal("device.failed", message);
  }
}

}  // namespace sluice
