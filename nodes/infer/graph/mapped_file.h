#pragma once

#include "sluice/core/status.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace sluice::graph {

// A file's bytes, mapped read-only; pages are read when they are first touched.
// Lifetime: whoever keeps views of the bytes keeps the MappedFile. Threads: thread-safe.
// A file that another process shortens while it is mapped faults the reader, as any mapping does;
// replace model files by renaming.
class MappedFile {
 public:
  // Errors: model.missing when there is no such regular file or it cannot be read.
  static Result<std::shared_ptr<const MappedFile>> open(const std::string& path);

  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  MappedFile(std::string path, const std::byte* data, std::size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}

  std::string path_;
  const std::byte* data_;
  std::size_t size_;
};

}  // namespace sluice::graph
