#include "sluice/nodes/image/scale.h"

#include "sluice/core/block_pool.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace sluice {
namespace {

int row_bytes_of(const Image& source, const ScaledPart& part) {
  return part.columns * source.channels();
}

// --- bilinear ------------------------------------------------------------------------------------

constexpr float kBilinearOne = 2048;  // OpenCV's INTER_RESIZE_COEF_SCALE

// The two source positions that make a target position, and their weights.
struct Pair {
  int first;
  int second;
  std::int16_t first_weight;
  std::int16_t second_weight;
};

enum class Edge { kOnePosition, kBothClamped };  // OpenCV's columns and rows differ in rounding

Pair pair_at(int target_position, int source, int target, Edge edge) {
  // The scale through its inverse, and a position in single precision, as OpenCV has it.
  const double scale = 1.0 / (static_cast<double>(target) / source);
  auto fraction = static_cast<float>((target_position + 0.5) * scale - 0.5);
  int first = static_cast<int>(std::floor(fraction));
  fraction -= static_cast<float>(first);
  const bool is_outside = first < 0 || first >= source - 1;
  if (is_outside && edge == Edge::kOnePosition) fraction = 0;
  const int second = std::clamp(first + 1, 0, source - 1);
  first = std::clamp(first, 0, source - 1);
  return {first, second, static_cast<std::int16_t>(std::lrint((1.0F - fraction) * kBilinearOne)),
          static_cast<std::int16_t>(std::lrint(fraction * kBilinearOne))};
}

// Four bits less than the products have, which is all that the columns' sum uses.
template <int kChannels>
void blend_columns(const std::uint8_t* source, const PooledVector<Pair>& pairs,
                   std::int16_t* target) {
  for (const Pair& pair : pairs) {
    const std::uint8_t* first = source + pair.first * kChannels;
    const std::uint8_t* second = source + pair.second * kChannels;
    for (int c = 0; c < kChannels; ++c) {
      *target++ = static_cast<std::int16_t>(
          (first[c] * pair.first_weight + second[c] * pair.second_weight) >> 4);
    }
  }
}

void blend_rows(const std::int16_t* first, const std::int16_t* second, const Pair& pair, int count,
                std::uint8_t* target) {
  for (int i = 0; i < count; ++i) {
    const int sum =
        ((first[i] * pair.first_weight) >> 16) + ((second[i] * pair.second_weight) >> 16);
    target[i] = static_cast<std::uint8_t>((sum + 2) >> 2);
  }
}

// The last two source rows with their columns scaled.
class BlendedRows {
 public:
  BlendedRows(const Image& source, const ScaledPart& part) : source_(source) {
    for (int x = 0; x < part.columns; ++x) {
      pairs_.push_back(pair_at(part.x + x, source.width(), part.width, Edge::kOnePosition));
    }
    for (Row& row : rows_) row.values.resize(static_cast<std::size_t>(row_bytes_of(source, part)));
  }

  // Source rows y and `next`, which is y or the one after.
  std::pair<const std::int16_t*, const std::int16_t*> at(int y, int next) {
    if (rows_[0].y != y && rows_[1].y == y) std::swap(rows_[0], rows_[1]);
    make(rows_[0], y);
    if (next == y) return {rows_[0].values.data(), rows_[0].values.data()};
    make(rows_[1], next);
    return {rows_[0].values.data(), rows_[1].values.data()};
  }

 private:
  struct Row {
    int y = -1;
    PooledVector<std::int16_t> values;
  };

  void make(Row& row, int y) {
    if (row.y == y) return;
    row.y = y;
    const std::uint8_t* const pixels = source_.row(y);
    if (source_.channels() == 1)
      blend_columns<1>(pixels, pairs_, row.values.data());
    else if (source_.channels() == 3)
      blend_columns<3>(pixels, pairs_, row.values.data());
    else
      blend_columns<4>(pixels, pairs_, row.values.data());
  }

  const Image& source_;
  PooledVector<Pair> pairs_;
  std::array<Row, 2> rows_;
};

void scale_to_half(const Image& source, const ScaledPart& part, const RowSink& sink) {
  const int channels = source.channels();
  PooledVector<std::uint8_t> row(static_cast<std::size_t>(row_bytes_of(source, part)));
  for (int y = 0; y < part.rows; ++y) {
    const std::uint8_t* const upper = source.row(2 * (part.y + y)) + 2 * part.x * channels;
    const std::uint8_t* const lower = source.row(2 * (part.y + y) + 1) + 2 * part.x * channels;
    for (int x = 0, to = 0; x < part.columns; ++x) {
      for (int c = 0; c < channels; ++c, ++to) {
        const int from = 2 * x * channels + c;
        const int sum = upper[from] + upper[from + channels] + lower[from] + lower[from + channels];
        row[static_cast<std::size_t>(to)] = static_cast<std::uint8_t>((sum + 2) >> 2);
      }
    }
    sink(y, row.data());
  }
}

// --- antialiased ---------------------------------------------------------------------------------

// Weights are whole numbers of 1 / 2^22, so that a sum of products of bytes fits 32 bits.
constexpr int kPrecisionBits = 32 - 8 - 2;
constexpr std::int32_t kHalf = 1 << (kPrecisionBits - 1);

// Which source positions make each target position, and with what weight.
struct Weights {
  struct Window {
    int begin;
    int count;
  };
  PooledVector<Window> windows;  // per target position
  PooledVector<std::int32_t> values;
  int stride = 0;  // values of one target position

