#include "sluice/nodes/image/codec.h"

#include <png.h>

#include <cstdlib>
#include <cstring>
#include <vector>

namespace sluice {
namespace {

constexpr png_uint_32 kMaxSide = 1'000'000;
constexpr png_alloc_size_t kMaxChunkBytes = 8u << 20;  // of a chunk that is not pixels
constexpr int kMaxCachedChunks = 128;
constexpr std::size_t kSmallInputBytes = 128;
constexpr std::size_t kOutputBytes = 64u << 10;  // of compressed pixels, handed on at once

// libpng reports errors by a callback that must not return and is left by longjmp: functions that
// call setjmp hold no object with a destructor.
class PngDecoder {
 public:
  PngDecoder(std::span<const std::byte> data, const DecodeOptions& options)
      : data_(data), options_(options) {}
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }

  Result<Image> decode() {
    if (!read_header()) return failure();
    const std::int64_t pixels = static_cast<std::int64_t>(width_) * height_;
    if (pixels > options_.max_pixels) {
      return invalid("image.too_large",
                     "the picture has " + std::to_string(width_) + " x " + std::to_string(height_) +
                         " pixels, more than max_pixels = " + std::to_string(options_.max_pixels));
    }
    auto image = Image::allocate(static_cast<int>(width_), static_cast<int>(height_),
                                 options_.channels, options_.budget);
    if (!image) return image.status();
    image_ = std::move(*image);
    if (options_.keep_damaged) std::memset(image_.row(0), 128, image_.size_bytes());
    rows_.resize(height_);
    for (png_uint_32 y = 0; y < height_; ++y) rows_[y] = image_.row(static_cast<int>(y));
    if (!read_pixels() && !(options_.keep_damaged && pixels_began_)) return failure();
    return std::move(image_);
  }

 private:
  bool read_header() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) {
      std::strcpy(message_, "no memory");
      return false;
    }
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_user_limits(png_, kMaxSide, kMaxSide);
    png_set_chunk_malloc_max(png_, kMaxChunkBytes);
    png_set_chunk_cache_max(png_, kMaxCachedChunks);
    png_set_read_fn(png_, this, on_read);
    // libpng decodes nothing of a block of the file that is not whole.
    if (options_.keep_damaged) png_set_compression_buffer_size(png_, kSmallInputBytes);
    png_read_info(png_, info_);
    width_ = png_get_image_width(png_, info_);
    height_ = png_get_image_height(png_, info_);
    return true;
  }

  bool read_pixels() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    set_transforms();
    png_read_update_info(png_, info_);
    pixels_began_ = true;
    png_read_image(png_, rows_.data());
    png_read_end(png_, nullptr);
    return true;
  }

  // From whatever the file holds to 8 bits in the channels asked for.
  void set_transforms() {
    const int colour = png_get_color_type(png_, info_);
    const bool has_alpha =
        (colour & PNG_COLOR_MASK_ALPHA) != 0 || png_get_valid(png_, info_, PNG_INFO_tRNS) != 0;
    png_set_expand(png_);
    png_set_scale_16(png_);
    if (options_.channels != 1) png_set_gray_to_rgb(png_);
    if (options_.channels == 1 && (colour & PNG_COLOR_MASK_COLOR) != 0) {
      png_set_rgb_to_gray_fixed(png_, 1, 29900, 58700);  // ITU-R BT.601, as in JPEG
    }
    if (options_.channels == 4) {
      png_set_add_alpha(png_, 0xFF, PNG_FILLER_AFTER);
    } else if (has_alpha) {
      // Of 8 bits for every file: libpng scales 16 bits down before it lays colours on each other.
      constexpr png_color_16 kWhite{0, 255, 255, 255, 255};
      png_set_background_fixed(png_, &kWhite, PNG_BACKGROUND_GAMMA_SCREEN, 0, PNG_FP_1);
    }
    png_set_interlace_handling(png_);
  }

  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngDecoder*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof(self->message_) - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_read(png_structp png, png_bytep out, std::size_t size) {
    auto* self = static_cast<PngDecoder*>(png_get_io_ptr(png));
    if (size > self->data_.size() - self->position_) {
      self->truncated_ = true;
      png_error(png, "the file ends");
    }
    std::memcpy(out, self->data_.data() + self->position_, size);
    self->position_ += size;
  }

  Status failure() const {
    if (truncated_) {
      return invalid("image.truncated", width_ == 0
                                            ? std::string("the PNG breaks off in its header")
                                            : "the PNG of " + std::to_string(width_) + " x " +
                                                  std::to_string(height_) +
                                                  " pixels breaks off before its end");
    }
    // libpng checks the size before anybody else can.
    if (std::strstr(message_, "IHDR") && width_ == 0 && exceeds_limit()) {
      return invalid("image.too_large", "the PNG's header says a side of more than " +
                                            std::to_string(kMaxSide) + " pixels");
    }
    return invalid("image.corrupt", std::string("the PNG is damaged: ") + message_);
  }
  bool exceeds_limit() const {
    constexpr std::size_t kWidthAt = 16;
    if (data_.size() < kWidthAt + 8) return false;
    const auto* at = reinterpret_cast<const png_byte*>(data_.data()) + kWidthAt;
    return png_get_uint_32(at) > kMaxSide || png_get_uint_32(at + 4) > kMaxSide;
  }

  std::span<const std::byte> data_;
  const DecodeOptions& options_;
  std::size_t position_ = 0;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  png_uint_32 width_ = 0;
  png_uint_32 height_ = 0;
  Image image_;
  std::vector<png_bytep> rows_;
  bool truncated_ = false;
  bool pixels_began_ = false;
  char message_[128] = {};
};

