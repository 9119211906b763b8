#include "sluice/nodes/infer/native/kernels/conv_last.h"

#include "sluice/nodes/infer/native/kernels/panels.h"

#include <algorithm>
#include <cassert>
#include <string>
#include <vector>

namespace sluice::kernels {
namespace {

// Input that is read again for every panel of the weights should stay in L2, beside them.
constexpr std::int64_t kChunkBytes = 192 * 1024;
// A panel of weights up to this stays in L1 while tile after tile uses it.
constexpr std::int64_t kL1PanelBytes = 20 * 1024;
// Weights up to this stay in L2 while tile after tile uses all of them.
constexpr std::int64_t kL2WeightBytes = 512 * 1024;

// Products over fewer are not worth rounding their input for.
constexpr std::int64_t kFewestBf16Channels = 12;

constexpr std::int64_t kFloat = static_cast<std::int64_t>(sizeof(float));

// Rows of an image that the tiles read in place: the input itself, or a padded copy of some of it.
struct Window {
  const float* pixels = nullptr;  // the first pixel that the first output reads
  std::int64_t row_step = 0;      // words from a row to the next
  std::int64_t step = 0;          // from a pixel to the next
};

const float* words_of(const InputPixels& pixels) {
  return reinterpret_cast<const float*>(pixels.data);
}

}  // namespace

struct ConvLast::Impl {
  enum class Algorithm : std::uint8_t { kPointwise, kWindow, kDepthwise };

  const SimdKernels* simd = nullptr;
  Precision precision = Precision::kFp32;  // of the products
  bool has_bf16 = false;                   // asked for, and there
  ConvParams params;
  Epilogue epilogue;
  Algorithm algorithm = Algorithm::kWindow;
  std::string name;
  std::vector<Panels> groups;             // a product each
  AlignedFloats depthwise_weights, bias;  // [taps][padded channels], [padded channels]
  bool has_row_segments = false;          // the taps of a kernel row are one run

  bool is_bf16() const { return precision == Precision::kBf16; }
  // Operands are counted in words of four bytes: a float, or two bf16.
  std::int64_t values_per_word() const { return is_bf16() ? 2 : 1; }
  std::int64_t taps() const { return params.kernel_h * params.kernel_w; }
  std::int64_t group_inputs() const { return params.in_channels / params.groups; }
  std::int64_t group_outputs() const { return params.out_channels / params.groups; }
  // Words of a pixel of a copy.
  std::int64_t pixel_words() const { return params.in_channels / values_per_word(); }
  std::int64_t segment_count() const { return has_row_segments ? params.kernel_h : taps(); }
  std::int64_t run_length() const {
    return has_row_segments ? params.kernel_w * params.in_channels : group_inputs();
  }

  void pack_products(const float* weights, const float* bias_values);
  void pack_depthwise(const float* weights, const float* bias_values);

  // Scratch begins with pointers to what a row of the output reads.
  std::size_t pointer_bytes() const {
    return align_up(static_cast<std::size_t>(taps()) * sizeof(const float*));
  }
  bool reaches_outside(const ConvLastCall& call) const;
  bool copies(const ConvLastCall& call) const;
  bool is_pointwise(const ConvLastCall& call) const;
  std::int64_t pointwise_chunk() const;
  std::int64_t copied_width(const ConvLastCall& call) const;
  std::int64_t rows_at_once(const ConvLastCall& call) const;
  std::int64_t input_rows(std::int64_t output_rows) const {
    return (output_rows - 1) * params.stride_h + params.dilation_h * (params.kernel_h - 1) + 1;
  }

  void run_pointwise(const ConvLastCall& call) const;
  void run_window(const ConvLastCall& call) const;
  void run_depthwise(const ConvLastCall& call) const;

