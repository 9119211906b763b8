#include "sluice/runtime/logging.h"

#include "sluice/core/value.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cstdlib>
#include <memory>

namespace sluice {
namespace {

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

}  // namespace

void log_to_stderr(LogLevel level, LogFormat format) {
  const char* no_color = std::getenv("NO_COLOR");  // https://no-color.org
  const bool plain = no_color != nullptr && *no_color != '\0';
  const auto logger = std::make_shared<spdlog::logger>(
      "sluice", std::make_shared<spdlog::sinks::stderr_color_sink_mt>(
                    plain ? spdlog::color_mode::never : spdlog::color_mode::automatic));
  logger->set_level(spdlog_level(level));
  if (format == LogFormat::kJson) {
    logger->set_pattern("{\"time\":\"%Y-%m-%dT%H:%M:%S.%eZ\",%v}", spdlog::pattern_time_type::utc);
  } else {
    logger->set_pattern("%^%l%$ %v");
  }
  Log::set_sink([logger, format](LogLevel at, std::string_view source, std::string_view message) {
    if (format == LogFormat::kJson) {
      logger->log(spdlog_level(at), "\"level\":\"{}\",\"source\":{},\"message\":{}", word(at),
                  Value(source).to_json(), Value(message).to_json());
    } else {
      logger->log(spdlog_level(at), "{}: {}", source, message);
    }
  });
}

}  // namespace sluice
