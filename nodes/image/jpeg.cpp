#include "sluice/nodes/image/codec.h"
#include "sluice/nodes/image/exif.h"
#include "sluice/nodes/image/jpeg_decompressor.h"

#include <algorithm>
#include <cstring>
#include <vector>
// After jpeglib.h, which it needs.
#include <jerror.h>

namespace sluice {
namespace {

// Inverted is how Adobe's programs store the four inks.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::uint8_t* rgb, int width, bool inverted) {
  for (int x = 0; x < width; ++x, cmyk += 4, rgb += 3) {
    const int key = inverted ? cmyk[3] : 255 - cmyk[3];
    for (int c = 0; c < 3; ++c) {
      const int ink = inverted ? cmyk[c] : 255 - cmyk[c];
      rgb[c] = static_cast<std::uint8_t>((ink * key + 127) / 255);
    }
  }
}

void rgb_to_grey(const std::uint8_t* rgb, std::uint8_t* grey, int width) {
  for (int x = 0; x < width; ++x, rgb += 3) {
    grey[x] = static_cast<std::uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
  }
}

// Bytes charged to a budget for memory that somebody else allocates.
class Charge {
 public:
  Charge() = default;
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  ~Charge() {
    if (budget_) budget_->release(bytes_);
  }
  bool take(const std::shared_ptr<MemoryBudget>& budget, std::size_t bytes) {
    if (!budget) return true;
    if (!budget->try_charge(bytes)) return false;
    budget_ = budget;
    bytes_ = bytes;
    return true;
  }

 private:
  std::shared_ptr<MemoryBudget> budget_;
  std::size_t bytes_ = 0;
};

class JpegDecoder {
 public:
  explicit JpegDecoder(const DecodeOptions& options) : options_(options) {}
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  Result<Image> decode(std::span<const std::byte> data) {
    header_read_ = decompressor_.read_header(data, {.keep_exif = options_.apply_rotation});
    if (!header_read_) return failure();
    if (Status status = prepare(); !status) return status;
    if (!read_pixels() && !(options_.keep_damaged && rows_read_ > 0)) return failure();
    if (!options_.keep_damaged && (errors_.truncated || errors_.damaged)) return failure();
    clear_unread_rows();
    return std::move(image_);
  }

  int orientation() const { return orientation_; }

 private:
  Status prepare() {
    const auto pixels = static_cast<std::int64_t>(info_.image_width) * info_.image_height;
    if (pixels > options_.max_pixels) {
      return invalid("image.too_large",
                     "the picture has " + std::to_string(info_.image_width) + " x " +
                         std::to_string(info_.image_height) +
                         " pixels, more than max_pixels = " + std::to_string(options_.max_pixels));
    }
    if (options_.apply_rotation) orientation_ = orientation_of(info_);
    is_cmyk_ = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    if (is_cmyk_) {
      info_.out_color_space = JCS_CMYK;
      row_.resize(std::size_t{7} * info_.image_width);
    } else if (options_.channels == 1 && info_.jpeg_color_space == JCS_RGB) {
      info_.out_color_space = JCS_RGB;
      row_.resize(std::size_t{3} * info_.image_width);
    } else {
      info_.out_color_space = options_.channels == 1   ? JCS_GRAYSCALE
                              : options_.channels == 4 ? JCS_EXT_RGBA
                                                       : JCS_RGB;
    }
    // What libjpeg itself allocates: of a picture in several scans, every coefficient.
    if (jpeg_has_multiple_scans(&info_) &&
        !coefficients_.take(options_.budget, static_cast<std::size_t>(pixels) *
                                                 static_cast<std::size_t>(info_.num_components) *
                                                 2)) {
      return {Code::kResourceExhausted, "memory.limit",
              "the memory limit leaves no room to decode this progressive JPEG"};
    }
    auto image =
        Image::allocate(static_cast<int>(info_.image_width), static_cast<int>(info_.image_height),
                        options_.channels, options_.budget);
    if (!image) return image.status();
    image_ = std::move(*image);
    return Status::ok();
  }

  bool read_pixels() {
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_start_decompress(&info_);
    while (info_.output_scanline < info_.output_height) {
      const int y = static_cast<int>(info_.output_scanline);
      JSAMPROW row = row_.empty() ? image_.row(y) : row_.data();
      jpeg_read_scanlines(&info_, &row, 1);
      if (!row_.empty()) convert_row(y);
      rows_read_ = y + 1;
    }
    jpeg_finish_decompress(&info_);
    return true;
  }

  // From row_, which holds a row as libjpeg gave it and, of CMYK, room for the same as RGB.
  void convert_row(int y) {
    const int width = image_.width();
    std::uint8_t* rgb = row_.data();
    if (is_cmyk_) {
      rgb = options_.channels == 3 ? image_.row(y)
                                   : row_.data() + std::size_t{4} * static_cast<std::size_t>(width);
      cmyk_to_rgb(row_.data(), rgb, width, info_.saw_Adobe_marker != 0);
    }
    if (options_.channels == 1) rgb_to_grey(rgb, image_.row(y), width);
    if (options_.channels == 4) {
      std::uint8_t* out = image_.row(y);
      for (int x = 0; x < width; ++x) {
        std::memcpy(out + 4 * x, rgb + 3 * x, 3);
        out[4 * x + 3] = 255;
      }
    }
  }

