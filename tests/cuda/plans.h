#pragma once

#include "sluice/runtime/cuda/lane_resources.h"

#include <gmock/gmock.h>

#include <ostream>
#include <string>

// Plans for devices that are not there.
namespace sluice::cuda::testing {

struct Device {
  const char* file;  // in tests/gpu/devices
};
void PrintTo(const Device& device, std::ostream* out);
constexpr Device kA100{"a100.json"}, kH100{"h100.json"}, kH200{"h200.json"};

LaneResources lane_of(const Device& device);

// How choosing the first way of what a library makes went.
struct Planned {
  Outcome outcome;
  std::string name;  // of what was made
};
void PrintTo(const Planned& planned, std::ostream* out);
// By cuDNN alone.
Planned planned(const LaneResources& lane, const sluice_cuda_op& op);

// Whether there is a driver's library, or the toolkit's stub of one, which stays loaded then: cuDNN
// wants it for what it compiles at run time, even where nothing is run.
bool has_driver_library();

MATCHER(IsPlanned, "has a plan") { return arg.outcome.is_ok(); }
MATCHER_P(IsPlannedAs, name, "has a plan named '" + std::string(name) + "'") {
  return arg.outcome.is_ok() && arg.name.find(name) != std::string::npos;
}
MATCHER_P(IsRefusedFor, reason, "is unsupported: '" + std::string(reason) + "'") {
  return arg.outcome.code == SLUICE_CUDA_UNSUPPORTED &&
         arg.outcome.message.find(reason) != std::string::npos;
}

}  // namespace sluice::cuda::testing
