#include "sluice/nodes/infer/native/tuner.h"

#include "sluice/core/read_file.h"
#include "sluice/nodes/infer/user_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <filesystem>
#include <limits>
#include <vector>

namespace sluice::native {
namespace {

std::int64_t steady_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

}  // namespace

Tuner::Tuner(std::string file, NowNs now_ns)
    : file_(std::move(file)), now_ns_(now_ns ? std::move(now_ns) : steady_ns) {}

std::size_t Tuner::fastest(const std::string& question, std::span<const Candidate> candidates) {
  assert(!candidates.empty());
  const std::scoped_lock lock(mutex_);
  if (!is_read_) read();
  if (const auto known = answers_.find(question); known != answers_.end()) {
    const auto chosen = std::ranges::find(candidates, known->second, &Candidate::name);
    if (chosen != candidates.end()) return static_cast<std::size_t>(chosen - candidates.begin());
  }
  const std::size_t place = time(candidates);
  answers_[question] = candidates[place].name;
  write(question, candidates[place].name);
  return place;
}

void Tuner::read() {
  is_read_ = true;
  if (file_.empty()) return;
  const Result<std::string> text = read_file(file_);
  if (!text) return;
  std::string_view rest = *text;
  // The last line counts only if it is whole.
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (const std::size_t tab = line.rfind('\t'); tab != std::string_view::npos) {
      answers_[std::string(line.substr(0, tab))] = line.substr(tab + 1);
    }
  }
}

// One write at the end of the file: lines of processes side by side do not mix.
void Tuner::write(const std::string& question, std::string_view answer) const {
  if (file_.empty()) return;
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), ignored);
  const int file =
      open(file_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);
  if (file < 0) return;
  // It begins with a line end, which ends what a process that was killed may have left.
  const std::string line = "\n" + question + "\t" + std::string(answer) + "\n";
  [[maybe_unused]] const ssize_t written = ::write(file, line.data(), line.size());
  close(file);
}

// By turns, and of each the quickest run: what disturbs a run only ever adds to it.
std::size_t Tuner::time(std::span<const Candidate> candidates) const {
  constexpr int kRounds = 5;
  std::vector<std::int64_t> best(candidates.size(), std::numeric_limits<std::int64_t>::max());
  for (int round = 0; round <= kRounds; ++round) {
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      const std::int64_t started = now_ns_();
      candidates[i].run();
      const std::int64_t taken = now_ns_() - started;
      if (round > 0) best[i] = std::min(best[i], taken);  // the first one warms the caches
    }
  }
  return static_cast<std::size_t>(std::ranges::min_element(best) - best.begin());
}

Tuner& user_tuner() {
  static Tuner& tuner = *new Tuner([] {
    const std::filesystem::path cache = user_cache();
    return cache.empty() ? std::string() : (cache / "algorithms").string();
  }());
  return tuner;
}

}  // namespace sluice::native
