#pragma once

#include "sluice/runtime/lanes/lane_fault.h"

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::testing {

// Each scenario drives lanes on a simulated device, of a shape and with delays that are drawn from
// the seed, and says what went wrong, one line each. A scheduler without a fault gives none.
using Violations = std::vector<std::string>;

// Several callers, each waiting for its item before it submits the next.
Violations steady(std::uint64_t seed, LaneFault fault);
// The same with calls that the device refuses, work that fails on it, and items that the program
// does not like: each failure is to reach its item and no other.
Violations failing(std::uint64_t seed, LaneFault fault);
// What one set of lanes makes stays on the device, for another set: some of it alone, some put
// together with what lies in the host's memory. Some fail.
Violations handed_on(std::uint64_t seed, LaneFault fault);
// The device is lost on the way.
Violations lost(std::uint64_t seed, LaneFault fault);
// Kernels hang, until they end after all.
Violations overdue(std::uint64_t seed, LaneFault fault);
// Lanes are cancelled and destroyed with work in flight and waiting.
Violations cancelled(std::uint64_t seed, LaneFault fault);
// Copies and kernels of different items are to overlap.
Violations overlapping(std::uint64_t seed, LaneFault fault);
// More callers are not to make it slower.
Violations loaded(std::uint64_t seed, LaneFault fault);

}  // namespace sluice::testing
