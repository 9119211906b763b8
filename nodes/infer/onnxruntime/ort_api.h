#pragma once

#include "sluice/core/status.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/onnxruntime/ort_places.h"
#include "sluice/nodes/infer/plugins/folders.h"

#include <memory>
#include <optional>
#include <string>

// ONNX Runtime's C interface as far as the plugin needs it, bound when the library is loaded: no
// header of it is needed to build, and any version from 1.8 on will do.
namespace sluice::onnxruntime {

// ONNX Runtime's objects, of which only addresses are known.
struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtValue;
struct OrtTypeInfo;
struct OrtTensorInfo;  // OrtTensorTypeAndShapeInfo
struct OrtMemoryInfo;
struct OrtAllocator;

// The one table of the process. Lifetime: never destroyed. Threads: thread-safe.
class OrtApi {
 public:
  // Opens the library and makes its environment. Errors: backend.library.
  static Result<std::unique_ptr<const OrtApi>> open(const plugins::Folders& folders);

  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  OrtEnv* env() const { return env_; }
  const OrtMemoryInfo* cpu() const { return cpu_; }  // memory of the host

  // The function at a place, of the type that the caller knows it to have.
  template <class Function>
  Function* at(Place place) const {
    return reinterpret_cast<Function*>(table_[place]);
  }
  // Calls a function that gives an OrtStatus. Errors: `reason` with ONNX Runtime's words.
  template <class... Args>
  Status call(const char* reason, Place place, Args... args) const {
    return status_of(at<OrtStatus*(Args...)>(place)(args...), reason);
  }
  // Calls one of the functions that release an object.
  template <class T>
  void release(Place place, T* object) const {
    if (object != nullptr) at<void(T*)>(place)(object);
  }

 private:
  OrtApi() = default;
  Status status_of(OrtStatus* status, const char* reason) const;

  void* const* table_ = nullptr;
  std::string version_;
  std::string path_;
  OrtEnv* env_ = nullptr;
  OrtMemoryInfo* cpu_ = nullptr;
};

// An object of ONNX Runtime's with its owner.
template <class T, Place kRelease>
class Owned {
 public:
  explicit Owned(const OrtApi& api, T* object = nullptr) : api_(&api), object_(object) {}
  Owned(Owned&& other) noexcept
      : api_(other.api_), object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() { api_->release(kRelease, object_); }

  T* get() const { return object_; }
  T** out() { return &object_; }  // REQUIRES: holds nothing yet

 private:
  const OrtApi* api_;
  T* object_;
};
using Value = Owned<OrtValue, kReleaseValue>;

// Element types by the numbers that ONNX Runtime gives them; none for those we do not have.
std::optional<DType> dtype_of(std::int32_t element_type);
std::int32_t element_type_of(DType dtype);

}  // namespace sluice::onnxruntime
