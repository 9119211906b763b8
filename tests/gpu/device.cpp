// Whether there is a GPU that Sluice can use, and what it is: a line each of name and value.
//   gpu_device
// Exit status 3 when there is none; the line on stderr says which step failed.
#include "sluice/core/cuda_plugin.h"

#include "tests/gpu/support/arguments.h"

#include <cstdio>

namespace sluice::gpu_suite {
namespace {

int run(const Arguments&) {
  const CudaPlugin::Report found = cuda_plugin().report();
  for (const CudaPlugin::Step& step : found.steps) {
    if (!step.status.is_ok()) {
      std::fprintf(stderr, "%s\n", step.status.message().c_str());
      return kNoDevice;
    }
    std::printf("%s\t%s\n", step.name.c_str(), step.found.c_str());
  }
  if (found.gpus.empty()) {
    std::fprintf(stderr, "no step failed, and there is no GPU\n");
    return kNoDevice;
  }
  const CudaPlugin::Gpu& gpu = found.gpus.front();
  if (!gpu.status.is_ok()) {
    std::fprintf(stderr, "%s\n", gpu.status.message().c_str());
    return kNoDevice;
  }
  const sluice_cuda_device_info& info = gpu.info;
  std::printf("device\t%s, compute capability %d.%d, %d multiprocessors, %.1f GB\n", info.name,
              info.major, info.minor, info.multiprocessors,
              static_cast<double>(info.memory_bytes) / 1e9);
  std::printf("versions\tdriver %d, CUDA runtime %d, cuDNN %llu, cublasLt %llu\n", info.driver,
              info.runtime, static_cast<unsigned long long>(info.cudnn),
              static_cast<unsigned long long>(info.cublaslt));
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
