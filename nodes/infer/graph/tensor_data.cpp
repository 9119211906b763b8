#include "sluice/nodes/infer/graph/tensor_data.h"

#include <charconv>
#include <cstring>
#include <filesystem>
#include <limits>

namespace sluice::graph {
namespace {

namespace fs = std::filesystem;

std::string label(const proto::Tensor& tensor) {
  return "tensor '" + std::string(tensor.name) + "'";
}

Status wrong(const proto::Tensor& tensor, const std::string& what) {
  return invalid("model.invalid", label(tensor) + " " + what);
}

Result<Shape> shape_of(const proto::Tensor& tensor, std::size_t element_bytes) {
  if (tensor.dims.size() > Shape::kMaxRank) {
    return unsupported("model.unsupported", label(tensor) + " has " +
                                                std::to_string(tensor.dims.size()) +
                                                " dimensions; at most 8 are supported");
  }
  // No extent is multiplied before it is known to fit, so that a forged file cannot overflow.
  std::int64_t room =
      std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(element_bytes);
  bool is_empty = false;
  for (std::int64_t dim : tensor.dims) {
    if (dim < 0) return wrong(tensor, "has the negative extent " + std::to_string(dim));
    is_empty = is_empty || dim == 0;
  }
  for (std::int64_t dim : tensor.dims) {
    if (is_empty) break;
    if (dim > room) return wrong(tensor, "is larger than memory");
    room /= dim;
  }
  return Shape(tensor.dims);
}

// The tensor over bytes of a mapped file, copied only when they are not aligned for their type.
Result<Tensor> from_bytes(std::string_view bytes, DType dtype, const Shape& shape,
                          std::shared_ptr<const MappedFile> owner) {
  const auto address = reinterpret_cast<std::uintptr_t>(bytes.data());
  if (!bytes.empty() && address % size_of(dtype) == 0) {
    auto* data = const_cast<char*>(bytes.data());
    return Tensor(dtype, shape,
                  Buffer::adopt(data, bytes.size(), MemoryKind::kHost, std::move(owner)));
  }
  Result<Tensor> copy = Tensor::allocate(dtype, shape);
  if (copy && !bytes.empty()) std::memcpy(copy->raw(), bytes.data(), bytes.size());
  return copy;
}

template <class To, class From>
void convert(const std::vector<From>& from, const Tensor& to) {
  To* out = reinterpret_cast<To*>(to.raw());
  for (std::size_t i = 0; i < from.size(); ++i) out[i] = static_cast<To>(from[i]);
}

// Elements that stand one by one in a field of the message.
Result<Tensor> from_elements(const proto::Tensor& tensor, DType dtype, const Shape& shape) {
  const std::size_t count = dtype == DType::kF32   ? tensor.floats.size()
                            : dtype == DType::kF64 ? tensor.doubles.size()
                                                   : tensor.integers.size();
  if (count != static_cast<std::size_t>(shape.elements())) {
    return wrong(tensor, "has " + std::to_string(count) + " elements, its shape " +
                             shape.to_string() + " needs " + std::to_string(shape.elements()));
  }
  Result<Tensor> made = Tensor::allocate(dtype, shape);
  if (!made || count == 0) return made;
  switch (dtype) {
    case DType::kF32:
      convert<float>(tensor.floats, *made);
      break;
    case DType::kF64:
      convert<double>(tensor.doubles, *made);
      break;
    case DType::kI64:
    case DType::kU64:
      convert<std::int64_t>(tensor.integers, *made);
      break;
    case DType::kI32:
    case DType::kU32:
      convert<std::int32_t>(tensor.integers, *made);
      break;
    case DType::kI16:
    case DType::kU16:
    case DType::kF16:
    case DType::kBF16:
      convert<std::int16_t>(tensor.integers, *made);
      break;
    case DType::kI8:
    case DType::kU8:
      convert<std::int8_t>(tensor.integers, *made);
      break;
    case DType::kBool:
      convert<bool>(tensor.integers, *made);
      break;
  }
  return made;
}

std::optional<std::size_t> to_size(std::string_view text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<DType> dtype_of(proto::DataType type) {
  switch (type) {
    case proto::DataType::kFloat:
      return DType::kF32;
    case proto::DataType::kUint8:
      return DType::kU8;
    case proto::DataType::kInt8:
      return DType::kI8;
    case proto::DataType::kUint16:
      return DType::kU16;
    case proto::DataType::kInt16:
      return DType::kI16;
    case proto::DataType::kInt32:
      return DType::kI32;
    case proto::DataType::kInt64:
      return DType::kI64;
    case proto::DataType::kBool:
      return DType::kBool;
    case proto::DataType::kFloat16:
      return DType::kF16;
    case proto::DataType::kDouble:
      return DType::kF64;
    case proto::DataType::kUint32:
      return DType::kU32;
    case proto::DataType::kUint64:
      return DType::kU64;
    case proto::DataType::kBfloat16:
      return DType::kBF16;
    default:
      return std::nullopt;
  }
}

Result<Tensor> TensorLoader::load(const proto::Tensor& tensor) const {
  const std::optional<DType> dtype = dtype_of(tensor.data_type);
  if (!dtype) {
    return unsupported("model.unsupported", label(tensor) + " has element type " +
                                                std::to_string(static_cast<int>(tensor.data_type)) +
                                                ", which is not supported");
  }
  const Result<Shape> shape = shape_of(tensor, size_of(*dtype));
  if (!shape) return shape.status();
  if (tensor.is_external) return load_external(tensor, *dtype, *shape);
  if (!tensor.raw) return from_elements(tensor, *dtype, *shape);

  const std::size_t needed = static_cast<std::size_t>(shape->elements()) * size_of(*dtype);
  if (tensor.raw->size() != needed) {
    return wrong(tensor, "has " + std::to_string(tensor.raw->size()) + " bytes, its shape " +
                             shape->to_string() + " needs " + std::to_string(needed));
  }
  if (*dtype == DType::kBool) {
    // A bool that is neither 0 nor 1 is undefined behaviour wherever it is read.
    for (char byte : *tensor.raw) {
      if (byte != 0 && byte != 1) return wrong(tensor, "has a bool that is neither 0 nor 1");
    }
  }
  return from_bytes(*tensor.raw, *dtype, *shape, file_);
}

Result<Tensor> TensorLoader::load_external(const proto::Tensor& tensor, DType dtype,
                                           const Shape& shape) const {
  std::string location;
  std::size_t offset = 0;
  const std::size_t needed = static_cast<std::size_t>(shape.elements()) * size_of(dtype);
  for (const proto::Entry& entry : tensor.external) {
    if (entry.key == "location") location = entry.value;
    if (entry.key == "offset" || entry.key == "length") {
      const std::optional<std::size_t> number = to_size(entry.value);
      if (!number)
        return wrong(tensor, "has an external " + std::string(entry.key) + " that is no number");
      if (entry.key == "offset") offset = *number;
      if (entry.key == "length" && *number != needed) {
        return wrong(tensor, "names " + std::to_string(*number) +
                                 " external bytes, its shape needs " + std::to_string(needed));
      }
    }
  }
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(fs::absolute(file_->path()).parent_path(), error);
  const fs::path target = fs::weakly_canonical(folder / location, error);
  const fs::path relative = target.lexically_relative(folder);
  if (error || location.empty() || fs::path(location).is_absolute() || relative.empty() ||
      *relative.begin() == "..") {
    return wrong(tensor, "keeps its data in '" + location +
                             "', which is not beneath the model's folder " + folder.string());
  }
  Result<std::shared_ptr<const MappedFile>> file = MappedFile::open(target.string());
  if (!file) return file.status().with_context(label(tensor));
  const std::span<const std::byte> bytes = (*file)->bytes();
  if (offset > bytes.size() || bytes.size() - offset < needed) {
    return wrong(tensor, "needs bytes " + std::to_string(offset) + " to " +
                             std::to_string(offset + needed) + " of " + target.string() +
                             ", which has " + std::to_string(bytes.size()));
  }
  const auto* begin = reinterpret_cast<const char*>(bytes.data()) + offset;
  return from_bytes({begin, needed}, dtype, shape, *file);
}

}  // namespace sluice::graph
