#pragma once

#include <string>
#include <vector>

namespace sluice::gpu_suite {

constexpr int kNoDevice = 3;  // exit status: there is no device to measure, which was said

// What all programs of the suite take.
struct Arguments {
  std::string device = "cuda";
  std::string cache_folder;  // for what autotuning finds
  bool is_quick = false;
  bool has_profile = false;
  double seconds = 0;  // 0: as long as the program thinks right
  std::vector<std::string> names;
};

// Reads them and runs; exit status 2 for arguments that are none.
int main_of(int count, char** words, int (*run)(const Arguments& arguments));

}  // namespace sluice::gpu_suite
