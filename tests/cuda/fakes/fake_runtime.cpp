#include "tests/cuda/fakes/fake_runtime.h"

#include <cublasLt.h>
#include <cudnn.h>

#include <cstring>

namespace sluice::cuda {

int cudnn_front_end_version() { return 10000; }

namespace testing {

FakeRuntime& fake_runtime() {
  static FakeRuntime runtime;
  return runtime;
}

cudaError_t FakeRuntime::call(const char* name) {
  calls.emplace_back(name);
  return static_cast<int>(calls.size()) - 1 == failing_call ? failure : cudaSuccess;
}

}  // namespace testing
}  // namespace sluice::cuda

using sluice::cuda::testing::fake_runtime;

namespace {

// A handle that is open until it is destroyed: the address of a byte.
template <class T>
cudaError_t make(const char* name, T* handle) {
  const cudaError_t error = fake_runtime().call(name);
  if (error != cudaSuccess) return error;
  auto* byte = new float(0);
  fake_runtime().open.insert(byte);
  *handle = reinterpret_cast<T>(byte);
  return cudaSuccess;
}

template <class T>
cudaError_t destroy(T handle) {
  if (fake_runtime().open.erase(handle) == 0) return cudaErrorInvalidResourceHandle;
  delete reinterpret_cast<float*>(handle);
  return cudaSuccess;
}

}  // namespace

extern "C" {

cudaError_t cudaSetDevice(int) { return fake_runtime().call("cudaSetDevice"); }
cudaError_t cudaGetLastError() { return cudaSuccess; }
const char* cudaGetErrorName(cudaError_t) { return "name"; }
const char* cudaGetErrorString(cudaError_t) { return "text"; }

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  const cudaError_t error = fake_runtime().call("cudaMalloc");
  if (error != cudaSuccess) return error;
  auto block = std::make_unique<std::byte[]>(bytes);
  *memory = block.get();
  fake_runtime().blocks.emplace(*memory, std::move(block));
  return cudaSuccess;
}
cudaError_t cudaFree(void* memory) {
  if (memory == nullptr) return cudaSuccess;
  return fake_runtime().blocks.erase(memory) == 1 ? cudaSuccess : cudaErrorInvalidValue;
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t) {
  const cudaError_t error = fake_runtime().call("cudaMemsetAsync");
  if (error == cudaSuccess) std::memset(memory, value, bytes);
  return error;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  return make("cudaStreamCreateWithFlags", stream);
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return destroy(stream); }
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  return fake_runtime().call("cudaStreamSynchronize");
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return make("cudaEventCreate", event); }
cudaError_t cudaEventDestroy(cudaEvent_t event) { return destroy(event); }
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  *reinterpret_cast<float*>(event) = fake_runtime().now_ms;
  return fake_runtime().call("cudaEventRecord");
}
cudaError_t cudaEventSynchronize(cudaEvent_t) {
  return fake_runtime().call("cudaEventSynchronize");
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  *milliseconds = *reinterpret_cast<float*>(end) - *reinterpret_cast<float*>(begin);
  return fake_runtime().call("cudaEventElapsedTime");
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int) {
  std::strcpy(properties->name, "A Fake/GPU");
  properties->major = 9;
  return fake_runtime().call("cudaGetDeviceProperties");
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode mode) {
  const cudaError_t error = fake_runtime().call("cudaStreamBeginCapture");
  if (mode != cudaStreamCaptureModeThreadLocal) return cudaErrorInvalidValue;
  fake_runtime().is_capturing = error == cudaSuccess;
  return error;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* graph) {
  fake_runtime().is_capturing = false;
  return make("cudaStreamEndCapture", graph);
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* graph, cudaGraph_t, unsigned long long) {
  return make("cudaGraphInstantiate", graph);
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t, cudaStream_t) {
  return fake_runtime().call("cudaGraphLaunch");
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) { return destroy(graph); }
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) { return destroy(graph); }

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
  return make("cudnnCreate", handle) == cudaSuccess ? CUDNN_STATUS_SUCCESS
                                                    : CUDNN_STATUS_NOT_INITIALIZED;
}
cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
  return destroy(handle) == cudaSuccess ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_BAD_PARAM;
}
const char* cudnnGetErrorString(cudnnStatus_t) { return "text"; }
size_t cudnnGetVersion() { return 90000; }

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  return make("cublasLtCreate", handle) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                       : CUBLAS_STATUS_NOT_INITIALIZED;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  return destroy(handle) == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}
const char* cublasLtGetStatusString(cublasStatus_t) { return "text"; }
size_t cublasLtGetVersion() { return 130000; }
}
