#include "sluice/nodes/image/jpeg_arena.h"

#include <algorithm>
#include <cstdlib>
// After jpeglib.h, which it needs.
#include <jerror.h>

namespace sluice {
namespace {

constexpr std::size_t kAlignment = 64;  // libjpeg-turbo's vector code wants 32, and rows of 64
constexpr std::size_t kLeastBlockBytes = 64u << 10;
constexpr std::size_t kMostKeptBytes = 4u << 20;  // between pictures

std::size_t round_up(std::size_t size) { return (size + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

JpegArena::~JpegArena() { drop_blocks(); }

void JpegArena::serve(jpeg_common_struct& info) {
  info.client_data = this;
  info.mem->alloc_small = give;
  info.mem->alloc_large = give;
  info.mem->alloc_sarray = give_samples;
  info.mem->alloc_barray = give_blocks;
}

void JpegArena::reset() {
  used_ = 0;
  if (blocks_.size() < 2) return;
  // The next picture finds in one block what this one needed.
  std::size_t size = 0;
  for (const Block& block : blocks_) size += block.size;
  drop_blocks();
  add_block(std::min(size, kMostKeptBytes));
}

std::byte* JpegArena::take(std::size_t size) {
  size = round_up(size);
  if ((blocks_.empty() || blocks_.back().size - used_ < size) && !add_block(size)) return nullptr;
  std::byte* const taken = blocks_.back().bytes + used_;
  used_ += size;
  return taken;
}

bool JpegArena::add_block(std::size_t size) {
  size = round_up(std::max(size, kLeastBlockBytes));
  auto* const bytes = static_cast<std::byte*>(std::aligned_alloc(kAlignment, size));
  if (!bytes) return false;
  blocks_.push_back({bytes, size});
  used_ = 0;
  return true;
}

void JpegArena::drop_blocks() {
  for (const Block& block : blocks_) std::free(block.bytes);
  blocks_.clear();
}

void* JpegArena::give(j_common_ptr info, int, std::size_t size) {
  std::byte* const taken = static_cast<JpegArena*>(info->client_data)->take(size);
  if (!taken) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
  return taken;
}

JSAMPARRAY JpegArena::give_samples(j_common_ptr info, int lifetime, JDIMENSION width,
                                   JDIMENSION rows) {
  const std::size_t row_bytes = round_up(width * sizeof(JSAMPLE));
  auto* const list = static_cast<JSAMPARRAY>(give(info, lifetime, rows * sizeof(JSAMPROW)));
  auto* const samples = static_cast<JSAMPROW>(give(info, lifetime, rows * row_bytes));
  for (JDIMENSION y = 0; y < rows; ++y) list[y] = samples + y * row_bytes;
  return list;
}

JBLOCKARRAY JpegArena::give_blocks(j_common_ptr info, int lifetime, JDIMENSION width,
                                   JDIMENSION rows) {
  auto* const list = static_cast<JBLOCKARRAY>(give(info, lifetime, rows * sizeof(JBLOCKROW)));
  auto* const blocks =
      static_cast<JBLOCKROW>(give(info, lifetime, std::size_t{rows} * width * sizeof(JBLOCK)));
  for (JDIMENSION y = 0; y < rows; ++y) list[y] = blocks + std::size_t{y} * width;
  return list;
}

}  // namespace sluice
