#include "sluice/nodes/image/exif.h"

#include <algorithm>
#include <cstring>

namespace sluice {
namespace {

constexpr std::uint32_t kOrientationTag = 0x0112;
constexpr std::uint32_t kShortType = 3;

// Numbers out of a TIFF block, in the byte order that it names.
class TiffReader {
 public:
  explicit TiffReader(std::span<const std::uint8_t> bytes)
      : bytes_(bytes), little_(bytes.size() >= 2 && bytes[0] == 'I' && bytes[1] == 'I') {}

  bool has(std::size_t offset, std::size_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  // REQUIRES: has(offset, size)
  std::uint32_t number(std::size_t offset, std::size_t size) const {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8 | bytes_[offset + (little_ ? size - 1 - i : i)];
    }
    return value;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  bool little_;
};

}  // namespace

int exif_orientation(std::span<const std::uint8_t> app1) {
  constexpr std::size_t kHeader = 6;  // "Exif\0\0"
  if (app1.size() < kHeader || std::memcmp(app1.data(), "Exif\0\0", kHeader) != 0) return 1;
  const TiffReader tiff(app1.subspan(kHeader));
  if (!tiff.has(0, 8)) return 1;
  const std::size_t directory = tiff.number(4, 4);
  if (!tiff.has(directory, 2)) return 1;
  const std::uint32_t entries = tiff.number(directory, 2);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::size_t entry = directory + 2 + std::size_t{12} * i;
    if (!tiff.has(entry, 12)) return 1;
    if (tiff.number(entry, 2) != kOrientationTag || tiff.number(entry + 2, 2) != kShortType)
      continue;
    const std::uint32_t value = tiff.number(entry + 8, 2);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Result<Image> apply_orientation(const Image& image, int orientation,
                                const std::shared_ptr<MemoryBudget>& budget) {
  if (orientation == 1) return image;
  // Upright pixel (x, y) comes from the stored column and row; from 5 on the two change places.
  const bool transposed = orientation >= 5;
  const bool flip_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool flip_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  auto upright =
      Image::allocate(transposed ? image.height() : image.width(),
                      transposed ? image.width() : image.height(), image.channels(), budget);
  if (!upright) return upright.status();
  const auto channels = static_cast<std::size_t>(image.channels());
  for (int y = 0; y < upright->height(); ++y) {
    std::uint8_t* out = upright->row(y);
    for (int x = 0; x < upright->width(); ++x, out += channels) {
      const int column = transposed ? y : x;
      const int row = transposed ? x : y;
      const std::uint8_t* in =
          image.row(flip_y ? image.height() - 1 - row : row) +
          static_cast<std::size_t>(flip_x ? image.width() - 1 - column : column) * channels;
      std::copy_n(in, channels, out);
    }
  }
  return upright;
}

}  // namespace sluice