  void copy_pixels(const ConvLastCall& call, std::int64_t y, std::int64_t count, float* to) const;
  void round_or_copy(std::int64_t count, const InputPixels& from, float* to) const;
  Window copy_rows(const ConvLastCall& call, std::int64_t first_row, std::int64_t rows) const;
  void run_row(const Panels& panels, const Panels::Panel& panel, const float** segments,
               std::int64_t step, const ConvLastCall& call, std::int64_t group,
               std::int64_t pixel) const;
};

void ConvLast::Impl::pack_products(const float* weights, const float* bias_values) {
  const std::int64_t inputs = group_inputs(), outputs = group_outputs();
  for (std::int64_t g = 0; g < params.groups; ++g) {
    Panels& panels = groups.emplace_back(*simd, precision, taps() * inputs, outputs);
    for (std::int64_t m = 0; m < outputs; ++m) {
      const float* filter = weights + (g * outputs + m) * inputs * taps();
      for (std::int64_t c = 0; c < inputs; ++c) {
        for (std::int64_t tap = 0; tap < taps(); ++tap) {
          panels.set(tap * inputs + c, m, filter[c * taps() + tap]);
        }
      }
    }
    panels.set_bias(bias_values == nullptr ? nullptr : bias_values + g * outputs);
  }
}

void ConvLast::Impl::pack_depthwise(const float* weights, const float* bias_values) {
  const std::int64_t channels = params.out_channels;
  const std::int64_t padded = (channels + simd->lanes - 1) / simd->lanes * simd->lanes;
  depthwise_weights = AlignedFloats(taps() * padded);
  bias = AlignedFloats(padded);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t tap = 0; tap < taps(); ++tap) {
      depthwise_weights.data()[tap * padded + c] = weights[c * taps() + tap];
    }
    if (bias_values != nullptr) bias.data()[c] = bias_values[c];
  }
}

bool ConvLast::Impl::reaches_outside(const ConvLastCall& call) const {
  const std::int64_t last_row =
      (call.out_height - 1) * params.stride_h + params.dilation_h * (params.kernel_h - 1);
  const std::int64_t last_column =
      (call.out_width - 1) * params.stride_w + params.dilation_w * (params.kernel_w - 1);
  return call.pad_top != 0 || call.pad_left != 0 || last_row >= call.height ||
         last_column >= call.width;
}

// The tiles step over a row as they step over pixels, so what they read must lie so: no pads, and
// the taps of a row side by side.
bool ConvLast::Impl::copies(const ConvLastCall& call) const {
  const bool is_apart =
      has_row_segments && params.kernel_w > 1 && call.input.step != params.in_channels;
  const bool is_ready =
      call.input.precision == precision && call.input.step % values_per_word() == 0;
  return call.input_is_planar || reaches_outside(call) || is_apart || !is_ready;
}

std::int64_t ConvLast::Impl::copied_width(const ConvLastCall& call) const {
  return (call.out_width - 1) * params.stride_w + params.dilation_w * (params.kernel_w - 1) + 1;
}

std::int64_t ConvLast::Impl::rows_at_once(const ConvLastCall& call) const {
  const std::int64_t row_bytes = copied_width(call) * pixel_words() * kFloat;
  const std::int64_t rows = kChunkBytes / std::max<std::int64_t>(row_bytes * params.stride_h, 1);
  return std::clamp<std::int64_t>(rows - (params.kernel_h - 1) * params.dilation_h, 1,
                                  call.out_height);
}

// A row of output pixels, from `pixel` of the output on, by one panel. Moves the segments along.
void ConvLast::Impl::run_row(const Panels& panels, const Panels::Panel& panel,
                             const float** segments, std::int64_t step, const ConvLastCall& call,
                             std::int64_t group, std::int64_t pixel) const {
  const auto product = is_bf16() ? simd->product_bf16 : simd->product;
  ProductTile tile;
  tile.segments = segments;
  tile.segment_count = segment_count();
  tile.run = run_length() / values_per_word();
  tile.step = step;
  panels.apply(panel, tile);
  tile.to.epilogue = &epilogue;
  const std::int64_t channel = group * group_outputs() + panel.first_column;
  tile.to.output = call.output;
  tile.to.residual = call.residual;
  tile.to.advance(pixel, channel);
  for (std::int64_t left = call.out_width; left > 0;) {
    tile.rows = panels.rows(panel, left);
    product(tile);
    left -= tile.rows;
    for (std::int64_t s = 0; s < tile.segment_count; ++s) segments[s] += tile.rows * step;
    tile.to.advance(tile.rows, 0);
  }
}

