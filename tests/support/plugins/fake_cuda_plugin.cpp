// libsluice_cuda.so without a GPU, as far as a program asks it before it computes anything.
// Compiled several times, each with one thing wrong.
#include "sluice/core/cuda_abi.h"

#include <cstring>

namespace {

constexpr int32_t kDevices = 2;
const char* words = "";

const char* last_error() { return words; }

int device_count(int32_t* count) {
  *count = kDevices;
  words = "cudaGetDeviceCount: CUDA driver version is insufficient for CUDA runtime version";
  return FAKE_COUNT_RESULT;
}

int device_info(int32_t device, sluice_cuda_device_info* info) {
  *info = {};
  std::strcpy(info->name, device == 0 ? "Fake H100" : "Fake T4");
  info->major = device == 0 ? 9 : 7;
  info->minor = device == 0 ? 0 : 5;
  info->multiprocessors = 132;
  info->memory_bytes = 80ull << 30;
  info->free_bytes = 79ull << 30;
  info->driver = info->runtime = 13000;
  info->cudnn = 91900;
  info->cublaslt = 130100;
  return SLUICE_CUDA_OK;
}

int probe(int32_t device) {
  words = "launch of a kernel: no kernel image is available for execution on the device";
  return device == 0 ? FAKE_PROBE_RESULT : SLUICE_CUDA_UNSUPPORTED;
}

sluice_cuda_api make_table() {
  sluice_cuda_api api{};
  api.abi = FAKE_ABI;
  api.version = FAKE_VERSION;
  api.last_error = last_error;
  api.device_count = device_count;
  api.device_info = device_info;
  api.probe = probe;
  return api;
}

}  // namespace

extern "C" const sluice_cuda_api* FAKE_SYMBOL() {
  static const sluice_cuda_api table = make_table();
  return &table;
}
