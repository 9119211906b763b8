#include "sluice/runtime/lanes/chain_program.h"

#include "sluice/runtime/lanes/alignment.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace sluice {
namespace {

std::string names_of(const std::vector<ChainProgram::Link>& links) {
  std::string names;
  for (const ChainProgram::Link& link : links) {
    names += (names.empty() ? "" : " + ") + std::string(link.program->name());
  }
  return names;
}

// Items `begin` and those after it, as many as `part` has.
Tensor items_of(const Tensor& whole, std::int64_t begin, const TensorSpec& part) {
  const std::size_t item_bytes =
      whole.shape()[0] == 0 ? 0 : whole.size_bytes() / static_cast<std::size_t>(whole.shape()[0]);
  const auto at = static_cast<std::size_t>(whole.raw() - whole.buffer().data()) +
                  static_cast<std::size_t>(begin) * item_bytes;
  assert(at % kOperandAlignment == 0 || part.shape[0] == whole.shape()[0]);
  return Tensor(part.dtype, part.shape, whole.buffer(), at);
}

}  // namespace

// One link's part of the work.
struct ChainProgram::Step {
  std::vector<Plan> plans;          // of its program, one for each run of it
  std::vector<TensorSpec> outputs;  // of all runs together
  std::size_t arena_bytes = 0;
  std::size_t passed_on_at = 0;  // in the arena; of what is no output
};

struct ChainProgram::Prepared {
  std::vector<Step> steps;
  std::size_t arena_begin = 0;  // of the programs' own, which they have one after the other
};

Tensor tensor_to_come(const TensorSpec& spec) {
  return Tensor(spec.dtype, spec.shape,
                Buffer::adopt(nullptr, spec.size_bytes(), MemoryKind::kCuda, nullptr));
}

ChainProgram::ChainProgram(std::vector<Link> links, First first)
    : links_(std::move(links)), first_(first), name_(names_of(links_)) {}

Result<ChainProgram::Step> ChainProgram::plan_step(std::size_t link,
                                                   std::span<const Tensor> inputs) const {
  const bool takes_each = link == 0 && first_ == First::kTakesEach;
  Step step;
  for (std::size_t i = 0; i < (takes_each ? inputs.size() : 1); ++i) {
    Result<Plan> plan = links_[link].program->plan(takes_each ? inputs.subspan(i, 1) : inputs);
    if (!plan) return plan.status();
    step.arena_bytes = std::max(step.arena_bytes, plan->arena_bytes);
    if (i == 0) {
      step.outputs = plan->outputs;
    } else {
      for (std::size_t k = 0; k < step.outputs.size(); ++k) {
        step.outputs[k].shape[0] += plan->outputs[k].shape[0];
      }
    }
    step.plans.push_back(std::move(*plan));
  }
  return step;
}

Result<DeviceProgram::Plan> ChainProgram::plan(std::span<const Tensor> inputs) {
  auto chain = std::make_shared<Prepared>();
  Plan whole;
  Tensor passed_on;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    Result<Step> made = plan_step(i, i == 0 ? inputs : std::span(&passed_on, 1));
    if (!made) return made.status();
    const bool is_last = i + 1 == links_.size();
    Step& step = chain->steps.emplace_back(std::move(*made));
    step.passed_on_at = chain->arena_begin;
    for (std::size_t k = 0; k < step.outputs.size(); ++k) {
      if (is_last || k != link.passed_on || link.is_read_elsewhere) {
        whole.outputs.push_back(step.outputs[k]);
      } else {
        chain->arena_begin = aligned(chain->arena_begin + step.outputs[k].size_bytes());
      }
    }
    if (!is_last) passed_on = tensor_to_come(step.outputs[link.passed_on]);
    whole.arena_bytes = std::max(whole.arena_bytes, step.arena_bytes);
  }
  whole.arena_bytes += chain->arena_begin;
  whole.prepared = std::move(chain);
  return whole;
}

Status ChainProgram::run_step(std::size_t link, const Step& step, const Run& run,
                              std::span<const Tensor> inputs,
                              std::span<const Tensor> outputs) const {
  const std::size_t arena_begin = static_cast<const Prepared*>(run.prepared.get())->arena_begin;
  DeviceProgram& program = *links_[link].program;
  const bool takes_each = link == 0 && first_ == First::kTakesEach;
  std::int64_t begin = 0;  // the first item of this run
  for (std::size_t i = 0; i < step.plans.size(); ++i) {
    const Plan& plan = step.plans[i];
    std::vector<Tensor> own;
    for (std::size_t k = 0; takes_each && k < outputs.size(); ++k) {
      own.push_back(items_of(outputs[k], begin, plan.outputs[k]));
    }
    const BufferRange arena{run.arena.buffer, run.arena.offset_bytes + arena_begin,
                            plan.arena_bytes};
    const Status status =
        program.run({run.stream, takes_each ? inputs.subspan(i, 1) : inputs,
                     takes_each ? std::span<const Tensor>(own) : outputs, arena, plan.prepared});
    if (!status.is_ok()) return status.with_context(program.name());
    if (takes_each) begin += plan.outputs.front().shape[0];
  }
  return Status::ok();
}

Status ChainProgram::run(const Run& run) {
  const auto& chain = *static_cast<const Prepared*>(run.prepared.get());
  std::size_t given = 0;
  Tensor passed_on;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    const Step& step = chain.steps[i];
    const bool is_last = i + 1 == links_.size();
    std::vector<Tensor> outputs;
    for (std::size_t k = 0; k < step.outputs.size(); ++k) {
      const TensorSpec& spec = step.outputs[k];
      if (is_last || k != link.passed_on || link.is_read_elsewhere) {
        outputs.push_back(run.outputs[given++]);
      } else {
        outputs.emplace_back(spec.dtype, spec.shape, run.arena.buffer,
                             run.arena.offset_bytes + step.passed_on_at);
      }
    }
    Status status = run_step(i, step, run, i == 0 ? run.inputs : std::span(&passed_on, 1), outputs);
    if (!status.is_ok()) return status;
    if (!is_last) passed_on = outputs[link.passed_on];
  }
  return Status::ok();
}

}  // namespace sluice
