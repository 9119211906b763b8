#include "sluice/core/image.h"

#include <string>

namespace sluice {
namespace {

constexpr int kMaxSide = 1 << 18;  // pixels; keeps height * stride far inside 64 bits

}  // namespace

Result<Image> Image::allocate(int width, int height, int channels,
                              const std::shared_ptr<MemoryBudget>& budget) {
  const bool known_channels = channels == 1 || channels == 3 || channels == 4;
  if (width < 1 || height < 1 || width > kMaxSide || height > kMaxSide || !known_channels) {
    return invalid("image.size",
                   "a picture of " + std::to_string(width) + " x " + std::to_string(height) +
                       " pixels and " + std::to_string(channels) +
                       " channels; sides of 1 to 262144 and 1, 3 or 4 channels are possible");
  }

  Image image;
  image.width_ = width;
  image.height_ = height;
  image.channels_ = channels;
  image.stride_ = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  Result<Buffer> pixels = Buffer::allocate(image.size_bytes(), budget);
  if (!pixels) return pixels.status();
  image.pixels_ = std::move(*pixels);
  return image;
}

}  // namespace sluice
