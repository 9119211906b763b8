#include "sluice/core/dlpack.h"

#include "sluice/core/cuda_plugin.h"
#include "sluice/core/cuda_ready.h"

#include <array>
#include <optional>

namespace sluice {
namespace {

constexpr std::int32_t kDeviceHost = 1;
constexpr std::int32_t kDeviceCuda = 2;
constexpr std::int32_t kDevicePinned = 3;

struct TypeCode {
  DType dtype;
  std::uint8_t code;
  std::uint8_t bits;
};
constexpr std::array<TypeCode, 13> kTypeCodes{{{DType::kI8, 0, 8},
                                               {DType::kI16, 0, 16},
                                               {DType::kI32, 0, 32},
                                               {DType::kI64, 0, 64},
                                               {DType::kU8, 1, 8},
                                               {DType::kU16, 1, 16},
                                               {DType::kU32, 1, 32},
                                               {DType::kU64, 1, 64},
                                               {DType::kF16, 2, 16},
                                               {DType::kF32, 2, 32},
                                               {DType::kF64, 2, 64},
                                               {DType::kBF16, 4, 16},
                                               {DType::kBool, 6, 8}}};

DLDataType to_dl(DType dtype) {
  for (const TypeCode& type : kTypeCodes) {
    if (type.dtype == dtype) return {type.code, type.bits, 1};
  }
  return {};
}

std::optional<DType> from_dl(DLDataType dl) {
  for (const TypeCode& type : kTypeCodes) {
    if (type.code == dl.code && type.bits == dl.bits && dl.lanes == 1) return type.dtype;
  }
  return std::nullopt;
}

std::int32_t device_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kHost:
      return kDeviceHost;
    case MemoryKind::kPinned:
      return kDevicePinned;
    case MemoryKind::kCuda:
      return kDeviceCuda;
  }
  return kDeviceHost;
}

// What an exported tensor's structs point into.
struct Exported {
  DLManagedTensor managed;
  Tensor tensor;
  Shape shape;
  Shape strides;
};

// Elements from the first to the last, both counted; none where the extents or strides are no
// tensor's, or their product passes what can be addressed.
std::optional<std::int64_t> elements_spanned(const Shape& shape, const Shape& strides) {
  constexpr std::int64_t kMost = std::int64_t{1} << 46;
  bool empty = false;
  std::int64_t last = 0;
  std::int64_t elements = 1;
  for (std::size_t axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 0 || strides[axis] < 0) return std::nullopt;
    if (shape[axis] == 0) {
      empty = true;
      continue;
    }
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(shape[axis] - 1, strides[axis], &reach) ||
        __builtin_add_overflow(last, reach, &last) || last > kMost ||
        __builtin_mul_overflow(elements, shape[axis], &elements) || elements > kMost) {
      return std::nullopt;
    }
  }
  return empty ? 0 : last + 1;
}

// Those given, or the row-major ones that their absence stands for.
Shape strides_of(const DLTensor& dl, const Shape& shape) {
  if (shape.rank() == 0) return {};
  if (dl.strides) return Shape(std::span<const std::int64_t>(dl.strides, shape.rank()));
  return row_major_strides(shape);
}

std::optional<MemoryKind> kind_of(std::int32_t device_type) {
  switch (device_type) {
    case kDeviceHost:
      return MemoryKind::kHost;
    case kDevicePinned:
      return MemoryKind::kPinned;
    case kDeviceCuda:
      return MemoryKind::kCuda;
    default:
      return std::nullopt;
  }
}

