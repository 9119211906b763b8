#pragma once

#include <string>

namespace sluice {

enum class FileAccess { kRead, kWrite };

// Whether a path such as /dev/stdout or /dev/fd/3 leads to a descriptor of this process that is
// closed, or open but not for `access`. Opening the path could then reach a file that has come to
// stand in the descriptor's place, so ask first and say that it is closed. False for other paths.
// Threads: thread-safe.
bool leads_to_closed_descriptor(const std::string& path, FileAccess access);

}  // namespace sluice
