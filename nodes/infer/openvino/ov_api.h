#pragma once

#include "sluice/core/status.h"
#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/plugins/folders.h"

#include <openvino/c/openvino.h>

#include <memory>
#include <optional>
#include <string>

namespace sluice::openvino {

// The functions of OpenVINO's C interface that the plugin calls, without their prefix.
#define SLUICE_OV_FUNCTIONS(apply)                                                                \
  apply(get_openvino_version) apply(version_free) apply(get_last_err_msg) apply(get_error_info)   \
      apply(free) apply(core_create) apply(core_free) apply(core_get_property)                    \
          apply(core_read_model) apply(core_compile_model) apply(model_inputs_size) apply(        \
              model_outputs_size) apply(model_free) apply(compiled_model_create_infer_request)    \
              apply(compiled_model_output_by_index) apply(compiled_model_free)                    \
                  apply(infer_request_free) apply(infer_request_infer)                            \
                      apply(infer_request_set_input_tensor_by_index)                              \
                          apply(infer_request_set_output_tensor_by_index)                         \
                              apply(infer_request_get_output_tensor_by_index)                     \
                                  apply(tensor_create_from_host_ptr) apply(tensor_get_shape)      \
                                      apply(tensor_get_size) apply(tensor_get_element_type)       \
                                          apply(tensor_data) apply(tensor_free) apply(shape_free) \
                                              apply(port_get_element_type)                        \
                                                  apply(port_get_partial_shape)                   \
                                                      apply(partial_shape_free)                   \
                                                          apply(output_const_port_free)

// OpenVINO, bound when its library is loaded. Lifetime: never destroyed. Threads: thread-safe.
class OvApi {
 public:
  // Opens the library and makes its core. Errors: backend.library, also for a library of another
  // year than the headers that the plugin was built with, since numbers of types change with those.
  static Result<std::unique_ptr<const OvApi>> open(const plugins::Folders& folders);

  const std::string& version() const { return version_; }
  const std::string& path() const { return path_; }
  const ov_core_t* core() const { return core_; }
  bool has_bf16() const { return has_bf16_; }

  // Errors: `reason` with OpenVINO's words. To be asked by the thread that made the call.
  Status status_of(ov_status_e code, const char* reason) const;

#define SLUICE_OV_MEMBER(name) decltype(&ov_##name) name = nullptr;
  SLUICE_OV_FUNCTIONS(SLUICE_OV_MEMBER)
#undef SLUICE_OV_MEMBER

 private:
  OvApi() = default;
  Status bind(const plugins::OpenLibrary& library);
  Status ask_version();
  Status make_core();

  std::string version_;
  std::string path_;
  ov_core_t* core_ = nullptr;
  bool has_bf16_ = false;
};

// An object of OpenVINO's with its owner; `kFree` is the function of OvApi that frees it.
template <class T, void (*OvApi::*kFree)(T*)>
class Owned {
 public:
  explicit Owned(const OvApi& api) : api_(&api) {}
  Owned(Owned&& other) noexcept
      : api_(other.api_), object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(api_, other.api_);
    std::swap(object_, other.object_);
    return *this;
  }
  ~Owned() {
    if (object_ != nullptr) (api_->*kFree)(object_);
  }

  T* get() const { return object_; }
  T** out() { return &object_; }  // REQUIRES: holds nothing yet

 private:
  const OvApi* api_;
  T* object_ = nullptr;
};
using OwnedModel = Owned<ov_model_t, &OvApi::model_free>;
using CompiledModel = Owned<ov_compiled_model_t, &OvApi::compiled_model_free>;
using Request = Owned<ov_infer_request_t, &OvApi::infer_request_free>;
using OvTensor = Owned<ov_tensor_t, &OvApi::tensor_free>;
using OutputPort = Owned<ov_output_const_port_t, &OvApi::output_const_port_free>;

// None for element types that we do not have.
std::optional<DType> dtype_of(ov_element_type_e element_type);
ov_element_type_e element_type_of(DType dtype);

}  // namespace sluice::openvino
