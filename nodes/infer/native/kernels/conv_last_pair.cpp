#include "sluice/nodes/infer/native/kernels/conv_last_pair.h"

#include "sluice/nodes/infer/native/kernels/aligned.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sluice::kernels {
namespace {

// Pixels in scratch, dense, as precise as who reads them has them.
OutputPixels pixels_between(const ConvLast& writer, const ConvLast& reader) {
  const bool is_bf16 = writer.writes_bf16() && reader.reads_bf16();
  return {nullptr, writer.params().out_channels, is_bf16 ? Precision::kBf16 : Precision::kFp32};
}

std::size_t bytes_of(const OutputPixels& pixels, std::int64_t count) {
  const std::int64_t element = pixels.is_bf16() ? 2 : 4;
  return align_up(static_cast<std::size_t>(count * pixels.step * element));
}

InputPixels to_read(const OutputPixels& pixels) {
  return {pixels.data, pixels.step, pixels.precision};
}

}  // namespace

// The calls of the two over some pixels, and what lies in scratch: what is between them, the rows
// of the depthwise convolution, and the scratch of all three, one at a time.
struct ConvLastPair::Parts {
  std::int64_t at_once = 0;  // pixels
  std::int64_t rows = 0;     // of the depthwise convolution; 0 without one
  ConvLastCall depthwise, first, second;
  std::size_t between_bytes = 0, row_bytes = 0, scratch_bytes = 0;
};

ConvLastPair::ConvLastPair(std::shared_ptr<const ConvLast> first,
                           std::shared_ptr<const ConvLast> second,
                           std::shared_ptr<const ConvLast> depthwise)
    : first_(std::move(first)),
      second_(std::move(second)),
      depthwise_(std::move(depthwise)),
      name_(std::string(depthwise_ == nullptr ? "pair of " : "depthwise and pair of ") +
            second_->algorithm()) {
  assert(first_->params().out_channels == second_->params().in_channels);
}

ConvLastPair::Parts ConvLastPair::parts_of(const ConvLastCall& call) const {
  // Whole tiles of any height, and pixels whose width between the two stays in the cache.
  constexpr std::int64_t kBytes = 96 * 1024, kFewest = 48, kTiles = 24;
  Parts parts;
  const std::int64_t between = first_->params().out_channels;
  parts.at_once = std::max(kBytes / (between * 4) / kTiles * kTiles, kFewest);
  parts.depthwise = parts.first = parts.second = call;
  if (depthwise_ != nullptr) {
    // About as many pixels, in whole rows.
    parts.rows = std::clamp<std::int64_t>(parts.at_once / call.out_width, 1, call.out_height);
    parts.depthwise.batch = 1;
    parts.depthwise.residual = {};
    parts.depthwise.output = pixels_between(*depthwise_, *first_);
    parts.row_bytes = bytes_of(parts.depthwise.output, parts.rows * call.out_width);
    parts.first.input = to_read(parts.depthwise.output);
  }
  for (ConvLastCall* part : {&parts.first, &parts.second}) {
    part->batch = part->height = part->out_height = 1;
    part->width = part->out_width = parts.at_once;
    part->pad_top = part->pad_left = 0;
  }
  parts.first.residual = {};
  parts.first.output = pixels_between(*first_, *second_);
  parts.second.input = to_read(parts.first.output);
  parts.between_bytes = bytes_of(parts.first.output, parts.at_once);
  parts.scratch_bytes =
      std::max(first_->scratch_bytes(parts.first), second_->scratch_bytes(parts.second));
  if (depthwise_ != nullptr) {
    parts.scratch_bytes = std::max(parts.scratch_bytes, depthwise_->scratch_bytes(parts.depthwise));
  }
  return parts;
}

std::size_t ConvLastPair::scratch_bytes(const ConvLastCall& call) const {
  const Parts parts = parts_of(call);
  return parts.between_bytes + parts.row_bytes + parts.scratch_bytes;
}

// The two over so many pixels from where the calls of `parts` stand; moves them on.
void ConvLastPair::run_pixels(Parts& parts, std::int64_t pixels) const {
  for (std::int64_t i = 0; i < pixels; i += parts.at_once) {
    const std::int64_t count = std::min(parts.at_once, pixels - i);
    parts.first.width = parts.first.out_width = count;
    parts.second.width = parts.second.out_width = count;
    first_->run(parts.first);
    second_->run(parts.second);
    parts.first.input = parts.first.input.from_pixel(count);
    parts.second.output = parts.second.output.from_pixel(count);
    parts.second.residual = parts.second.residual.from_pixel(count);
  }
}

void ConvLastPair::run(const ConvLastCall& call) const {
  if (depthwise_ != nullptr) return run_rows(call);
  Parts parts = parts_of(call);
  parts.first.output.data = call.scratch;
  parts.second.input.data = call.scratch;
  parts.first.scratch = parts.second.scratch = call.scratch + parts.between_bytes;
  run_pixels(parts, call.batch * call.out_height * call.out_width);
}

void ConvLastPair::run_rows(const ConvLastCall& call) const {
  Parts parts = parts_of(call);
  parts.first.output.data = call.scratch;
  parts.second.input.data = call.scratch;
  parts.depthwise.output.data = call.scratch + parts.between_bytes;
  for (ConvLastCall* part : {&parts.depthwise, &parts.first, &parts.second}) {
    part->scratch = call.scratch + parts.between_bytes + parts.row_bytes;
  }
  for (std::int64_t n = 0; n < call.batch; ++n) {
    for (std::int64_t y = 0; y < call.out_height; y += parts.rows) {
      parts.depthwise.out_height = std::min(parts.rows, call.out_height - y);
      // Rows before the first are as far above as the pads are.
      parts.depthwise.pad_top = call.pad_top - y * depthwise_->params().stride_h;
      depthwise_->run(parts.depthwise);
      parts.first.input = to_read(parts.depthwise.output);
      if (residual_ == Residual::kDepthwise) parts.second.residual = parts.first.input;
      run_pixels(parts, parts.depthwise.out_height * call.out_width);
    }
    parts.depthwise.input = parts.depthwise.input.from_pixel(call.height * call.width);
  }
}

}  // namespace sluice::kernels