class PngEncoder {
 public:
  explicit PngEncoder(const ByteSink& sink) : sink_(sink) {}
  PngEncoder(const PngEncoder&) = delete;
  PngEncoder& operator=(const PngEncoder&) = delete;
  ~PngEncoder() { png_destroy_write_struct(&png_, &info_); }

  bool encode(const Image& image, int compression) {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, on_error, on_warning);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) return false;
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_write_fn(png_, this, on_write, on_flush);
    const int colour = image.channels() == 1   ? PNG_COLOR_TYPE_GRAY
                       : image.channels() == 4 ? PNG_COLOR_TYPE_RGBA
                                               : PNG_COLOR_TYPE_RGB;
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(image.width()),
                 static_cast<png_uint_32>(image.height()), 8, colour, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(png_, compression);
    png_set_compression_buffer_size(png_, kOutputBytes);
    // One cheap filter at the fast levels; trying all of them costs more than it saves there.
    if (compression <= 3) png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_UP);
    png_write_info(png_, info_);
    for (int y = 0; y < image.height(); ++y) png_write_row(png_, image.row(y));
    png_write_end(png_, nullptr);
    return true;
  }

  const char* message() const { return message_; }

 private:
  [[noreturn]] static void on_error(png_structp png, png_const_charp message) {
    auto* self = static_cast<PngEncoder*>(png_get_error_ptr(png));
    std::strncpy(self->message_, message, sizeof(self->message_) - 1);
    png_longjmp(png, 1);
  }
  static void on_warning(png_structp, png_const_charp) {}
  static void on_write(png_structp png, png_bytep data, std::size_t size) {
    auto* self = static_cast<PngEncoder*>(png_get_io_ptr(png));
    if (!self->sink_({data, size})) png_error(png, "the bytes cannot be stored");
  }
  static void on_flush(png_structp) {}

  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  const ByteSink& sink_;
  char message_[128] = "no memory";
};

}  // namespace

Result<Image> decode_png(std::span<const std::byte> data, const DecodeOptions& options) {
  return PngDecoder(data, options).decode();
}

Status encode_png(const Image& image, int compression, const ByteSink& sink) {
  PngEncoder encoder(sink);
  if (encoder.encode(image, compression)) return Status::ok();
  return invalid("image.encode",
                 std::string("cannot write this picture as PNG: ") + encoder.message());
}

}  // namespace sluice
