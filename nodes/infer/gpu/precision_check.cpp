#include "sluice/nodes/infer/gpu/precision_check.h"

#include "sluice/nodes/infer/gpu/gpu_program.h"
#include "sluice/nodes/infer/gpu/run_once.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

namespace sluice::gpu {
namespace {

// Networks over images mostly halve their input five times; those over text take anything.
constexpr std::array<std::int64_t, 4> kExtents{64, 32, 224, 320};

std::vector<Shape> shapes_with(const Model& model, std::int64_t extent) {
  std::vector<Shape> shapes;
  for (const ModelPort& port : model.inputs()) {
    Shape shape;
    for (std::size_t axis = 0; axis < port.dims.size(); ++axis) {
      const Dim& dim = port.dims[axis];
      shape.push_back(dim.is_static() ? dim.size : axis == 0 ? 1 : extent);
    }
    shapes.push_back(shape);
  }
  return shapes;
}

Result<Tensor> made_up(const ModelPort& port, const Shape& shape, std::mt19937& random) {
  Result<Tensor> tensor = Tensor::allocate(port.dtype, shape);
  if (!tensor) return tensor;
  std::memset(tensor->raw(), 0, tensor->size_bytes());
  if (port.dtype == DType::kF32) {
    std::uniform_real_distribution<float> number(-1.0F, 1.0F);
    for (float& x : tensor->span<float>()) x = number(random);
  } else if (port.dtype == DType::kI64) {
    for (std::int64_t& x : tensor->span<std::int64_t>()) x = 1;
  } else if (port.dtype == DType::kI32) {
    for (std::int32_t& x : tensor->span<std::int32_t>()) x = 1;
  }
  return tensor;
}

double error_of(const Tensor& got, const Tensor& expected) {
  double difference = 0, size = 0;
  for (std::int64_t i = 0; i < expected.elements(); ++i) {
    const double a = static_cast<double>(got.data<float>()[i]);
    const double b = static_cast<double>(expected.data<float>()[i]);
    if (!std::isfinite(a) && std::isfinite(b)) return std::numeric_limits<double>::infinity();
    if (!std::isfinite(b)) continue;
    difference += (a - b) * (a - b);
    size += b * b;
  }
  if (difference == 0) return 0;
  return size > 0 ? std::sqrt(difference / size) : std::numeric_limits<double>::infinity();
}

}  // namespace

std::vector<Tensor> made_up_inputs(const Model& model) {
  std::mt19937 random(1);
  for (const std::int64_t extent : kExtents) {
    const std::vector<Shape> shapes = shapes_with(model, extent);
    if (!model.output_shapes(shapes)) continue;
    std::vector<Tensor> inputs;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      Result<Tensor> input = made_up(model.inputs()[i], shapes[i], random);
      if (!input) return {};
      inputs.push_back(std::move(*input));
    }
    return inputs;
  }
  return {};
}

Result<PrecisionCheck> check_precision(const Model& cpu, std::shared_ptr<GpuModel> gpu) {
  const std::vector<Tensor> inputs = made_up_inputs(cpu);
  if (inputs.empty()) return PrecisionCheck{std::nullopt, "no inputs could be made up for it"};
  Result<std::unique_ptr<Session>> session = cpu.new_session();
  if (!session) return PrecisionCheck{std::nullopt, session.status().message()};
  const Result<std::span<Tensor>> expected = (*session)->run(inputs, nullptr);
  if (!expected) return PrecisionCheck{std::nullopt, expected.status().message()};

  Result<std::shared_ptr<DeviceProgram>> program = GpuProgram::create(gpu, "check", "");
  if (!program) return program.status();
  const Result<std::vector<Tensor>> got = run_once(gpu->device(), **program, inputs);
  if (!got) return got.status();
  double largest = 0;
  for (std::size_t i = 0; i < got->size(); ++i) {
    if ((*got)[i].dtype() != DType::kF32) continue;
    largest = std::max(largest, error_of((*got)[i], (*expected)[i]));
  }
  return PrecisionCheck{largest, {}};
}

}  // namespace sluice::gpu