  void clear_unread_rows() {
    for (int y = rows_read_; y < image_.height(); ++y) {
      std::memset(
          image_.row(y), 128,
          static_cast<std::size_t>(image_.width()) * static_cast<std::size_t>(image_.channels()));
    }
  }

  Status failure() const {
    const std::string what = errors_.message;
    switch (errors_.code) {
      case JERR_INPUT_EOF:
      case JERR_INPUT_EMPTY:
        return invalid("image.truncated", "the JPEG breaks off in its header");
      case JERR_BAD_PRECISION:
      case JERR_SOF_UNSUPPORTED:
      case JERR_CONVERSION_NOTIMPL:
      case JERR_ARITH_NOTIMPL:
      case JERR_NOT_COMPILED:
        return unsupported("image.unsupported", "this kind of JPEG is not read: " + what);
      case JERR_IMAGE_TOO_BIG:
        return invalid("image.too_large", what);
      case JERR_OUT_OF_MEMORY:
        return {Code::kResourceExhausted, "memory.exhausted",
                "no memory to decode the JPEG: " + what};
      default:
        break;
    }
    if (errors_.truncated) {
      if (!header_read_) return invalid("image.truncated", "the JPEG breaks off in its header");
      return invalid("image.truncated", "the JPEG of " + std::to_string(info_.image_width) + " x " +
                                            std::to_string(info_.image_height) +
                                            " pixels breaks off before its end");
    }
    return invalid("image.corrupt", "the JPEG is damaged: " + what);
  }

  const DecodeOptions& options_;
  JpegDecompressor& decompressor_ = JpegDecompressor::of_this_thread();
  JpegErrors& errors_ = decompressor_.errors;
  jpeg_decompress_struct& info_ = decompressor_.info;
  Charge coefficients_;
  Image image_;
  std::vector<std::uint8_t> row_;  // empty where libjpeg writes into the image
  bool is_cmyk_ = false;
  bool header_read_ = false;
  int orientation_ = 1;
  int rows_read_ = 0;
};

// Where libjpeg puts compressed bytes: a block at a time, given to the sink when it is full.
struct Destination {
  static constexpr std::size_t kBlockBytes = 64u << 10;

  jpeg_destination_mgr base;  // first, so that libjpeg's pointer to it is one to this
  const ByteSink* sink;
  std::uint8_t block[kBlockBytes];

  static Destination& of(j_compress_ptr info) {
    return *reinterpret_cast<Destination*>(info->dest);
  }
  static void begin(j_compress_ptr info) {
    Destination& self = of(info);
    self.base.next_output_byte = self.block;
    self.base.free_in_buffer = kBlockBytes;
  }
  // Called only when the block is full, whatever free_in_buffer says.
  static boolean hand_on(j_compress_ptr info) {
    give(info, kBlockBytes);
    begin(info);
    return TRUE;
  }
  static void end(j_compress_ptr info) { give(info, kBlockBytes - of(info).base.free_in_buffer); }

 private:
  static void give(j_compress_ptr info, std::size_t size) {
    Destination& self = of(info);
    if ((*self.sink)({self.block, size})) return;
    info->err->msg_code = JERR_FILE_WRITE;
    JpegErrors::give_up(reinterpret_cast<j_common_ptr>(info));
  }
};

class JpegEncoder {
 public:
  explicit JpegEncoder(const ByteSink& sink) {
    destination_.sink = &sink;
    destination_.base.init_destination = Destination::begin;
    destination_.base.empty_output_buffer = Destination::hand_on;
    destination_.base.term_destination = Destination::end;
  }
  JpegEncoder(const JpegEncoder&) = delete;
  JpegEncoder& operator=(const JpegEncoder&) = delete;
  ~JpegEncoder() { jpeg_destroy_compress(&info_); }

  bool encode(const Image& image, int quality) {
    errors_.install();
    info_.err = &errors_.base;
    if (setjmp(errors_.jump) != 0) return false;
    jpeg_create_compress(&info_);
    info_.dest = &destination_.base;
    info_.image_width = static_cast<JDIMENSION>(image.width());
    info_.image_height = static_cast<JDIMENSION>(image.height());
    info_.input_components = image.channels();
    info_.in_color_space = image.channels() == 1   ? JCS_GRAYSCALE
                           : image.channels() == 4 ? JCS_EXT_RGBX
                                                   : JCS_RGB;
    jpeg_set_defaults(&info_);
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      JSAMPROW row = image.row(static_cast<int>(info_.next_scanline));
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  const char* message() const { return errors_.message; }

 private:
  JpegErrors errors_{};
  jpeg_compress_struct info_{};
  Destination destination_{};
};

}  // namespace

Result<Image> decode_jpeg(std::span<const std::byte> data, const DecodeOptions& options) {
  JpegDecoder decoder(options);
  auto image = decoder.decode(data);
  if (!image || decoder.orientation() == 1) return image;
  return apply_orientation(*image, decoder.orientation(), options.budget);
}

Status encode_jpeg(const Image& image, int quality, const ByteSink& sink) {
  JpegEncoder encoder(sink);
  if (encoder.encode(image, quality)) return Status::ok();
  return invalid("image.encode",
                 std::string("cannot write this picture as JPEG: ") + encoder.message());
}

}  // namespace sluice
