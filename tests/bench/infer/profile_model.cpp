// Where the time of one model goes: the milliseconds of each step of its plan, on one thread.
//   profile_model MODEL.onnx 1,3,960,704 [ROUNDS [bf16]]
// Prints one line a step, in order: the median of its runs, its share, the algorithm and what it
// computes; then the sums by algorithm. Every input of the model gets the same shape, and small
// varied values; a step's time includes what it waits for the memory that the step before wrote.
#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/native/bound_plan.h"
#include "sluice/nodes/infer/native/native_model.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <sstream>

namespace {

using namespace sluice;
using namespace sluice::native;

[[noreturn]] void fail(const std::string& message) {
  std::fprintf(stderr, "profile_model: %s\n", message.c_str());
  std::exit(1);
}

template <class T>
T value_or_fail(Result<T> result) {
  if (!result) fail(result.status().message());
  return std::move(*result);
}

Tensor varied_tensor(DType dtype, const Shape& shape) {
  Tensor tensor = value_or_fail(Tensor::allocate(dtype, shape));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    if (dtype == DType::kF32) {
      tensor.data<float>()[i] = static_cast<float>(i * 2654435761u % 2048) / 1024.0f - 1.0f;
    } else if (dtype == DType::kI64) {
      tensor.data<std::int64_t>()[i] = i % 2;
    } else {
      fail("inputs have to be f32 or i64");
    }
  }
  return tensor;
}

std::vector<std::vector<double>> run_rounds(const Plan& plan, const BoundPlan& bound, int rounds) {
  std::vector<std::vector<double>> times(plan.steps.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      if (Status status = bound.run(plan.steps[i]); !status.is_ok()) fail(status.message());
      const auto end = std::chrono::steady_clock::now();
      times[i].push_back(std::chrono::duration<double, std::milli>(end - start).count());
    }
  }
  return times;
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

void print(const Plan& plan, const std::vector<std::vector<double>>& times) {
  std::map<std::string, double> by_algorithm;
  std::vector<double> medians;
  double total = 0.0;
  for (const auto& step : times) total += medians.emplace_back(median(step));
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    std::printf("%8.3f ms %5.1f %%  %-22s %s\n", medians[i], 100.0 * medians[i] / total,
                step.algorithm, step.origin.c_str());
    const std::string operation = step.origin.substr(0, step.origin.find(' '));
    by_algorithm[*step.algorithm ? step.algorithm : operation] += medians[i];
  }
  for (const auto& [name, ms] : by_algorithm) {
    std::printf("sum %8.3f ms %5.1f %%  %s\n", ms, 100.0 * ms / total, name.c_str());
  }
  std::printf("total %.3f ms in %zu steps, arena %zu kB\n", total, plan.steps.size(),
              plan.arena_bytes / 1024);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) fail("usage: profile_model MODEL.onnx 1,3,960,704 [ROUNDS [bf16]]");
  std::string dims = argv[2];
  std::replace(dims.begin(), dims.end(), ',', ' ');
  std::istringstream words(dims);
  Shape shape;
  for (std::int64_t dim = 0; words >> dim;) shape.push_back(dim);

  const Backend* native = find_backend("native");
  ModelOptions options;
  if (argc > 4 && std::string(argv[4]) == "bf16") options.precision = Precision::kBf16;
  const std::shared_ptr<const Model> loaded = value_or_fail(native->load(argv[1], options));
  const auto& model = static_cast<const NativeModel&>(*loaded);
  std::vector<Tensor> inputs;
  for (const ModelPort& port : model.inputs()) inputs.push_back(varied_tensor(port.dtype, shape));
  const std::shared_ptr<const Plan> plan = value_or_fail(model.plan_for(inputs));
  std::vector<Tensor> outputs;
  for (const Plan::Output& output : plan->outputs) {
    outputs.push_back(value_or_fail(Tensor::allocate(output.dtype, output.shape)));
  }
  const Buffer arena = value_or_fail(Buffer::allocate(plan->arena_bytes));
  std::vector<std::byte*> addresses;
  const BoundPlan bound(*plan, inputs, outputs, arena.data(), addresses);
  run_rounds(*plan, bound, 1);
  print(*plan, run_rounds(*plan, bound, argc > 3 ? std::stoi(argv[3]) : 9));
}