// A 1x1 convolution without pads, some pixels at a time. Without strides the image is one row.
void ConvLast::Impl::run_pointwise(const ConvLastCall& call) const {
  const Panels& panels = groups[0];
  const bool is_dense = params.stride_h == 1 && params.stride_w == 1;
  const std::int64_t rows = is_dense ? 1 : call.out_height;
  const std::int64_t width = is_dense ? call.out_height * call.out_width : call.out_width;
  const bool copy = copies(call);
  const std::int64_t step =
      copy ? pixel_words() : call.input.step * params.stride_w / values_per_word();
  const std::int64_t chunk = pointwise_chunk();
  auto* copied = reinterpret_cast<float*>(call.scratch + pointer_bytes());
  for (std::int64_t y = 0; y < rows; ++y) {
    const InputPixels row = call.input.from_pixel(y * params.stride_h * call.width);
    for (std::int64_t x = 0; x < width; x += chunk) {
      const InputPixels from = row.from_pixel(x * params.stride_w);
      ConvLastCall part = call;
      part.out_width = std::min(chunk, width - x);
      if (copy) round_or_copy(part.out_width * params.in_channels, from, copied);
      for (const Panels::Panel& panel : panels.panels()) {
        const float* segment = copy ? copied : words_of(from);
        run_row(panels, panel, &segment, step, part, 0, y * width + x);
      }
    }
  }
}

// Pixels at a time: either the weights stay in L1 and the input passes, or the input does and the
// weights pass.
std::int64_t ConvLast::Impl::pointwise_chunk() const {
  const Panels& panels = groups[0];
  if (panels.panel_bytes() > kL1PanelBytes && panels.weight_bytes() <= kL2WeightBytes) {
    return simd->max_rows[panels.panels()[0].vectors];
  }
  constexpr std::int64_t kTiles = 24;  // whole tiles of any height
  return std::max(kChunkBytes / (pixel_words() * kFloat) / kTiles, std::int64_t{1}) * kTiles;
}

// True when the input can be taken as a matrix of pixels.
bool ConvLast::Impl::is_pointwise(const ConvLastCall& call) const {
  const bool is_dense =
      params.stride_h == 1 && params.stride_w == 1 && call.input.step == params.in_channels;
  return algorithm == Algorithm::kPointwise && !call.input_is_planar && !reaches_outside(call) &&
         (is_dense || !copies(call));
}

// `count` pixels of a row of the input from its first on, dense and in the precision of the
// products.
void ConvLast::Impl::copy_pixels(const ConvLastCall& call, std::int64_t y, std::int64_t count,
                                 float* to) const {
  const std::int64_t channels = params.in_channels;
  if (call.input_is_planar) {
    const float* row = call.input.floats() + y * call.width;
    simd->interleave(count, channels, row, call.height * call.width, to);
    return;
  }
  const InputPixels from = call.input.from_pixel(y * call.width);
  const bool is_dense = call.input.step == channels;
  const std::int64_t runs = is_dense ? 1 : count;
  const std::int64_t run = is_dense ? count * channels : channels;
  for (std::int64_t i = 0; i < runs; ++i) {
    round_or_copy(run, from.from_pixel(i), to + i * pixel_words());
  }
}

