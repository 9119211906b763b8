#include "tests/gpu/support/report.h"

#include <algorithm>
#include <cstdio>

namespace sluice::gpu_suite {
namespace {

// In one line, whatever it was.
std::string one_line(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char letter) { return letter == '\n' || letter == '\t'; }, ' ');
  return line;
}

}  // namespace

void report(const std::string& name, double value, std::string_view unit) {
  std::printf("%s\t%.7g\t%s\n", name.c_str(), value, std::string(unit).c_str());
  std::fflush(stdout);
}

void unmeasured(const std::string& pattern, std::string_view why) {
  std::printf("UNMEASURED\t%s\t%s\n", pattern.c_str(), one_line(why).c_str());
  std::fflush(stdout);
}

bool measured(const std::string& pattern, const Status& status) {
  if (!status.is_ok()) unmeasured(pattern, status.message());
  return status.is_ok();
}

}  // namespace sluice::gpu_suite