Result<Tensor> view_of(const DLTensor& dl, std::shared_ptr<const void> owner,
                       std::shared_ptr<const Event> ready) {
  const std::optional<MemoryKind> kind = kind_of(dl.device.device_type);
  if (!kind) {
    return unsupported("dlpack.device", "device type " + std::to_string(dl.device.device_type) +
                                            "; memory of the host or of a CUDA device is expected");
  }
  const std::optional<DType> dtype = from_dl(dl.dtype);
  if (!dtype) {
    return unsupported("dlpack.dtype", "element type " + std::to_string(dl.dtype.code) + " of " +
                                           std::to_string(dl.dtype.bits) + " bits and " +
                                           std::to_string(dl.dtype.lanes) + " lanes");
  }
  if (dl.ndim < 0 || dl.ndim > static_cast<std::int32_t>(Shape::kMaxRank)) {
    return unsupported("dlpack.shape",
                       std::to_string(dl.ndim) + " dimensions; 0 to 8 are possible");
  }

  const auto rank = static_cast<std::size_t>(dl.ndim);
  const Shape shape = rank == 0 ? Shape() : Shape(std::span<const std::int64_t>(dl.shape, rank));
  const Shape strides = strides_of(dl, shape);
  const std::optional<std::int64_t> elements = elements_spanned(shape, strides);
  if (!elements) {
    return invalid("dlpack.shape",
                   "extents " + shape.to_string() + " with strides " + strides.to_string());
  }
  auto* data = static_cast<std::byte*>(dl.data) + dl.byte_offset;
  if (reinterpret_cast<std::uintptr_t>(data) % size_of(*dtype) != 0) {
    return invalid("dlpack.shape", "the data is not aligned to its element type");
  }
  Buffer bytes = Buffer::adopt(data, static_cast<std::size_t>(*elements) * size_of(*dtype), *kind,
                               std::move(owner), dl.device.device_id, std::move(ready));
  return Tensor(*dtype, shape, strides, std::move(bytes), 0);
}

}  // namespace

DLManagedTensor* to_dlpack(const Tensor& tensor) {
  auto* exported = new Exported{{}, tensor, tensor.shape(), tensor.strides()};
  DLTensor& dl = exported->managed.dl_tensor;
  dl.data = tensor.raw();
  dl.device = {device_of(tensor.buffer().kind()), tensor.buffer().ordinal()};
  dl.ndim = static_cast<std::int32_t>(tensor.shape().rank());
  dl.dtype = to_dl(tensor.dtype());
  dl.shape = &exported->shape[0];
  dl.strides = &exported->strides[0];
  exported->managed.manager_ctx = exported;
  exported->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<Exported*>(self->manager_ctx);
  };
  return &exported->managed;
}

Result<DLManagedTensor*> to_dlpack(const Tensor& tensor, CUstream_st* reader) {
  if (const auto* ready = dynamic_cast<const CudaReady*>(tensor.buffer().ready())) {
    if (Status status = ready->hold_back(reader); !status.is_ok()) return status;
  }
  return to_dlpack(tensor);
}

namespace {

// Runs the deleter when the last user is gone.
Result<std::shared_ptr<const void>> owner_of(DLManagedTensor* managed) {
  if (!managed) return invalid("dlpack.shape", "no tensor given");
  return std::shared_ptr<const void>(managed, [](DLManagedTensor* tensor) {
    if (tensor->deleter) tensor->deleter(tensor);
  });
}

}  // namespace

Result<Tensor> from_dlpack(DLManagedTensor* managed) {
  Result<std::shared_ptr<const void>> owner = owner_of(managed);
  if (!owner) return owner.status();
  return view_of(managed->dl_tensor, std::move(*owner), nullptr);
}

Result<Tensor> from_dlpack(DLManagedTensor* managed, CUstream_st* writer) {
  if (!managed || managed->dl_tensor.device.device_type != kDeviceCuda) return from_dlpack(managed);
  const Result<const sluice_cuda_api*> cuda = cuda_plugin().api();
  if (cuda) return from_dlpack(managed, writer, **cuda);
  (void)owner_of(managed);
  return cuda.status();
}

Result<Tensor> from_dlpack(DLManagedTensor* managed, CUstream_st* writer,
                           const sluice_cuda_api& cuda) {
  Result<std::shared_ptr<const void>> owner = owner_of(managed);
  if (!owner) return owner.status();
  const DLDevice& device = managed->dl_tensor.device;
  if (device.device_type != kDeviceCuda) {
    return view_of(managed->dl_tensor, std::move(*owner), nullptr);
  }
  Result<std::shared_ptr<const CudaReady>> ready =
      CudaReady::record(cuda, device.device_id, writer);
  if (!ready) return ready.status();
  return view_of(managed->dl_tensor, std::move(*owner), std::move(*ready));
}

}  // namespace sluice
