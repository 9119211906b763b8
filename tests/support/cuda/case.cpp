#include "tests/support/cuda/case.h"

#include "tests/support/cuda/reference.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <sstream>

namespace sluice::cuda {
namespace {

constexpr std::byte kUntouched{0xA5};

constexpr std::array<const char*, 13> kNames = {"f32", "f16", "bf16", "f64", "i8",  "i16", "i32",
                                                "i64", "u8",  "u16",  "u32", "u64", "bool"};
constexpr std::array<int, 13> kSizes = {4, 2, 2, 8, 1, 2, 4, 8, 1, 2, 4, 8, 1};

template <class T>
T read(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <class T>
void write(std::byte* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

double read_as(int type, const std::byte* from) {
  switch (type) {
    case SLUICE_CUDA_F32:
      return read<float>(from);
    case SLUICE_CUDA_F16:
      return __half2float(read<__half>(from));
    case SLUICE_CUDA_BF16:
      return __bfloat162float(read<__nv_bfloat16>(from));
    case SLUICE_CUDA_F64:
      return read<double>(from);
    case SLUICE_CUDA_I8:
      return read<std::int8_t>(from);
    case SLUICE_CUDA_I16:
      return read<std::int16_t>(from);
    case SLUICE_CUDA_I32:
      return read<std::int32_t>(from);
    case SLUICE_CUDA_I64:
      return static_cast<double>(read<std::int64_t>(from));
    case SLUICE_CUDA_U16:
      return read<std::uint16_t>(from);
    case SLUICE_CUDA_U32:
      return read<std::uint32_t>(from);
    case SLUICE_CUDA_U64:
      return static_cast<double>(read<std::uint64_t>(from));
    default:
      return read<std::uint8_t>(from);
  }
}

// The nearest whole number of the type to a value that is cut towards zero; 0 of NaN.
template <class T>
T cut(double value) {
  if (std::isnan(value)) return 0;
  if (value >= std::ldexp(1.0, std::numeric_limits<T>::digits))
    return std::numeric_limits<T>::max();
  if (value <= static_cast<double>(std::numeric_limits<T>::min()))
    return std::numeric_limits<T>::min();
  return static_cast<T>(value);
}

void write_as(int type, std::byte* to, double value) {
  switch (type) {
    case SLUICE_CUDA_F32:
      return write(to, static_cast<float>(value));
    case SLUICE_CUDA_F16:
      return write(to, __float2half(static_cast<float>(value)));
    case SLUICE_CUDA_BF16:
      return write(to, __float2bfloat16(static_cast<float>(value)));
    case SLUICE_CUDA_F64:
      return write(to, value);
    case SLUICE_CUDA_I8:
      return write(to, cut<std::int8_t>(value));
    case SLUICE_CUDA_I16:
      return write(to, cut<std::int16_t>(value));
    case SLUICE_CUDA_I32:
      return write(to, cut<std::int32_t>(value));
    case SLUICE_CUDA_I64:
      return write(to, cut<std::int64_t>(value));
    case SLUICE_CUDA_U8:
      return write(to, cut<std::uint8_t>(value));
    case SLUICE_CUDA_U16:
      return write(to, cut<std::uint16_t>(value));
    case SLUICE_CUDA_U32:
      return write(to, cut<std::uint32_t>(value));
    case SLUICE_CUDA_U64:
      return write(to, cut<std::uint64_t>(value));
    default:
      return write(to, static_cast<std::uint8_t>(value != 0 ? 1 : 0));
  }
}

std::int64_t elements(const sluice_cuda_view& view) {
  return std::accumulate(view.dims, view.dims + view.rank, std::int64_t{1}, std::multiplies<>());
}

}  // namespace

int size_of(int type) { return kSizes.at(static_cast<std::size_t>(type)); }
const char* name_of(int type) { return kNames.at(static_cast<std::size_t>(type)); }
bool is_float(int type) { return type <= SLUICE_CUDA_F64; }

sluice_cuda_view ordered(int type, const Extents& dims, const std::vector<int>& order) {
  sluice_cuda_view view{};
  view.type = type;
  view.rank = static_cast<int>(dims.size());
  std::copy(dims.begin(), dims.end(), view.dims);
  std::int64_t stride = 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    view.strides[*axis] = stride;
    stride *= view.dims[*axis];
  }
  return view;
}

sluice_cuda_view dense(int type, const Extents& dims) {
  std::vector<int> order(dims.size());
  std::iota(order.begin(), order.end(), 0);
  return ordered(type, dims, order);
}

sluice_cuda_view channels_last(int type, const Extents& dims) {
  std::vector<int> order = {0};
  for (int axis = 2; axis < static_cast<int>(dims.size()); ++axis) order.push_back(axis);
  order.push_back(1);
  return ordered(type, dims, order);
}

Block::Block(const sluice_cuda_view& view) : view_(view), count_(elements(view)) {
  std::int64_t least = 0, most = 0;
  for (int axis = 0; axis < view.rank; ++axis) {
    const std::int64_t reach = (view.dims[axis] - 1) * view.strides[axis];
    (reach < 0 ? least : most) += reach;
  }
  // Negative strides begin at a later element.
  view_.offset = std::max(view.offset, -least);
  const std::int64_t length = count_ == 0 ? 0 : view_.offset + most + 1;
  bytes_.assign(static_cast<std::size_t>(length * size_of(view.type)), kUntouched);
}

std::int64_t Block::offset_of(std::int64_t position) const {
  std::int64_t offset = view_.offset;
  for (int axis = view_.rank - 1; axis >= 0; --axis) {
    offset += position % view_.dims[axis] * view_.strides[axis];
    position /= view_.dims[axis];
  }
  return offset * size_of(view_.type);
}

double Block::get(std::int64_t position) const {
  return read_as(view_.type, bytes_.data() + offset_of(position));
}

void Block::set(std::int64_t position, double value) {
  write_as(view_.type, bytes_.data() + offset_of(position), value);
}

bool Block::is_intact() const {
  std::vector<bool> covered(bytes_.size());
  const auto size = static_cast<std::size_t>(size_of(view_.type));
  for (std::int64_t i = 0; i < count_; ++i) {
    const auto begin = static_cast<std::size_t>(offset_of(i));
    for (std::size_t byte = 0; byte < size; ++byte) covered[begin + byte] = true;
  }
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    if (!covered[i] && bytes_[i] != kUntouched) return false;
  }
  return true;
}

std::int64_t Dice::whole(std::int64_t least, std::int64_t most) {
  return least +
         static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
}

double Dice::real(double least, double most) {
  return least + (most - least) * static_cast<double>(engine_() >> 11) * 0x1p-53;
}

sluice_cuda_view scattered(int type, const Extents& dims, Dice& dice) {
  std::vector<int> order(dims.size());
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(dice.whole(0, static_cast<std::int64_t>(i) - 1))]);
  sluice_cuda_view view = ordered(type, dims, order);
  std::int64_t stride = dice.once_in(3) ? 2 : 1;
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    view.strides[*axis] = dice.once_in(4) ? -stride : stride;
    stride *= std::max<std::int64_t>(view.dims[*axis], 1);
    if (dice.once_in(3)) stride += dice.whole(1, 5);
  }
  view.offset = dice.whole(0, 5);
  return view;
}

