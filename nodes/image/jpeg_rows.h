#pragma once

#include "sluice/core/block_pool.h"
#include "sluice/nodes/image/jpeg_decompressor.h"
#include "sluice/nodes/image/row_kernels.h"

#include <array>
#include <cstdint>
#include <span>

namespace sluice {

// The rows of a JPEG from top to bottom, for who scales them at once and needs no picture: what
// decode_jpeg gives, to the bit, but brought to full colours only where a row is asked for, and
// with no more than two rows of blocks in memory.
//
// Serves what cameras and the web have most: baseline, YCbCr with colours at full size, half the
// width or half of both, or grey; upright, and whole. For all else it says so, maybe late, and
// decode_jpeg is to be asked: it knows what the picture is, or what is wrong with it.
// Threads: one thread, and no other picture on it meanwhile, since a thread has one decompressor.
class JpegRows {
 public:
  struct Options {
    std::int64_t max_pixels;
    bool apply_rotation;  // a picture that is to be turned is none for this class
  };
  // `data` outlives this object.
  JpegRows(std::span<const std::byte> data, const Options& options);
  JpegRows(const JpegRows&) = delete;
  JpegRows& operator=(const JpegRows&) = delete;

  // Whether the picture is one for this class, so far.
  bool is_served() const { return served_; }
  int width() const { return static_cast<int>(info_.image_width); }
  int height() const { return static_cast<int>(info_.image_height); }

  // Red, green, blue and 255 for each pixel; there until the next call. Null: not served after all.
  // REQUIRES: is_served(), and y is more than in the call before.
  const std::uint8_t* row(int y);
  // Reads to the picture's end. Whether all rows given were right: the file is whole.
  bool finish();

 private:
  static constexpr int kBands = 2;

  // The samples of one component, of kBands bands: of rows of blocks that libjpeg gives at once.
  struct Plane {
    PooledVector<std::uint8_t> samples;
    std::size_t stride = 0;
    int band_rows = 0;
    int width = 0;
    int height = 0;
    const std::uint8_t* row(int y) const {
      return samples.data() +
             stride * (static_cast<std::size_t>(y) % static_cast<std::size_t>(kBands * band_rows));
    }
  };

  bool find_size();
  bool start();
  void make_planes();
  bool read_band();
  bool end();
  YccRow samples_of(int y) const;

  JpegDecompressor& decompressor_ = JpegDecompressor::of_this_thread();
  jpeg_decompress_struct& info_ = decompressor_.info;
  bool served_ = false;
  ChromaSize size_ = ChromaSize::kFull;
  std::array<Plane, 3> planes_;
  PooledVector<std::uint8_t> grey_;  // a row of no colour
  PooledVector<std::uint8_t> scratch_;
  PooledVector<std::uint8_t> row_;
  int bands_read_ = 0;
};

}  // namespace sluice
