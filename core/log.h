#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

namespace sluice {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// What the library has to say on the side. The core prints nothing; the runtime connects this to
// spdlog, a host program to whatever it has. Threads: thread-safe; a sink may be called from any thread.
class Log {
 public:
  using Sink = std::function<void(LogLevel, std::string_view source, std::string_view message)>;

  // Replaces the process-wide sink; an empty one silences. Returns the one before.
  static Sink set_sink(Sink sink);
  static void write(LogLevel level, std::string_view source, std::string_view message);

  explicit Log(std::string source) : source_(std::move(source)) {}
  void debug(std::string_view message) const { write(LogLevel::kDebug, source_, message); }
  void info(std::string_view message) const { write(LogLevel::kInfo, source_, message); }
  void warning(std::string_view message) const { write(LogLevel::kWarning, source_, message); }
  void error(std::string_view message) const { write(LogLevel::kError, source_, message); }

 private:
  std::string source_;
};

}  // namespace sluice
