#include "sluice/runtime/cuda/plan_cache.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace sluice::cuda {
namespace {

// In one write: lines of processes side by side do not mix.
bool write_all(int file, std::string_view text) {
  const bool written = ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  close(file);
  return written;
}

}  // namespace

PlanCache::PlanCache(std::string file, std::string header)
    : file_(std::move(file)), header_(std::move(header)) {}

std::optional<std::string> PlanCache::find(const std::string& question) {
  const std::scoped_lock lock(mutex_);
  if (!is_read_) read();
  const auto known = ways_.find(question);
  if (known == ways_.end()) return std::nullopt;
  return known->second;
}

void PlanCache::keep(const std::string& question, const std::string& way) {
  const std::scoped_lock lock(mutex_);
  if (!is_read_) read();
  ways_[question] = way;
  if (file_.empty()) return;
  const std::string line = question + "\t" + way + "\n";
  is_ours_ ? append(line) : replace(line);
}

void PlanCache::read() {
  is_read_ = true;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file_, ignored)) return;
  std::ostringstream text;
  text << std::ifstream(file_, std::ios::binary).rdbuf();
  const std::string all = std::move(text).str();
  std::string_view rest = all;
  const std::size_t first = rest.find('\n');
  if (first == std::string_view::npos || rest.substr(0, first) != header_) return;
  is_ours_ = true;
  rest.remove_prefix(first + 1);
  // The last line counts only if it is whole.
  for (std::size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    const std::size_t tab = line.find('\t');
    if (tab == 0 || tab == std::string_view::npos || tab + 1 == line.size()) continue;
    ways_[std::string(line.substr(0, tab))] = line.substr(tab + 1);
  }
}

void PlanCache::append(const std::string& line) {
  const int file = open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  // It begins with a line end, which ends what a process that was killed may have left.
  if (file >= 0) write_all(file, "\n" + line);
}

// By a rename, so that a process beside this one reads the old file or the new one.
void PlanCache::replace(const std::string& line) {
  std::error_code failed;
  std::filesystem::create_directories(std::filesystem::path(file_).parent_path(), failed);
  std::string scratch = file_ + ".XXXXXX";
  const int file = mkostemp(scratch.data(), O_CLOEXEC);
  if (file < 0) return;
  if (write_all(file, header_ + "\n" + line)) {
    std::filesystem::rename(scratch, file_, failed);
    is_ours_ = !failed;
  }
  if (!is_ours_) std::filesystem::remove(scratch, failed);
}

}  // namespace sluice::cuda
