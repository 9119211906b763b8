#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/native/kernels/simd.h"
#include "sluice/nodes/infer/native/native_model.h"

namespace sluice::native {
namespace {

// The embedded CPU engine: fp32, or products in bf16. There on every machine.
class NativeBackend final : public Backend {
 public:
  std::string_view name() const override { return "native"; }
  Status available() const override { return Status::ok(); }

  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions& options) const override {
    const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());
    const bool has_bf16 = simd != nullptr && simd->product_bf16 != nullptr;
    if (options.precision == Precision::kBf16 && !has_bf16) {
      return unsupported("model.precision", "this CPU has no instructions for bf16 (AVX512-BF16)");
    }
    const bool is_bf16 = options.precision != Precision::kFp32 && has_bf16;
    Result<graph::Graph> graph = graph::import_onnx(path, {options.outputs});
    if (!graph) return graph.status();
    Result<std::shared_ptr<const Model>> model = NativeModel::make(
        std::move(*graph), is_bf16 ? kernels::Precision::kBf16 : kernels::Precision::kFp32,
        options.tune ? &user_tuner() : nullptr);
    if (!model) return model_error(model.status()).with_context("cannot load " + path);
    return model;
  }

 private:
  // Constants that contradict each other are the file's fault.
  static Status model_error(const Status& status) {
    if (status.reason().starts_with("model.") || status.code() == Code::kResourceExhausted) {
      return status;
    }
    const bool is_unsupported = status.code() == Code::kUnsupported;
    return {status.code(), is_unsupported ? "model.unsupported" : "model.invalid",
            status.message()};
  }
};

[[maybe_unused]] const bool kRegistered = register_backend(std::make_unique<NativeBackend>());

}  // namespace
}  // namespace sluice::native
