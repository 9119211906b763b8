#include "sluice/nodes/image/scale.h"

#include "sluice/core/block_pool.h"
#include "sluice/nodes/image/row_kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace sluice {
namespace {

std::size_t row_bytes_of(const RowSource& source, const ScaledPart& part) {
  return static_cast<std::size_t>(part.columns) * static_cast<std::size_t>(source.channels);
}

// --- bilinear ------------------------------------------------------------------------------------

constexpr float kBilinearOne = 2048;  // OpenCV's INTER_RESIZE_COEF_SCALE

enum class Edge { kOnePosition, kBothClamped };  // OpenCV's columns and rows differ in rounding

BilinearTap tap_at(int target_position, int source, int target, Edge edge) {
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

// The last two source rows with their columns scaled.
class BlendedRows {
 public:
  BlendedRows(const RowSource& source, const ScaledPart& part) : source_(source) {
    for (int x = 0; x < part.columns; ++x) {
      taps_.push_back(tap_at(part.x + x, source.width, part.width, Edge::kOnePosition));
    }
    // The kernel writes a little more than it says.
    for (Row& row : rows_) row.values.resize(row_bytes_of(source, part) + 4);
  }

  // Source rows y and `next`, which is y or the one after. Null: they cannot be had.
  std::pair<const std::int16_t*, const std::int16_t*> at(int y, int next) {
    if (rows_[0].y != y && rows_[1].y == y) std::swap(rows_[0], rows_[1]);
    if (!make(rows_[0], y)) return {};
    if (next == y) return {rows_[0].values.data(), rows_[0].values.data()};
    if (!make(rows_[1], next)) return {};
    return {rows_[0].values.data(), rows_[1].values.data()};
  }

 private:
  struct Row {
    int y = -1;
    PooledVector<std::int16_t> values;
  };

  bool make(Row& row, int y) {
    if (row.y == y) return true;
    const std::uint8_t* const pixels = source_.row(y);
    if (!pixels) return false;
    row.y = y;
    row_kernels().blend_columns(pixels, source_.width * source_.channels, source_.channels, taps_,
                                row.values.data());
    return true;
  }

  const RowSource& source_;
  PooledVector<BilinearTap> taps_;
  std::array<Row, 2> rows_;
};

// Adds neighbours in pairs.
template <std::size_t kChannels>
void add_pairs(const std::uint8_t* source, PooledVector<std::uint16_t>& sums) {
  for (std::size_t to = 0; to < sums.size(); to += kChannels, source += 2 * kChannels) {
    for (std::size_t c = 0; c < kChannels; ++c)
      sums[to + c] = static_cast<std::uint16_t>(sums[to + c] + source[c] + source[c + kChannels]);
  }
}

bool scale_to_half(const RowSource& source, const ScaledPart& part, const RowSink& sink) {
  const std::size_t row_bytes = row_bytes_of(source, part);
  const auto add = source.channels == 1   ? add_pairs<1>
                   : source.channels == 3 ? add_pairs<3>
                                          : add_pairs<4>;
  PooledVector<std::uint16_t> sums(row_bytes);
  PooledVector<std::uint8_t> row(row_bytes);
  for (int y = 0; y < part.rows; ++y) {
    std::fill(sums.begin(), sums.end(), std::uint16_t{2});  // rounds
    for (int half = 0; half < 2; ++half) {
      const std::uint8_t* const pixels = source.row(2 * (part.y + y) + half);
      if (!pixels) return false;
      add(pixels + std::ptrdiff_t{2} * part.x * source.channels, sums);
    }
    for (std::size_t i = 0; i < row_bytes; ++i) row[i] = static_cast<std::uint8_t>(sums[i] >> 2);
    sink(y, row.data());
  }
  return true;
}

// --- antialiased ---------------------------------------------------------------------------------

// Weights are whole numbers of 1 / 2^22, so that a sum of products of bytes fits 32 bits.
constexpr int kPrecisionBits = 32 - 8 - 2;

// Which source positions make each target position, and with what weight.
struct Weights {
  PooledVector<FilterTaps::Window> windows;  // per target position
  PooledVector<std::int32_t> values;
  std::size_t stride = 0;  // values of one target position

  FilterTaps taps() const { return {windows, values.data(), stride}; }
};

// Of `count` target positions from `first` on.
Weights make_weights(int source, int target, int first, int count) {
  const double scale = static_cast<double>(source) / target;
  const double support = std::max(1.0, scale);  // half the triangle's base, in source pixels
  const double slope = 1.0 / support;           // every operation as Pillow has it, to the bit
  Weights weights;
  weights.stride = static_cast<std::size_t>(std::ceil(support)) * 2 + 1;
  weights.windows.reserve(static_cast<std::size_t>(count));
  weights.values.resize(static_cast<std::size_t>(count) * weights.stride);
  PooledVector<double> raw(weights.stride);
  for (int i = 0; i < count; ++i) {
    const double centre = (first + i + 0.5) * scale;
    const int begin = std::max(0, static_cast<int>(centre - support + 0.5));
    const int end = std::min(source, static_cast<int>(centre + support + 0.5));
    double sum = 0;
    for (int k = begin; k < end; ++k) {
      const double weight = std::max(0.0, 1.0 - std::abs((k - centre + 0.5) * slope));
      raw[static_cast<std::size_t>(k - begin)] = weight;
      sum += weight;
    }
    weights.windows.push_back({begin, end - begin});
    std::int32_t* values = weights.values.data() + static_cast<std::size_t>(i) * weights.stride;
    for (int k = 0; k < end - begin; ++k) {
      values[k] = static_cast<std::int32_t>(0.5 + raw[static_cast<std::size_t>(k)] / sum *
                                                      (1 << kPrecisionBits));
    }
  }
  return weights;
}

// Source rows with their columns scaled: as many as a target row needs, in a ring.
class FilteredRows {
 public:
  FilteredRows(const RowSource& source, const ScaledPart& part, std::size_t rows)
      : source_(source),
        columns_(make_weights(source.width, part.width, part.x, part.columns)),
        row_bytes_(row_bytes_of(source, part)),
        ring_(row_bytes_ * rows),
        window_(rows) {}

  // The rows from begin to end; empty: one cannot be had. REQUIRES: neither goes back.
  std::span<const std::uint8_t* const> at(int begin, int end) {
    for (until_ = std::max(until_, begin); until_ < end; ++until_) {
      const std::uint8_t* const pixels = source_.row(until_);
      if (!pixels) return {};
      row_kernels().filter_columns(pixels, source_.width * source_.channels, source_.channels,
                                   columns_.taps(), place_of(until_));
    }
    for (int y = begin; y < end; ++y) window_[static_cast<std::size_t>(y - begin)] = place_of(y);
    return {window_.data(), static_cast<std::size_t>(end - begin)};
  }

 private:
  std::uint8_t* place_of(int y) {
    return ring_.data() + row_bytes_ * (static_cast<std::size_t>(y) % window_.size());
  }

  const RowSource& source_;
  Weights columns_;
  std::size_t row_bytes_;
  PooledVector<std::uint8_t> ring_;
  PooledVector<const std::uint8_t*> window_;
  int until_ = 0;
};

}  // namespace

RowSource rows_of(const Image& image) {
  return {image.width(), image.height(), image.channels(),
          [&image](int y) -> const std::uint8_t* { return image.row(y); }};
}

bool give_rows(const RowSource& source, const ScaledPart& part, const RowSink& sink) {
  for (int y = 0; y < part.rows; ++y) {
    const std::uint8_t* const pixels = source.row(part.y + y);
    if (!pixels) return false;
    sink(y, pixels + static_cast<std::ptrdiff_t>(part.x) * source.channels);
  }
  return true;
}

bool scale_bilinear(const RowSource& source, const ScaledPart& part, const RowSink& sink) {
  if (source.width == 2 * part.width && source.height == 2 * part.height)
    return scale_to_half(source, part, sink);
  BlendedRows rows(source, part);
  PooledVector<std::uint8_t> row(row_bytes_of(source, part));
  for (int y = 0; y < part.rows; ++y) {
    const BilinearTap tap = tap_at(part.y + y, source.height, part.height, Edge::kBothClamped);
    const auto [first, second] = rows.at(tap.first, tap.second);
    if (!first) return false;
    row_kernels().blend_rows(first, second, tap, static_cast<int>(row.size()), row.data());
    sink(y, row.data());
  }
  return true;
}

bool scale_antialiased(const RowSource& source, const ScaledPart& part, const RowSink& sink) {
  const Weights down = make_weights(source.height, part.height, part.y, part.rows);
  FilteredRows rows(source, part, down.stride);
  PooledVector<std::uint8_t> row(row_bytes_of(source, part));
  for (int y = 0; y < part.rows; ++y) {
    const auto target = static_cast<std::size_t>(y);
    const auto [begin, count] = down.windows[target];
    const auto window = rows.at(begin, begin + count);
    if (window.empty()) return false;
    row_kernels().filter_rows(window, down.taps().of(target), static_cast<int>(row.size()),
                              row.data());
    sink(y, row.data());
  }
  return true;
}

}  // namespace sluice
