#include "sluice/runtime/cli/output.h"

#include "sluice/runtime/cli/commands.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace sluice {

void hold_closed_descriptors() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    // The lowest number that is free is given, and all below are taken by now.
    ::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
}

int write_data(std::string_view data) {
  errno = 0;
  const bool written =
      std::fwrite(data.data(), 1, data.size(), stdout) == data.size() && std::fflush(stdout) == 0;
  if (written || errno == EPIPE) return kExitOk;
  write_message(fmt::format("error: cannot write to stdout: {}\n", std::strerror(errno)));
  return kExitFailed;
}

void write_message(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

int usage_error(std::string_view message) {
  write_message(fmt::format("error: {}\n", message));
  return kExitUsage;
}

}  // namespace sluice
