#include "sluice/runtime/lanes/lane_set.h"

#include "sluice/runtime/fifo.h"
#include "sluice/runtime/lanes/keep_forever.h"
#include "sluice/runtime/lanes/lane.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace sluice {
namespace {

using Done = std::function<void(Status, std::span<Tensor>)>;

}  // namespace

// All of it, kept by the set and by what the device still works on.
class LaneSet::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<Device> device, const std::shared_ptr<CompletionPoller>& poller,
       LaneOptions options)
      : device_(std::move(device)), poller_(poller), options_(std::move(options)) {}

  Status open(std::vector<std::shared_ptr<DeviceProgram>> programs);
  Status reserve(std::span<const Tensor> inputs);
  void submit(LaneWork work);
  // Takes no more work. True when all has been delivered; else `drained` is requested once it has.
  bool close(const std::stop_source& drained);
  // Returns once nobody is being told anything, and leaves the executor alone from then on.
  void leave();
  void cancel(const Status& why);
  LaneStats stats() const;

 private:
  struct Row;

  // A slot, and the work that is in it.
  struct Place final : CompletionPoller::Watcher, Runnable {
    void on_done(Status status) override { core->on_done(*this, status); }
    void on_overdue() override { core->on_overdue(*this); }
    // Ends it, on the executor.
    void run() override {
      const std::shared_ptr<Core> keep = std::move(self);
      core->end(*this);
    }

    Core* core = nullptr;
    Row* row = nullptr;
    LaneSlot* slot = nullptr;
    // Whose the place is: the one who starts its work, then the poller, then the one who ends it.
    std::vector<Tensor> inputs;
    std::vector<Rows> rows;
    std::vector<bool> stays;
    std::shared_ptr<MemoryBudget> budget;
    Status failure;
    std::shared_ptr<Core> self;  // while the executor has it
    // Under the core's lock.
    bool is_taken = false;
    bool is_overdue = false;
    Done done;  // none once it was called, or is about to be
  };

  // A lane, and its places.
  struct Row {
    std::size_t number = 0;
    std::unique_ptr<Lane> lane;
    std::shared_ptr<CompletionPoller::Queue> queue;
    std::vector<Place> places;
    std::mutex streams;  // held to queue work on them
    // Under the core's lock.
    std::size_t taken = 0;
    std::size_t overdue = 0;
  };

  // What is to be said to somebody once no lock is held.
  struct Delivery {
    Done done;
    Status status;
    std::vector<Tensor> outputs;
  };

  enum class Started { kInFlight, kOver, kUntold };

  bool breaks(LaneFault fault) const { return options_.fault == fault; }

  Status take_in(LaneWork& work);
  // Starts what waits, as long as there are slots.
  void dispatch();
  Place* assign();
  Place* free_place();
  Started start(Place& place);
  void on_done(Place& place, const Status& told);
  void on_overdue(Place& place);
  void end(Place& place);
  void end_here(Place& place);
  void abandon(Place& place);
  Delivery conclude(Place& place);
  void free(Place& place);

  // The right to deliver, if nobody has it yet. Whoever has it calls `deliver`. The caller locks.
  Delivery claim(Done& done, Status status);
  void claim_waiting(const Status& status, std::vector<Delivery>& deliveries);
  Delivery take(Place& place, Status status);
  void deliver(Delivery delivery);
  // If the device is lost: keeps what was said first for those who come later, and for who waits.
  void note_loss(const Status& status);
  // No more work is taken; what waits fails.
  void lose(const Status& status);
  void spread(const Place& from, const Status& status);
  Status in_context(const Place& place, const Status& status) const;

  const std::shared_ptr<Device> device_;
  const std::weak_ptr<CompletionPoller> poller_;  // gone only after the set
  const LaneOptions options_;
  std::vector<std::unique_ptr<Row>> rows_;

  mutable std::mutex mutex_;
  Fifo<LaneWork> waiting_;
  std::size_t next_row_ = 0;
  std::size_t outstanding_ = 0;  // submitted and not delivered
  std::size_t claimed_ = 0;      // of those, about to be
  std::condition_variable told_;
  // Why no more work is taken, the first of them that is not ok.
  Status lost_;    // what was said first of the device's loss
  Status closed_;  // it was drained or cancelled
  Status stuck_;   // all lanes are stuck, for now
  std::stop_source drained_{std::nostopstate};
  LaneStats stats_;

  std::mutex executing_;  // held to hand something to the executor
  bool has_left_ = false;
};

