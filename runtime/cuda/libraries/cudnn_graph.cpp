#include "sluice/runtime/cuda/libraries/cudnn_graph.h"

// Its serialisation of graphs, which nothing here uses, would bring in a JSON library.
#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

// An engine of the front end's own, which is never asked for, calls NVRTC. cuDNN finds that library
// by itself where it wants it; the plugin shall load without.
#pragma weak nvrtcCreateProgram
#pragma weak nvrtcCompileProgram
#pragma weak nvrtcDestroyProgram
#pragma weak nvrtcGetCUBIN
#pragma weak nvrtcGetCUBINSize
#pragma weak nvrtcGetErrorString
#pragma weak nvrtcGetProgramLog
#pragma weak nvrtcGetProgramLogSize

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <numeric>
#include <sstream>
#include <unordered_map>

namespace sluice::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

Outcome outcome_of(const fe::error_t& error) {
  if (error.is_good()) return Outcome::ok();
  return Outcome::unsupported("cuDNN: " + error.err_msg);
}

fe::DataType_t type_of(std::int32_t type) {
  switch (type) {
    case SLUICE_CUDA_F16:
      return fe::DataType_t::HALF;
    case SLUICE_CUDA_BF16:
      return fe::DataType_t::BFLOAT16;
    default:
      return fe::DataType_t::FLOAT;
  }
}

// 90 of an H100. The front end asks the current device for it unless it is told.
int sm_version(const std::string& device_properties) {
  constexpr std::string_view kKey = "\"deviceVer\":";
  const std::size_t at = device_properties.find(kKey);
  if (at == std::string::npos) return 0;
  return std::atoi(device_properties.c_str() + at + kKey.size()) / 10;
}

// The engines that are not plain f32 arithmetic.
const std::vector<fe::NumericalNote_t> kNotStrict = {
    fe::NumericalNote_t::TENSOR_CORE, fe::NumericalNote_t::DOWN_CONVERT_INPUTS,
    fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION};

class FrontEndGraph final : public CudnnGraph {
 public:
  explicit FrontEndGraph(const CudnnTarget& target)
      : handle_(target.handle),
        workspace_bytes_(static_cast<std::int64_t>(target.workspace_bytes)) {
    graph_.set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
    if (target.handle == nullptr) graph_.set_sm_version(sm_version(target.device_properties));
  }

  Tensor input(const CudnnTensor& tensor) {
    return graph_.tensor(described(fe::graph::Tensor_attributes(), tensor).set_uid(++operands_));
  }
  void output(const Tensor& result, const CudnnTensor& tensor) {
    described(*result, tensor).set_uid(++operands_).set_output(true);
  }
  fe::graph::Graph& graph() { return graph_; }

  // After the operations. Asks cuDNN what computes them.
  Outcome finish(const CudnnTarget& target, bool is_strict);

  std::size_t configurations() const override {
    return static_cast<std::size_t>(graph_.get_execution_plan_count());
  }
  Outcome choose(std::size_t configuration) override;
  Outcome choose(const std::string& text) override;
  std::string engine() const override { return std::to_string(engine_); }
  std::string text() const override;
  Outcome run(std::span<void* const> operands, void* workspace) override;

 private:
  static fe::graph::Tensor_attributes& described(fe::graph::Tensor_attributes&& attributes,
                                                 const CudnnTensor& tensor) {
    return described(attributes, tensor);
  }
  static fe::graph::Tensor_attributes& described(fe::graph::Tensor_attributes& attributes,
                                                 const CudnnTensor& tensor) {
    return attributes.set_dim(tensor.dims)
        .set_stride(tensor.strides)
        .set_data_type(type_of(tensor.type));
  }
  bool is_compiled(const fe::error_t& error) const;
  Outcome check_order();
  Outcome check_workspace(std::int64_t index) const;

  cudnnHandle_t handle_;
  std::int64_t workspace_bytes_;
  fe::graph::Graph graph_;
  std::int64_t operands_ = 0;  // their identifiers are 1, 2, ... in the order of a run
  std::int64_t chosen_ = -1;
  std::int64_t engine_ = -1;
  std::unordered_map<fe::KnobType_t, std::int64_t> knobs_;
};

