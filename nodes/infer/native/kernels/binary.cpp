#include "sluice/nodes/infer/native/kernels/broadcast.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"
#include "sluice/nodes/infer/native/kernels/target.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <type_traits>

namespace sluice::kernels {
namespace {

struct Add {
  template <class T>
  static T of(T a, T b) {
    return a + b;
  }
};
struct Sub {
  template <class T>
  static T of(T a, T b) {
    return a - b;
  }
};
struct Mul {
  template <class T>
  static T of(T a, T b) {
    return a * b;
  }
};
struct Div {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) return 0;
      if (b == -1) return static_cast<T>(0 - static_cast<std::make_unsigned_t<T>>(a));
    }
    return a / b;
  }
};
// A NaN on either side wins.
struct Min {
  template <class T>
  static T of(T a, T b) {
    return a < b || a != a ? a : b;
  }
};
struct Max {
  template <class T>
  static T of(T a, T b) {
    return a > b || a != a ? a : b;
  }
};
struct PRelu {
  template <class T>
  static T of(T a, T b) {
    return a < 0 ? a * b : a;
  }
};
struct Pow {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return static_cast<T>(std::pow(static_cast<double>(a), static_cast<double>(b)));
    } else {
      return std::pow(a, b);
    }
  }
};
struct Fmod {
  template <class T>
  static T of(T a, T b) {
    if constexpr (std::is_integral_v<T>) {
      return b == 0 || b == -1 ? 0 : a % b;
    } else {
      return std::fmod(a, b);
    }
  }
};
struct Mod {
  template <class T>
  static T of(T a, T b) {
    const T rest = Fmod::of(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
  }
};
struct Square {
  template <class T>
  static T of(T a, T) {
    return a * a;
  }
};
struct Cube {
  template <class T>
  static T of(T a, T) {
    return a * a * a;
  }
};
struct Root {
  template <class T>
  static T of(T a, T) {
    return std::sqrt(a);
  }
};

struct Equal {
  template <class T>
  static bool of(T a, T b) {
    return a == b;
  }
};
struct Less {
  template <class T>
  static bool of(T a, T b) {
    return a < b;
  }
};
struct LessOrEqual {
  template <class T>
  static bool of(T a, T b) {
    return a <= b;
  }
};
struct Greater {
  template <class T>
  static bool of(T a, T b) {
    return a > b;
  }
};
struct GreaterOrEqual {
  template <class T>
  static bool of(T a, T b) {
    return a >= b;
  }
};
struct And {
  static bool of(bool a, bool b) { return a && b; }
};
struct Or {
  static bool of(bool a, bool b) { return a || b; }
};
struct Xor {
  static bool of(bool a, bool b) { return a != b; }
};

// An operand of a row: its first element, and whether it is the same for the whole row.
template <class T>
struct Operand {
  const T* data;
  bool repeats;
};

// Left to the compiler to vectorise for the target of whoever inlines it.
template <class Op, class T, class R>
__attribute__((always_inline)) inline void row(std::int64_t count, Operand<T> a, Operand<T> b,
                                               R* output) {
  if (a.repeats) {
    const T x = a.data[0];
    if (b.repeats) {
      std::fill_n(output, count, Op::of(x, b.data[0]));
    } else {
      for (std::int64_t i = 0; i < count; ++i) output[i] = Op::of(x, b.data[i]);
    }
  } else if (b.repeats) {
    const T y = b.data[0];
    for (std::int64_t i = 0; i < count; ++i) output[i] = Op::of(a.data[i], y);
  } else {
    for (std::int64_t i = 0; i < count; ++i) output[i] = Op::of(a.data[i], b.data[i]);
  }
}

template <class Op, class T, class R>
void row_portable(std::int64_t count, Operand<T> a, Operand<T> b, R* output) {
  row<Op>(count, a, b, output);
}

#if SLUICE_HAVE_AVX2
template <class Op, class T, class R>
SLUICE_AVX2 void row_avx2(std::int64_t count, Operand<T> a, Operand<T> b, R* output) {
  row<Op>(count, a, b, output);
}
#endif

// The shape that two shapes broadcast to, without allocating.
struct BroadcastShape {
  std::array<std::int64_t, kMaxRank> extents{};
  std::size_t rank = 0;
  operator Dims() const { return {extents.data(), rank}; }
};

BroadcastShape broadcast_shape(Dims a, Dims b) {
  BroadcastShape shape;
  shape.rank = std::max(a.size(), b.size());
  assert(shape.rank <= kMaxRank);
  for (std::size_t back = 1; back <= shape.rank; ++back) {
    const std::int64_t x = back <= a.size() ? a[a.size() - back] : 1;
    const std::int64_t y = back <= b.size() ? b[b.size() - back] : 1;
    assert(x == y || x == 1 || y == 1);
    shape.extents[shape.rank - back] = x == 1 ? y : x;
  }
  return shape;
}

template <class Op, class T, class R>
void run(Dims a_dims, const T* a, Dims b_dims, const T* b, R* output) {
  const Broadcast<2> walk(broadcast_shape(a_dims, b_dims), {a_dims, b_dims});
  const std::int64_t count = walk.inner();
  const bool a_repeats = walk.strides[0][walk.rank - 1] == 0,
             b_repeats = walk.strides[1][walk.rank - 1] == 0;
  void (*run_row)(std::int64_t, Operand<T>, Operand<T>, R*) = row_portable<Op, T, R>;
#if SLUICE_HAVE_AVX2
  if (isa() >= Isa::kAvx2) run_row = row_avx2<Op, T, R>;
#endif
  walk.for_each_row([&](const std::array<std::int64_t, 2>& offsets) {
    run_row(count, {a + offsets[0], a_repeats}, {b + offsets[1], b_repeats}, output);
    output += count;
  });
}

// The exponents that models use are few, and std::pow is slow.
template <class T>
void power(Dims a_dims, const T* a, Dims b_dims, const T* b, T* output) {
  if constexpr (std::is_floating_point_v<T>) {
    if (element_count(b_dims) == 1) {
      if (*b == T(2)) return run<Square>(a_dims, a, b_dims, b, output);
      if (*b == T(3)) return run<Cube>(a_dims, a, b_dims, b, output);
      // pow(-0, 0.5) and pow(-inf, 0.5) are +0 and +inf where sqrt gives -0 and NaN; models do not
      // rely on it.
      if (*b == T(0.5)) return run<Root>(a_dims, a, b_dims, b, output);
    }
  }
  run<Pow>(a_dims, a, b_dims, b, output);
}

}  // namespace

