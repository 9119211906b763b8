#include "sluice/nodes/infer/onnxruntime/ort_api.h"

#include <algorithm>
#include <array>

namespace sluice::onnxruntime {
namespace {

// What OrtGetApiBase() gives.
struct ApiBase {
  void* const* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};

constexpr std::int32_t kLogFatal = 4;  // everything else is told by a status
constexpr std::int32_t kDeviceAllocator = 0;
constexpr std::int32_t kDefaultMemory = 0;

plugins::LibraryName library_name() {
  return {"libonnxruntime",
          {"onnxruntime/capi"},
          "libonnxruntime.so.1",
          "cmake/fetch_backends.sh onnxruntime gets it from PyPI; or pip install onnxruntime, and "
          "name its site-packages in SLUICE_BACKENDS"};
}

struct ElementType {
  std::int32_t number;
  DType dtype;
};
// Those of TensorProto.DataType.
constexpr std::array kElementTypes{
    ElementType{1, DType::kF32},  ElementType{2, DType::kU8},   ElementType{3, DType::kI8},
    ElementType{4, DType::kU16},  ElementType{5, DType::kI16},  ElementType{6, DType::kI32},
    ElementType{7, DType::kI64},  ElementType{9, DType::kBool}, ElementType{10, DType::kF16},
    ElementType{11, DType::kF64}, ElementType{12, DType::kU32}, ElementType{13, DType::kU64},
    ElementType{16, DType::kBF16}};

}  // namespace

Result<std::unique_ptr<const OrtApi>> OrtApi::open(const plugins::Folders& folders) {
  const Result<plugins::OpenLibrary> library = plugins::open_library(library_name(), folders);
  if (!library) return library.status();
  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(library->symbol("OrtGetApiBase"));
  std::unique_ptr<OrtApi> api(new OrtApi);
  api->path_ = library->path.string();
  if (get_base == nullptr) {
    return Status(Code::kUnavailable, "backend.library",
                  api->path_ + " is no ONNX Runtime: it has no OrtGetApiBase");
  }
  api->version_ = get_base()->get_version();
  api->table_ = get_base()->get_api(kApiVersion);
  if (api->table_ == nullptr) {
    return Status(Code::kUnavailable, "backend.library",
                  api->path_ + " is ONNX Runtime " + api->version_ + "; 1.8 or a later one is due");
  }
  Status made = api->call("backend.library", kCreateEnv, kLogFatal, "sluice",
                          static_cast<OrtEnv**>(&api->env_));
  if (made) {
    made = api->call("backend.library", kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory,
                     static_cast<OrtMemoryInfo**>(&api->cpu_));
  }
  if (!made) return Status(Code::kUnavailable, made.reason(), made.message());
  return std::unique_ptr<const OrtApi>(std::move(api));
}

Status OrtApi::status_of(OrtStatus* status, const char* reason) const {
  constexpr std::int32_t kNotImplemented = 9;
  constexpr std::int32_t kInvalidGraph = 10;
  if (status == nullptr) return Status::ok();
  const std::int32_t code = at<std::int32_t(const OrtStatus*)>(kGetErrorCode)(status);
  const bool is_unsupported = code == kNotImplemented || code == kInvalidGraph;
  Status made(is_unsupported ? Code::kUnsupported : Code::kInternal, reason,
              at<const char*(const OrtStatus*)>(kGetErrorMessage)(status));
  release(kReleaseStatus, status);
  return made;
}

std::optional<DType> dtype_of(std::int32_t element_type) {
  const auto found = std::ranges::find(kElementTypes, element_type, &ElementType::number);
  if (found == kElementTypes.end()) return std::nullopt;
  return found->dtype;
}

std::int32_t element_type_of(DType dtype) {
  return std::ranges::find(kElementTypes, dtype, &ElementType::dtype)->number;
}

}  // namespace sluice::onnxruntime
