#include "sluice/nodes/infer/session_inputs.h"

#include "sluice/nodes/infer/graph/resolve.h"

#include <cstring>

namespace sluice {
namespace {

Status misfit(const std::string& what) { return invalid("infer.shape", what); }

std::string declared(const ModelPort& port) {
  std::string text = "[";
  for (const Dim& dim : port.dims) text += (text.size() > 1 ? "," : "") + dim.to_string();
  return text + "]";
}

// The elements in row-major order, copied into a tensor of their own.
Result<Tensor> contiguous(const Tensor& from, const std::shared_ptr<MemoryBudget>& budget) {
  Result<Tensor> made = Tensor::allocate(from.dtype(), from.shape(), budget);
  if (!made) return made;
  const std::size_t bytes = size_of(from.dtype());
  const Shape& shape = from.shape();
  Shape position = shape;
  for (std::size_t i = 0; i < shape.rank(); ++i) position[i] = 0;
  std::byte* to = made->raw();
  for (std::int64_t n = from.elements(); n > 0; --n, to += bytes) {
    std::int64_t offset = 0;
    for (std::size_t i = 0; i < shape.rank(); ++i) offset += position[i] * from.strides()[i];
    std::memcpy(to, from.raw() + offset * static_cast<std::int64_t>(bytes), bytes);
    for (std::size_t i = shape.rank(); i-- > 0;) {
      if (++position[i] < shape[i]) break;
      position[i] = 0;
    }
  }
  return made;
}

}  // namespace

Status check_shapes(std::span<const ModelPort> ports, std::span<const Shape> inputs,
                    std::span<const char> is_read) {
  if (inputs.size() != ports.size()) {
    return misfit("the model has " + std::to_string(ports.size()) + " inputs, " +
                  std::to_string(inputs.size()) + " were given");
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (const Result<Shape> valid = graph::checked(inputs[i]); !valid) return valid.status();
    // A port without dimensions is a scalar or undeclared: files do not tell the two apart well.
    if (ports[i].dims.empty() || (!is_read.empty() && !is_read[i])) continue;
    bool fits = inputs[i].rank() == ports[i].dims.size();
    for (std::size_t axis = 0; fits && axis < ports[i].dims.size(); ++axis) {
      const Dim& dim = ports[i].dims[axis];
      fits = !dim.is_static() || dim.size == inputs[i][axis];
    }
    if (!fits) {
      return misfit("input '" + ports[i].name + "' takes " + declared(ports[i]) + ", " +
                    inputs[i].to_string() + " was given");
    }
  }
  return Status::ok();
}

Result<Tensor> contiguous_input(const ModelPort& port, const Tensor& given,
                                const std::shared_ptr<MemoryBudget>& budget) {
  if (given.dtype() != port.dtype) {
    return misfit("input '" + port.name + "' takes " + std::string(to_string(port.dtype)) + ", " +
                  std::string(to_string(given.dtype())) + " was given");
  }
  if (given.is_contiguous()) return given;
  return contiguous(given, budget);
}

}  // namespace sluice
