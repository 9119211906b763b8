#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace sluice::cuda {

// Which way of computing an operator was the fastest on a device, kept in a file between runs. Its
// first line says for what device and which libraries; where that is not the line of now, nothing
// in it counts, and the first answer that is kept replaces it. Each other line is an operator, a
// tab, and a way. What is not such a line, whole, is passed over, and of two ways the last one
// holds: so processes may add to it side by side, and one that is killed spoils nothing.
// Where it cannot be read or written, answers are kept for the process. Threads: thread-safe.
class PlanCache {
 public:
  // `file`: read at the first question, with its folder made when there is something to write; may
  // be empty. `header` and what is asked and kept hold no tabs and line ends.
  PlanCache(std::string file, std::string header);

  std::optional<std::string> find(const std::string& question);
  void keep(const std::string& question, const std::string& way);

 private:
  void read();
  void append(const std::string& line);
  void replace(const std::string& line);

  const std::string file_;
  const std::string header_;
  std::mutex mutex_;
  bool is_read_ = false;
  bool is_ours_ = false;  // whether the file has our header
  std::map<std::string, std::string> ways_;
};

}  // namespace sluice::cuda
