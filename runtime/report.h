#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/status.h"
#include "sluice/runtime/ledger.h"
#include "sluice/runtime/node_stats.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

// What a run has come to: in = delivered + rejected + dropped (+ unfinished, when it was ended
// early).
struct Report {
  std::string pipeline;
  Ledger::Counts items;
  std::vector<RejectCount> reasons;  // of the rejected, most frequent first
  std::vector<NodeStats> nodes;
  Duration elapsed{};
  Durations end_to_end;               // of the delivered items, when the run is measured
  std::size_t peak_memory_bytes = 0;  // of the items in flight
  Status failure;                     // why the run ended early; ok when it did not
  bool aborted = false;

  // 0 all delivered, 1 the run failed, 3 finished with rejected items.
  int exit_code() const;
  // Several lines for a person, without the last line of fixed form.
  std::string to_text() const;
  // "Done. IN=5 OUT=4 REJECTED=1 DROPPED=0 EXIT=3"
  std::string last_line(int exit_code) const;
};

}  // namespace sluice
