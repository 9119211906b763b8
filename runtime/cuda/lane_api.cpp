#include "sluice/runtime/cuda/lane_api.h"

#include "sluice/runtime/cuda/capture.h"
#include "sluice/runtime/cuda/compile.h"
#include "sluice/runtime/cuda/error.h"

#include <cstdio>

struct sluice_cuda_lane {
  std::unique_ptr<sluice::cuda::Lane> lane;
};

struct sluice_cuda_compiled {
  int device = 0;
  std::unique_ptr<sluice::cuda::Operator> computes;
};

struct sluice_cuda_graph {
  std::unique_ptr<sluice::cuda::CapturedGraph> graph;
};

namespace sluice::cuda {
namespace {

CUstream_st* stream_of(void* stream) { return static_cast<CUstream_st*>(stream); }

int lane_create(std::int32_t device, const sluice_cuda_lane_options* options,
                sluice_cuda_lane** lane) {
  return reported([&] {
    Lane::Opened opened = Lane::open(device, *options);
    if (opened.outcome.is_ok()) *lane = new sluice_cuda_lane{std::move(opened.lane)};
    return std::move(opened.outcome);
  });
}

void lane_destroy(sluice_cuda_lane* lane) { delete lane; }

int compile_operator(sluice_cuda_lane* lane, const sluice_cuda_op* op,
                     sluice_cuda_compiled** compiled) {
  return reported([&] {
    const int device = lane->lane->device();
    if (Outcome failed = use_device(device); !failed.is_ok()) return failed;
    Made made = compile(*lane->lane, *op);
    if (made.outcome.is_ok()) *compiled = new sluice_cuda_compiled{device, std::move(made.made)};
    return std::move(made.outcome);
  });
}

void compiled_destroy(sluice_cuda_compiled* compiled) {
  // What cuDNN has compiled is unloaded from the thread's device.
  if (compiled != nullptr) static_cast<void>(use_device(compiled->device));
  delete compiled;
}

const char* compiled_name(const sluice_cuda_compiled* compiled) {
  return compiled->computes->name();
}

int run(sluice_cuda_compiled* compiled, void* stream, const void* const* inputs,
        void* const* outputs) {
  return reported([&] {
    if (Outcome failed = use_device(compiled->device); !failed.is_ok()) return failed;
    return compiled->computes->run(stream_of(stream), inputs, outputs);
  });
}

int capture_begin(sluice_cuda_lane* lane, void* stream) {
  return reported([&] { return CapturedGraph::begin(lane->lane->device(), stream_of(stream)); });
}

int capture_end(sluice_cuda_lane* lane, void* stream, sluice_cuda_graph** graph) {
  return reported([&] {
    CapturedGraph::Captured captured = CapturedGraph::end(lane->lane->device(), stream_of(stream));
    if (captured.outcome.is_ok()) *graph = new sluice_cuda_graph{std::move(captured.graph)};
    return std::move(captured.outcome);
  });
}

int graph_launch(sluice_cuda_graph* graph, void* stream) {
  return reported([&] { return graph->graph->launch(stream_of(stream)); });
}

void graph_destroy(sluice_cuda_graph* graph) { delete graph; }

int check_operator(const char* device_properties, const sluice_cuda_lane_options* options,
                   const sluice_cuda_op* op, char* name, std::size_t name_bytes) {
  return reported([&] {
    LaneResources resources;
    resources.cudnn.device_properties = device_properties;
    resources.cudnn.workspace_bytes = options->workspace_bytes;
    resources.cudnn.allow_tf32 = options->allow_tf32 != 0;
    const Made made = check(resources, *op);
    if (made.outcome.is_ok()) std::snprintf(name, name_bytes, "%s", made.made->name());
    return made.outcome;
  });
}

}  // namespace

void add_operators(sluice_cuda_api& api) {
  api.lane_create = lane_create;
  api.lane_destroy = lane_destroy;
  api.compile = compile_operator;
  api.compiled_destroy = compiled_destroy;
  api.compiled_name = compiled_name;
  api.run = run;
  api.capture_begin = capture_begin;
  api.capture_end = capture_end;
  api.graph_launch = graph_launch;
  api.graph_destroy = graph_destroy;
  api.check = check_operator;
}

}  // namespace sluice::cuda
