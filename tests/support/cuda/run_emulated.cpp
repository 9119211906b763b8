#include "tests/support/cuda/case.h"
#include "tests/support/cuda/emulated_operators.h"

namespace sluice::cuda {

std::string run_case(Case& test, const char* name) {
  const sluice_cuda_api& api = emulated_operators();
  sluice_cuda_lane* lane = nullptr;
  api.lane_create(0, nullptr, &lane);
  sluice_cuda_compiled* compiled = nullptr;
  std::string problem;
  if (api.compile(lane, &test.op, &compiled) != SLUICE_CUDA_OK) {
    problem = api.last_error();
  } else {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    for (Block& block : test.inputs) inputs.push_back(block.pointer());
    for (Block& block : test.outputs) outputs.push_back(block.pointer());
    const std::string chosen = api.compiled_name(compiled);
    if (name && chosen != name)
      problem = "chosen was " + chosen;
    else if (api.run(compiled, nullptr, inputs.data(), outputs.data()) != SLUICE_CUDA_OK)
      problem = api.last_error();
    api.compiled_destroy(compiled);
  }
  api.lane_destroy(lane);
  return problem;
}

}  // namespace sluice::cuda
