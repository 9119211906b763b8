#include "sluice/nodes/infer/native/kernels/reduce.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

namespace sluice::kernels {
namespace {

// Sums of floats run in double; integers wrap as they do in every other implementation.
template <class T>
using Wide = std::conditional_t<
    std::is_floating_point_v<T>, double,
    std::make_unsigned_t<std::conditional_t<std::is_floating_point_v<T>, int, T>>>;

// Kept and reduced axes after merging neighbours of the same sort: alternating, outermost first.
struct Layout {
  std::size_t rank = 0;
  std::array<std::int64_t, kMaxRank> extents{}, strides{};
  std::array<bool, kMaxRank> reduced{};
};

Layout merge(Dims dims, std::span<const std::int64_t> axes) {
  Layout layout;
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    const bool reduced = axes.empty() || std::find(axes.begin(), axes.end(),
                                                   static_cast<std::int64_t>(axis)) != axes.end();
    if (dims[axis] == 1) continue;
    if (layout.rank > 0 && layout.reduced[layout.rank - 1] == reduced) {
      layout.extents[layout.rank - 1] *= dims[axis];
    } else {
      layout.extents[layout.rank] = dims[axis];
      layout.reduced[layout.rank++] = reduced;
    }
  }
  std::int64_t stride = 1;
  for (std::size_t axis = layout.rank; axis-- > 0;) {
    layout.strides[axis] = stride;
    stride *= layout.extents[axis];
  }
  return layout;
}

// Calls f(offset) for every index of the kept (or of the reduced) axes, in row-major order.
template <class F>
void for_each(const Layout& layout, bool reduced, F&& f) {
  std::array<std::int64_t, kMaxRank> at{};
  for (std::size_t axis = 0; axis < layout.rank; ++axis) {
    if (layout.reduced[axis] == reduced && layout.extents[axis] == 0) return;
  }
  std::int64_t offset = 0;
  for (;;) {
    f(offset);
    std::size_t axis = layout.rank;
    for (;;) {
      if (axis == 0) return;
      --axis;
      if (layout.reduced[axis] != reduced) continue;
      offset += layout.strides[axis];
      if (++at[axis] < layout.extents[axis]) break;
      offset -= layout.strides[axis] * layout.extents[axis];
      at[axis] = 0;
    }
  }
}

template <class T>
Wide<T> sum_run(std::int64_t n, std::int64_t step, const T* values) {
  if (step != 1) {
    Wide<T> total = 0;
    for (std::int64_t i = 0; i < n; ++i) total += static_cast<Wide<T>>(values[i * step]);
    return total;
  }
  constexpr std::int64_t kLanes = 8;
  Wide<T> lanes[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::int64_t lane = 0; lane < kLanes; ++lane)
      lanes[lane] += static_cast<Wide<T>>(values[i + lane]);
  }
  Wide<T> total = std::accumulate(lanes, lanes + kLanes, Wide<T>(0));
  for (; i < n; ++i) total += static_cast<Wide<T>>(values[i]);
  return total;
}

// The innermost reduced axis is walked by runs of (count, step); the others by for_each.
template <class T>
struct Runs {
  Layout layout;
  std::int64_t count = 1, step = 1;

  explicit Runs(const Layout& whole) : layout(whole) {
    for (std::size_t axis = layout.rank; axis-- > 0;) {
      if (!layout.reduced[axis]) continue;
      count = layout.extents[axis];
      step = layout.strides[axis];
      layout.extents[axis] = 1;
      break;
    }
  }

  template <class F>
  void over(const T* input, F&& f) const {
    for_each(layout, true, [&](std::int64_t offset) { f(input + offset); });
  }
};

template <class T>
T extreme(Reduce fn, const Runs<T>& runs, const T* input) {
  const bool largest = fn == Reduce::kMax;
  T best;
  if constexpr (std::is_floating_point_v<T>) {
    best = largest ? -std::numeric_limits<T>::infinity() : std::numeric_limits<T>::infinity();
  } else {
    best = largest ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
  }
  runs.over(input, [&](const T* run) {
    for (std::int64_t i = 0; i < runs.count; ++i) {
      const T value = run[i * runs.step];
      if (largest ? value > best : value < best) best = value;
    }
  });
  return best;
}

template <class T>
T log_sum_exp(const Runs<T>& runs, const T* input) {
  const T top = extreme(Reduce::kMax, runs, input);
  if (std::isinf(static_cast<double>(top))) return top;
  double total = 0.0;
  runs.over(input, [&](const T* run) {
    for (std::int64_t i = 0; i < runs.count; ++i)
      total += std::exp(static_cast<double>(run[i * runs.step] - top));
  });
  return static_cast<T>(static_cast<double>(top) + std::log(total));
}

template <class T, class F>
Wide<T> sum_of(const Runs<T>& runs, const T* input, F&& term) {
  Wide<T> total = 0;
  runs.over(input, [&](const T* run) {
    for (std::int64_t i = 0; i < runs.count; ++i) total += term(run[i * runs.step]);
  });
  return total;
}

