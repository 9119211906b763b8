#pragma once

#include "sluice/core/tensor.h"

#include <algorithm>
#include <vector>

namespace sluice::testing {

// A contiguous tensor of these values. REQUIRES: as many as the shape has elements.
template <class T>
Tensor tensor_of(const Shape& shape, const std::vector<T>& values) {
  Tensor tensor = *Tensor::allocate(dtype_of<T>(), shape);
  assert(static_cast<std::int64_t>(values.size()) == tensor.elements());
  std::copy(values.begin(), values.end(), tensor.data<T>());
  return tensor;
}

template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const auto values = tensor.span<T>();
  return {values.begin(), values.end()};
}

}  // namespace sluice::testing
