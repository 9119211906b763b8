#include "sluice/nodes/infer/openvino/ov_api.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace sluice::openvino {
namespace {

constexpr const char* kReason = "backend.library";

plugins::LibraryName library_name() {
  return {"libopenvino_c",
          {"openvino/libs"},
          "libopenvino_c.so",
          "cmake/fetch_backends.sh openvino gets it from PyPI; or pip install openvino, and name "
          "its site-packages in SLUICE_BACKENDS"};
}

struct ElementType {
  ov_element_type_e number;
  DType dtype;
};
constexpr std::array kElementTypes{ElementType{F32, DType::kF32},     ElementType{F16, DType::kF16},
                                   ElementType{BF16, DType::kBF16},   ElementType{F64, DType::kF64},
                                   ElementType{I8, DType::kI8},       ElementType{I16, DType::kI16},
                                   ElementType{I32, DType::kI32},     ElementType{I64, DType::kI64},
                                   ElementType{U8, DType::kU8},       ElementType{U16, DType::kU16},
                                   ElementType{U32, DType::kU32},     ElementType{U64, DType::kU64},
                                   ElementType{BOOLEAN, DType::kBool}};

Status unavailable(std::string message) {
  return {Code::kUnavailable, kReason, std::move(message)};
}

}  // namespace

Result<std::unique_ptr<const OvApi>> OvApi::open(const plugins::Folders& folders) {
  const Result<plugins::OpenLibrary> library = plugins::open_library(library_name(), folders);
  if (!library) return library.status();
  std::unique_ptr<OvApi> api(new OvApi);
  api->path_ = library->path.string();
  Status opened = api->bind(*library);
  if (opened) opened = api->ask_version();
  if (opened) opened = api->make_core();
  if (!opened) return opened;
  return std::unique_ptr<const OvApi>(std::move(api));
}

Status OvApi::bind(const plugins::OpenLibrary& library) {
  std::string missing;
#define SLUICE_OV_BIND(name)                                            \
  name = reinterpret_cast<decltype(name)>(library.symbol("ov_" #name)); \
  if (name == nullptr && missing.empty()) missing = "ov_" #name;
  SLUICE_OV_FUNCTIONS(SLUICE_OV_BIND)
#undef SLUICE_OV_BIND
  if (missing.empty()) return Status::ok();
  return unavailable(path_ + " has no " + missing);
}

Status OvApi::ask_version() {
  ov_version_t version{};
  if (Status asked = status_of(get_openvino_version(&version), kReason); !asked) return asked;
  version_ = version.buildNumber;
  version_free(&version);
  // "2026.4.1-22982-...": the release is what is told, the rest is for its makers.
  version_ = version_.substr(0, version_.find('-'));
  if (version_.starts_with(SLUICE_OPENVINO_YEAR ".")) return Status::ok();
  return unavailable(path_ + " is OpenVINO " + version_ +
                     "; the plugin was built for one of " SLUICE_OPENVINO_YEAR);
}

Status OvApi::make_core() {
  if (Status made = status_of(core_create(&core_), kReason); !made) return made;
  char* abilities = nullptr;
  Status asked =
      status_of(core_get_property(core_, "CPU", "OPTIMIZATION_CAPABILITIES", &abilities), kReason);
  if (!asked) return unavailable(asked.message());
  has_bf16_ = std::string_view(abilities).find("BF16") != std::string_view::npos;
  this->free(abilities);
  return Status::ok();
}

Status OvApi::status_of(ov_status_e code, const char* reason) const {
  if (code == OK) return Status::ok();
  // Only failures of OpenVINO itself leave words; for wrong arguments the last ones would be stale.
  std::string message = code > INVALID_C_PARAM ? get_last_err_msg() : get_error_info(code);
  std::ranges::replace(message, '\n', ' ');
  return {code == NOT_IMPLEMENTED ? Code::kUnsupported : Code::kInternal, reason, message};
}

std::optional<DType> dtype_of(ov_element_type_e element_type) {
  const auto found = std::ranges::find(kElementTypes, element_type, &ElementType::number);
  if (found == kElementTypes.end()) return std::nullopt;
  return found->dtype;
}

ov_element_type_e element_type_of(DType dtype) {
  return std::ranges::find(kElementTypes, dtype, &ElementType::dtype)->number;
}

}  // namespace sluice::openvino
