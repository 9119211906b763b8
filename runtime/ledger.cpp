#include "sluice/runtime/ledger.h"

#include "sluice/core/own_descriptor.h"
#include "sluice/core/value.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace sluice {

Ledger::Ledger(RejectsPlan plan, std::function<void(Status)> too_many)
    : plan_(std::move(plan)), too_many_(std::move(too_many)) {}

Ledger::~Ledger() {
  if (file_ >= 0) ::close(file_);
}

void Ledger::settled(const Token& token) {
  switch (token.outcome()) {
    case Outcome::kDelivered:
      delivered(1);
      return;
    case Outcome::kDropped:
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    case Outcome::kUnfinished:
      unfinished_.fetch_add(1, std::memory_order_relaxed);
      return;
    case Outcome::kRejected:
      break;
  }
  rejected_.fetch_add(1, std::memory_order_relaxed);
  Status verdict;
  {
    const std::lock_guard lock(mutex_);
    const Rejection& rejection = token.rejection();
    ++reasons_[{rejection.status.reason(), rejection.node}];
    write_reject(token);
    verdict = over_limit(false);
    if (!verdict.is_ok() && std::exchange(told_, true)) return;
  }
  if (!verdict.is_ok()) too_many_(std::move(verdict));
}

void Ledger::write_reject(const Token& token) {
  if (plan_.path.empty() || !write_failure_.is_ok()) return;
  if (file_ < 0) {
    std::error_code ignored;
    const std::filesystem::path folder = std::filesystem::path(plan_.path).parent_path();
    if (!folder.empty()) std::filesystem::create_directories(folder, ignored);
    if (leads_to_closed_descriptor(plan_.path, FileAccess::kWrite)) {
      errno = EBADF;
    } else {
      file_ = ::open(plan_.path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    }
  }
  const Rejection& rejection = token.rejection();
  const Value line(Value::Object{{"item", token.key()},
                                 {"seq", static_cast<std::int64_t>(token.number)},
                                 {"node", rejection.node},
                                 {"code", rejection.status.reason()},
                                 {"message", rejection.status.message()},
                                 {"attempt", rejection.attempt},
                                 {"parts", static_cast<std::int64_t>(token.rejected_parts())}});
  const std::string text = line.to_json() + "\n";
  if (file_ < 0 || ::write(file_, text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    write_failure_ = Status(Code::kUnavailable, "rejects.write",
                            "cannot write " + plan_.path + ": " + std::strerror(errno));
  }
}

Status Ledger::over_limit(bool at_end) const {
  constexpr std::uint64_t kEnough = 1000;  // items before a share means anything
  const std::uint64_t rejected = rejected_.load(std::memory_order_relaxed);
  const std::uint64_t in = in_.load(std::memory_order_relaxed);
  if (plan_.max_items && rejected > *plan_.max_items) {
    return invalid("rejects.limit", std::to_string(rejected) +
                                        " items rejected, more than rejects.max: " +
                                        std::to_string(*plan_.max_items));
  }
  if (plan_.max_share && (at_end || in >= kEnough) &&
      static_cast<double>(rejected) > *plan_.max_share * static_cast<double>(in)) {
    return invalid("rejects.limit", std::to_string(rejected) + " of " + std::to_string(in) +
                                        " items rejected, more than rejects.max: " +
                                        Value(*plan_.max_share * 100).to_text() + "%");
  }
  return Status::ok();
}

Status Ledger::close() {
  const std::lock_guard lock(mutex_);
  if (!write_failure_.is_ok()) return write_failure_;
  return over_limit(true);
}

Ledger::Counts Ledger::counts() const {
  // Outcomes before admissions, so that a look from outside never finds more out than in.
  Counts counts;
  counts.delivered = delivered_.load(std::memory_order_acquire);
  counts.rejected = rejected_.load(std::memory_order_acquire);
  counts.dropped = dropped_.load(std::memory_order_acquire);
  counts.unfinished = unfinished_.load(std::memory_order_acquire);
  counts.in = in_.load(std::memory_order_acquire);
  return counts;
}

std::vector<RejectCount> Ledger::reasons() const {
  std::vector<RejectCount> counts;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [what, items] : reasons_) counts.push_back({what.first, what.second, items});
  }
  std::stable_sort(counts.begin(), counts.end(),
                   [](const RejectCount& a, const RejectCount& b) { return a.items > b.items; });
  return counts;
}

}  // namespace sluice
