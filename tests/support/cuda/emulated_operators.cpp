#include "tests/support/cuda/emulated_operators.h"

#include "sluice/runtime/cuda/kernels/kernels.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

struct sluice_cuda_compiled {
  sluice_cuda_lane* lane = nullptr;
  std::unique_ptr<sluice::cuda::Operator> made;
  int inputs = 0, outputs = 0;
};

struct sluice_cuda_graph {
  struct Run {
    sluice_cuda_compiled* compiled;
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
  };
  std::vector<Run> runs;
};

struct sluice_cuda_lane {
  std::optional<sluice_cuda_graph> captured;  // while a capture is on
};

namespace sluice::cuda {
namespace {

thread_local std::string error;

int report(const Outcome& outcome) {
  if (!outcome.is_ok()) error = outcome.message;
  return outcome.code;
}

int lane_create(int32_t, const sluice_cuda_lane_options*, sluice_cuda_lane** lane) {
  *lane = new sluice_cuda_lane;
  return SLUICE_CUDA_OK;
}

void lane_destroy(sluice_cuda_lane* lane) { delete lane; }

int compile(sluice_cuda_lane* lane, const sluice_cuda_op* op, sluice_cuda_compiled** compiled) {
  Made result = make_kernel(*op);
  if (!result.outcome.is_ok()) return report(result.outcome);
  *compiled = new sluice_cuda_compiled{lane, std::move(result.made), op->inputs, op->outputs};
  return SLUICE_CUDA_OK;
}

void compiled_destroy(sluice_cuda_compiled* compiled) { delete compiled; }

const char* compiled_name(const sluice_cuda_compiled* compiled) { return compiled->made->name(); }

int run(sluice_cuda_compiled* compiled, void*, const void* const* inputs, void* const* outputs) {
  if (auto& captured = compiled->lane->captured) {
    // Not in braces: two pointers to pointers are two elements then.
    std::vector<const void*> from(inputs, inputs + compiled->inputs);
    std::vector<void*> to(outputs, outputs + compiled->outputs);
    captured->runs.push_back({compiled, std::move(from), std::move(to)});
    return SLUICE_CUDA_OK;
  }
  return report(compiled->made->run(nullptr, inputs, outputs));
}

int capture_begin(sluice_cuda_lane* lane, void*) {
  if (lane->captured) return report(Outcome::failed("the lane captures already"));
  lane->captured.emplace();
  return SLUICE_CUDA_OK;
}

int capture_end(sluice_cuda_lane* lane, void*, sluice_cuda_graph** graph) {
  if (!lane->captured) return report(Outcome::failed("the lane does not capture"));
  *graph = new sluice_cuda_graph(std::move(*lane->captured));
  lane->captured.reset();
  return SLUICE_CUDA_OK;
}

int graph_launch(sluice_cuda_graph* graph, void*) {
  for (const sluice_cuda_graph::Run& run : graph->runs) {
    const Outcome outcome = run.compiled->made->run(nullptr, run.inputs.data(), run.outputs.data());
    if (!outcome.is_ok()) return report(outcome);
  }
  return SLUICE_CUDA_OK;
}

void graph_destroy(sluice_cuda_graph* graph) { delete graph; }

int check(const char*, const sluice_cuda_lane_options*, const sluice_cuda_op* op, char* name,
          size_t name_bytes) {
  const Made result = make_kernel(*op);
  if (!result.outcome.is_ok()) return report(result.outcome);
  std::snprintf(name, name_bytes, "%s", result.made->name());
  return SLUICE_CUDA_OK;
}

}  // namespace

const sluice_cuda_api& emulated_operators() {
  static const sluice_cuda_api api = [] {
    sluice_cuda_api table{};
    table.abi = SLUICE_CUDA_ABI;
    table.version = "emulated";
    table.last_error = [] { return error.c_str(); };
    table.lane_create = lane_create;
    table.lane_destroy = lane_destroy;
    table.compile = compile;
    table.compiled_destroy = compiled_destroy;
    table.compiled_name = compiled_name;
    table.run = run;
    table.capture_begin = capture_begin;
    table.capture_end = capture_end;
    table.graph_launch = graph_launch;
    table.graph_destroy = graph_destroy;
    table.check = check;
    return table;
  }();
  return api;
}

}  // namespace sluice::cuda
