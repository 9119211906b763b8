#pragma once

#include <memory>

namespace sluice {

// Keeps what a device may still write until the process ends: giving it back would let a kernel
// that hangs, or that nobody can ask about any more, write into somebody else's memory.
// Threads: thread-safe.
void keep_forever(std::shared_ptr<const void> object);

}  // namespace sluice
