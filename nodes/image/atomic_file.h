#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/source/file_handle.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace sluice {

// A file that is there whole or not at all: written under a hidden name in its folder, and given
// its own name when it is complete and on the disk. One that is not committed leaves nothing
// behind. Owns its file. Threads: one thread at a time. Blocks: writes the disk. Errors: of kind
// kInvalidInput where this path is at fault and another may do, sink.exists and sink.path; else
// where nothing that follows would fare better: sink.disk_full, sink.write.
class AtomicFile {
 public:
  enum class Existing { kRefuse, kReplace };

  // Begins the file that will be `path`; makes the folders to it.
  static Result<AtomicFile> create(const std::string& path, Existing existing);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  Status write(std::span<const std::uint8_t> bytes);
  // Waits until the bytes are on the disk, then gives the file its name. The last call.
  Status commit();

 private:
  AtomicFile(std::string path, std::string temporary, Existing existing, FileHandle file);
  Status flush();

  static constexpr std::size_t kBlockBytes = 128u << 10;

  std::string path_;
  std::string temporary_;  // empty once it is gone
  Existing existing_;
  FileHandle file_;
  std::unique_ptr<std::uint8_t[]> block_;
  std::size_t filled_ = 0;
};

}  // namespace sluice
