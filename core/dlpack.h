#pragma once

#include <cstdint>

#include "sluice/core/tensor.h"

// The exchange structs of DLPack 0.8, laid out as https://dmlc.github.io/dlpack/latest/c_api.html
// describes them, so that tensors pass to and from other libraries without a copy.
extern "C" {
struct DLDevice {
  std::int32_t device_type;  // 1 host, 2 CUDA, 3 pinned host
  std::int32_t device_id;
};
struct DLDataType {
  std::uint8_t code;  // 0 int, 1 unsigned, 2 float, 4 bfloat, 6 bool
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements; null: contiguous
  std::uint64_t byte_offset;
};
struct DLManagedTensor {
  DLTensor dl_tensor;
  void* manager_ctx;
  void (*deleter)(DLManagedTensor* self);
};
}

namespace sluice {

// Shares a tensor's bytes. The caller owns the result and calls its deleter once.
DLManagedTensor* to_dlpack(const Tensor& tensor);

// Takes over `managed`; its deleter runs when the last tensor that shares the bytes is gone, and at
// once on an error. Errors: dlpack.device for memory that is not the host's; dlpack.dtype; dlpack.shape.
Result<Tensor> from_dlpack(DLManagedTensor* managed);

}  // namespace sluice
