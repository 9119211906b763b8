// libsluice_cuda.so without a GPU, whose operators are our own kernels on the host: for tests of the
// whole program with `device: cuda`. Its streams do their work at once. With FAKE_LOST_AT=N in the
// environment, the device is lost at the N-th piece of work.
#include "sluice/core/cuda_abi.h"

#include "tests/support/cuda/emulated_operators.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace {

constexpr std::align_val_t kAlignment{256};  // as cudaMalloc's

const sluice_cuda_api& operators() { return sluice::cuda::emulated_operators(); }

std::atomic<bool> is_lost{false};
std::atomic<long> pieces_of_work{0};

const char* last_error() {
  return is_lost ? "cudaEventQuery: an illegal memory access was encountered (700)"
                 : operators().last_error();
}

int standing() { return is_lost ? SLUICE_CUDA_LOST : SLUICE_CUDA_OK; }

int count_work() {
  static const char* const lost_at = std::getenv("FAKE_LOST_AT");
  if (lost_at != nullptr && ++pieces_of_work >= std::atol(lost_at)) is_lost = true;
  return standing();
}

int device_count(int32_t* count) {
  *count = 1;
  return SLUICE_CUDA_OK;
}

int device_info(int32_t, sluice_cuda_device_info* info) {
  *info = {};
  std::snprintf(info->name, sizeof info->name, "Emulated GPU");
  info->major = 9;
  info->multiprocessors = 1;
  info->memory_bytes = info->free_bytes = std::uint64_t{1} << 30;
  info->driver = info->runtime = 13000;
  return SLUICE_CUDA_OK;
}

int probe(int32_t) { return SLUICE_CUDA_OK; }

int allocate(int32_t, int32_t, size_t bytes, void** memory) {
  *memory = ::operator new(bytes, kAlignment, std::nothrow);
  return *memory == nullptr ? SLUICE_CUDA_OUT_OF_MEMORY : standing();
}

int release(int32_t, int32_t, void* memory) {
  ::operator delete(memory, kAlignment);
  return SLUICE_CUDA_OK;
}

int move(void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
  return standing();
}
int upload(int32_t, void* to, const void* from, size_t bytes) { return move(to, from, bytes); }
int copy(int32_t, void*, void* to, const void* from, size_t bytes) { return move(to, from, bytes); }

int create(int32_t, void** object) {
  *object = new char;
  return standing();
}
int destroy(int32_t, void* object) {
  delete static_cast<char*>(object);
  return SLUICE_CUDA_OK;
}

int event_record(int32_t, void*, void*) { return standing(); }
int event_query(int32_t, void*) { return standing(); }
int stream_wait(int32_t, void*, void*) { return standing(); }

int run(sluice_cuda_compiled* compiled, void* stream, const void* const* inputs,
        void* const* outputs) {
  const int result = count_work();
  return result == SLUICE_CUDA_OK ? operators().run(compiled, stream, inputs, outputs) : result;
}

int graph_launch(sluice_cuda_graph* graph, void* stream) {
  const int result = count_work();
  return result == SLUICE_CUDA_OK ? operators().graph_launch(graph, stream) : result;
}

sluice_cuda_api make_table() {
  sluice_cuda_api api = operators();
  api.abi = SLUICE_CUDA_ABI;
  api.version = FAKE_VERSION;
  api.last_error = last_error;
  api.device_count = device_count;
  api.device_info = device_info;
  api.probe = probe;
  api.allocate = allocate;
  api.release = release;
  api.upload = upload;
  api.stream_create = api.event_create = create;
  api.stream_destroy = api.event_destroy = destroy;
  api.event_record = event_record;
  api.event_query = event_query;
  api.stream_wait = stream_wait;
  api.copy = copy;
  api.run = run;
  api.graph_launch = graph_launch;
  return api;
}

}  // namespace

extern "C" const sluice_cuda_api* sluice_cuda() {
  static const sluice_cuda_api table = make_table();
  return &table;
}
