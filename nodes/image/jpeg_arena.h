#pragma once

#include <cstddef>
#include <cstdio>
#include <vector>
// After cstdio, which it needs.
#include <jpeglib.h>

namespace sluice {

// Memory that a libjpeg decompressor uses for one picture after the other. libjpeg's own manager
// asks the system anew for each picture, and gives all of it back.
//
// Serves both of libjpeg's lifetimes from the same place, so what was made for one picture, its
// tables too, must be forgotten before the next. The whole-picture arrays of progressive files
// still come from libjpeg's manager. Threads: one at a time.
class JpegArena {
 public:
  JpegArena() = default;
  JpegArena(const JpegArena&) = delete;
  JpegArena& operator=(const JpegArena&) = delete;
  ~JpegArena();

  // Answers what `info` asks for from now on; takes its `client_data`. Lives longer than `info`.
  void serve(jpeg_common_struct& info);
  // Takes back all that was given.
  void reset();

 private:
  struct Block {
    std::byte* bytes;
    std::size_t size;
  };
  static void* give(j_common_ptr info, int lifetime, std::size_t size);
  static JSAMPARRAY give_samples(j_common_ptr info, int lifetime, JDIMENSION width,
                                 JDIMENSION rows);
  static JBLOCKARRAY give_blocks(j_common_ptr info, int lifetime, JDIMENSION width,
                                 JDIMENSION rows);
  // Null when the machine has no more.
  std::byte* take(std::size_t size);
  bool add_block(std::size_t size);
  void drop_blocks();

  std::vector<Block> blocks_;  // the last one is being used up
  std::size_t used_ = 0;       // of the last one
};

}  // namespace sluice