Status LaneSet::Core::open(std::vector<std::shared_ptr<DeviceProgram>> programs) {
  assert(!programs.empty() && options_.slots > 0 && options_.timeout > Duration::zero());
  const std::size_t slots = options_.slots + (breaks(LaneFault::kOneSlotMore) ? 1 : 0);
  const std::shared_ptr<CompletionPoller> poller = poller_.lock();
  const std::shared_ptr<DevicePool> pool =
      options_.pool ? options_.pool : std::make_shared<DevicePool>(device_);
  for (auto& program : programs) {
    auto row = std::make_unique<Row>();
    row->number = rows_.size();
    Result<std::unique_ptr<Lane>> lane =
        Lane::create(*device_, pool, std::move(program), slots, options_.fault);
    if (!lane) {
      return lane.status().with_context("node `" + options_.node + "`, lane " +
                                        std::to_string(row->number));
    }
    row->lane = std::move(*lane);
    row->queue = poller->new_queue(options_.timeout);
    row->places = std::vector<Place>(slots);
    for (std::size_t i = 0; i < slots; ++i) {
      Place& place = row->places[i];
      place.core = this;
      place.row = &*row;
      place.slot = &row->lane->slots()[i];
    }
    rows_.push_back(std::move(row));
  }
  return Status::ok();
}

Status LaneSet::Core::reserve(std::span<const Tensor> inputs) {
  for (const auto& row : rows_) {
    for (const Place& place : row->places) {
      const Status status = row->lane->reserve(*place.slot, inputs);
      if (!status.is_ok()) return in_context(place, status);
    }
  }
  return Status::ok();
}

void LaneSet::Core::submit(LaneWork work) {
  Status refusal = take_in(work);
  if (refusal.is_ok()) {
    dispatch();
  } else {
    work.done(std::move(refusal), {});
  }
}

// Leaves the work where it is if it cannot be taken.
Status LaneSet::Core::take_in(LaneWork& work) {
  const std::scoped_lock lock(mutex_);
  const Status& refusal = !lost_.is_ok() ? lost_ : !closed_.is_ok() ? closed_ : stuck_;
  if (refusal.is_ok()) {
    ++outstanding_;
    waiting_.push_back(std::move(work));
  } else {
    ++stats_.refused;
  }
  return refusal;
}

void LaneSet::Core::dispatch() {
  while (Place* const place = assign()) {
    const Started started = start(*place);
    if (started == Started::kOver) end_here(*place);
    if (started == Started::kUntold) abandon(*place);
  }
}

// Gives the work that has waited longest a slot, if there is one.
LaneSet::Core::Place* LaneSet::Core::assign() {
  const std::scoped_lock lock(mutex_);
  if (waiting_.empty()) return nullptr;
  Place* const place = free_place();
  if (place == nullptr) return nullptr;
  if (breaks(LaneFault::kLastInFirstOut)) std::swap(waiting_.front(), waiting_.back());
  LaneWork& work = waiting_.front();
  place->inputs = std::move(work.inputs);
  place->rows = std::move(work.rows);
  place->stays = std::move(work.stays);
  place->budget = std::move(work.budget);
  place->done = std::move(work.done);
  waiting_.pop_front();
  place->is_taken = true;
  ++place->row->taken;
  stats_.most_in_flight = std::max(stats_.most_in_flight, ++stats_.in_flight);
  return place;
}

// Of the lane with the least in flight; among equals they take turns. None of one that is stuck.
LaneSet::Core::Place* LaneSet::Core::free_place() {
  Row* best = nullptr;
  const std::size_t rows = breaks(LaneFault::kOneLaneOnly) ? 1 : rows_.size();
  for (std::size_t i = 0; i < rows; ++i) {
    Row& row = *rows_[(next_row_ + i) % rows];
    const std::size_t places = breaks(LaneFault::kOneSlotOnly) ? 1 : row.places.size();
    if (row.overdue > 0 || row.taken >= places) continue;
    if (best == nullptr || row.taken < best->taken) best = &row;
  }
  if (best == nullptr) return nullptr;
  next_row_ = best->number + 1;
  return &*std::ranges::find_if(best->places, [](const Place& place) { return !place.is_taken; });
}

// After it has watched for the end, the place is no longer the caller's.
LaneSet::Core::Started LaneSet::Core::start(Place& place) {
  Row& row = *place.row;
  place.failure = row.lane->fill(*place.slot, place.inputs, place.rows, place.stays);
  if (!place.failure.is_ok()) return Started::kOver;

  const std::shared_ptr<CompletionPoller> poller = poller_.lock();
  const std::scoped_lock lock(row.streams);
  Lane::Queued queued = row.lane->queue(*place.slot);
  place.failure = std::move(queued.failure);
  if (breaks(LaneFault::kRefusedSlotFreeAtOnce) && !place.failure.is_ok()) return Started::kOver;
  if (!queued.ends_with_event || !poller) {
    return device_->failure().is_ok() ? Started::kUntold : Started::kOver;
  }
  if (breaks(LaneFault::kOutputReadWhenQueued)) return Started::kOver;
  poller->watch(row.queue, *place.slot->copied_out, {shared_from_this(), &place});
  if (breaks(LaneFault::kSlotFreeWhenQueued)) free(place);
  if (breaks(LaneFault::kInputsLetGoWhenQueued)) {
    place.inputs.clear();
    place.rows.clear();
    place.slot->copies.clear();
  }
  return Started::kInFlight;
}

