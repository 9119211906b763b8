#include "sluice/nodes/image/jpeg_decompressor.h"

#include "sluice/nodes/image/exif.h"

#include <algorithm>
#include <iterator>
// After jpeglib.h, which it needs.
#include <jerror.h>

namespace sluice {
namespace {

// A file of a few kilobytes can name tens of thousands of progressive scans over a huge picture.
constexpr int kMaxScans = 500;

void on_message(j_common_ptr info, int level) {
  if (level >= 0) return;  // traces
  auto& errors = *reinterpret_cast<JpegErrors*>(info->err);
  ++errors.base.num_warnings;
  switch (errors.base.msg_code) {
    case JWRN_JPEG_EOF:
      errors.truncated = true;
      break;
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_MUST_RESYNC:
    case JWRN_ARITH_BAD_CODE:
      if (!errors.damaged && !errors.truncated) errors.base.format_message(info, errors.message);
      errors.damaged = true;
      break;
    default:  // bytes between markers and the like, which harm no pixel
      break;
  }
}

void on_progress(j_common_ptr info) {
  auto* decompress = reinterpret_cast<j_decompress_ptr>(info);
  if (decompress->input_scan_number > kMaxScans) {
    decompress->err->msg_code = JERR_BAD_PROGRESSION;
    JpegErrors::give_up(info);
  }
}

}  // namespace

void JpegErrors::install() {
  *this = {};
  jpeg_std_error(&base);
  base.error_exit = give_up;
  base.emit_message = on_message;
}

void JpegErrors::give_up(j_common_ptr info) {
  auto& errors = *reinterpret_cast<JpegErrors*>(info->err);
  errors.code = errors.base.msg_code;
  errors.base.format_message(info, errors.message);
  std::longjmp(errors.jump, 1);
}

JpegDecompressor::~JpegDecompressor() {
  if (created) jpeg_destroy_decompress(&info);
}

JpegDecompressor& JpegDecompressor::of_this_thread() {
  thread_local JpegDecompressor decompressor;
  return decompressor;
}

bool JpegDecompressor::read_header(std::span<const std::byte> data, HeaderOptions options) {
  errors.install();
  if (setjmp(errors.jump) != 0) return false;
  begin();
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(data.data()), data.size());
  jpeg_save_markers(&info, JPEG_APP0 + 1, options.keep_exif ? 0xFFFF : 0);
  jpeg_read_header(&info, TRUE);
  return true;
}

void JpegDecompressor::begin() {
  info.err = &errors.base;
  if (created) {
    jpeg_abort_decompress(&info);
  } else {
    jpeg_create_decompress(&info);
    arena.serve(reinterpret_cast<jpeg_common_struct&>(info));
    created = true;
  }
  // All this lay in the arena. A file that leaves its tables out must not get another's.
  info.src = nullptr;
  std::fill(std::begin(info.quant_tbl_ptrs), std::end(info.quant_tbl_ptrs), nullptr);
  std::fill(std::begin(info.dc_huff_tbl_ptrs), std::end(info.dc_huff_tbl_ptrs), nullptr);
  std::fill(std::begin(info.ac_huff_tbl_ptrs), std::end(info.ac_huff_tbl_ptrs), nullptr);
  arena.reset();
  progress.progress_monitor = on_progress;
  info.progress = &progress;
}

int orientation_of(const jpeg_decompress_struct& info) {
  int orientation = 1;
  for (jpeg_saved_marker_ptr marker = info.marker_list; marker; marker = marker->next) {
    if (orientation == 1) orientation = exif_orientation({marker->data, marker->data_length});
  }
  return orientation;
}

}  // namespace sluice
