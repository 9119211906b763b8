#pragma once

#include "sluice/nodes/image/jpeg_arena.h"

#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <span>
// After cstdio, which it needs.
#include <jpeglib.h>

// What everything that calls libjpeg shares. For .cpp files only.
namespace sluice {

// libjpeg reports errors by a callback that must not return. It is left by longjmp, so a function
// that calls setjmp holds no object with a destructor: what needs one is a member.
struct JpegErrors {
  jpeg_error_mgr base;  // first, so that libjpeg's pointer to it is one to this
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  int code;
  bool truncated;
  bool damaged;

  // Forgets all, and takes what libjpeg has to say. REQUIRES, before libjpeg is called: `jump` set.
  void install();
  // Keeps libjpeg's message and jumps.
  [[noreturn]] static void give_up(j_common_ptr info);
};

// What libjpeg keeps between pictures: each thread has one decompressor, so that a picture asks the
// system for nothing.
// Threads: that of `of_this_thread`, for one picture after the other.
struct JpegDecompressor {
  JpegDecompressor() = default;
  JpegDecompressor(const JpegDecompressor&) = delete;
  JpegDecompressor& operator=(const JpegDecompressor&) = delete;
  ~JpegDecompressor();
  static JpegDecompressor& of_this_thread();

  // Forgets the last picture, however it ended, and reads the header of this one; `data` is read
  // from until the next call. `keep_exif`: marker_list has the blocks that may be Exif. False after
  // an error.
  struct HeaderOptions {
    bool keep_exif = false;
  };
  bool read_header(std::span<const std::byte> data, HeaderOptions options);

  JpegErrors errors{};
  JpegArena arena;
  jpeg_decompress_struct info{};
  jpeg_progress_mgr progress{};
  bool created = false;

 private:
  // May jump to `errors.jump`.
  void begin();
};

// As Exif has it, 1: upright. REQUIRES: the header was read with keep_exif.
int orientation_of(const jpeg_decompress_struct& info);

}  // namespace sluice
