#include "sluice/runtime/cuda/device.h"

#include "sluice/runtime/cuda/error.h"
#include "sluice/runtime/cuda/probe.h"

#include <cublasLt.h>
#include <cudnn.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace sluice::cuda {
namespace {

// Calls `function` with the device made the thread's: any thread may come, and none is known.
template <class F>
int on_device(int32_t device, F&& function) noexcept {
  return reported([&] {
    Outcome chosen = outcome_of(cudaSetDevice(device), "cudaSetDevice " + std::to_string(device));
    return chosen.is_ok() ? std::forward<F>(function)() : chosen;
  });
}

int device_count(int32_t* count) {
  return reported([&] {
    int found = 0;
    const cudaError_t error = cudaGetDeviceCount(&found);
    *count = error == cudaSuccess ? found : 0;
    if (error == cudaErrorNoDevice) {
      static_cast<void>(outcome_of(error, "cudaGetDeviceCount"));
      return Outcome::ok();
    }
    return outcome_of(error, "cudaGetDeviceCount");
  });
}

int device_info(int32_t device, sluice_cuda_device_info* info) {
  return on_device(device, [&] {
    *info = {};
    cudaDeviceProp properties{};
    Outcome outcome =
        outcome_of(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
    if (!outcome.is_ok()) return outcome;
    std::string_view(properties.name).copy(info->name, sizeof(info->name) - 1);
    info->major = properties.major;
    info->minor = properties.minor;
    info->multiprocessors = properties.multiProcessorCount;
    info->cudnn = cudnnGetVersion();
    info->cublaslt = cublasLtGetVersion();
    std::size_t free = 0, total = 0;
    outcome = outcome_of(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
    if (!outcome.is_ok()) return outcome;
    info->memory_bytes = total;
    info->free_bytes = free;
    outcome = outcome_of(cudaDriverGetVersion(&info->driver), "cudaDriverGetVersion");
    if (!outcome.is_ok()) return outcome;
    return outcome_of(cudaRuntimeGetVersion(&info->runtime), "cudaRuntimeGetVersion");
  });
}

int probe(int32_t device) { return on_device(device, probe_device); }

// Device memory from cudaMalloc and not from a pool: lanes keep what they allocate, and a pool
// would order its memory by a stream, which none of those who share it is.
int allocate(int32_t device, int32_t pinned, size_t wanted, void** memory) {
  return on_device(device, [&] {
    *memory = nullptr;
    // What CUDA makes of no bytes at all differs from call to call.
    const std::size_t bytes = std::max<std::size_t>(wanted, 1);
    if (pinned != 0) {
      return outcome_of(cudaHostAlloc(memory, bytes, cudaHostAllocPortable),
                        "cudaHostAlloc of " + size_text(bytes));
    }
    return outcome_of(cudaMalloc(memory, bytes), "cudaMalloc of " + size_text(bytes));
  });
}

int release(int32_t device, int32_t pinned, void* memory) {
  return on_device(device, [&] {
    return pinned != 0 ? outcome_of(cudaFreeHost(memory), "cudaFreeHost")
                       : outcome_of(cudaFree(memory), "cudaFree");
  });
}

// The thread's own stream, so that nothing else is waited for. A copy from pageable memory may be
// under way still when the call returns (CUDA's "API synchronization behavior"), hence the wait.
int upload(int32_t device, void* to, const void* from, size_t bytes) {
  return on_device(device, [&] {
    Outcome outcome =
        outcome_of(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, cudaStreamPerThread),
                   "cudaMemcpyAsync of " + size_text(bytes));
    if (!outcome.is_ok()) return outcome;
    return outcome_of(cudaStreamSynchronize(cudaStreamPerThread),
                      "copying " + size_text(bytes) + " to the device");
  });
}

// Non-blocking: no order with what anybody does on the default stream.
int stream_create(int32_t device, void** stream) {
  return on_device(device, [&] {
    cudaStream_t made = nullptr;
    Outcome outcome = outcome_of(cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking),
                                 "cudaStreamCreateWithFlags");
    *stream = made;
    return outcome;
  });
}

int stream_destroy(int32_t device, void* stream) {
  return on_device(device, [&] {
    return outcome_of(cudaStreamDestroy(static_cast<cudaStream_t>(stream)), "cudaStreamDestroy");
  });
}

// Without timing, which would make each record slower.
int event_create(int32_t device, void** event) {
  return on_device(device, [&] {
    cudaEvent_t made = nullptr;
    Outcome outcome =
        outcome_of(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), "cudaEventCreate");
    *event = made;
    return outcome;
  });
}

int event_destroy(int32_t device, void* event) {
  return on_device(device, [&] {
    return outcome_of(cudaEventDestroy(static_cast<cudaEvent_t>(event)), "cudaEventDestroy");
  });
}

int event_record(int32_t device, void* event, void* stream) {
  return on_device(device, [&] {
    return outcome_of(
        cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)),
        "cudaEventRecord");
  });
}

int event_query(int32_t device, void* event) {
  return on_device(device, [&] {
    return outcome_of(cudaEventQuery(static_cast<cudaEvent_t>(event)), "cudaEventQuery");
  });
}

int stream_wait(int32_t device, void* stream, void* event) {
  return on_device(device, [&] {
    return outcome_of(
        cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(event), 0),
        "cudaStreamWaitEvent");
  });
}

int copy(int32_t device, void* stream, void* to, const void* from, size_t bytes) {
  return on_device(device, [&] {
    return outcome_of(
        cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, static_cast<cudaStream_t>(stream)),
        "cudaMemcpyAsync of " + size_text(bytes));
  });
}

}  // namespace

void add_devices(sluice_cuda_api& api) {
  api.device_count = device_count;
  api.device_info = device_info;
  api.probe = probe;
  api.allocate = allocate;
  api.release = release;
  api.upload = upload;
  api.stream_create = stream_create;
  api.stream_destroy = stream_destroy;
  api.event_create = event_create;
  api.event_destroy = event_destroy;
  api.event_record = event_record;
  api.event_query = event_query;
  api.stream_wait = stream_wait;
  api.copy = copy;
}

}  // namespace sluice::cuda
