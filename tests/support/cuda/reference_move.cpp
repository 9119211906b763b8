#include "tests/support/cuda/reference.h"

#include <cstring>

namespace sluice::cuda {
namespace {

// By walking, one step at a time. -1: outside.
std::int64_t walked(int mode, std::int64_t index, std::int64_t extent) {
  const auto inside = [&] { return index >= 0 && index < extent; };
  if (inside()) return index;
  if (mode == SLUICE_CUDA_PAD_CONSTANT) return -1;
  if (mode == SLUICE_CUDA_PAD_EDGE || extent == 1) return index < 0 ? 0 : extent - 1;
  while (!inside()) {
    if (mode == SLUICE_CUDA_PAD_WRAP)
      index += index < 0 ? extent : -extent;
    else
      index = index < 0 ? -index : 2 * (extent - 1) - index;
  }
  return index;
}

}  // namespace

std::vector<double> reference_copy(const Case& test) {
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i)
    result.push_back(test.inputs[0].get(i));
  return result;
}

std::vector<double> reference_pad(const Case& test) {
  const auto& pad = test.op.as.pad;
  const Extents in = dims_of(test.op.in[0]), out = dims_of(test.op.out[0]);
  Block value(dense(test.op.out[0].type, {1}));
  std::memcpy(value.pointer(), &pad.value, static_cast<std::size_t>(size_of(test.op.out[0].type)));
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    Extents at = indices_of(i, out);
    bool inside = true;
    for (std::size_t axis = 0; axis < at.size(); ++axis) {
      at[axis] = walked(pad.mode, at[axis] - pad.before[axis], in[axis]);
      inside = inside && at[axis] >= 0;
    }
    result.push_back(inside ? test.inputs[0].get(position_of(at, in)) : value.get(0));
  }
  return result;
}

std::vector<double> reference_gather(const Case& test) {
  const Extents in = dims_of(test.op.in[0]), out = dims_of(test.op.out[0]);
  std::vector<double> result;
  for (std::int64_t i = 0; i < test.outputs[0].count(); ++i) {
    Extents at = indices_of(i, out);
    auto index = static_cast<std::int64_t>(test.inputs[1].get(at[1]));
    if (index < 0) index += in[1];
    const bool inside = index >= 0 && index < in[1];
    at[1] = index;
    result.push_back(inside ? test.inputs[0].get(position_of(at, in)) : 0);
  }
  return result;
}

}  // namespace sluice::cuda
