#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/function.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

namespace sluice::cuda {
namespace {

struct Map {
  Space space;
  std::int32_t inputs, stages;
  std::int32_t inner;  // the axis along which packs lie
  Operand in[SLUICE_CUDA_MAX_OPERANDS];
  Operand out;
  sluice_cuda_stage stage[SLUICE_CUDA_MAX_STAGES];
};

// --- floats, eight neighbours a thread ----------------------------------------------------------

__device__ __forceinline__ void load_operand(const Map& map, const Operand& operand,
                                             std::int64_t position, float (&v)[kPack]) {
  const std::int64_t offset = map.space.offset(position, operand.strides);
  if (operand.strides[map.inner] != 0) return load_pack(operand.type, operand.data, offset, v);
  const float value = load_float(operand.type, operand.data, offset);
#pragma unroll
  for (int i = 0; i < kPack; ++i) v[i] = value;
}

// Positions count packs: along the inner axis the strides are those of packs.
__global__ void map_packs(const __grid_constant__ Map map) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < map.space.count;
       i += step) {
    float v[kPack], other[kPack];
    load_operand(map, map.in[0], i, v);
    for (int s = 0; s < map.stages; ++s) {
      const sluice_cuda_stage& stage = map.stage[s];
      if (stage.kind == SLUICE_CUDA_STAGE_UNARY) {
        activate(stage.activation, v);
        continue;
      }
      load_operand(map, map.in[stage.operand], i, other);
      if (stage.kind == SLUICE_CUDA_STAGE_BINARY) {
        apply_binary(stage.function, stage.reversed != 0, v, other);
        continue;
      }
      float otherwise[kPack];
      load_operand(map, map.in[stage.other], i, otherwise);
#pragma unroll
      for (int k = 0; k < kPack; ++k) v[k] = other[k] != 0.0f ? v[k] : otherwise[k];
    }
    store_pack(map.out.type, map.out.data, map.space.offset(i, map.out.strides), v);
  }
}

// --- anything, one element a thread --------------------------------------------------------------

template <class C>
__device__ __forceinline__ C loaded(const Map& map, int input, std::int64_t position) {
  const Operand& operand = map.in[input];
  return load_as<C>(operand.type, operand.data, map.space.offset(position, operand.strides));
}

template <class C>
__device__ __forceinline__ void unary_stage(const sluice_cuda_activation& activation, C (&v)[1]) {
  if (activation.function < 0) return;
  const C alpha = activation.alpha, beta = activation.beta;
  apply_function(activation.function, alpha, beta, v);
  apply_rare(activation.function, v);
  if (activation.scale != 1.0f || activation.shift != 0.0f)
    v[0] = static_cast<C>(activation.scale) * v[0] + static_cast<C>(activation.shift);
}

// Those of whole numbers: is_whole() says which.
__device__ inline void unary_stage(const sluice_cuda_activation& activation, std::int64_t (&v)[1]) {
  const std::int64_t x = v[0];
  switch (activation.function) {
    case SLUICE_CUDA_RELU:
      v[0] = x < 0 ? 0 : x;
      break;
    case SLUICE_CUDA_CLIP:
      v[0] = clip(x, to_integer<std::int64_t>(activation.alpha),
                  to_integer<std::int64_t>(activation.beta));
      break;
    case SLUICE_CUDA_NEG:
      v[0] = static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x));
      break;
    case SLUICE_CUDA_ABS:
      v[0] = x < 0 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x)) : x;
      break;
    case SLUICE_CUDA_SIGN:
      v[0] = (x > 0 ? 1 : 0) - (x < 0 ? 1 : 0);
      break;
    case SLUICE_CUDA_NOT:
      v[0] = x == 0 ? 1 : 0;
      break;
    default:  // rounded they are already
      break;
  }
}

bool is_whole(const sluice_cuda_activation& activation) {
  switch (activation.function) {
    case SLUICE_CUDA_RELU:
    case SLUICE_CUDA_CLIP:
    case SLUICE_CUDA_NEG:
    case SLUICE_CUDA_ABS:
    case SLUICE_CUDA_FLOOR:
    case SLUICE_CUDA_CEIL:
    case SLUICE_CUDA_ROUND:
    case SLUICE_CUDA_SIGN:
    case SLUICE_CUDA_NOT:
      return activation.scale == 1.0f && activation.shift == 0.0f;
    default:
      return activation.function < 0;
  }
}

template <class C>
__device__ __forceinline__ void binary_stage(int function, bool reversed, C (&v)[1],
                                             const C (&other)[1]) {
  apply_binary(function, reversed, v, other);
}

