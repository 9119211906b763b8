#include "sluice/runtime/lanes/race_checker.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

namespace sluice {
namespace {

void join(RaceChecker::VectorClock& clock, const RaceChecker::VectorClock& other) {
  if (clock.size() < other.size()) clock.resize(other.size(), 0);
  for (std::size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

}  // namespace

std::size_t RaceChecker::add_stream() {
  clocks_.emplace_back(clocks_.size() + 1, 0);
  return clocks_.size() - 1;
}

void RaceChecker::queue_work(std::size_t stream) {
  join(clocks_[stream], clocks_[kHost]);
  ++clocks_[stream][stream];
}

void RaceChecker::wait(std::size_t stream, const VectorClock& known) {
  join(clocks_[stream], known);
}

void RaceChecker::tell_host(const VectorClock& known) { join(clocks_[kHost], known); }

void RaceChecker::add_memory(const std::byte* data, std::size_t size_bytes, std::string name) {
  memory_[data] = {size_bytes, std::move(name), {}};
}

void RaceChecker::remove_memory(const std::byte* data) {
  const auto memory = memory_.find(data);
  assert(memory != memory_.end());
  for (const Past& past : memory->second.past) {
    if (is_known(kHost, past)) continue;
    report("released too early: " + memory->second.name + ", which `" + past.what +
           "` may still use");
  }
  memory_.erase(memory);
}

void RaceChecker::access(std::size_t actor, const std::byte* data, std::size_t size_bytes,
                         Access access, const std::string& what) {
  auto memory = memory_.upper_bound(data);
  if (memory == memory_.begin()) return;
  --memory;
  const auto begin = static_cast<std::size_t>(data - memory->first);
  const std::size_t end = begin + size_bytes;
  if (begin >= memory->second.size_bytes) return;  // none of the device's
  if (actor == kHost) ++clocks_[kHost][kHost];

  std::erase_if(memory->second.past, [&](const Past& past) {
    if (past.end <= begin || end <= past.begin) return false;
    const bool known = is_known(actor, past);
    if (!known && (access == Access::kWrite || past.access == Access::kWrite)) {
      report("not ordered: `" + what + (access == Access::kWrite ? "` writes " : "` reads ") +
             memory->second.name + ", which `" + past.what +
             (past.access == Access::kWrite ? "` writes" : "` reads"));
    }
    // Whoever is after this access is after that one as well.
    const bool covers = begin <= past.begin && past.end <= end;
    return covers && known && (access == Access::kWrite || past.access == Access::kRead);
  });
  memory->second.past.push_back({actor, time_of(actor), begin, end, access, what});
}

void RaceChecker::report(std::string finding) {
  if (findings_.size() < kMostFindings) findings_.push_back(std::move(finding));
}

bool RaceChecker::is_known(std::size_t actor, const Past& past) const {
  const VectorClock& clock = clocks_[actor];
  return past.actor < clock.size() && past.time <= clock[past.actor];
}

std::uint64_t RaceChecker::time_of(std::size_t actor) const { return clocks_[actor][actor]; }

}  // namespace sluice