Outcome FrontEndGraph::finish(const CudnnTarget& target, bool is_strict) {
  if (const fe::error_t error = graph_.validate(); error.is_bad()) return outcome_of(error);
  if (target.handle == nullptr) {
    auto properties = std::make_shared<fe::DeviceProperties>();
    const std::string& json = target.device_properties;
    if (const auto error = properties->deserialize({json.begin(), json.end()}); error.is_bad()) {
      return Outcome::failed("cuDNN: device properties: " + error.err_msg);
    }
    graph_.set_device_properties(properties);
  }
  if (const auto error = graph_.build_operation_graph(target.handle); error.is_bad()) {
    return outcome_of(error);
  }
  const auto error = graph_.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK});
  if (error.is_bad()) return outcome_of(error);
  graph_.deselect_workspace_greater_than(workspace_bytes_);
  if (is_strict) graph_.deselect_numeric_notes(kNotStrict);
  return Outcome::ok();
}

// Engines that are compiled at run time are compiled without a device, too, and only then loaded,
// which needs a driver. Without a device there is nothing to load them on, and no more to prove.
bool FrontEndGraph::is_compiled(const fe::error_t& error) const {
  return handle_ == nullptr && error.err_msg.find("cuLibraryLoadData") != std::string::npos;
}

// A run hands over the operands by their places, not by their identifiers.
Outcome FrontEndGraph::check_order() {
  if (const fe::error_t error = graph_.prepare_variant_pack_template(); error.is_bad()) {
    return outcome_of(error);
  }
  std::vector<std::int64_t> in_order(static_cast<std::size_t>(operands_));
  std::iota(in_order.begin(), in_order.end(), 1);
  if (graph_.get_variant_pack_uids_sorted() == in_order) return Outcome::ok();
  return Outcome::unsupported("cuDNN: the front end wants other operands than the graph's");
}

// With what the front end needs for itself; the engine alone was asked before.
Outcome FrontEndGraph::check_workspace(std::int64_t index) const {
  std::int64_t bytes = 0;
  const fe::error_t error = graph_.get_workspace_size_plan_at_index(index, bytes);
  if (error.is_bad() || bytes <= workspace_bytes_) return outcome_of(error);
  return Outcome::unsupported("cuDNN: a workspace of " + std::to_string(bytes) + " bytes");
}

Outcome FrontEndGraph::choose(std::size_t configuration) try {
  const auto index = static_cast<std::int64_t>(configuration);
  const fe::error_t error = graph_.build_plan_at_index(index);
  if (error.is_bad() && !is_compiled(error)) return outcome_of(error);
  if (Outcome failed = check_order(); !failed.is_ok()) return failed;
  if (error.is_good()) {
    if (Outcome failed = check_workspace(index); !failed.is_ok()) return failed;
  }
  const fe::error_t asked = graph_.get_engine_and_knobs_at_index(index, engine_, knobs_);
  if (asked.is_bad()) return outcome_of(asked);
  chosen_ = index;
  return Outcome::ok();
} catch (const std::exception& thrown) {
  return Outcome::unsupported(std::string("cuDNN: ") + thrown.what());
}

Outcome FrontEndGraph::choose(const std::string& text) try {
  std::istringstream words(text);
  std::int64_t engine = 0;
  std::unordered_map<fe::KnobType_t, std::int64_t> knobs;
  if (!(words >> engine)) return Outcome::unsupported("cuDNN: no engine in '" + text + "'");
  int knob = 0;
  std::int64_t value = 0;
  for (char equals = 0; words >> knob >> equals >> value;) {
    knobs[static_cast<fe::KnobType_t>(knob)] = value;
  }
  const fe::error_t error = graph_.create_execution_plan(engine, knobs);
  if (error.is_bad()) return outcome_of(error);
  return choose(configurations() - 1);
} catch (const std::exception& thrown) {
  return Outcome::unsupported(std::string("cuDNN: ") + thrown.what());
}

