#include "sluice/runtime/lanes/chain_program.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kAlignment = 256;  // of each tensor, as kernels like it

std::size_t aligned(std::size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

struct ChainPlan {
  struct Step {
    DeviceProgram::Plan plan;
    std::size_t passed_on_at = 0;  // in the arena; of one that is no output
  };
  std::vector<Step> steps;
  std::size_t arena_begin = 0;  // of the programs' own, which they have one after the other
};

std::string names_of(const std::vector<ChainProgram::Link>& links) {
  std::string names;
  for (const ChainProgram::Link& link : links) {
    names += (names.empty() ? "" : " + ") + std::string(link.program->name());
  }
  return names;
}

}  // namespace

Tensor tensor_to_come(const TensorSpec& spec) {
  return Tensor(spec.dtype, spec.shape,
                Buffer::adopt(nullptr, spec.size_bytes(), MemoryKind::kCuda, nullptr));
}

ChainProgram::ChainProgram(std::vector<Link> links)
    : links_(std::move(links)), name_(names_of(links_)) {}

Result<DeviceProgram::Plan> ChainProgram::plan(std::span<const Tensor> inputs) {
  auto chain = std::make_shared<ChainPlan>();
  Plan whole;
  Tensor passed_on;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    Result<Plan> plan = link.program->plan(i == 0 ? inputs : std::span(&passed_on, 1));
    if (!plan) return plan.status();
    const bool is_last = i + 1 == links_.size();
    ChainPlan::Step step{std::move(*plan), chain->arena_begin};
    for (std::size_t k = 0; k < step.plan.outputs.size(); ++k) {
      if (is_last || k != link.passed_on || link.is_read_elsewhere) {
        whole.outputs.push_back(step.plan.outputs[k]);
      } else {
        chain->arena_begin = aligned(chain->arena_begin + step.plan.outputs[k].size_bytes());
      }
    }
    if (!is_last) passed_on = tensor_to_come(step.plan.outputs[link.passed_on]);
    whole.arena_bytes = std::max(whole.arena_bytes, step.plan.arena_bytes);
    chain->steps.push_back(std::move(step));
  }
  whole.arena_bytes += chain->arena_begin;
  whole.prepared = std::move(chain);
  return whole;
}

Status ChainProgram::run(const Run& run) {
  const auto& chain = *static_cast<const ChainPlan*>(run.prepared.get());
  const auto in_arena = [&](std::size_t at, std::size_t size_bytes) {
    return BufferRange{run.arena.buffer, run.arena.offset_bytes + at, size_bytes};
  };
  std::size_t given = 0;
  Tensor passed_on;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    const Link& link = links_[i];
    const ChainPlan::Step& step = chain.steps[i];
    const bool is_last = i + 1 == links_.size();
    std::vector<Tensor> outputs;
    for (std::size_t k = 0; k < step.plan.outputs.size(); ++k) {
      const TensorSpec& spec = step.plan.outputs[k];
      if (is_last || k != link.passed_on || link.is_read_elsewhere) {
        outputs.push_back(run.outputs[given++]);
      } else {
        const BufferRange range = in_arena(step.passed_on_at, spec.size_bytes());
        outputs.emplace_back(spec.dtype, spec.shape, range.buffer, range.offset_bytes);
      }
    }
    const Status status =
        link.program->run({run.stream, i == 0 ? run.inputs : std::span(&passed_on, 1), outputs,
                           in_arena(chain.arena_begin, step.plan.arena_bytes), step.plan.prepared});
    if (!status.is_ok()) return status.with_context(link.program->name());
    if (!is_last) passed_on = outputs[link.passed_on];
  }
  return Status::ok();
}

}  // namespace sluice
