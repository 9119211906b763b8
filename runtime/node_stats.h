#pragma once

#include "sluice/core/resolve.h"
#include "sluice/runtime/durations.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace sluice {

// What is known of a node only when its run is measured.
struct NodeMeasures {
  Durations calls;
  std::uint64_t blocked_ns = 0;   // it had something to send and no reader with room
  std::uint64_t allocations = 0;  // of the heap, in its calls
};

// What one node has done so far. Times in nanoseconds of its own calls.
struct NodeStats {
  std::string name;
  std::string type;
  std::uint64_t items = 0;     // calls that got an item
  std::uint64_t rejected = 0;  // items rejected here
  std::uint64_t busy_ns = 0;
  std::uint64_t blocked = 0;  // times it found a reader full
  std::size_t workers = 1;    // calls at once, at most
  ExecutionClass execution = ExecutionClass::kCpu;
  ModelRun model;
  std::shared_ptr<const NodeMeasures> measures;  // null when the run is not measured
};

}  // namespace sluice
