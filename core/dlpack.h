#pragma once

#include "sluice/core/tensor.h"

#include <cstdint>

struct CUstream_st;      // what CUDA's cudaStream_t points to
struct sluice_cuda_api;  // cuda_abi.h

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

// Shares a tensor's bytes. The caller owns the result and calls its deleter once. A tensor that a
// pipeline gives has been written by then, wherever it lies.
DLManagedTensor* to_dlpack(const Tensor& tensor);
// The same for a reader that uses it on a stream of CUDA's, of any GPU: what the stream is given
// from here on starts once the tensor has been written. Never waits. Errors: those of the device.
Result<DLManagedTensor*> to_dlpack(const Tensor& tensor, CUstream_st* reader);

// Takes over `managed`; its deleter runs when the last tensor that shares the bytes is gone, and at
// once on an error. What is in a GPU's memory has been written by then.
// Errors: dlpack.device for other memory than the host's and that of GPUs; dlpack.dtype;
// dlpack.shape.
Result<Tensor> from_dlpack(DLManagedTensor* managed);
// The same for what `writer`, a stream of its GPU, is still to write with what it has been given so
// far (null: the default stream). Whoever reads the tensor on a device starts after that.
// Errors: also device.unavailable, and those of the device. Blocks: for the first of a process,
// while what knows CUDA is loaded.
Result<Tensor> from_dlpack(DLManagedTensor* managed, CUstream_st* writer);
// By a table that is there already.
Result<Tensor> from_dlpack(DLManagedTensor* managed, CUstream_st* writer,
                           const sluice_cuda_api& cuda);

}  // namespace sluice
