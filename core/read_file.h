#pragma once

#include "sluice/core/status.h"

#include <cstddef>
#include <string>

namespace sluice {

// A limit for files that people write: /dev/zero has no end.
inline constexpr std::size_t kMaxFileBytes = 64 << 20;

// What a file holds. Errors: the message says why it cannot be read, to stand behind "cannot read
// PATH: ". More than `kMaxFileBytes` are an error, and so is a named pipe that nobody writes to.
// Threads: thread-safe. Blocks: reads, and waits for the writer of a pipe, such as the shell's
// <(...).
Result<std::string> read_file(const std::string& path);

}  // namespace sluice
