#include "tests/runtime/lanes/fake_cuda.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace sluice::testing {
namespace {

FakeCuda* current = nullptr;

}  // namespace

struct FakeCuda::Table {
  static const char* last_error() { return current->last_error_.c_str(); }

  static int make(const char* function, int32_t device, void** object) {
    const int result = current->count(function, device);
    if (result != SLUICE_CUDA_OK) return result;
    *object = new char;
    current->objects_.insert(*object);
    return result;
  }
  static int drop(const char* function, int32_t device, void* object) {
    const int result = current->count(function, device);
    if (current->objects_.erase(object) == 0) std::abort();  // it is not there, or not any more
    delete static_cast<char*>(object);
    return result;
  }

  static int allocate(int32_t device, int32_t pinned, size_t bytes, void** memory) {
    const int result = current->count("allocate", device);
    if (result != SLUICE_CUDA_OK) return result;
    *memory = ::operator new(bytes);
    current->memory_[*memory] = pinned != 0;
    return result;
  }
  static int release(int32_t device, int32_t pinned, void* memory) {
    const int result = current->count("release", device);
    const auto found = current->memory_.find(memory);
    if (found == current->memory_.end() || found->second != (pinned != 0)) std::abort();
    current->memory_.erase(found);
    ::operator delete(memory);
    return result;
  }
  static int upload(int32_t device, void* to, const void* from, size_t bytes) {
    const int result = current->count("upload", device);
    if (result == SLUICE_CUDA_OK) std::memcpy(to, from, bytes);
    return result;
  }
  static int copy(int32_t device, void*, void* to, const void* from, size_t bytes) {
    const int result = current->count("copy", device);
    if (result == SLUICE_CUDA_OK) std::memmove(to, from, bytes);
    return result;
  }

  static int stream_create(int32_t device, void** stream) {
    return make("stream_create", device, stream);
  }
  static int stream_destroy(int32_t device, void* stream) {
    return drop("stream_destroy", device, stream);
  }
  static int event_create(int32_t device, void** event) {
    return make("event_create", device, event);
  }
  static int event_destroy(int32_t device, void* event) {
    return drop("event_destroy", device, event);
  }
  static int event_record(int32_t device, void*, void*) {
    return current->count("event_record", device);
  }
  static int event_query(int32_t device, void*) { return current->count("event_query", device); }
  static int stream_wait(int32_t device, void*, void*) {
    return current->count("stream_wait", device);
  }
};

FakeCuda::FakeCuda() {
  if (current != nullptr) std::abort();
  current = this;
  api_.abi = SLUICE_CUDA_ABI;
  api_.last_error = Table::last_error;
  api_.allocate = Table::allocate;
  api_.release = Table::release;
  api_.upload = Table::upload;
  api_.copy = Table::copy;
  api_.stream_create = Table::stream_create;
  api_.stream_destroy = Table::stream_destroy;
  api_.event_create = Table::event_create;
  api_.event_destroy = Table::event_destroy;
  api_.event_record = Table::event_record;
  api_.event_query = Table::event_query;
  api_.stream_wait = Table::stream_wait;
}

FakeCuda::~FakeCuda() { current = nullptr; }

int FakeCuda::count(const char* function, int device) {
  ++calls_[function];
  last_device_ = device;
  const int result = answers_[function];
  last_error_ = result == SLUICE_CUDA_OK ? "" : std::string(function) + " does not work";
  return result;
}

int FakeCuda::calls(const std::string& function) const {
  const auto found = calls_.find(function);
  return found == calls_.end() ? 0 : found->second;
}

int FakeCuda::calls() const {
  int all = 0;
  for (const auto& [function, times] : calls_) all += times;
  return all;
}

std::size_t FakeCuda::pinned_blocks() const {
  std::size_t pinned = 0;
  for (const auto& [memory, is_pinned] : memory_) pinned += is_pinned ? 1 : 0;
  return pinned;
}

}  // namespace sluice::testing
