#pragma once

#include "sluice/core/device_program.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Programs of which each takes what the one before has made, as one piece of work: what goes from
// one to the next stays in the device's memory. Its outputs are all of theirs in that order, but
// for those that only the next one reads. Threads, errors: as DeviceProgram says.
class ChainProgram final : public DeviceProgram {
 public:
  struct Link {
    std::shared_ptr<DeviceProgram> program;
    // The output that is the next one's only input; of the last one it means nothing.
    std::size_t passed_on = 0;
    bool is_read_elsewhere = false;  // and is an output of the chain as well
  };
  // What the chain's inputs are to its first program.
  enum class First {
    kTakesAll,  // they are its inputs
    // Each is its one input, of other extents than the next, and it runs for one after the other.
    // What it gives has the items as outermost axis, and is put together along that.
    kTakesEach,
  };
  // REQUIRES: a link or more. What is passed on is f32. Of kTakesEach: items of equal outputs,
  // whose bytes are a multiple of kOperandAlignment.
  explicit ChainProgram(std::vector<Link> links, First first = First::kTakesAll);

  std::string_view name() const override { return name_; }
  Result<Plan> plan(std::span<const Tensor> inputs) override;
  Status run(const Run& run) override;

 private:
  struct Step;
  struct Prepared;
  Result<Step> plan_step(std::size_t link, std::span<const Tensor> inputs) const;
  Status run_step(std::size_t link, const Step& step, const Run& run,
                  std::span<const Tensor> inputs, std::span<const Tensor> outputs) const;

  const std::vector<Link> links_;
  const First first_;
  const std::string name_;
};

// A tensor of which only type and shape are known: for the plan of a program that will get one on
// its device.
Tensor tensor_to_come(const TensorSpec& spec);

}  // namespace sluice
