#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

namespace sluice::native {

// Knows which of several ways to compute the same is the fastest on this machine: it times them,
// once, and keeps the answer in a file, so that a later process neither waits for it nor decides
// otherwise. The file has a line for each question: the question, a tab, and the name of the
// answer. What is not such a line is passed over, and of two answers the last one holds; so
// processes may add to it side by side, and one that is killed spoils nothing.
// Threads: thread-safe; one times at a time. Blocks: while another thread times.
class Tuner {
 public:
  struct Candidate {
    std::string_view name;
    std::function<void()> run;
  };
  using NowNs = std::function<std::int64_t()>;

  // `file`: read at the first question; its folder is made when there is something to write. Where
  // it cannot be written, or is empty, answers are kept for the process.
  explicit Tuner(std::string file, NowNs now_ns = {});

  // The place of the fastest. `question` says all that the answer depends on, the machine included,
  // and holds no tab and no line end. REQUIRES: there is a candidate.
  std::size_t fastest(const std::string& question, std::span<const Candidate> candidates);

 private:
  void read();
  void write(const std::string& question, std::string_view answer) const;
  std::size_t time(std::span<const Candidate> candidates) const;

  const std::string file_;
  const NowNs now_ns_;
  std::mutex mutex_;
  bool is_read_ = false;
  std::map<std::string, std::string> answers_;
};

// That of this user, in `algorithms` of its cache folder. Lives to the end of the process.
Tuner& user_tuner();

}  // namespace sluice::native
