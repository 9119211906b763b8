#pragma once

#include <cstdint>

#include "sluice/core/buffer.h"
#include "sluice/core/status.h"

namespace sluice {

// A picture of unsigned bytes, height x width x channels, interleaved, rows `stride_bytes` apart.
// Channels: 1 grey, 3 red-green-blue, 4 red-green-blue-alpha. Copying shares the pixels.
// Threads: thread-compatible; pixels are immutable once the image was emitted.
class Image {
 public:
  Image() = default;

  // Pixels are not cleared. Errors: those of Buffer::allocate; image.size for an empty or absurd size.
  static Result<Image> allocate(int width, int height, int channels,
                                const std::shared_ptr<MemoryBudget>& budget = nullptr);

  int width() const { return width_; }
  int height() const { return height_; }
  int channels() const { return channels_; }
  std::size_t stride_bytes() const { return stride_; }
  std::size_t size_bytes() const { return stride_ * static_cast<std::size_t>(height_); }
  bool is_empty() const { return width_ == 0; }

  // REQUIRES: 0 <= y < height()
  std::uint8_t* row(int y) const {
    return reinterpret_cast<std::uint8_t*>(pixels_.data()) + stride_ * static_cast<std::size_t>(y);
  }
  const Buffer& buffer() const { return pixels_; }

 private:
  Buffer pixels_;
  int width_ = 0;
  int height_ = 0;
  int channels_ = 0;
  std::size_t stride_ = 0;
};

}  // namespace sluice
