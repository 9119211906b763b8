#include "tests/nodes/image/pictures.h"

#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
// After cstdio, which it needs.
#include <jpeglib.h>

namespace sluice::testing {
namespace {

void append_number(FileBytes& file, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    file.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}

void append_chunk(FileBytes& file, const char* type, const FileBytes& data) {
  append_number(file, static_cast<std::uint32_t>(data.size()));
  const std::size_t begin = file.size();
  file.insert(file.end(), type, type + 4);
  file.insert(file.end(), data.begin(), data.end());
  append_number(file, static_cast<std::uint32_t>(
                          crc32(0, file.data() + begin, static_cast<uInt>(file.size() - begin))));
}

FileBytes compressed(const FileBytes& data) {
  uLongf size = compressBound(data.size());
  FileBytes packed(size);
  compress2(packed.data(), &size, data.data(), data.size(), 9);
  packed.resize(size);
  return packed;
}

// The row so many times, compressed a row at a time: the whole would not fit every test machine.
FileBytes compressed_repeats(FileBytes row, std::uint32_t times) {
  z_stream stream{};
  deflateInit(&stream, Z_BEST_COMPRESSION);
  FileBytes packed(1 << 20);
  stream.next_out = packed.data();
  stream.avail_out = static_cast<uInt>(packed.size());
  for (std::uint32_t i = 0; i < times; ++i) {
    stream.next_in = row.data();
    stream.avail_in = static_cast<uInt>(row.size());
    deflate(&stream, i + 1 == times ? Z_FINISH : Z_NO_FLUSH);
  }
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

FileBytes header_of(const PngContent& content, std::uint8_t interlace = 0) {
  FileBytes file{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  FileBytes header;
  append_number(header, content.width);
  append_number(header, content.height);
  header.insert(header.end(), {static_cast<std::uint8_t>(content.depth),
                               static_cast<std::uint8_t>(content.colour), 0, 0, interlace});
  append_chunk(file, "IHDR", header);
  return file;
}

// Big-endian, one directory with one entry.
FileBytes exif_block(int orientation) {
  return {
      'E', 'x', 'i', 'f',  0,    0, 'M', 'M', 0, 42, 0, 0, 0,
      8,   0,   1,   0x01, 0x12, 0, 3,   0,   0, 0,  1, 0, static_cast<std::uint8_t>(orientation),
      0,   0,   0,   0,    0,    0};
}

struct Compressor {
  Compressor() {
    info.err = jpeg_std_error(&errors);
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, &data, &size);
  }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;
  ~Compressor() {
    jpeg_destroy_compress(&info);
    std::free(data);
  }

  FileBytes write(const Image& image) {
    while (info.next_scanline < info.image_height) {
      JSAMPROW row = image.row(static_cast<int>(info.next_scanline));
      jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    return {data, data + size};
  }

  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  unsigned char* data = nullptr;
  unsigned long size = 0;
};

}  // namespace

Image image_of(int width, int height, int channels,
               const std::function<int(int x, int y, int c)>& value) {
  Image image = *Image::allocate(width, height, channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.row(y)[x * channels + c] = static_cast<std::uint8_t>(value(x, y, c));
      }
    }
  }
  return image;
}

int pixel(const Image& image, int x, int y, int c) {
  return image.row(y)[x * image.channels() + c];
}

std::vector<int> pixels_of(const Image& image) {
  std::vector<int> pixels;
  for (int y = 0; y < image.height(); ++y) {
    pixels.insert(pixels.end(), image.row(y), image.row(y) + image.width() * image.channels());
  }
  return pixels;
}

FileBytes png_file(const PngContent& content) {
  FileBytes file = header_of(content);
  if (!content.palette.empty()) append_chunk(file, "PLTE", content.palette);
  if (!content.transparency.empty()) append_chunk(file, "tRNS", content.transparency);
  const std::size_t row_bytes = content.rows.size() / content.height;
  FileBytes filtered;
  for (std::size_t y = 0; y < content.height; ++y) {
    filtered.push_back(0);
    const auto row = content.rows.begin() + static_cast<std::ptrdiff_t>(y * row_bytes);
    filtered.insert(filtered.end(), row, row + static_cast<std::ptrdiff_t>(row_bytes));
  }
  append_chunk(file, "IDAT", compressed(filtered));
  append_chunk(file, "IEND", {});
  return file;
}

FileBytes interlaced_png_file(const Image& image) {
  constexpr struct {
    int x0, y0, dx, dy;
  } kPasses[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                 {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};
  FileBytes filtered;
  for (const auto& pass : kPasses) {
    for (int y = pass.y0; y < image.height(); y += pass.dy) {
      if (pass.x0 >= image.width()) break;
      filtered.push_back(0);
      for (int x = pass.x0; x < image.width(); x += pass.dx) {
        const std::uint8_t* pixel = image.row(y) + x * image.channels();
        filtered.insert(filtered.end(), pixel, pixel + image.channels());
      }
    }
  }
  PngContent content;
  content.width = static_cast<std::uint32_t>(image.width());
  content.height = static_cast<std::uint32_t>(image.height());
  content.colour = image.channels() == 1 ? 0 : image.channels() == 4 ? 6 : 2;
  FileBytes file = header_of(content, 1);
  append_chunk(file, "IDAT", compressed(filtered));
  append_chunk(file, "IEND", {});
  return file;
}

FileBytes blank_png_file(std::uint32_t width, std::uint32_t height) {
  FileBytes file = header_of({width, height});
  append_chunk(file, "IDAT", compressed_repeats(FileBytes(std::size_t{3} * width + 1, 0), height));
  append_chunk(file, "IEND", {});
  return file;
}

FileBytes hollow_png_file(std::uint32_t width, std::uint32_t height) {
  FileBytes file = header_of({width, height});
  append_chunk(file, "IDAT", compressed(FileBytes(16, 0)));
  append_chunk(file, "IEND", {});
  return file;
}

FileBytes jpeg_file(const Image& image, const JpegOptions& options) {
  Compressor jpeg;
  jpeg.info.image_width = static_cast<JDIMENSION>(image.width());
  jpeg.info.image_height = static_cast<JDIMENSION>(image.height());
  jpeg.info.input_components = image.channels();
  jpeg.info.in_color_space = image.channels() == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg.info);
  jpeg_set_quality(&jpeg.info, options.quality, TRUE);
  jpeg.info.comp_info[0].h_samp_factor = options.subsampled || options.half_width ? 2 : 1;
  jpeg.info.comp_info[0].v_samp_factor = options.subsampled || options.half_height ? 2 : 1;
  jpeg.info.restart_in_rows = options.restart_rows;
  if (options.progressive) jpeg_simple_progression(&jpeg.info);
  jpeg_start_compress(&jpeg.info, TRUE);
  if (options.orientation != 0) {
    const FileBytes block = exif_block(options.orientation);
    jpeg_write_marker(&jpeg.info, JPEG_APP0 + 1, block.data(), static_cast<unsigned>(block.size()));
  }
  return jpeg.write(image);
}

FileBytes cmyk_jpeg_file(const Image& inks, bool adobe) {
  Compressor jpeg;
  jpeg.info.image_width = static_cast<JDIMENSION>(inks.width());
  jpeg.info.image_height = static_cast<JDIMENSION>(inks.height());
  jpeg.info.input_components = 4;
  jpeg.info.in_color_space = JCS_CMYK;
  jpeg_set_defaults(&jpeg.info);
  jpeg_set_quality(&jpeg.info, 100, TRUE);
  jpeg.info.write_Adobe_marker = adobe ? TRUE : FALSE;
  jpeg_start_compress(&jpeg.info, TRUE);
  const Image stored = image_of(inks.width(), inks.height(), 4, [&](int x, int y, int c) {
    return adobe ? 255 - pixel(inks, x, y, c) : pixel(inks, x, y, c);
  });
  return jpeg.write(stored);
}

Bytes bytes_of(std::span<const std::uint8_t> file, std::string name) {
  Bytes bytes{*Buffer::allocate(file.size()), std::move(name)};
  if (!file.empty()) std::memcpy(bytes.data.data(), file.data(), file.size());
  return bytes;
}

}  // namespace sluice::testing