__device__ inline std::int64_t power(std::int64_t base, std::int64_t exponent) {
  if (exponent < 0) {
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
    return base == 1 ? 1 : 0;
  }
  std::uint64_t result = 1, square = static_cast<std::uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, square *= square) {
    if (exponent & 1) result *= square;
  }
  return static_cast<std::int64_t>(result);
}

__device__ inline std::int64_t quotient(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  return b == -1 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a)) : a / b;
}

__device__ inline std::int64_t remainder_of(std::int64_t a, std::int64_t b, bool of_divisor) {
  if (b == 0 || b == -1) return 0;
  const std::int64_t rest = a % b;
  return of_divisor && rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

// Sums and products wrap.
__device__ inline std::int64_t whole_binary(int function, std::int64_t a, std::int64_t b) {
  const auto x = static_cast<std::uint64_t>(a), y = static_cast<std::uint64_t>(b);
  switch (function) {
    case SLUICE_CUDA_ADD:
      return static_cast<std::int64_t>(x + y);
    case SLUICE_CUDA_SUB:
      return static_cast<std::int64_t>(x - y);
    case SLUICE_CUDA_MUL:
      return static_cast<std::int64_t>(x * y);
    case SLUICE_CUDA_DIV:
      return quotient(a, b);
    case SLUICE_CUDA_POW:
      return power(a, b);
    case SLUICE_CUDA_MIN:
      return a < b ? a : b;
    case SLUICE_CUDA_MAX:
      return a > b ? a : b;
    case SLUICE_CUDA_MOD:
      return remainder_of(a, b, true);
    case SLUICE_CUDA_FMOD:
      return remainder_of(a, b, false);
    case SLUICE_CUDA_PRELU:
      return a < 0 ? static_cast<std::int64_t>(x * y) : a;
    case SLUICE_CUDA_AND:
      return a != 0 && b != 0;
    case SLUICE_CUDA_OR:
      return a != 0 || b != 0;
    case SLUICE_CUDA_XOR:
      return (a != 0) != (b != 0);
    case SLUICE_CUDA_EQUAL:
      return a == b;
    case SLUICE_CUDA_LESS:
      return a < b;
    case SLUICE_CUDA_LESS_OR_EQUAL:
      return a <= b;
    case SLUICE_CUDA_GREATER:
      return a > b;
    default:
      return a >= b;
  }
}

__device__ inline void binary_stage(int function, bool reversed, std::int64_t (&v)[1],
                                    const std::int64_t (&other)[1]) {
  v[0] = reversed ? whole_binary(function, other[0], v[0]) : whole_binary(function, v[0], other[0]);
}

template <class C>
__global__ void map_elements(const __grid_constant__ Map map) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < map.space.count;
       i += step) {
    C v[1] = {loaded<C>(map, 0, i)};
    for (int s = 0; s < map.stages; ++s) {
      const sluice_cuda_stage& stage = map.stage[s];
      if (stage.kind == SLUICE_CUDA_STAGE_UNARY) {
        unary_stage(stage.activation, v);
        continue;
      }
      const C other[1] = {loaded<C>(map, stage.operand, i)};
      if (stage.kind == SLUICE_CUDA_STAGE_BINARY) {
        binary_stage(stage.function, stage.reversed != 0, v, other);
      } else if (other[0] == C(0)) {
        v[0] = loaded<C>(map, stage.other, i);
      }
    }
    store_as<C>(map.out.type, map.out.data, map.space.offset(i, map.out.strides), v[0]);
  }
}

// --- which of them -------------------------------------------------------------------------------

const char* why_not(const sluice_cuda_op& op) {
  const auto& map = op.as.map;
  if (map.stages < 0 || map.stages > SLUICE_CUDA_MAX_STAGES) return "too many stages";
  for (int s = 0; s < map.stages; ++s) {
    const sluice_cuda_stage& stage = map.stage[s];
    if (stage.kind == SLUICE_CUDA_STAGE_UNARY) {
      if (map.compute == SLUICE_CUDA_COMPUTE_I64 && !is_whole(stage.activation))
        return "a function of whole numbers that is none";
      continue;
    }
    if (stage.operand < 0 || stage.operand >= op.inputs) return "a stage names no operand";
    const bool selects = stage.kind == SLUICE_CUDA_STAGE_SELECT;
    if (selects && (stage.other < 0 || stage.other >= op.inputs)) return "a stage names no operand";
  }
  return nullptr;
}

