#include "sluice/nodes/image/jpeg_rows.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr std::size_t kSlack = kYccSlackBytes;
constexpr int kMostBandRows = 2 * DCTSIZE;

}  // namespace

JpegRows::JpegRows(std::span<const std::byte> data, const Options& options) {
  if (!decompressor_.read_header(data, {.keep_exif = options.apply_rotation})) return;
  if (std::int64_t{info_.image_width} * info_.image_height > options.max_pixels) return;
  if (options.apply_rotation && orientation_of(info_) != 1) return;
  if (jpeg_has_multiple_scans(&info_) || !find_size() || !start()) return;
  make_planes();
  served_ = true;
}

bool JpegRows::find_size() {
  const jpeg_component_info* const of = info_.comp_info;
  if (info_.jpeg_color_space == JCS_GRAYSCALE) {
    // The factors of the only component mean nothing, but they would make its bands higher.
    return info_.num_components == 1 && of[0].v_samp_factor == 1 && of[0].h_samp_factor == 1;
  }
  if (info_.jpeg_color_space != JCS_YCbCr || info_.num_components != 3) return false;
  for (int c = 1; c < 3; ++c) {
    if (of[c].h_samp_factor != 1 || of[c].v_samp_factor != 1) return false;
  }
  const int across = of[0].h_samp_factor;
  const int down = of[0].v_samp_factor;
  if (across == 1 && down == 1) return true;
  size_ = down == 1 ? ChromaSize::kHalfWidth : ChromaSize::kHalfBoth;
  // Of very narrow pictures libjpeg repeats the colours, without a filter.
  return across == 2 && down <= 2 && (info_.image_width + 1) / 2 > 2;
}

bool JpegRows::start() {
  if (setjmp(decompressor_.errors.jump) != 0) return false;
  info_.raw_data_out = TRUE;
  jpeg_start_decompress(&info_);
  return true;
}

void JpegRows::make_planes() {
  for (int c = 0; c < info_.num_components; ++c) {
    const jpeg_component_info& of = info_.comp_info[c];
    Plane& plane = planes_[static_cast<std::size_t>(c)];
    plane.band_rows = of.v_samp_factor * DCTSIZE;
    plane.width = static_cast<int>(of.downsampled_width);
    plane.height = static_cast<int>(of.downsampled_height);
    plane.stride = std::size_t{of.width_in_blocks} * DCTSIZE + kSlack;
    plane.samples.resize(plane.stride * static_cast<std::size_t>(kBands * plane.band_rows));
  }
  const std::size_t width = info_.image_width;
  if (info_.num_components == 1) grey_.assign(width + kSlack, 128);
  if (size_ != ChromaSize::kFull) scratch_.resize(2 * (width + kSlack));
  row_.resize(4 * width + kSlack);
}

bool JpegRows::read_band() {
  JSAMPROW rows[3][kMostBandRows];
  JSAMPARRAY components[3] = {rows[0], rows[1], rows[2]};
  for (std::size_t c = 0; c < planes_.size(); ++c) {
    Plane& plane = planes_[c];
    std::uint8_t* const band =
        plane.samples.data() +
        plane.stride * static_cast<std::size_t>(bands_read_ % kBands * plane.band_rows);
    for (int y = 0; y < plane.band_rows; ++y)
      rows[c][y] = band + plane.stride * static_cast<std::size_t>(y);
  }
  if (setjmp(decompressor_.errors.jump) != 0) return false;
  jpeg_read_raw_data(&info_, components, static_cast<JDIMENSION>(planes_[0].band_rows));
  ++bands_read_;
  return true;
}

const std::uint8_t* JpegRows::row(int y) {
  // The colours of a band's last row are mixed with those of the next band.
  const bool mixes = size_ == ChromaSize::kHalfBoth;
  const int last_needed = mixes ? std::min(y + 1, height() - 1) : y;
  while (served_ && bands_read_ * planes_[0].band_rows <= last_needed) served_ = read_band();
  if (!served_) return nullptr;
  row_kernels().ycc_to_rgbx(samples_of(y), scratch_.data(), row_.data());
  return row_.data();
}

YccRow JpegRows::samples_of(int y) const {
  YccRow row{planes_[0].row(y), {}, {}, size_, width(), planes_[1].width};
  if (info_.num_components == 1) {
    row.cb = row.cr = {grey_.data(), grey_.data()};
    return row;
  }
  const bool mixes = size_ == ChromaSize::kHalfBoth;
  const int nearest = mixes ? y / 2 : y;
  const int next =
      mixes ? std::clamp(y % 2 == 0 ? nearest - 1 : nearest + 1, 0, planes_[1].height - 1)
            : nearest;
  row.cb = {planes_[1].row(nearest), planes_[1].row(next)};
  row.cr = {planes_[2].row(nearest), planes_[2].row(next)};
  return row;
}

bool JpegRows::end() {
  if (setjmp(decompressor_.errors.jump) != 0) return false;
  jpeg_finish_decompress(&info_);
  return true;
}

bool JpegRows::finish() {
  while (served_ && bands_read_ * planes_[0].band_rows < height()) served_ = read_band();
  served_ = served_ && end() && !decompressor_.errors.truncated && !decompressor_.errors.damaged;
  return served_;
}

}  // namespace sluice
