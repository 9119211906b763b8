#include "tests/runtime/lanes/scenarios.h"

#include "tests/runtime/lanes/lane_rig.h"
#include "tests/support/tensors.h"

#include <algorithm>
#include <iterator>
#include <random>
#include <utility>

namespace sluice::testing {
namespace {

using namespace std::chrono_literals;

class Draw {
 public:
  explicit Draw(std::uint64_t seed) : random_(seed) {}
  int from(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }
  bool one_in(int n) { return from(1, n) == 1; }
  // Numbers from 1 to `most`, each with a chance of one in `n`.
  std::set<std::uint64_t> some(int most, int n) {
    std::set<std::uint64_t> numbers;
    for (int i = 1; i <= most; ++i) {
      if (one_in(n)) numbers.insert(static_cast<std::uint64_t>(i));
    }
    return numbers;
  }

 private:
  std::mt19937_64 random_;
};

RigOptions drawn_options(Draw& draw, std::uint64_t seed, LaneFault fault) {
  RigOptions options;
  options.lanes = static_cast<std::size_t>(draw.from(1, 4));
  options.slots = static_cast<std::size_t>(draw.from(2, 3));
  options.input_elements = draw.from(1, 20'000);
  options.output_elements = draw.from(1, 2'000);
  options.sim.seed = seed;
  options.sim.jitter = draw.from(0, 3);
  options.sim.bytes_per_ns = draw.from(1, 50);
  const SimCost cost{Duration(draw.from(1, 200) * 1us), draw.one_in(2) ? 1.0 : 0.3};
  options.sim.cost = [cost](const Kernel&) { return cost; };
  options.fault = fault;
  return options;
}

void add(Violations& violations, Violations more) {
  std::ranges::move(more, std::back_inserter(violations));
}

void expect(Violations& violations, bool holds, const std::string& otherwise) {
  if (!holds) violations.push_back(otherwise);
}

// Lines up as much work as `load` says, in lanes and slots full.
int items_for(const RigOptions& options, int load) {
  return static_cast<int>(options.lanes * options.slots) * load;
}

// Adds a number to each of its input's, and fails for those that begin with a number in `failing`.
class AddingProgram final : public DeviceProgram {
 public:
  AddingProgram(std::int32_t number, std::set<int> failing)
      : number_(number), failing_(std::move(failing)) {}

  std::string_view name() const override { return "add"; }
  Result<Plan> plan(std::span<const Tensor> inputs) override {
    return Plan{{{DType::kI32, inputs[0].shape()}}, 64, nullptr};
  }
  Status run(const Run& run) override {
    const auto numbers = run.inputs[0].span<std::int32_t>();
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      run.outputs[0].data<std::int32_t>()[i] = numbers[i] + number_;
    }
    const bool fails = !numbers.empty() && failing_.contains(numbers[0]);
    return fails ? invalid("program.failed", "not this one") : Status::ok();
  }

 private:
  const std::int32_t number_;
  const std::set<int> failing_;
};

// Items go through two sets of lanes, and stay on the device in between.
class Relay {
 public:
  static constexpr std::int32_t kFirst = 1000, kSecond = 1'000'000;

  Relay(Draw& draw, const RigOptions& options, std::set<int> failing)
      : sim_(std::make_shared<SimDevice>(clock_, options.sim)),
        pool_(std::make_shared<DevicePool>(sim_)),
        rows_(draw.from(1, 3)),
        elements_(options.input_elements),
        failing_(std::move(failing)),
        first_(lanes(draw, options, kFirst, "first")),
        second_(lanes(draw, options, kSecond, "second")) {}
  ~Relay() {
    first_.reset();
    second_.reset();
  }

  bool serve(int callers, int items) {
    to_submit_ = items;
    told_.assign(static_cast<std::size_t>(items), 0);
    for (int i = 0; i < callers; ++i) submit();
    const TimePoint limit = clock_->now() + 100s;
    while (untold_ > 0) {
      if (poller_->is_idle() || clock_->now() > limit) return false;
      if (poller_->step() == CompletionPoller::Turn::kAsked) clock_->advance(1us);
    }
    return true;
  }

  Violations violations() const {
    Violations all = sim_->races();
    all.insert(all.end(), wrong_.begin(), wrong_.end());
    for (std::size_t item = 0; item < told_.size(); ++item) {
      if (told_[item] == 1) continue;
      all.push_back("item " + std::to_string(item) + " was told " + std::to_string(told_[item]) +
                    " times");
    }
    return all;
  }

 private:
  std::unique_ptr<LaneSet> lanes(Draw& draw, const RigOptions& options, std::int32_t number,
                                 const char* name) {
    std::vector<std::shared_ptr<DeviceProgram>> programs;
    const int count = draw.from(1, 3);
    for (int i = 0; i < count; ++i) {
      programs.push_back(std::make_shared<AddingProgram>(number, failing_));
    }
    LaneOptions lane_options;
    lane_options.node = name;
    lane_options.slots = options.slots;
    lane_options.fault = options.fault;
    lane_options.pool = pool_;
    return std::move(*LaneSet::create(sim_, poller_, std::move(programs), lane_options));
  }

  Tensor numbers(int item) const {
    return tensor_of<std::int32_t>(
        {1, elements_}, std::vector<std::int32_t>(static_cast<std::size_t>(elements_), item));
  }

  void submit() {
    if (to_submit_ == 0) return;
    const int item = static_cast<int>(told_.size()) - to_submit_--;
    ++untold_;
    LaneWork work;
    work.inputs.push_back(numbers(item));
    work.stays = {true};
    work.done = [this, item](Status status, std::span<Tensor> outputs) {
      if (status.is_ok()) {
        hand_on(item, outputs[0]);
      } else {
        hear(item, status, failing_.contains(item));
      }
    };
    first_->submit(std::move(work));
  }

  // One row that is on the device, and the same for each other from the host.
  void hand_on(int item, const Tensor& made) {
    if (made.buffer().is_on_host()) wrong_.push_back("a result did not stay");
    LaneWork work;
    if (rows_ == 1) {
      work.inputs.push_back(made);
    } else {
      work.inputs.emplace_back(DType::kI32, Shape{rows_, elements_}, Shape{0, 1}, made.buffer(), 0);
      work.rows = {{made}};
      for (int row = 1; row + 1 < rows_; ++row) work.rows[0].push_back(numbers(item + kFirst));
    }
    work.done = [this, item](Status status, std::span<Tensor> outputs) {
      const bool fails = failing_.contains(item + kFirst);
      if (status.is_ok() && !is_right(item, outputs[0])) {
        wrong_.push_back("item " + std::to_string(item) + " has wrong numbers");
      }
      hear(item, status, fails);
    };
    second_->submit(std::move(work));
  }

  // The last row was not given, and so was zero.
  bool is_right(int item, const Tensor& output) const {
    const auto got = output.span<std::int32_t>();
    const auto count = static_cast<std::size_t>(elements_);
    for (std::size_t i = 0; i < got.size(); ++i) {
      const bool was_given = rows_ == 1 || i < count * static_cast<std::size_t>(rows_ - 1);
      if (got[i] != (was_given ? item + kFirst + kSecond : kSecond)) return false;
    }
    return true;
  }

  void hear(int item, const Status& status, bool fails) {
    if (status.is_ok() == fails) {
      wrong_.push_back("item " + std::to_string(item) + " came out as `" + status.message() + "`");
    }
    if (++told_[static_cast<std::size_t>(item)] == 1) --untold_;
    submit();
  }

  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  const std::shared_ptr<CompletionPoller> poller_ = std::make_shared<CompletionPoller>(clock_);
  const std::shared_ptr<SimDevice> sim_;
  const std::shared_ptr<DevicePool> pool_;
  const std::int64_t rows_, elements_;
  const std::set<int> failing_;
  std::unique_ptr<LaneSet> first_, second_;
  std::vector<int> told_;
  Violations wrong_;
  int to_submit_ = 0, untold_ = 0;
};

}  // namespace

Violations handed_on(std::uint64_t seed, LaneFault fault) {
  constexpr int kItems = 100;
  Draw draw(seed);
  const RigOptions options = drawn_options(draw, seed, fault);
  std::set<int> failing;
  for (int item = 0; item < kItems; ++item) {
    if (draw.one_in(15)) failing.insert(item);
    if (draw.one_in(15)) failing.insert(item + Relay::kFirst);
  }
  Relay relay(draw, options, std::move(failing));
  Violations violations;
  expect(violations, relay.serve(draw.from(1, 20), kItems), "work was left behind");
  add(violations, relay.violations());
  return violations;
}

Violations steady(std::uint64_t seed, LaneFault fault) {
  Draw draw(seed);
  LaneRig rig(drawn_options(draw, seed, fault));
  Violations violations;

  const bool served = rig.serve(draw.from(1, 40), 100);
  rig.settle();

  expect(violations, served, "work was left behind");
  add(violations, rig.violations());
  add(violations, rig.sim().stuck());
  add(violations, rig.wrong_outcomes());
  return violations;
}

Violations failing(std::uint64_t seed, LaneFault fault) {
  constexpr int kItems = 100;
  Draw draw(seed);
  RigOptions options = drawn_options(draw, seed, fault);
  SimErrors& errors = options.sim.errors;
  errors.refused_launches = draw.some(kItems, 12);
  errors.refused_copies = draw.some(2 * kItems, 20);
  errors.failing_launches = draw.some(kItems, 12);
  errors.failing_copies = draw.some(2 * kItems, 20);
  for (int item = 0; item < kItems; ++item) {
    if (draw.one_in(15)) options.items.refused.insert(item);
    if (draw.one_in(15)) options.items.failing.insert(item);
  }
  LaneRig rig(std::move(options));
  Violations violations;

  const bool served = rig.serve(draw.from(1, 40), kItems);
  rig.settle();

  expect(violations, served, "work was left behind");
  add(violations, rig.violations());
  add(violations, rig.wrong_outcomes());
  for (const LaneRig::Told& told : rig.told()) {
    const bool is_named = told.status.message().starts_with("node `tripler`, lane ");
    expect(violations, told.status.is_ok() || is_named, "a failure does not name its place");
  }
  return violations;
}

Violations lost(std::uint64_t seed, LaneFault fault) {
  Draw draw(seed);
  RigOptions options = drawn_options(draw, seed, fault);
  options.sim.errors.lost_at_launch = static_cast<std::uint64_t>(draw.from(1, 60));
  const int callers = items_for(options, 4);  // so that some wait
  LaneRig rig(std::move(options));
  Violations violations;

  for (int i = 0; i < 60 + callers; ++i) rig.submit();
  const bool all = rig.run();
  const int late = rig.submit();
  rig.settle();

  expect(violations, all, "work was left behind");
  add(violations, rig.violations());
  expect(violations, !rig.sim().failure().is_ok(), "the device was not lost");
  const LaneRig::Told* first = nullptr;
  for (const LaneRig::Told& told : rig.told()) {
    if (told.status.is_ok()) continue;
    if (first == nullptr || told.order < first->order) first = &told;
    expect(violations, told.status.reason() == "device.lost", "a failure has another reason");
    const bool is_named = told.status.message().starts_with("node `tripler`, lane ") &&
                          told.status.message().find("operator `triple`") != std::string::npos;
    expect(violations, is_named, "a failure does not name node, lane and operator");
  }
  expect(violations, rig.lanes().stats().refused == 1, "later work was not refused");
  const LaneRig::Told& refused = rig.told()[static_cast<std::size_t>(late)];
  expect(violations, first != nullptr && refused.status.message() == first->status.message(),
         "later work is refused with other words");
  return violations;
}

Violations overdue(std::uint64_t seed, LaneFault fault) {
  Draw draw(seed);
  RigOptions options = drawn_options(draw, seed, fault);
  options.timeout = 20ms;
  // All lanes hang in the end, so that what waits has nowhere to go.
  for (std::size_t i = 0; i < options.lanes * options.slots; ++i) {
    options.sim.errors.hung_launches.insert(10 + i);
  }
  options.sim.cost = [](const Kernel&) { return SimCost{50us, 0.2}; };
  const int items = 10 + items_for(options, 3);
  LaneRig rig(std::move(options));
  Violations violations;

  for (int i = 0; i < items; ++i) rig.submit();
  const bool all = rig.run();
  const int refused = rig.submit();
  rig.sim().end_hung();
  rig.settle();
  const int recovered = rig.submit();
  const bool again = rig.run();
  rig.settle();

  expect(violations, all && again, "work was left behind");
  add(violations, rig.violations());
  const auto reason_of = [&](int item) {
    return rig.told()[static_cast<std::size_t>(item)].status.reason();
  };
  for (int item = 0; item < items; ++item) {
    const bool came_before = item < 9;  // the tenth launch is the first that hangs
    const std::string reason = reason_of(item);
    expect(violations, reason == "gpu.timeout" || (reason.empty() && item != 9),
           "item " + std::to_string(item) + " came out as `" + reason + "`");
    expect(violations, !came_before || reason.empty(), "work before the hanging one failed");
  }
  expect(violations, reason_of(refused) == "gpu.timeout", "stuck lanes took work");
  expect(violations, reason_of(recovered).empty(), "lanes that recovered took no work");
  return violations;
}

Violations cancelled(std::uint64_t seed, LaneFault fault) {
  Draw draw(seed);
  RigOptions options = drawn_options(draw, seed, fault);
  const int items = items_for(options, 3);
  LaneRig rig(std::move(options));
  Violations violations;

  for (int i = 0; i < items; ++i) rig.submit();
  rig.clock().advance(Duration(draw.from(0, 1'000) * 1us));
  if (draw.one_in(2)) rig.poller().step();
  if (draw.one_in(2)) rig.lanes().cancel(Status(Code::kCancelled, "run.aborted", "enough"));
  rig.destroy_lanes();
  expect(violations, rig.untold() == 0, "not all was told when the lanes had gone");
  rig.settle();

  add(violations, rig.violations());
  expect(violations, rig.poller().is_idle(), "the poller still waits");
  expect(violations, rig.sim().stats().allocated_bytes == 0, "memory was not given back");
  for (const LaneRig::Told& told : rig.told()) {
    expect(violations, told.status.is_ok() || told.status.code() == Code::kCancelled,
           "came out as " + told.status.reason());
  }
  return violations;
}

namespace {

// How long each engine of the device is busy with one item.
struct Mix {
  const char* name;
  std::int64_t input_elements;
  std::int64_t output_elements;
  Duration kernel;
  double share;  // of the device, for each kernel
};

// The share of the time in which the busiest engine of the device is busy, warm-up left aside.
double overlap(RigOptions options, const Mix& mix) {
  options.input_elements = mix.input_elements;
  options.output_elements = mix.output_elements;
  options.sim.bytes_per_ns = 1;
  options.sim.cost = [mix](const Kernel&) { return SimCost{mix.kernel, mix.share}; };
  LaneRig rig(std::move(options));
  constexpr int kItems = 220;
  constexpr int kWarm = 20;
  int told = 0;
  SimStats first, last;
  TimePoint begin, end;
  rig.on_told([&](int) {
    if (++told == kWarm) first = rig.sim().stats(), begin = rig.clock().now();
    if (told == kItems - kWarm) last = rig.sim().stats(), end = rig.clock().now();
  });
  rig.serve(64, kItems);
  const Duration busiest =
      std::max({last.copying_in - first.copying_in, last.computing - first.computing,
                last.copying_out - first.copying_out});
  return static_cast<double>(busiest.count()) / static_cast<double>((end - begin).count());
}

}  // namespace

Violations overlapping(std::uint64_t seed, LaneFault fault) {
  constexpr double kBar = 0.95;
  // A thousand elements take 4 us, beside the 8 of each copy.
  const Mix mixes[] = {{"kernels", 5'000, 100, 200us, 1.0},
                       {"half a device each", 5'000, 100, 200us, 0.5},
                       {"copies in", 50'000, 100, 60us, 1.0},
                       {"copies out", 100, 50'000, 60us, 1.0},
                       {"all alike", 25'000, 25'000, 108us, 1.0}};
  Draw draw(seed);
  Violations violations;
  for (const Mix& mix : mixes) {
    RigOptions options;
    options.lanes = 2;
    options.slots = 2;
    options.fault = fault;
    options.sim.seed = seed;
    options.sim.jitter = 0.01 * draw.from(0, 5);
    const double reached = overlap(options, mix);
    expect(violations, reached >= kBar,
           std::string(mix.name) + ": overlap " + std::to_string(reached));
  }
  return violations;
}

Violations loaded(std::uint64_t seed, LaneFault fault) {
  Draw draw(seed);
  RigOptions options = drawn_options(draw, seed, fault);
  options.sim.jitter = 0;
  Violations violations;
  double best = 0;
  for (const int callers : {1, 4, 16, 64}) {
    LaneRig rig(options);
    constexpr int kItems = 300;
    const bool served = rig.serve(callers, kItems);
    expect(violations, served, "work was left behind");
    const double rate = kItems / static_cast<double>(rig.clock().now().time_since_epoch().count());
    expect(violations, rate >= 0.98 * best,
           std::to_string(callers) + " callers: " + std::to_string(rate / best) +
               " of the rate of fewer");
    best = std::max(best, rate);
  }
  return violations;
}

}  // namespace sluice::testing