// Whether the views can go by packs if their addresses are aligned, too.
bool can_pack(const sluice_cuda_op& op, const Map& map, int innermost) {
  if (op.as.map.compute != SLUICE_CUDA_COMPUTE_F32 || map.space.rank == 0) return false;
  for (int s = 0; s < map.stages; ++s) {
    if (map.stage[s].kind == SLUICE_CUDA_STAGE_UNARY && has_rare(map.stage[s].activation))
      return false;
  }
  const auto fits = [&](const Operand& operand, bool may_repeat) {
    const std::int64_t stride = operand.strides[innermost];
    return is_small_float(operand.type) && (stride == 1 || (may_repeat && stride == 0));
  };
  for (int i = 0; i < map.inputs; ++i) {
    if (!fits(map.in[i], true)) return false;
  }
  return fits(map.out, false) && map.space.dims[innermost] % kPack == 0;
}

Map in_packs(Map map, int innermost) {
  std::int64_t dims[kMaxRank];
  std::copy(map.space.dims, map.space.dims + map.space.rank, dims);
  dims[innermost] /= kPack;
  map.space = Space(dims, map.space.rank);
  map.inner = innermost;
  for (int i = 0; i < map.inputs; ++i) map.in[i].strides[innermost] *= kPack;
  map.out.strides[innermost] *= kPack;
  return map;
}

bool are_aligned(const Map& map) {
  const auto aligned = [&](const Operand& operand) {
    return operand.strides[map.inner] == 0 ||
           is_aligned(operand.data, bytes_of(operand.type), operand.strides, map.space.rank,
                      map.inner, kPack);
  };
  return std::all_of(map.in, map.in + map.inputs, aligned) && aligned(map.out);
}

Map describe(const sluice_cuda_op& op) {
  const sluice_cuda_view* views[SLUICE_CUDA_MAX_OPERANDS + 1] = {&op.out[0]};
  for (int i = 0; i < op.inputs; ++i) views[i + 1] = &op.in[i];
  const Collapsed collapsed = collapse(views, op.inputs + 1, Order::kOfMemory);
  Map map{};
  map.space = collapsed.space();
  map.inputs = op.inputs;
  map.stages = op.as.map.stages;
  std::copy(op.as.map.stage, op.as.map.stage + map.stages, map.stage);
  const auto operand = [&](const sluice_cuda_view& view, const std::int64_t* strides) {
    Operand result;
    result.type = view.type;
    std::copy(strides, strides + kMaxRank, result.strides);
    return result;
  };
  for (int i = 0; i < op.inputs; ++i) map.in[i] = operand(op.in[i], collapsed.strides[i + 1]);
  map.out = operand(op.out[0], collapsed.strides[0]);
  return map;
}

struct Views {
  sluice_cuda_view in[SLUICE_CUDA_MAX_OPERANDS], out;
};

void point(Map& map, const Views& views, const void* const* inputs, void* const* outputs) {
  for (int i = 0; i < map.inputs; ++i) map.in[i].data = at(inputs[i], views.in[i]);
  map.out.data = at(outputs[0], views.out);
}

Outcome run_elements(const Map& map, int compute, CUstream_st* stream) {
  const Grid grid = grid_for(map.space.count);
  switch (compute) {
    case SLUICE_CUDA_COMPUTE_F64:
      return launch(map_elements<double>, Threads::kAlone, grid, stream, map);
    case SLUICE_CUDA_COMPUTE_I64:
      return launch(map_elements<std::int64_t>, Threads::kAlone, grid, stream, map);
    default:
      return launch(map_elements<float>, Threads::kAlone, grid, stream, map);
  }
}

}  // namespace

Made make_map(const sluice_cuda_op& op) {
  if (const char* const reason = why_not(op)) return no_kernel(reason);
  Map map = describe(op);
  Views views{};
  std::copy(op.in, op.in + op.inputs, views.in);
  views.out = op.out[0];
  const int compute = op.as.map.compute;
  const int innermost = map.space.rank - 1;
  if (!can_pack(op, map, innermost)) {
    return made("kernel map", [map, views, compute](CUstream_st* stream, const void* const* inputs,
                                                    void* const* outputs) mutable {
      point(map, views, inputs, outputs);
      return run_elements(map, compute, stream);
    });
  }
  Map packs = in_packs(map, innermost);
  return made("kernel map packs", [map, packs, views, compute](CUstream_st* stream,
                                                               const void* const* inputs,
                                                               void* const* outputs) mutable {
    point(packs, views, inputs, outputs);
    if (are_aligned(packs))
      return launch(map_packs, Threads::kAlone, grid_for(packs.space.count), stream, packs);
    point(map, views, inputs, outputs);
    return run_elements(map, compute, stream);
  });
}

}  // namespace sluice::cuda