sluice_cuda_view repeated(int type, const Extents& dims, Dice& dice) {
  sluice_cuda_view view = scattered(type, dims, dice);
  for (int axis = 0; axis < view.rank; ++axis) {
    if (dice.once_in(2)) view.strides[axis] = 0;
  }
  return view;
}

void Case::make(Dice& dice, double least, double most) {
  for (int i = 0; i < op.inputs; ++i) {
    Block& block = inputs.emplace_back(op.in[i]);
    op.in[i] = block.view();
    const int type = op.in[i].type;
    const bool is_signed = type >= SLUICE_CUDA_I8 && type <= SLUICE_CUDA_I64;
    for (std::int64_t k = 0; k < block.count(); ++k) {
      if (is_float(type))
        block.set(k, dice.real(least, most));
      else
        block.set(k, static_cast<double>(dice.whole(is_signed ? -5 : 0, 5)));
    }
  }
  for (int i = 0; i < op.outputs; ++i) {
    outputs.emplace_back(op.out[i]);
    op.out[i] = outputs.back().view();
  }
}

double bound_of(int type) {
  switch (type) {
    case SLUICE_CUDA_F32:
      return 1e-5;
    case SLUICE_CUDA_F16:
      return 5e-3;
    case SLUICE_CUDA_BF16:
      return 2e-2;
    case SLUICE_CUDA_F64:
      return 1e-12;
    default:
      return 0;
  }
}

namespace {

bool is_near(double actual, double expected, double bound) {
  if (std::isnan(expected)) return std::isnan(actual);
  if (actual == expected) return true;
  return std::abs(actual - expected) <= bound * std::max(1.0, std::abs(expected));
}

std::string compare(const Case& test, std::size_t output, const std::vector<double>& expected) {
  const Block& block = test.outputs[output];
  if (static_cast<std::int64_t>(expected.size()) != block.count())
    return "the reference is of another size";
  Block rounded(block.view());
  for (std::int64_t i = 0; i < block.count(); ++i) {
    rounded.set(i, expected[static_cast<std::size_t>(i)]);
    if (is_near(block.get(i), rounded.get(i), bound_of(block.view().type))) continue;
    std::ostringstream text;
    text.precision(9);
    text << "output " << output << " (" << name_of(block.view().type) << "), element " << i
         << " of " << block.count() << ": " << block.get(i) << ", expected " << rounded.get(i);
    return text.str();
  }
  return block.is_intact() ? "" : "bytes between the output's elements were written";
}

}  // namespace

std::string Case::check(const char* name) {
  const auto expected = reference(*this);
  std::string problem = run_case(*this, name);
  for (std::size_t i = 0; problem.empty() && i < outputs.size(); ++i)
    problem = compare(*this, i, expected.at(i));
  return problem;
}

}  // namespace sluice::cuda