template <class T>
T reduce_one(Reduce fn, const Runs<T>& runs, std::int64_t total_count, const T* input) {
  const auto square = [](T x) { return static_cast<Wide<T>>(x) * static_cast<Wide<T>>(x); };
  const auto magnitude = [](T x) { return static_cast<Wide<T>>(x < 0 ? -x : x); };
  switch (fn) {
    case Reduce::kSum:
    case Reduce::kMean:
    case Reduce::kLogSum: {
      Wide<T> total = 0;
      runs.over(input, [&](const T* run) { total += sum_run(runs.count, runs.step, run); });
      if (fn == Reduce::kLogSum) return static_cast<T>(std::log(static_cast<double>(total)));
      if (fn == Reduce::kSum) return static_cast<T>(total);
      if constexpr (std::is_floating_point_v<T>) {
        return static_cast<T>(total / static_cast<double>(total_count));
      } else {
        return total_count == 0
                   ? 0
                   : static_cast<T>(static_cast<T>(total) / static_cast<T>(total_count));
      }
    }
    case Reduce::kMax:
    case Reduce::kMin:
      return extreme(fn, runs, input);
    case Reduce::kProd: {
      Wide<T> product = 1;
      runs.over(input, [&](const T* run) {
        for (std::int64_t i = 0; i < runs.count; ++i)
          product *= static_cast<Wide<T>>(run[i * runs.step]);
      });
      return static_cast<T>(product);
    }
    case Reduce::kL1:
      return static_cast<T>(sum_of(runs, input, magnitude));
    case Reduce::kL2:
      return static_cast<T>(std::sqrt(static_cast<double>(sum_of(runs, input, square))));
    case Reduce::kSumSquare:
      return static_cast<T>(sum_of(runs, input, square));
    case Reduce::kLogSumExp:
      return log_sum_exp(runs, input);
  }
  return T(0);
}

}  // namespace

template <class T>
void reduce(Reduce fn, Dims dims, std::span<const std::int64_t> axes, const T* input, T* output) {
  assert(dims.size() <= kMaxRank);
  const Layout layout = merge(dims, axes);
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < layout.rank; ++axis) {
    if (layout.reduced[axis]) count *= layout.extents[axis];
  }
  const Runs<T> runs(layout);
  const bool nothing = count == 0;
  for_each(layout, false, [&](std::int64_t offset) {
    if (nothing) {
      Runs<T> empty = runs;
      empty.count = 0;
      *output++ = reduce_one(fn, empty, 0, input);
    } else {
      *output++ = reduce_one(fn, runs, count, input + offset);
    }
  });
}

template void reduce(Reduce, Dims, std::span<const std::int64_t>, const float*, float*);
template void reduce(Reduce, Dims, std::span<const std::int64_t>, const std::int64_t*,
                     std::int64_t*);
template void reduce(Reduce, Dims, std::span<const std::int64_t>, const std::int32_t*,
                     std::int32_t*);

namespace {

struct Above {
  template <class T>
  static bool of(T a, T b) {
    return a > b || b != b;
  }
};
struct Below {
  template <class T>
  static bool of(T a, T b) {
    return a < b || b != b;
  }
};

template <class Better, class T>
void arg_best(std::int64_t outer, std::int64_t axis, std::int64_t inner, Ties ties, const T* input,
              std::int64_t* output) {
  for (std::int64_t o = 0; o < outer; ++o, input += axis * inner) {
    for (std::int64_t i = 0; i < inner; ++i) {
      std::int64_t best = 0;
      for (std::int64_t a = 1; a < axis; ++a) {
        const T value = input[a * inner + i], leader = input[best * inner + i];
        if (Better::of(value, leader) || (ties == Ties::kLast && value == leader)) best = a;
      }
      *output++ = best;
    }
  }
}

}  // namespace

template <class T>
void arg_max(std::int64_t outer, std::int64_t axis, std::int64_t inner, Ties ties, const T* input,
             std::int64_t* output) {
  arg_best<Above>(outer, axis, inner, ties, input, output);
}

template <class T>
void arg_min(std::int64_t outer, std::int64_t axis, std::int64_t inner, Ties ties, const T* input,
             std::int64_t* output) {
  arg_best<Below>(outer, axis, inner, ties, input, output);
}

template <class T>
void top_k(const TopKParams& p, const T* input, T* values, std::int64_t* indices,
           std::int64_t* scratch) {
  assert(p.k >= 0 && p.k <= p.axis);
  for (std::int64_t o = 0; o < p.outer; ++o) {
    for (std::int64_t i = 0; i < p.inner; ++i) {
      const T* column = input + o * p.axis * p.inner + i;
      const auto better = [&](std::int64_t a, std::int64_t b) {
        const T x = column[a * p.inner], y = column[b * p.inner];
        if (x != y) return p.order == TopKOrder::kLargest ? x > y : x < y;
        return a < b;
      };
      std::iota(scratch, scratch + p.axis, std::int64_t{0});
      std::partial_sort(scratch, scratch + p.k, scratch + p.axis, better);
      for (std::int64_t n = 0; n < p.k; ++n) {
        const std::int64_t at = (o * p.k + n) * p.inner + i;
        values[at] = column[scratch[n] * p.inner];
        indices[at] = scratch[n];
      }
    }
  }
}

template void arg_max(std::int64_t, std::int64_t, std::int64_t, Ties, const float*, std::int64_t*);
template void arg_max(std::int64_t, std::int64_t, std::int64_t, Ties, const std::int64_t*,
                      std::int64_t*);
template void arg_max(std::int64_t, std::int64_t, std::int64_t, Ties, const std::int32_t*,
                      std::int64_t*);
template void arg_min(std::int64_t, std::int64_t, std::int64_t, Ties, const float*, std::int64_t*);
template void arg_min(std::int64_t, std::int64_t, std::int64_t, Ties, const std::int64_t*,
                      std::int64_t*);
template void arg_min(std::int64_t, std::int64_t, std::int64_t, Ties, const std::int32_t*,
                      std::int64_t*);
template void top_k(const TopKParams&, const float*, float*, std::int64_t*, std::int64_t*);
template void top_k(const TopKParams&, const std::int64_t*, std::int64_t*, std::int64_t*,
                    std::int64_t*);
template void top_k(const TopKParams&, const std::int32_t*, std::int32_t*, std::int64_t*,
                    std::int64_t*);

}  // namespace sluice::kernels
