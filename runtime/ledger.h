#pragma once

#include "sluice/core/token.h"
#include "sluice/graphs/plan.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// How many items were rejected for one reason at one node.
struct RejectCount {
  std::string reason;
  std::string node;
  std::uint64_t items = 0;
};

// Counts what became of every source item and writes down the rejected ones:
// in = delivered + rejected + dropped (+ unfinished, when a run is aborted).
// Threads: thread-safe.
class Ledger {
 public:
  // `too_many` is called once, when the rejects pass the plan's limit.
  Ledger(RejectsPlan plan, std::function<void(Status)> too_many);
  ~Ledger();

  // A source makes so many items; it takes back those that it does not make after all.
  void admitted(std::int64_t items) {
    in_.fetch_add(static_cast<std::uint64_t>(items), std::memory_order_relaxed);
  }
  void delivered(std::int64_t items) {
    delivered_.fetch_add(static_cast<std::uint64_t>(items), std::memory_order_relaxed);
  }
  // One item has come to its end, whichever it is.
  void settled(const Token& token);

  // At the end: whether the share of rejected items is over the limit, and whether the report could
  // be written.
  Status close();

  struct Counts {
    std::uint64_t in = 0;
    std::uint64_t delivered = 0;
    std::uint64_t rejected = 0;
    std::uint64_t dropped = 0;
    std::uint64_t unfinished = 0;
  };
  Counts counts() const;
  std::vector<RejectCount> reasons() const;  // most frequent first
  const std::string& rejects_path() const { return plan_.path; }

 private:
  void write_reject(const Token& token);
  Status over_limit(bool at_end) const;

  const RejectsPlan plan_;
  const std::function<void(Status)> too_many_;
  std::atomic<std::uint64_t> in_{0};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> rejected_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> unfinished_{0};

  mutable std::mutex mutex_;  // of what follows
  std::map<std::pair<std::string, std::string>, std::uint64_t> reasons_;
  int file_ = -1;
  Status write_failure_;
  bool told_ = false;
};

}  // namespace sluice