void ConvLast::Impl::round_or_copy(std::int64_t count, const InputPixels& from, float* to) const {
  if (from.precision == precision) {
    std::copy_n(from.data, from.from(count).data - from.data, reinterpret_cast<std::byte*>(to));
  } else {
    simd->round_to_bf16(count, from.floats(), reinterpret_cast<std::uint16_t*>(to));
  }
}

// Input rows first_row.. with their pads, dense, in scratch. Rows and columns outside are zeros.
Window ConvLast::Impl::copy_rows(const ConvLastCall& call, std::int64_t first_row,
                                 std::int64_t rows) const {
  const std::int64_t words = pixel_words(), width = copied_width(call);
  auto* copy = reinterpret_cast<float*>(call.scratch + pointer_bytes());
  const std::int64_t left = std::clamp<std::int64_t>(call.pad_left, 0, width);
  const std::int64_t inside = std::clamp<std::int64_t>(call.width, 0, width - left);
  for (std::int64_t i = 0; i < rows; ++i) {
    float* to = copy + i * width * words;
    const std::int64_t y = first_row + i;
    if (y < 0 || y >= call.height) {
      std::fill_n(to, width * words, 0.0f);
      continue;
    }
    std::fill_n(to, left * words, 0.0f);
    copy_pixels(call, y, inside, to + left * words);
    std::fill_n(to + (left + inside) * words, (width - left - inside) * words, 0.0f);
  }
  return {copy, width * words, words};
}

void ConvLast::Impl::run_window(const ConvLastCall& call) const {
  const bool copy = copies(call);
  const std::int64_t at_once = copy ? rows_at_once(call) : call.out_height;
  const std::int64_t step = call.input.step / values_per_word();
  auto** segments = reinterpret_cast<const float**>(call.scratch);
  for (std::int64_t first = 0; first < call.out_height; first += at_once) {
    const std::int64_t count = std::min(at_once, call.out_height - first);
    const std::int64_t top = first * params.stride_h - call.pad_top;
    const Window window = copy ? copy_rows(call, top, input_rows(count))
                               : Window{words_of(call.input), call.width * step, step};
    for (std::int64_t g = 0; g < params.groups; ++g) {
      for (const Panels::Panel& panel : groups[static_cast<std::size_t>(g)].panels()) {
        for (std::int64_t y = 0; y < count; ++y) {
          for (std::int64_t s = 0; s < segment_count(); ++s) {
            const std::int64_t ky = has_row_segments ? s : s / params.kernel_w;
            const std::int64_t kx = has_row_segments ? 0 : s % params.kernel_w;
            segments[s] =
                window.pixels + (y * params.stride_h + ky * params.dilation_h) * window.row_step +
                kx * params.dilation_w * window.step + g * (group_inputs() / values_per_word());
          }
          run_row(groups[static_cast<std::size_t>(g)], panel, segments,
                  window.step * params.stride_w, call, g, (first + y) * call.out_width);
        }
      }
    }
  }
}

void ConvLast::Impl::run_depthwise(const ConvLastCall& call) const {
  auto** rows = reinterpret_cast<const std::byte**>(call.scratch);
  DepthwiseRow row;
  row.rows = rows;
  row.step = call.input.step;
  row.precision = call.input.precision;
  row.width = call.width, row.out_width = call.out_width, row.channels = params.out_channels;
  row.kernel_h = params.kernel_h, row.kernel_w = params.kernel_w;
  row.stride_w = params.stride_w, row.dilation_w = params.dilation_w;
  row.pad_left = call.pad_left;
  row.weights = depthwise_weights.data();
  row.to.bias = bias.data();
  row.to.epilogue = &epilogue;
  for (std::int64_t y = 0; y < call.out_height; ++y) {
    for (std::int64_t ky = 0; ky < params.kernel_h; ++ky) {
      const std::int64_t from = y * params.stride_h - call.pad_top + ky * params.dilation_h;
      rows[ky] =
          from < 0 || from >= call.height ? nullptr : call.input.from_pixel(from * call.width).data;
    }
    const std::int64_t pixel = y * call.out_width;
    row.to.output = call.output.from_pixel(pixel);
    row.to.residual = call.residual.from_pixel(pixel);
    simd->depthwise(row);
  }
}

