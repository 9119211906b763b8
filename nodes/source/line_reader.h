#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/source/file_handle.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sluice {

// Reads a file line by line, with memory for one line and one block however long the file is.
// A line ends at LF or CRLF, the last one also at the end of the file; a byte order mark in front
// is passed over. Works on pipes too. Threads: one thread at a time. Blocks: reads the file.
class LineReader {
 public:
  struct Line {
    std::string text;             // without its end
    std::uint64_t number = 0;     // from 1
    std::int64_t end_offset = 0;  // in bytes, of what follows the line
    bool too_long = false;        // had more than the limit; `text` is its beginning
  };
  enum class Got { kLine, kEnd };

  // Errors: lines.unreadable.
  static Result<LineReader> open(const std::string& path, std::size_t max_line_bytes);

  // Fills `line()`. Errors: lines.unreadable; the file cannot be read on.
  Result<Got> next();
  const Line& line() const { return line_; }
  const std::string& path() const { return path_; }
  // What an item made from the line is called: "PATH:NUMBER".
  std::string key() const { return path_ + ":" + std::to_string(line_.number); }

 private:
  LineReader(std::string path, FileHandle file, std::size_t max_line_bytes);
  Status fill();
  void append(const char* text, std::size_t size);

  std::string path_;
  FileHandle file_;
  std::size_t max_line_bytes_;
  std::vector<char> block_;
  std::size_t begin_ = 0;  // of what is left in the block
  std::size_t end_ = 0;
  bool ended_ = false;
  Line line_;
};

}  // namespace sluice