  const std::int32_t* of(std::size_t target) const {
    return values.data() + target * static_cast<std::size_t>(stride);
  }
};

// Of `count` target positions from `first` on.
Weights make_weights(int source, int target, int first, int count) {
  const double scale = static_cast<double>(source) / target;
  const double support = std::max(1.0, scale);  // half the triangle's base, in source pixels
  Weights weights;
  weights.stride = static_cast<int>(std::ceil(support)) * 2 + 1;
  weights.windows.reserve(static_cast<std::size_t>(count));
  weights.values.resize(static_cast<std::size_t>(count) * static_cast<std::size_t>(weights.stride));
  PooledVector<double> raw(static_cast<std::size_t>(weights.stride));
  for (int i = 0; i < count; ++i) {
    const double centre = (first + i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(source, static_cast<int>(centre + support + 0.5));
    double sum = 0;
    for (int k = begin; k < end; ++k) {
      const double weight = std::max(0.0, 1.0 - std::abs((k - centre + 0.5) / support));
      raw[static_cast<std::size_t>(k - begin)] = weight;
      sum += weight;
    }
    weights.windows.push_back({begin, end - begin});
    std::int32_t* values = weights.values.data() +
                           static_cast<std::size_t>(i) * static_cast<std::size_t>(weights.stride);
    for (int k = 0; k < end - begin; ++k) {
      values[k] = static_cast<std::int32_t>(
          std::lround(raw[static_cast<std::size_t>(k)] / sum * (1 << kPrecisionBits)));
    }
  }
  return weights;
}

std::uint8_t rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kPrecisionBits, 0, 255));
}

template <int kChannels>
void filter_columns(const std::uint8_t* source, const Weights& weights, std::uint8_t* target) {
  for (std::size_t x = 0; x < weights.windows.size(); ++x) {
    const auto [begin, count] = weights.windows[x];
    const std::int32_t* weight = weights.of(x);
    const std::uint8_t* pixel = source + begin * kChannels;
    std::array<std::int32_t, kChannels> sums;
    sums.fill(kHalf);
    for (int k = 0; k < count; ++k, pixel += kChannels) {
      for (int c = 0; c < kChannels; ++c) sums[static_cast<std::size_t>(c)] += weight[k] * pixel[c];
    }
    for (const std::int32_t sum : sums) *target++ = rounded(sum);
  }
}

// Source rows with their columns scaled: as many as a target row needs, in a ring.
class FilteredRows {
 public:
  FilteredRows(const Image& source, const ScaledPart& part, int rows)
      : source_(source),
        columns_(make_weights(source.width(), part.width, part.x, part.columns)),
        row_bytes_(static_cast<std::size_t>(row_bytes_of(source, part))),
        rows_(rows),
        ring_(row_bytes_ * static_cast<std::size_t>(rows)) {}

  // REQUIRES: neither begin nor end goes back.
  void move_to(int begin, int end) {
    for (until_ = std::max(until_, begin); until_ < end; ++until_) {
      const std::uint8_t* const pixels = source_.row(until_);
      if (source_.channels() == 1)
        filter_columns<1>(pixels, columns_, place_of(until_));
      else if (source_.channels() == 3)
        filter_columns<3>(pixels, columns_, place_of(until_));
      else
        filter_columns<4>(pixels, columns_, place_of(until_));
    }
  }
  const std::uint8_t* row(int y) { return place_of(y); }

 private:
  std::uint8_t* place_of(int y) {
    return ring_.data() + row_bytes_ * static_cast<std::size_t>(y % rows_);
  }

  const Image& source_;
  Weights columns_;
  std::size_t row_bytes_;
  int rows_;
  PooledVector<std::uint8_t> ring_;
  int until_ = 0;
};

}  // namespace

void scale_bilinear(const Image& source, const ScaledPart& part, const RowSink& sink) {
  if (source.width() == 2 * part.width && source.height() == 2 * part.height) {
    scale_to_half(source, part, sink);
    return;
  }
  BlendedRows rows(source, part);
  const int row_bytes = row_bytes_of(source, part);
  PooledVector<std::uint8_t> row(static_cast<std::size_t>(row_bytes));
  for (int y = 0; y < part.rows; ++y) {
    const Pair pair = pair_at(part.y + y, source.height(), part.height, Edge::kBothClamped);
    const auto [first, second] = rows.at(pair.first, pair.second);
    blend_rows(first, second, pair, row_bytes, row.data());
    sink(y, row.data());
  }
}

void scale_antialiased(const Image& source, const ScaledPart& part, const RowSink& sink) {
  const Weights down = make_weights(source.height(), part.height, part.y, part.rows);
  FilteredRows rows(source, part, down.stride);
  const auto row_bytes = static_cast<std::size_t>(row_bytes_of(source, part));
  PooledVector<std::int32_t> sums(row_bytes);
  PooledVector<std::uint8_t> out(row_bytes);
  for (int y = 0; y < part.rows; ++y) {
    const auto [begin, count] = down.windows[static_cast<std::size_t>(y)];
    rows.move_to(begin, begin + count);
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::int32_t* weight = down.of(static_cast<std::size_t>(y));
    for (int k = 0; k < count; ++k) {
      const std::uint8_t* row = rows.row(begin + k);
      for (std::size_t i = 0; i < row_bytes; ++i) sums[i] += weight[k] * row[i];
    }
    for (std::size_t i = 0; i < row_bytes; ++i) out[i] = rounded(sums[i]);
    sink(y, out.data());
  }
}

}  // namespace sluice
