#pragma once

#include "sluice/runtime/lane_chain.h"
#include "sluice/runtime/lanes/lane_set.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace sluice {

// One run of a chain's program, for some of a call's items.
struct LaneRun {
  // Items that are alike in what goes in.
  struct Part {
    std::size_t end_row = 0;
    std::vector<Shape> inputs;  // of one of them
  };
  LaneWork work;
  std::vector<std::size_t> items;  // by row
  std::vector<Part> parts;
  // Of a chain of several, by node: how many outputs its program has, and the shape that one item's
  // passed on output has.
  std::vector<std::size_t> output_counts;
  std::vector<Shape> passed_on;
  // What came of it.
  Status status;
  std::vector<Tensor> outputs;
};

// The items of one call on their way over the lanes. Threads: one at a time. Lifetime: its memory
// is used again for the next call.
class LaneCall {
 public:
  // Puts the items together to runs. One that is rejected already has its status.
  std::span<LaneRun> begin(LaneChain& chain, std::size_t worker, std::span<Item> items);
  // Gives each item what its run has come to, and its status.
  void end(LaneChain& chain, std::size_t worker, std::span<Item> items);
  std::span<LaneRun> runs() { return runs_; }
  void clear();

 private:
  void take_inputs(LaneChain& chain, std::size_t worker, std::span<Item> items);
  void take_group(const LaneChain& chain);
  const Shape* shape_passed_on(const LaneChain& chain, std::size_t item);
  Status put_together(LaneRun& run, std::int64_t batch, Item& payer);
  Status put_together(LaneRun& run, std::span<const std::size_t> alike, std::int64_t rows,
                      Item& payer);
  bool check(LaneChain& chain, std::size_t worker, std::span<Item> items, LaneRun& run);
  static std::vector<bool> stays(const LaneChain& chain, const LaneRun& run);
  void give(LaneChain& chain, std::size_t worker, Item& item, const LaneRun& run, std::int64_t row);

  std::vector<std::vector<Tensor>> inputs_;  // by item
  std::vector<std::size_t> order_, group_;   // items
  // What the first node passes on for an input of that shape; nothing where such items cannot be
  // put together with others.
  std::vector<std::pair<Shape, std::optional<Shape>>> passed_on_;
  std::vector<LaneRun> runs_;
  std::vector<Tensor> rows_;
  std::vector<Emission> emissions_;  // of one node for one item
};

}  // namespace sluice
