#include "sluice/nodes/image/atomic_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace sluice {
namespace {

Status failure(int error, const std::string& what, const std::string& path) {
  const std::string message = what + " " + path + ": " + std::strerror(error);
  switch (error) {
    case EEXIST:
      return invalid("sink.exists", path + " is already there");
    case EACCES:
    case EPERM:
    case EISDIR:
    case ELOOP:
    case EILSEQ:
    case EINVAL:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOTDIR:
      return invalid("sink.path", message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {Code::kResourceExhausted, "sink.disk_full", message};
    default:
      return {Code::kUnavailable, "sink.write", message};
  }
}

// Not the file's own name and something: that could be longer than a name may be.
std::string temporary_in(const std::filesystem::path& folder) {
  static std::atomic<std::uint64_t> made{0};
  return (folder / (".sluice-" + std::to_string(::getpid()) + "-" +
                    std::to_string(made.fetch_add(1, std::memory_order_relaxed)) + ".part"))
      .string();
}

// 0, or the error. Not every file system can rename without replacing; there the name is looked up
// first, and only another program that takes it in between is not seen.
int rename_to_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (::faccessat(AT_FDCWD, to.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const std::string& path, Existing existing) {
  if (existing == Existing::kRefuse &&
      ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
    return failure(EEXIST, {}, path);
  }
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code error;
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  if (error) return failure(error.value(), "cannot make the folder", folder.string());
  while (true) {
    std::string temporary = temporary_in(folder);
    FileHandle file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
    if (file.is_open()) {
      return AtomicFile(path, std::move(temporary), existing, std::move(file));
    }
    // Left by a process of this number that was killed, or of another machine that shares the disk.
    if (errno != EEXIST) return failure(errno, "cannot write", path);
  }
}

AtomicFile::AtomicFile(std::string path, std::string temporary, Existing existing, FileHandle file)
    : path_(std::move(path)),
      temporary_(std::move(temporary)),
      existing_(existing),
      file_(std::move(file)),
      block_(new std::uint8_t[kBlockBytes]) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      existing_(other.existing_),
      file_(std::move(other.file_)),
      block_(std::move(other.block_)),
      filled_(other.filled_) {}

AtomicFile::~AtomicFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status AtomicFile::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), kBlockBytes - filled_);
    std::memcpy(block_.get() + filled_, bytes.data(), size);
    filled_ += size;
    bytes = bytes.subspan(size);
    if (filled_ < kBlockBytes) break;
    if (Status status = flush(); !status) return status;
  }
  return Status::ok();
}

Status AtomicFile::flush() {
  std::size_t done = 0;
  while (done < filled_) {
    const ssize_t wrote = ::write(file_.get(), block_.get() + done, filled_ - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return failure(wrote == 0 ? ENOSPC : errno, "cannot write", path_);
    done += static_cast<std::size_t>(wrote);
  }
  filled_ = 0;
  return Status::ok();
}

Status AtomicFile::commit() {
  if (Status status = flush(); !status) return status;
  if (::fsync(file_.get()) != 0 || file_.close() != 0) return failure(errno, "cannot write", path_);
  int error = 0;
  if (existing_ == Existing::kRefuse) {
    error = rename_to_new(temporary_, path_);
  } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) return failure(error, "cannot write", path_);
  temporary_.clear();
  return Status::ok();
}

}  // namespace sluice
