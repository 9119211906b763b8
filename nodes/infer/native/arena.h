#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace sluice::native {

// A block of memory that is needed from one step to another, both included.
struct Block {
  std::size_t bytes = 0;
  std::size_t first_step = 0;
  std::size_t last_step = 0;
};

struct ArenaLayout {
  std::vector<std::size_t> offsets;  // one a block, multiples of 64
  std::size_t bytes = 0;             // of the whole arena
};

// Places blocks so that those needed at the same time do not overlap: largest first, each at the
// lowest offset that is free for as long as it is needed. Not optimal, but within a few per cent
// of it on the networks we know.
ArenaLayout lay_out(std::span<const Block> blocks);

}  // namespace sluice::native