std::string FrontEndGraph::text() const {
  std::vector<std::pair<int, std::int64_t>> sorted;
  for (const auto& [knob, value] : knobs_) sorted.emplace_back(static_cast<int>(knob), value);
  std::ranges::sort(sorted);
  std::string text = engine();
  for (const auto& [knob, value] : sorted) {
    text += " " + std::to_string(knob) + "=" + std::to_string(value);
  }
  return text;
}

Outcome FrontEndGraph::run(std::span<void* const> operands, void* workspace) try {
  std::array<void*, SLUICE_CUDA_MAX_OPERANDS + 2> pointers;
  std::ranges::copy(operands, pointers.begin());
  const fe::error_t error = graph_.execute_plan_at_index(
      handle_, pointers.data(), static_cast<int>(operands.size()), workspace, chosen_);
  return error.is_good() ? Outcome::ok() : Outcome::failed("cuDNN: " + error.err_msg);
} catch (const std::exception& thrown) {
  return Outcome::failed(std::string("cuDNN: ") + thrown.what());
}

Tensor convolved(FrontEndGraph& made, const ConvolutionGraph& graph, const Tensor& x,
                 const Tensor& weights) {
  const auto with_window = [&](auto attributes) {
    attributes.set_pre_padding(graph.pad_begin)
        .set_post_padding(graph.pad_end)
        .set_stride(graph.stride)
        .set_dilation(graph.dilation);
    return attributes;
  };
  if (graph.transposed) {
    return made.graph().conv_dgrad(x, weights, with_window(fe::graph::Conv_dgrad_attributes()));
  }
  return made.graph().conv_fprop(x, weights, with_window(fe::graph::Conv_fprop_attributes()));
}

Outcome build(FrontEndGraph& made, const ConvolutionGraph& graph) {
  const auto after = [&](fe::PointwiseMode_t mode) {
    return fe::graph::Pointwise_attributes().set_mode(mode);
  };
  const Tensor x = made.input(graph.x);
  const Tensor weights = made.input(graph.weights);
  Tensor y = convolved(made, graph, x, weights);
  // What lies between is shaped by hand: the front end infers no shape for a transposed one.
  const auto inner = [&] { y->set_dim(graph.y.dims).set_stride(graph.y.strides); };
  for (const auto* term : {&graph.residual, &graph.bias}) {
    if (!*term) continue;
    inner();
    y = made.graph().pointwise(y, made.input(**term), after(fe::PointwiseMode_t::ADD));
  }
  if (graph.relu) {
    inner();
    y = made.graph().pointwise(y, after(fe::PointwiseMode_t::RELU_FWD));
  }
  made.output(y, graph.y);
  return Outcome::ok();
}

Outcome build(FrontEndGraph& made, const AttentionGraph& graph) {
  const Tensor q = made.input(graph.q);
  const Tensor k = made.input(graph.k);
  const Tensor v = made.input(graph.v);
  auto attributes =
      fe::graph::SDPA_attributes().set_generate_stats(false).set_attn_scale(graph.scale);
  if (graph.mask) attributes.set_bias(made.input(*graph.mask));
  made.output(made.graph().sdpa(q, k, v, attributes)[0], graph.out);
  return Outcome::ok();
}

template <class Graph>
MadeGraph make(const CudnnTarget& target, const Graph& graph, bool is_strict) try {
  auto made = std::make_unique<FrontEndGraph>(target);
  Outcome outcome = build(*made, graph);
  if (outcome.is_ok()) outcome = made->finish(target, is_strict);
  if (!outcome.is_ok()) return {std::move(outcome), nullptr};
  return {Outcome::ok(), std::move(made)};
} catch (const std::exception& thrown) {
  return {Outcome::unsupported(std::string("cuDNN: ") + thrown.what()), nullptr};
}

}  // namespace

MadeGraph make_graph(const CudnnTarget& target, const ConvolutionGraph& graph) {
  return make(target, graph, graph.x.type == SLUICE_CUDA_F32 && !target.allow_tf32);
}

MadeGraph make_graph(const CudnnTarget& target, const AttentionGraph& graph) {
  return make(target, graph, false);
}

int cudnn_front_end_version() { return CUDNN_FRONTEND_VERSION; }

}  // namespace sluice::cuda
