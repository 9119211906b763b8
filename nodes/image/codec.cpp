#include "sluice/nodes/image/codec.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sluice {
namespace {

bool begins_with(std::span<const std::byte> data, std::string_view magic, std::size_t offset = 0) {
  return data.size() >= offset + magic.size() &&
         std::memcmp(data.data() + offset, magic.data(), magic.size()) == 0;
}

struct KnownContent {
  std::string_view magic;
  std::size_t offset;
  std::string_view name;
};

using namespace std::string_view_literals;
constexpr std::array kKnown{
    KnownContent{"GIF8"sv, 0, "a GIF picture"},
    KnownContent{"WEBP"sv, 8, "a WebP picture"},
    KnownContent{"BM"sv, 0, "a BMP picture"},
    KnownContent{"II*\0"sv, 0, "a TIFF picture"},
    KnownContent{"MM\0*"sv, 0, "a TIFF picture"},
    KnownContent{"ftypavif"sv, 4, "an AVIF picture"},
    KnownContent{"ftyphei"sv, 4, "a HEIC picture"},
    KnownContent{"ftypmif1"sv, 4, "a HEIC picture"},
    KnownContent{"\0\0\0\x0CjP  "sv, 0, "a JPEG 2000 picture"},
    KnownContent{"\xFF\x0A"sv, 0, "a JPEG XL picture"},
    KnownContent{"%PDF"sv, 0, "a PDF document"},
    KnownContent{"PK\x03\x04"sv, 0, "a ZIP archive"},
    KnownContent{"\x1F\x8B"sv, 0, "gzip data"},
    KnownContent{"<svg"sv, 0, "an SVG drawing"},
    KnownContent{"<!DOCTYPE"sv, 0, "an HTML page"},
    KnownContent{"<html"sv, 0, "an HTML page"},
};

}  // namespace

ImageFormat sniff_image_format(std::span<const std::byte> data) {
  if (begins_with(data, "\xFF\xD8\xFF"sv)) return ImageFormat::kJpeg;
  if (begins_with(data, "\x89PNG\r\n\x1A\n"sv)) return ImageFormat::kPng;
  return ImageFormat::kOther;
}

std::string describe_content(std::span<const std::byte> data) {
  for (const KnownContent& known : kKnown) {
    if (begins_with(data, known.magic, known.offset)) return std::string(known.name);
  }
  const auto head = data.first(std::min<std::size_t>(data.size(), 64));
  const bool text = std::ranges::all_of(head, [](std::byte b) {
    const auto c = static_cast<unsigned char>(b);
    return c >= 0x20 || c == '\n' || c == '\r' || c == '\t';
  });
  return text ? "text" : "no picture of a kind that is known";
}

Result<Image> decode_image(std::span<const std::byte> data, const DecodeOptions& options) {
  if (data.empty()) return invalid("image.empty", "the file has no bytes");
  switch (sniff_image_format(data)) {
    case ImageFormat::kJpeg:
      return decode_jpeg(data, options);
    case ImageFormat::kPng:
      return decode_png(data, options);
    case ImageFormat::kOther:
      break;
  }
  return unsupported("image.unsupported",
                     "this is " + describe_content(data) + "; JPEG and PNG are read");
}

}  // namespace sluice
