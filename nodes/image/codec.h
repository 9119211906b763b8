#pragma once

#include "sluice/core/image.h"
#include "sluice/core/status.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

// JPEG and PNG as bytes in memory, through libjpeg-turbo and libpng. Threads: all functions may be
// called at once.
namespace sluice {

enum class ImageFormat { kJpeg, kPng, kOther };

// By the first bytes; what the file is called does not count.
ImageFormat sniff_image_format(std::span<const std::byte> data);
// "a WebP picture", "text", ... for messages.
std::string describe_content(std::span<const std::byte> data);

struct DecodeOptions {
  int channels = 3;  // 1 grey, 3 red-green-blue, 4 red-green-blue-alpha
  std::int64_t max_pixels = 64'000'000;
  bool keep_damaged = false;   // give what could be read of a picture that breaks off or is corrupt
  bool apply_rotation = true;  // turn the picture as its camera says (EXIF orientation)
  std::shared_ptr<MemoryBudget> budget;
};

// JPEG: baseline and progressive, 8 bits, grey, YCbCr, RGB, CMYK and YCCK (Adobe's inverted form
// too). PNG: every colour type and depth; 16 bits are rounded to 8; what is transparent lies on
// white, unless 4 channels are asked for; of an animation the first picture. Errors: image.empty,
// image.unsupported, image.too_large (before the pixels are allocated), image.truncated,
// image.corrupt, memory.limit.
Result<Image> decode_image(std::span<const std::byte> data, const DecodeOptions& options);
Result<Image> decode_jpeg(std::span<const std::byte> data, const DecodeOptions& options);
Result<Image> decode_png(std::span<const std::byte> data, const DecodeOptions& options);

// Takes the next bytes of a file; false: it cannot, and the encoder gives up. Must not throw.
using ByteSink = std::function<bool(std::span<const std::uint8_t>)>;

// Both give the file's bytes to `sink` as they come, so that memory does not grow with the picture.
// Errors: image.encode, also when the sink gave up; the caller knows why it did.
// `compression`: zlib's 0..9.
Status encode_png(const Image& image, int compression, const ByteSink& sink);
// `quality`: 1..100. An alpha channel is dropped.
Status encode_jpeg(const Image& image, int quality, const ByteSink& sink);

}  // namespace sluice
