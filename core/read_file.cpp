#include "sluice/core/read_file.h"

#include "sluice/core/own_descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace sluice {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

Status unreadable(const std::string& why) { return invalid("file.unreadable", why); }

}  // namespace

Result<std::string> read_file(const std::string& path) {
  if (leads_to_closed_descriptor(path, FileAccess::kRead)) return unreadable("it is closed");
  // Not blocking, so that a named pipe does not wait for its writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return unreadable(std::strerror(errno));
  const std::unique_ptr<std::FILE, CloseFile> file(::fdopen(descriptor, "rb"));
  struct stat status {};
  if (!file || ::fstat(descriptor, &status) != 0) return unreadable(std::strerror(errno));
  // A writer that is there is waited for: the shell's <(...) is such a pipe.
  ::fcntl(descriptor, F_SETFL, O_RDONLY);
  constexpr std::size_t kStep = 64 * 1024;
  std::string text;
  for (std::size_t got = kStep; got == kStep && text.size() <= kMaxFileBytes;) {
    const std::size_t before = text.size();
    text.resize(before + kStep);
    got = std::fread(text.data() + before, 1, kStep, file.get());
    text.resize(before + got);
  }
  if (std::ferror(file.get())) return unreadable(std::strerror(errno));
  if (text.size() > kMaxFileBytes)
    return unreadable("it is larger than " + std::to_string(kMaxFileBytes >> 20) + " MiB");
  if (text.empty() && S_ISFIFO(status.st_mode))
    return unreadable("it is no regular file but a pipe, and nobody writes to it");
  return text;
}

}  // namespace sluice
