#include "tests/gpu/support/nvml.h"

#include <dlfcn.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace sluice::gpu_suite {
namespace {

// As nvml.h of the CUDA toolkit has them; 0 is success.
struct Utilization {
  unsigned gpu, memory;
};
using Init = int (*)();
using DeviceByIndex = int (*)(unsigned, void**);
using UtilizationOf = int (*)(void*, Utilization*);

template <class F>
F find(void* library, const char* name) {
  return library == nullptr ? nullptr : reinterpret_cast<F>(dlsym(library, name));
}

void sample(const std::stop_token& stop, std::vector<double>& samples) {
  void* const library = dlopen("libnvidia-ml.so.1", RTLD_NOW);
  const auto init = find<Init>(library, "nvmlInit_v2");
  const auto device_by_index = find<DeviceByIndex>(library, "nvmlDeviceGetHandleByIndex_v2");
  const auto utilization_of = find<UtilizationOf>(library, "nvmlDeviceGetUtilizationRates");
  void* device = nullptr;
  if (!init || !device_by_index || !utilization_of) return;
  if (init() != 0 || device_by_index(0, &device) != 0) return;
  std::mutex mutex;
  std::condition_variable_any stopped;
  const auto goes_on = [&] {
    std::unique_lock lock(mutex);
    return !stopped.wait_for(lock, stop, std::chrono::milliseconds(100),
                             [&] { return stop.stop_requested(); });
  };
  while (goes_on()) {
    Utilization now{};
    if (utilization_of(device, &now) == 0) samples.push_back(now.gpu);
  }
}

}  // namespace

BusySampler::BusySampler()
    : thread_([this](const std::stop_token& stop) { sample(stop, samples_); }) {}

std::vector<double> BusySampler::end() {
  thread_.request_stop();
  thread_.join();
  return samples_;
}

}  // namespace sluice::gpu_suite
