#pragma once

#include "sluice/core/log.h"

#include <string>
#include <string_view>

namespace sluice {

enum class LogFormat { kText, kJson };

// Connects the library's log to spdlog on stderr. For programs that want what `sluice` has; the
// library itself stays silent until somebody calls this or sets a sink.
void log_to_stderr(LogLevel level, LogFormat format);

}  // namespace sluice
