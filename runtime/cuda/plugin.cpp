#include "sluice/core/cuda_abi.h"
#include "sluice/runtime/cuda/device.h"
#include "sluice/runtime/cuda/error.h"
#include "sluice/runtime/cuda/lane_api.h"

namespace sluice::cuda {
namespace {

sluice_cuda_api make_table() {
  sluice_cuda_api api{};
  api.abi = SLUICE_CUDA_ABI;
  api.version = SLUICE_VERSION;
  api.last_error = last_error;
  add_devices(api);
  add_operators(api);
  return api;
}

}  // namespace
}  // namespace sluice::cuda

extern "C" __attribute__((visibility("default"))) const sluice_cuda_api* sluice_cuda() {
  static const sluice_cuda_api table = sluice::cuda::make_table();
  return &table;
}
