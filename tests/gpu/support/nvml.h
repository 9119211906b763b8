#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace sluice::gpu_suite {

// Samples how busy the first GPU is, in per cent of the driver's own sample period, while it lives.
// Without NVIDIA's management library there are no samples.
class BusySampler {
 public:
  BusySampler();
  // Ends, and gives the samples in order.
  std::vector<double> end();

 private:
  std::vector<double> samples_;
  std::jthread thread_;
};

}  // namespace sluice::gpu_suite
