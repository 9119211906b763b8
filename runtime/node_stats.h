#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace sluice {

// What one node has done so far. Times in nanoseconds of its own calls.
struct NodeStats {
  std::string name;
  std::string type;
  std::uint64_t items = 0;     // calls that got an item
  std::uint64_t rejected = 0;  // items rejected here
  std::uint64_t busy_ns = 0;
  std::uint64_t blocked = 0;  // times it found a reader full
  std::size_t workers = 1;    // calls at once, at most
};

}  // namespace sluice
