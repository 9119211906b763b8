#include "sluice/nodes/infer/onnxruntime/ort_model.h"

#include "sluice/nodes/infer/onnxruntime/ort_runner.h"
#include "sluice/nodes/infer/plugins/buffered_session.h"

#include <algorithm>

namespace sluice::onnxruntime {
namespace {

constexpr const char* kReason = "model.unsupported";

Result<std::string> output_name(const OrtApi& api, const OrtSession* session, std::size_t index) {
  OrtAllocator* allocator = nullptr;
  char* name = nullptr;
  Status asked = api.call(kReason, kGetAllocatorWithDefaultOptions, &allocator);
  if (asked) asked = api.call(kReason, kSessionGetOutputName, session, index, allocator, &name);
  if (!asked) return asked;
  std::string copy = name;
  asked = api.call(kReason, kAllocatorFree, allocator, static_cast<void*>(name));
  if (!asked) return asked;
  return copy;
}

Result<ModelPort> output_port(const OrtApi& api, const OrtSession* session, std::size_t index) {
  Result<std::string> name = output_name(api, session, index);
  if (!name) return name.status();
  ModelPort port{std::move(*name), DType::kF32, {}};
  Owned<OrtTypeInfo, kReleaseTypeInfo> info(api);
  const OrtTensorInfo* tensor = nullptr;
  Status asked = api.call(kReason, kSessionGetOutputTypeInfo, session, index, info.out());
  if (asked) {
    asked = api.call(kReason, kCastTypeInfoToTensorInfo,
                     static_cast<const OrtTypeInfo*>(info.get()), &tensor);
  }
  if (!asked) return asked;
  std::int32_t type = 0;
  std::size_t rank = 0;
  if (tensor != nullptr) asked = api.call(kReason, kGetTensorElementType, tensor, &type);
  const std::optional<DType> dtype = dtype_of(type);
  if (!dtype) {
    return unsupported(kReason, "output '" + port.name + "' is no tensor of a known element type");
  }
  port.dtype = *dtype;
  if (asked) asked = api.call(kReason, kGetDimensionsCount, tensor, &rank);
  std::vector<std::int64_t> dims(rank);
  std::vector<const char*> symbols(rank, "");
  if (asked) asked = api.call(kReason, kGetDimensions, tensor, dims.data(), rank);
  if (asked) asked = api.call(kReason, kGetSymbolicDimensions, tensor, symbols.data(), rank);
  if (!asked) return asked;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    port.dims.push_back({dims[axis] < 0 ? -1 : dims[axis], symbols[axis]});
  }
  return port;
}

}  // namespace

Result<std::shared_ptr<const Model>> OrtModel::load(const OrtApi& api, const std::string& path,
                                                    const ModelOptions& options,
                                                    graph::Interface interface) {
  Result<OwnedSession> session = open_session(api, path);
  if (!session) return session.status().with_context("cannot load " + path);
  if (Status status = infer_outputs(api, session->get(), interface.outputs); !status) {
    return status.with_context("cannot load " + path);
  }
  return std::shared_ptr<const Model>(
      new OrtModel(api, std::move(*session), std::move(interface), path, options));
}

OrtModel::OrtModel(const OrtApi& api, OwnedSession session, graph::Interface interface,
                   const std::string& path, const ModelOptions& options)
    : api_(api),
      session_(std::move(session)),
      interface_(std::move(interface)),
      shape_function_(path, options) {}

Result<OrtModel::OwnedSession> OrtModel::open_session(const OrtApi& api, const std::string& path) {
  constexpr std::int32_t kAllOptimizations = 99;
  constexpr std::int32_t kLogFatal = 4;
  Owned<OrtSessionOptions, kReleaseSessionOptions> options(api);
  OwnedSession session(api);
  Status made = api.call(kReason, kCreateSessionOptions, options.out());
  // One thread, and the caller is it: the items run side by side, not the parts of one.
  for (const auto& [place, value] :
       {std::pair{kSetIntraOpNumThreads, std::int32_t{1}},
        std::pair{kSetInterOpNumThreads, std::int32_t{1}},
        std::pair{kSetSessionGraphOptimizationLevel, kAllOptimizations},
        std::pair{kSetSessionLogSeverityLevel, kLogFatal}}) {
    if (made) made = api.call(kReason, place, options.get(), value);
  }
  if (made) {
    made = api.call(kReason, kCreateSession, api.env(), path.c_str(),
                    static_cast<const OrtSessionOptions*>(options.get()), session.out());
  }
  // The file is a model, so what ONNX Runtime cannot load of it is beyond this backend.
  if (!made) return unsupported(kReason, "ONNX Runtime says: " + made.message());
  return session;
}

Status OrtModel::infer_outputs(const OrtApi& api, OrtSession* session,
                               std::vector<ModelPort>& outputs) {
  const OrtSession* asked_of = session;
  std::size_t count = 0;
  Status asked = api.call(kReason, kSessionGetOutputCount, asked_of, &count);
  if (!asked) return asked;
  for (std::size_t i = 0; i < count; ++i) {
    Result<ModelPort> port = output_port(api, session, i);
    if (!port) return port.status();
    const auto wanted = std::ranges::find(outputs, port->name, &ModelPort::name);
    if (wanted != outputs.end()) *wanted = std::move(*port);
  }
  return Status::ok();
}

Result<std::vector<Shape>> OrtModel::output_shapes(std::span<const Shape> inputs) const {
  if (Status status = check_shapes(interface_.inputs, inputs); !status.is_ok()) return status;
  return shape_function_.shapes(*this, inputs);
}

Result<std::unique_ptr<Session>> OrtModel::new_session() const {
  return std::unique_ptr<Session>(std::make_unique<plugins::BufferedSession<OrtRunner>>(
      shared_from_this(), OrtRunner(api_, session_.get(), *this)));
}

}  // namespace sluice::onnxruntime
