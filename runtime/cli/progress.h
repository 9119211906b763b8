#pragma once

#include "sluice/core/log.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/report.h"

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

namespace sluice {

// Shows how far a run has come, on stderr: a line that is drawn over on a terminal, a plain line or
// a JSON line now and then elsewhere. While it lives, log lines go past the terminal's line without
// breaking it. Threads: thread-safe.
class Progress {
 public:
  // `total`: the items there will be, where that is known.
  Progress(ProgressMode mode, std::optional<std::uint64_t> total);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // How long to wait between two calls of `show`.
  Duration interval() const;
  void show(const Report& report);
  // Takes the terminal's line away, so that other text can be written.
  void clear();

 private:
  std::string line(const Report& report) const;
  void clear_locked();

  const ProgressMode mode_;  // never kAuto
  const std::optional<std::uint64_t> total_;
  std::mutex mutex_;
  bool drawn_ = false;
  Log::Sink log_before_;
};

// What `auto` stands for here: a terminal's line on a terminal, else nothing.
ProgressMode resolved(ProgressMode mode);

}  // namespace sluice
