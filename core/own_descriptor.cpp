#include "sluice/core/own_descriptor.h"

#include <fcntl.h>

#include <charconv>
#include <filesystem>
#include <optional>
#include <system_error>

namespace sluice {
namespace {

namespace fs = std::filesystem;

constexpr int kMostLinks = 40;  // as many as the kernel follows

std::optional<int> to_descriptor(const std::string& name) {
  int descriptor = 0;
  const char* end = name.data() + name.size();
  const auto [last, error] = std::from_chars(name.data(), end, descriptor);
  if (error != std::errc() || last != end) return std::nullopt;
  return descriptor;
}

// The descriptor of ours that the path names, by way of symbolic links or at once.
std::optional<int> own_descriptor(fs::path path) {
  std::error_code error;
  const fs::path descriptors = fs::canonical("/proc/self/fd", error);
  if (error) return std::nullopt;
  for (int links = 0; links < kMostLinks; ++links) {
    const fs::path folder = fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
    if (error) return std::nullopt;
    if (folder == descriptors) return to_descriptor(path.filename());
    const fs::path target = fs::read_symlink(path, error);
    if (error) return std::nullopt;
    path = folder / target;
  }
  return std::nullopt;
}

}  // namespace

bool leads_to_closed_descriptor(const std::string& path, FileAccess access) {
  const std::optional<int> descriptor = own_descriptor(path);
  if (!descriptor) return false;
  const int flags = ::fcntl(*descriptor, F_GETFL);
  if (flags < 0) return true;
  const int wanted = access == FileAccess::kRead ? O_RDONLY : O_WRONLY;
  return (flags & O_ACCMODE) != wanted && (flags & O_ACCMODE) != O_RDWR;
}

}  // namespace sluice
