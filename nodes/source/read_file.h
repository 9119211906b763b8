#pragma once

#include "sluice/core/buffer.h"
#include "sluice/core/status.h"

#include <cstdint>
#include <memory>
#include <string>

namespace sluice {

// Reads a regular file of at most `max_bytes` into memory charged to `budget`; a larger one is
// refused by its size, unread. Never waits on a pipe or device that took the file's place. Blocks:
// reads the disk. Errors: files.unreadable, files.not_a_file, files.too_large, files.changed when
// it became shorter meanwhile, those of Buffer::allocate.
Result<Buffer> read_file(const std::string& path, std::uint64_t max_bytes,
                         const std::shared_ptr<MemoryBudget>& budget);

}  // namespace sluice