ConvLast::ConvLast(const SimdKernels& simd, Precision precision, const ConvParams& params,
                   const float* weights, const float* bias, const Epilogue& epilogue) {
  assert(params.groups > 0 && params.in_channels % params.groups == 0 &&
         params.out_channels % params.groups == 0);
  auto impl = std::make_unique<Impl>();
  impl->simd = &simd;
  impl->params = params;
  impl->epilogue = epilogue;
  const std::int64_t inputs = impl->group_inputs();
  impl->has_bf16 = precision == Precision::kBf16 && simd.product_bf16 != nullptr;
  if (impl->has_bf16 && inputs % 2 == 0 && inputs >= kFewestBf16Channels) {
    impl->precision = precision;
  }
  impl->has_row_segments = params.groups == 1 && params.dilation_w == 1;
  if (params.groups > 1 && impl->group_inputs() == 1 && impl->group_outputs() == 1) {
    impl->algorithm = Impl::Algorithm::kDepthwise;
    impl->name = "depthwise ";
    impl->pack_depthwise(weights, bias);
  } else {
    if (params.groups == 1 && impl->taps() == 1) {
      impl->algorithm = Impl::Algorithm::kPointwise;
      impl->name = "pointwise ";
    } else {
      impl->name = "window ";
    }
    impl->pack_products(weights, bias);
  }
  impl->name += simd.name;
  if (impl->is_bf16()) impl->name += " bf16";
  impl_ = std::move(impl);
}

ConvLast::~ConvLast() = default;
ConvLast::ConvLast(ConvLast&&) noexcept = default;
ConvLast& ConvLast::operator=(ConvLast&&) noexcept = default;

const ConvParams& ConvLast::params() const { return impl_->params; }
bool ConvLast::reads_bf16() const {
  const bool is_depthwise = impl_->algorithm == Impl::Algorithm::kDepthwise;
  return is_depthwise ? impl_->has_bf16 : impl_->is_bf16();
}
bool ConvLast::writes_bf16() const { return impl_->has_bf16; }
const char* ConvLast::algorithm() const { return impl_->name.c_str(); }

std::size_t ConvLast::scratch_bytes(const ConvLastCall& call) const {
  if (impl_->algorithm == Impl::Algorithm::kDepthwise || !impl_->copies(call)) {
    return impl_->pointer_bytes();
  }
  const std::int64_t pixels =
      impl_->is_pointwise(call)
          ? impl_->pointwise_chunk()
          : impl_->input_rows(impl_->rows_at_once(call)) * impl_->copied_width(call);
  return impl_->pointer_bytes() + static_cast<std::size_t>(pixels * impl_->pixel_words() * kFloat);
}

void ConvLast::run(const ConvLastCall& call) const {
  assert(call.out_height > 0 && call.out_width > 0);
  assert(!call.input.is_bf16() || (reads_bf16() && !call.input_is_planar));
  ConvLastCall image = call;
  const std::int64_t in_pixels = call.height * call.width;
  const std::int64_t out_pixels = call.out_height * call.out_width;
  const std::int64_t in_step = call.input_is_planar ? impl_->params.in_channels : call.input.step;
  for (std::int64_t n = 0; n < call.batch; ++n) {
    if (impl_->algorithm == Impl::Algorithm::kDepthwise) {
      impl_->run_depthwise(image);
    } else if (impl_->is_pointwise(call)) {
      impl_->run_pointwise(image);
    } else {
      impl_->run_window(image);
    }
    image.input = image.input.from(in_pixels * in_step);
    image.output = image.output.from_pixel(out_pixels);
    image.residual = image.residual.from_pixel(out_pixels);
  }
}

}  // namespace sluice::kernels