template <class T>
void binary(Binary fn, Dims a_dims, const T* a, Dims b_dims, const T* b, T* output) {
  switch (fn) {
    case Binary::kAdd:
      return run<Add>(a_dims, a, b_dims, b, output);
    case Binary::kSub:
      return run<Sub>(a_dims, a, b_dims, b, output);
    case Binary::kMul:
      return run<Mul>(a_dims, a, b_dims, b, output);
    case Binary::kDiv:
      return run<Div>(a_dims, a, b_dims, b, output);
    case Binary::kPow:
      return power(a_dims, a, b_dims, b, output);
    case Binary::kMin:
      return run<Min>(a_dims, a, b_dims, b, output);
    case Binary::kMax:
      return run<Max>(a_dims, a, b_dims, b, output);
    case Binary::kPRelu:
      return run<PRelu>(a_dims, a, b_dims, b, output);
    case Binary::kMod:
      return run<Mod>(a_dims, a, b_dims, b, output);
    case Binary::kFmod:
      return run<Fmod>(a_dims, a, b_dims, b, output);
  }
}

template <class T>
void compare(Compare fn, Dims a_dims, const T* a, Dims b_dims, const T* b, bool* output) {
  switch (fn) {
    case Compare::kEqual:
      return run<Equal>(a_dims, a, b_dims, b, output);
    case Compare::kLess:
      return run<Less>(a_dims, a, b_dims, b, output);
    case Compare::kLessOrEqual:
      return run<LessOrEqual>(a_dims, a, b_dims, b, output);
    case Compare::kGreater:
      return run<Greater>(a_dims, a, b_dims, b, output);
    case Compare::kGreaterOrEqual:
      return run<GreaterOrEqual>(a_dims, a, b_dims, b, output);
  }
}

void logical(Logical fn, Dims a_dims, const bool* a, Dims b_dims, const bool* b, bool* output) {
  switch (fn) {
    case Logical::kAnd:
      return run<And>(a_dims, a, b_dims, b, output);
    case Logical::kOr:
      return run<Or>(a_dims, a, b_dims, b, output);
    case Logical::kXor:
      return run<Xor>(a_dims, a, b_dims, b, output);
  }
}

template void binary(Binary, Dims, const float*, Dims, const float*, float*);
template void binary(Binary, Dims, const double*, Dims, const double*, double*);
template void binary(Binary, Dims, const std::int64_t*, Dims, const std::int64_t*, std::int64_t*);
template void binary(Binary, Dims, const std::int32_t*, Dims, const std::int32_t*, std::int32_t*);
template void compare(Compare, Dims, const float*, Dims, const float*, bool*);
template void compare(Compare, Dims, const double*, Dims, const double*, bool*);
template void compare(Compare, Dims, const std::int64_t*, Dims, const std::int64_t*, bool*);
template void compare(Compare, Dims, const std::int32_t*, Dims, const std::int32_t*, bool*);
template void compare(Compare, Dims, const bool*, Dims, const bool*, bool*);

namespace {

template <class T>
void where_of(const WhereParams& params, const bool* condition, const void* a, const void* b,
              void* output) {
  const Broadcast<3> walk(params.out_dims, {params.condition_dims, params.a_dims, params.b_dims});
  const std::size_t inner = walk.rank - 1;
  const std::int64_t count = walk.inner(), c_step = walk.strides[0][inner],
                     a_step = walk.strides[1][inner], b_step = walk.strides[2][inner];
  auto* to = static_cast<T*>(output);
  walk.for_each_row([&](const std::array<std::int64_t, 3>& offsets) {
    const bool* choose = condition + offsets[0];
    const T* x = static_cast<const T*>(a) + offsets[1];
    const T* y = static_cast<const T*>(b) + offsets[2];
    for (std::int64_t i = 0; i < count; ++i)
      *to++ = choose[i * c_step] ? x[i * a_step] : y[i * b_step];
  });
}

}  // namespace

void where(const WhereParams& params, const bool* condition, const void* a, const void* b,
           void* output) {
  switch (params.element_bytes) {
    case 1:
      return where_of<std::uint8_t>(params, condition, a, b, output);
    case 2:
      return where_of<std::uint16_t>(params, condition, a, b, output);
    case 4:
      return where_of<std::uint32_t>(params, condition, a, b, output);
    default:
      assert(params.element_bytes == 8);
      return where_of<std::uint64_t>(params, condition, a, b, output);
  }
}

}  // namespace sluice::kernels