void LaneSet::Core::on_done(Place& place, const Status& told) {
  const Status outcome = place.row->lane->outcome(*place.slot, told);
  if (place.failure.is_ok() || !device_->failure().is_ok()) place.failure = outcome;
  {
    const std::scoped_lock lock(executing_);
    if (options_.executor && !has_left_) {
      place.self = shared_from_this();
      options_.executor(place);
      return;
    }
  }
  end(place);
}

// The slot goes to the next work before the results are told, so that the device need not wait for
// whoever hears them.
void LaneSet::Core::end(Place& place) {
  if (breaks(LaneFault::kSlotFreeBeforeCopyOut)) {
    free(place);
    dispatch();
  }
  Delivery delivery = conclude(place);
  if (!breaks(LaneFault::kSlotFreeBeforeCopyOut)) free(place);
  if (!breaks(LaneFault::kFreedSlotCallsNobody)) dispatch();
  deliver(std::move(delivery));
}

// Of work that the device has nothing to do with. Called by `dispatch`, which goes on.
void LaneSet::Core::end_here(Place& place) {
  Delivery delivery = conclude(place);
  free(place);
  deliver(std::move(delivery));
}

// Nobody can tell when the device is done with it, so that neither slot nor lanes are of use.
void LaneSet::Core::abandon(Place& place) {
  Delivery delivery = conclude(place);
  lose(delivery.status);
  keep_forever(shared_from_this());
  deliver(std::move(delivery));
}

LaneSet::Core::Delivery LaneSet::Core::conclude(Place& place) {
  Delivery delivery = take(place, in_context(place, place.failure));
  if (delivery.done && delivery.status.is_ok()) {
    Result<std::vector<Tensor>> outputs = place.row->lane->read_outputs(*place.slot, place.budget);
    delivery.status = in_context(place, outputs.status());
    if (outputs) delivery.outputs = std::move(*outputs);
  }
  if (!delivery.status.is_ok()) {
    note_loss(delivery.status);
    if (breaks(LaneFault::kFailureSpreads)) spread(place, delivery.status);
  }
  return delivery;
}

void LaneSet::Core::free(Place& place) {
  Lane::clear(*place.slot);
  place.inputs.clear();
  place.rows.clear();
  place.budget.reset();
  const std::scoped_lock lock(mutex_);
  if (!std::exchange(place.is_taken, false)) return;
  --place.row->taken;
  --stats_.in_flight;
  if (std::exchange(place.is_overdue, false) && !breaks(LaneFault::kRecoveryIgnored)) {
    if (--place.row->overdue == 0) --stats_.stuck_lanes;
    if (stats_.stuck_lanes < rows_.size()) stuck_ = Status::ok();
  }
}

// The work is given up, its slot is not: the device may still come to it.
void LaneSet::Core::on_overdue(Place& place) {
  if (breaks(LaneFault::kOverdueIgnored)) return;
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(options_.timeout).count();
  const Status status = in_context(
      place, Status(Code::kDeadlineExceeded, "gpu.timeout",
                    "not done " + std::to_string(ms) +
                        " ms after it was the oldest of its lane; the lane takes no work until it "
                        "is (gpu_timeout)"));
  std::vector<Delivery> deliveries;
  deliveries.push_back(take(place, status));
  {
    const std::scoped_lock lock(mutex_);
    ++stats_.overdue;
    place.is_overdue = true;
    if (++place.row->overdue == 1) ++stats_.stuck_lanes;
    if (stats_.stuck_lanes == rows_.size()) {
      stuck_ = status;
      claim_waiting(status, deliveries);
    }
  }
  if (breaks(LaneFault::kOverdueSlotFree)) {
    free(place);
    dispatch();
  }
  for (Delivery& delivery : deliveries) deliver(std::move(delivery));
}

LaneSet::Core::Delivery LaneSet::Core::claim(Done& done, Status status) {
  if (done) ++claimed_;
  return {std::exchange(done, nullptr), std::move(status), {}};
}

void LaneSet::Core::claim_waiting(const Status& status, std::vector<Delivery>& deliveries) {
  for (; !waiting_.empty(); waiting_.pop_front()) {
    deliveries.push_back(claim(waiting_.front().done, status));
  }
}

LaneSet::Core::Delivery LaneSet::Core::take(Place& place, Status status) {
  const std::scoped_lock lock(mutex_);
  return claim(place.done, std::move(status));
}

