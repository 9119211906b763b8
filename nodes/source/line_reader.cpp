#include "sluice/nodes/source/line_reader.h"

#include "sluice/core/own_descriptor.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

constexpr std::size_t kBlockBytes = 256 << 10;

}  // namespace

Result<LineReader> LineReader::open(const std::string& path, std::size_t max_line_bytes) {
  if (leads_to_closed_descriptor(path, FileAccess::kRead)) {
    return invalid("lines.unreadable", "cannot read " + path + ": it is closed");
  }
  FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) {
    return Status(errno == ENOENT ? Code::kNotFound : Code::kInvalidInput, "lines.unreadable",
                  "cannot read " + path + ": " + std::strerror(errno));
  }
  LineReader reader(path, std::move(file), max_line_bytes);
  if (Status status = reader.fill(); !status) return status;
  if (reader.end_ >= 3 && std::memcmp(reader.block_.data(), "\xEF\xBB\xBF", 3) == 0) {
    reader.begin_ = 3;
    reader.line_.end_offset = 3;
  }
  return reader;
}

LineReader::LineReader(std::string path, FileHandle file, std::size_t max_line_bytes)
    : path_(std::move(path)),
      file_(std::move(file)),
      max_line_bytes_(max_line_bytes),
      block_(kBlockBytes) {}

Status LineReader::fill() {
  begin_ = 0;
  end_ = 0;
  // A whole byte order mark is wanted at once, however little a pipe gives at a time.
  while (!ended_ && end_ < 3) {
    const ssize_t got = ::read(file_.get(), block_.data() + end_, block_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return invalid("lines.unreadable", "cannot read " + path_ + ": " + std::strerror(errno));
    }
    ended_ = got == 0;
    end_ += static_cast<std::size_t>(got);
    if (line_.number > 0) break;
  }
  return Status::ok();
}

void LineReader::append(const char* text, std::size_t size) {
  line_.end_offset += static_cast<std::int64_t>(size);
  // One byte more than the limit is kept: it may be the CR of a line that just fits.
  const std::size_t room = max_line_bytes_ + 1 - line_.text.size();
  if (size > room) line_.too_long = true;
  line_.text.append(text, std::min(size, room));
}

Result<LineReader::Got> LineReader::next() {
  line_.text.clear();
  line_.too_long = false;
  const std::int64_t start = line_.end_offset;
  bool found = false;
  while (!found) {
    if (begin_ == end_) {
      if (!ended_) {
        if (Status status = fill(); !status) return status;
      }
      if (begin_ == end_) {
        if (ended_) break;
        continue;
      }
    }
    const char* from = block_.data() + begin_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - begin_));
    const std::size_t size = newline ? static_cast<std::size_t>(newline - from) : end_ - begin_;
    append(from, size);
    found = newline != nullptr;
    begin_ += size + (found ? 1 : 0);
  }
  if (!found && line_.end_offset == start) return Got::kEnd;
  if (found) {
    ++line_.end_offset;
    if (!line_.text.empty() && line_.text.back() == '\r' && !line_.too_long) line_.text.pop_back();
  }
  if (line_.text.size() > max_line_bytes_) line_.too_long = true;
  ++line_.number;
  return Got::kLine;
}

}  // namespace sluice
