#include "tests/runtime/lanes/lane_rig.h"

#include "tests/support/tensors.h"

#include <algorithm>
#include <map>
#include <utility>

namespace sluice::testing {

using namespace std::chrono_literals;

Result<DeviceProgram::Plan> TriplingProgram::plan(std::span<const Tensor> inputs) {
  const int item = inputs[0].data<std::int32_t>()[0];
  const std::scoped_lock lock(log_->mutex);
  log_->planned.push_back(item);
  if (items_.refused.contains(item)) return invalid("program.refused", "not this one");
  Plan plan;
  plan.outputs.push_back({DType::kI32, Shape{output_elements_}});
  plan.arena_bytes = 64;
  return plan;
}

Status TriplingProgram::run(const Run& run) {
  const auto input = run.inputs[0].span<std::int32_t>();
  const auto output = run.outputs[0].span<std::int32_t>();
  for (std::size_t i = 0; i < output.size(); ++i) {
    // Of a copy that failed there may be any numbers, so they wrap around.
    const auto value = static_cast<std::uint32_t>(input[i % input.size()]);
    output[i] = static_cast<std::int32_t>(3 * value + static_cast<std::uint32_t>(i));
  }
  if (items_.failing.contains(input[0])) return invalid("program.failed", "not this one");
  return Status::ok();
}

LaneRig::LaneRig(RigOptions options) : options_(std::move(options)) {
  sim_ = std::make_shared<SimDevice>(clock_, options_.sim);
  poller_ = std::make_shared<CompletionPoller>(clock_);
  std::vector<std::shared_ptr<DeviceProgram>> programs;
  for (std::size_t i = 0; i < options_.lanes; ++i) {
    programs.push_back(
        std::make_shared<TriplingProgram>(options_.output_elements, options_.items, log_));
  }
  LaneOptions lane_options;
  lane_options.node = "tripler";
  lane_options.slots = options_.slots;
  lane_options.timeout = options_.timeout;
  lane_options.fault = options_.fault;
  lanes_ = std::move(*LaneSet::create(sim_, poller_, std::move(programs), lane_options));
}

// What was left behind is told now, to nobody else and while there is somewhere to write it down.
LaneRig::~LaneRig() {
  on_told_ = nullptr;
  lanes_.reset();
}

int LaneRig::submit() {
  const int item = submitted();
  told_.emplace_back();
  ++untold_;
  LaneWork work;
  const std::vector<std::int32_t> values(static_cast<std::size_t>(options_.input_elements), item);
  work.inputs.push_back(tensor_of<std::int32_t>({options_.input_elements}, values));
  work.done = [this, item](Status status, std::span<Tensor> outputs) {
    hear(item, std::move(status), outputs);
  };
  lanes_->submit(std::move(work));
  return item;
}

void LaneRig::hear(int item, Status status, std::span<Tensor> outputs) {
  Told& told = told_[static_cast<std::size_t>(item)];
  if (++told.times == 1) --untold_;
  told.is_right = is_right(item, outputs);
  told.status = std::move(status);
  told.order = ++last_order_;
  if (on_told_) on_told_(item);
  if (serving_) submit_for_caller();
}

bool LaneRig::is_right(int item, std::span<Tensor> outputs) const {
  if (outputs.size() != 1 || outputs[0].elements() != options_.output_elements) return false;
  const auto values = outputs[0].span<std::int32_t>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != 3 * item + static_cast<std::int32_t>(i)) return false;
  }
  return true;
}

void LaneRig::submit_for_caller() {
  if (to_serve_ == 0) return;
  --to_serve_;
  submit();
}

bool LaneRig::serve(int callers, int items) {
  serving_ = true;
  to_serve_ = items;
  for (int i = 0; i < callers; ++i) submit_for_caller();
  const bool all = run();
  serving_ = false;
  return all && to_serve_ == 0;
}

bool LaneRig::run() {
  const TimePoint limit = clock_->now() + 100s;
  while (untold_ > 0) {
    if (poller_->is_idle() || clock_->now() > limit) return false;
    if (poller_->step() == CompletionPoller::Turn::kAsked) clock_->advance(1us);
  }
  return true;
}

void LaneRig::settle() {
  while (clock_->advance_to_next()) {
  }
  while (!poller_->is_idle() && poller_->step() == CompletionPoller::Turn::kTold) {
  }
}

// What each item's calls come to, by the numbers that the device counts them by.
std::vector<std::string> LaneRig::expected_reasons() const {
  const SimErrors& errors = options_.sim.errors;
  std::vector<std::string> reasons(told_.size());
  std::uint64_t copies = 0;
  std::uint64_t launches = 0;
  for (const int item : log_->planned) {
    std::string& reason = reasons[static_cast<std::size_t>(item)];
    const auto fails = [&](bool does, const char* why) {
      if (does && reason.empty()) reason = why;
      return does;
    };
    if (fails(options_.items.refused.contains(item), "program.refused")) continue;
    const std::uint64_t copy_in = ++copies;
    if (fails(errors.refused_copies.contains(copy_in), "device.copy")) continue;
    const std::uint64_t launch = ++launches;
    if (fails(errors.refused_launches.contains(launch), "device.launch")) continue;
    const std::uint64_t copy_out = ++copies;
    if (fails(errors.refused_copies.contains(copy_out), "device.copy")) continue;
    fails(errors.failing_copies.contains(copy_in), "device.copy");
    fails(errors.failing_launches.contains(launch), "device.launch");
    // What a copy that failed did not bring, the program cannot know.
    if (reason.empty()) fails(options_.items.failing.contains(item), "program.failed");
    fails(errors.failing_copies.contains(copy_out), "device.copy");
  }
  return reasons;
}

std::vector<std::string> LaneRig::violations() const {
  std::vector<std::string> found = sim_->races();
  for (std::size_t item = 0; item < told_.size(); ++item) {
    const Told& told = told_[item];
    const std::string name = "item " + std::to_string(item);
    if (told.times != 1)
      found.push_back(name + " was told " + std::to_string(told.times) + " times");
    if (told.times > 0 && told.status.is_ok() && !told.is_right) {
      found.push_back(name + " has wrong outputs");
    }
  }
  const std::size_t room = options_.lanes * options_.slots;
  if (sim_->stats().most_launches > room) {
    found.push_back("in flight: " + std::to_string(sim_->stats().most_launches) + ", room for " +
                    std::to_string(room));
  }
  if (lanes_ && lanes_->stats().most_in_flight > room) {
    found.push_back("in flight by its own account: more than room");
  }
  if (!std::ranges::is_sorted(log_->planned)) found.push_back("started out of order");
  return found;
}

std::vector<std::string> LaneRig::wrong_outcomes() const {
  std::vector<std::string> found;
  const std::vector<std::string> expected = expected_reasons();
  for (std::size_t item = 0; item < told_.size(); ++item) {
    if (told_[item].status.reason() == expected[item]) continue;
    found.push_back("item " + std::to_string(item) + " came out as `" +
                    told_[item].status.reason() + "`, expected `" + expected[item] + "`");
  }
  return found;
}

}  // namespace sluice::testing
