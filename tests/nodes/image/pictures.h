#pragma once

#include "sluice/core/payloads.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

// Pictures and picture files made in the tests, by their own hands and not by the nodes' code.
namespace sluice::testing {

using FileBytes = std::vector<std::uint8_t>;

// The picture whose byte at column x, row y and channel c is value(x, y, c).
Image image_of(int width, int height, int channels,
               const std::function<int(int x, int y, int c)>& value);
inline Image flat_image(int width, int height, int channels, int value) {
  return image_of(width, height, channels, [=](int, int, int) { return value; });
}

// The bytes row by row, without what pads them.
std::vector<int> pixels_of(const Image& image);
int pixel(const Image& image, int x, int y, int c);

// What lies in a PNG file, as its specification counts it.
struct PngContent {
  std::uint32_t width = 1;
  std::uint32_t height = 1;
  int depth = 8;        // bits a sample
  int colour = 2;       // 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGBA
  FileBytes rows = {};  // packed samples, row by row, without filter bytes; 16 bits big-endian
  FileBytes palette = {};
  FileBytes transparency = {};  // the tRNS chunk
};
FileBytes png_file(const PngContent& content);
// In Adam7's order: seven passes, each finer than the one before.
FileBytes interlaced_png_file(const Image& image);
// A file that says this size and holds rows of nothing but zeros, compressed as far as zlib can.
FileBytes blank_png_file(std::uint32_t width, std::uint32_t height);
// A file that says this size and has next to nothing in it.
FileBytes hollow_png_file(std::uint32_t width, std::uint32_t height);

struct JpegOptions {
  int quality = 95;
  bool progressive = false;
  bool subsampled = false;  // colours at half the size, as cameras store them
  int orientation = 0;      // of the Exif block; 0: no such block
  bool half_width = false;  // colours at half the width, or at half the height
  bool half_height = false;
  int restart_rows = 0;  // rows of blocks from one restart marker to the next; 0: none
};
FileBytes jpeg_file(const Image& image, const JpegOptions& options = {});
// Four inks a pixel, 255 is full ink; stored upside down with Adobe's marker, or as they are.
FileBytes cmyk_jpeg_file(const Image& inks, bool adobe);

Bytes bytes_of(std::span<const std::uint8_t> file, std::string name = "picture");
inline PayloadRef file_payload(std::span<const std::uint8_t> file) {
  return PayloadRef::make(bytes_of(file));
}

}  // namespace sluice::testing