void LaneSet::Core::deliver(Delivery delivery) {
  if (!delivery.done) return;  // somebody else has the right to
  const bool failed = !delivery.status.is_ok();
  if (failed && breaks(LaneFault::kFailureDeliveredTwice)) delivery.done(delivery.status, {});
  if (!failed || !breaks(LaneFault::kFailureNotDelivered)) {
    delivery.done(std::move(delivery.status), delivery.outputs);
  }
  delivery.done = nullptr;  // what it holds goes before anybody hears that all is delivered
  std::stop_source drained(std::nostopstate);
  {
    const std::scoped_lock lock(mutex_);
    ++(failed ? stats_.failed : stats_.done);
    if (--outstanding_ == 0) drained = drained_;
    if (--claimed_ == 0) told_.notify_all();
  }
  drained.request_stop();
}

void LaneSet::Core::note_loss(const Status& status) {
  if (status.is_ok() || device_->failure().is_ok()) return;
  if (!breaks(LaneFault::kLossForgotten)) lose(status);
}

void LaneSet::Core::lose(const Status& status) {
  std::vector<Delivery> deliveries;
  {
    const std::scoped_lock lock(mutex_);
    if (lost_.is_ok()) lost_ = status;
    if (!breaks(LaneFault::kWaitingSurvivesLoss)) claim_waiting(lost_, deliveries);
  }
  for (Delivery& delivery : deliveries) deliver(std::move(delivery));
}

void LaneSet::Core::spread(const Place& from, const Status& status) {
  for (Place& place : from.row->places) deliver(take(place, status));
}

Status LaneSet::Core::in_context(const Place& place, const Status& status) const {
  if (status.is_ok()) return status;
  return status.with_context("node `" + options_.node + "`, lane " +
                             std::to_string(place.row->number) + ", operator `" +
                             std::string(place.row->lane->program().name()) + "`");
}

bool LaneSet::Core::close(const std::stop_source& drained) {
  const std::scoped_lock lock(mutex_);
  if (closed_.is_ok()) {
    closed_ = Status(Code::kCancelled, "lane.closed",
                     "the lanes of node `" + options_.node + "` take no more work");
  }
  drained_ = drained;
  return outstanding_ == 0;
}

void LaneSet::Core::cancel(const Status& why) {
  std::vector<Delivery> deliveries;
  {
    const std::scoped_lock lock(mutex_);
    if (closed_.is_ok()) closed_ = why;
    if (!breaks(LaneFault::kCancelForgetsWaiting)) claim_waiting(why, deliveries);
    for (const auto& row : rows_) {
      for (Place& place : row->places) deliveries.push_back(claim(place.done, why));
    }
  }
  if (breaks(LaneFault::kMemoryFreedByCancel)) {
    for (const auto& row : rows_) {
      for (Place& place : row->places) {
        Lane::clear(*place.slot);
        place.slot->input = place.slot->output = {};
      }
    }
  }
  for (Delivery& delivery : deliveries) deliver(std::move(delivery));
}

void LaneSet::Core::leave() {
  {
    const std::scoped_lock lock(executing_);
    has_left_ = true;
  }
  std::unique_lock lock(mutex_);
  told_.wait(lock, [this] { return claimed_ == 0; });
}

LaneStats LaneSet::Core::stats() const {
  const std::scoped_lock lock(mutex_);
  LaneStats stats = stats_;
  stats.waiting = waiting_.size();
  for (const auto& row : rows_) stats.allocations += row->lane->allocations();
  return stats;
}

Result<std::unique_ptr<LaneSet>> LaneSet::create(
    std::shared_ptr<Device> device, std::shared_ptr<CompletionPoller> poller,
    std::vector<std::shared_ptr<DeviceProgram>> programs, LaneOptions options) {
  auto core = std::make_shared<Core>(std::move(device), poller, std::move(options));
  if (Status status = core->open(std::move(programs)); !status.is_ok()) return status;
  return std::unique_ptr<LaneSet>(new LaneSet(std::move(poller), std::move(core)));
}

LaneSet::LaneSet(std::shared_ptr<CompletionPoller> poller, std::shared_ptr<Core> core)
    : poller_(std::move(poller)), core_(std::move(core)) {}

LaneSet::~LaneSet() {
  core_->cancel(Status(Code::kCancelled, "lane.closed", "the lanes were closed"));
  core_->leave();
}

Status LaneSet::reserve(std::span<const Tensor> inputs) { return core_->reserve(inputs); }
void LaneSet::submit(LaneWork work) { core_->submit(std::move(work)); }

bool LaneSet::drain(TimePoint until) {
  const std::stop_source drained;
  if (core_->close(drained)) return true;
  poller_->clock()->sleep_until(until, drained.get_token());
  return core_->close(drained);
}

void LaneSet::cancel(const Status& why) { core_->cancel(why); }
LaneStats LaneSet::stats() const { return core_->stats(); }

}  // namespace sluice
