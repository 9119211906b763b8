// Models on lanes.
//   gpu_lanes [--device cuda|emulated] [--cache FOLDER] [--quick] [--seconds N]
//   [m5|m6|m7|m8|m9|m12...]
// --seconds is for m12, the soak.
#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/report.h"

#include <functional>
#include <map>

namespace sluice::gpu_suite {
namespace {

int run(const Arguments& arguments) {
  const std::map<std::string, std::function<void(LaneBench&)>> sections{
      {"m5", measure_callers}, {"m6", measure_overlap},  {"m7", measure_busy},
      {"m8", measure_frames},  {"m9", measure_cpu_work}, {"m12", soak}};
  std::vector<std::string> names = arguments.names;
  if (names.empty()) names = {"m5", "m6", "m7", "m8", "m9", "m12"};
  Result<Rig> rig = open_rig(arguments.device);
  for (const std::string& name : names) {
    const auto section = sections.find(name);
    if (section == sections.end()) {
      std::fprintf(stderr, "gpu_lanes: no section is named %s\n", name.c_str());
      return 2;
    }
    if (!measured(name + ".*", rig.status())) continue;
    LaneBench bench(*rig, arguments);
    section->second(bench);
  }
  return rig ? 0 : kNoDevice;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
