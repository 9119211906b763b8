#include "sluice/nodes/source/read_file.h"

#include "sluice/nodes/source/file_handle.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

namespace sluice {

Result<Buffer> read_file(const std::string& path, std::uint64_t max_bytes,
                         const std::shared_ptr<MemoryBudget>& budget) {
  // Not blocking, so that a pipe of this name does not wait for its writer.
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!file.is_open() || ::fstat(file.get(), &status) != 0) {
    return Status(errno == ENOENT ? Code::kNotFound : Code::kInvalidInput, "files.unreadable",
                  "cannot read " + path + ": " + std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return invalid("files.not_a_file", path + " is no regular file");
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > max_bytes) {
    return invalid("files.too_large",
                   path + " has " + std::to_string(size) +
                       " bytes, more than max_size = " + std::to_string(max_bytes));
  }
  auto buffer = Buffer::allocate(static_cast<std::size_t>(size), budget);
  if (!buffer) return buffer.status();
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got =
        ::read(file.get(), buffer->data() + done, static_cast<std::size_t>(size) - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return invalid("files.unreadable", "cannot read " + path + ": " + std::strerror(errno));
    }
    if (got == 0) {
      return invalid("files.changed",
                     path + " became shorter while it was read: " + std::to_string(done) + " of " +
                         std::to_string(size) + " bytes");
    }
    done += static_cast<std::size_t>(got);
  }
  return buffer;
}

}  // namespace sluice
