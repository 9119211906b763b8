#pragma once

#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"
#include "sluice/nodes/infer/native/plan.h"

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::native {

// Which values share bytes. A value is its own root, or lies so many bytes into another value.
class Storage {
 public:
  struct Location {
    std::size_t root = 0;
    std::size_t offset = 0;
  };

  explicit Storage(std::size_t values) : parent_(values) {
    for (std::size_t i = 0; i < values; ++i) parent_[i] = {i, 0};
  }

  Location locate(graph::ValueId id) const;
  // From now on the root `id` lies in `into`. REQUIRES: `id` is its own root and not that of
  // `into`.
  void place(graph::ValueId id, graph::ValueId into, std::size_t offset);

 private:
  std::vector<Location> parent_;
};

// How many bytes into its first operand the outputs of a node lie, when it only looks at that
// operand in another shape; none when it has to move anything. One entry an output.
std::optional<std::vector<std::size_t>> view_offsets(const graph::Node& node,
                                                     graph::Operands operands,
                                                     std::span<const graph::Fact> outputs);

}  // namespace sluice::native
