#include "sluice/runtime/lanes/sim_device.h"

#include "sluice/runtime/lanes/race_checker.h"
#include "sluice/runtime/worker_threads.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <random>
#include <utility>

namespace sluice {
namespace {

// How much faster a device copies within its memory than over its link.
constexpr double kMemoryOverLink = 32;

enum Engine : std::size_t { kCopyIn, kCompute, kCopyOut, kEngines };

// Bytes that outlive their buffer while work may still use them, so that a buffer which goes too
// early is a finding of the checker and not a crash.
struct Block {
  explicit Block(std::size_t size) : bytes(::operator new(size, std::align_val_t(64))) {}
  ~Block() { ::operator delete(bytes, std::align_val_t(64)); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  void* bytes;
};

// What an event stands for: its last record.
struct Point {
  std::uint64_t recorded = 0;
  std::uint64_t done = 0;
  RaceChecker::VectorClock known;  // to whoever waits for it
  Status failure;
};

struct Operation {
  enum class Kind { kWork, kRecord, kWait };
  Kind kind = Kind::kWork;
  std::uint64_t id = 0;
  // Of kRecord and kWait.
  std::shared_ptr<Point> point;
  std::uint64_t record = 0;
  // Of kWork.
  Engine engine = kCompute;
  std::string what;
  Duration time{};
  double share = 1.0;
  TimePoint not_before{};
  TimePoint end{};
  bool hangs = false;
  bool loses_device = false;
  bool is_ending = false;
  Status failure;  // in place of its effect
  std::function<Status()> effect;
  std::vector<std::shared_ptr<Block>> uses;
};

struct Queue {
  std::deque<Operation> waiting;
  std::optional<Operation> running;
  bool is_ready = false;  // its first operation stands in the line of an engine
  Status failure;         // since the last record
};

}  // namespace

class SimDevice::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(std::shared_ptr<Clock> clock, SimOptions options)
      : clock_(std::move(clock)), options_(std::move(options)), random_(options_.seed) {}

  Result<std::shared_ptr<Block>> take_block(MemoryKind kind, std::size_t size_bytes);
  void give_block(const std::shared_ptr<Block>& block, std::size_t size_bytes);

  std::size_t add_stream() {
    const std::scoped_lock lock(mutex_);
    queues_.emplace_back();
    return checker_.add_stream();
  }

  Status copy(std::size_t stream, const BufferRange& from, const BufferRange& to);
  Status launch(std::size_t stream, const Kernel& kernel);
  Status record(std::size_t stream, const std::shared_ptr<Point>& point);
  Status wait(std::size_t stream, const std::shared_ptr<Point>& point);
  Result<bool> is_done(const Point& point);
  void on_host_access(const BufferRange& range, Access access);

  Status failure() const {
    const std::scoped_lock lock(mutex_);
    return failure_;
  }
  SimStats stats() const {
    const std::scoped_lock lock(mutex_);
    return stats_;
  }
  std::vector<std::string> races() const {
    const std::scoped_lock lock(mutex_);
    return checker_.findings();
  }
  std::vector<std::string> stuck() const;
  void end_hung();
  const sluice_cuda_api* operators() const { return options_.operators; }
  bool has_thread() const { return options_.thread == SimThread::kOwn; }
  // Does what is due, whenever the clock says that something is, until `stop`.
  void serve(std::stop_token stop);

 private:
  Queue& queue(std::size_t stream) { return queues_[stream - 1]; }  // 0 is the host
  Duration drawn(Duration time);
  void use(Operation& operation, std::size_t stream, const BufferRange& range, Access access);
  void push(std::size_t stream, Operation operation);
  // Moves on what can go on without time passing, and sees to it that `step` comes when more can.
  void pump();
  bool pass_points(Queue& queue);
  bool start_ready();
  void arm();
  // The timer that was set for `armed_for` rings.
  void ring(TimePoint armed_for);
  // Ends what is due.
  void step();
  std::optional<std::pair<std::size_t, Operation>> take_due(TimePoint now);
  void end(Queue& queue, const Operation& operation, Status status);
  void lose(std::unique_lock<std::mutex>& lock);

  const std::shared_ptr<Clock> clock_;
  const SimOptions options_;

  mutable std::mutex mutex_;
  std::mt19937_64 random_;
  RaceChecker checker_;
  std::deque<Queue> queues_;                             // by stream
  std::array<std::deque<std::size_t>, kEngines> ready_;  // streams, in order
  std::array<double, kEngines> taken_{};                 // of each engine
  std::map<const std::byte*, std::weak_ptr<Block>> blocks_;
  std::uint64_t last_id_ = 0;
  std::uint64_t launches_ = 0, copies_ = 0, blocks_made_ = 0;
  std::size_t open_launches_ = 0;
  TimePoint armed_for_ = TimePoint::max();
  bool has_rung_ = false;
  std::condition_variable_any rang_;
  Status failure_;
  SimStats stats_;
};

Result<std::shared_ptr<Block>> SimDevice::Core::take_block(MemoryKind kind,
                                                           std::size_t size_bytes) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  if (size_bytes > options_.errors.memory_bytes - stats_.allocated_bytes) {
    return Status(Code::kResourceExhausted, "memory.exhausted",
                  "the simulated device has no " + std::to_string(size_bytes) + " bytes left");
  }
  auto block = std::make_shared<Block>(size_bytes);
  const auto* const data = static_cast<const std::byte*>(block->bytes);
  checker_.add_memory(data, size_bytes,
                      (kind == MemoryKind::kPinned ? "pinned memory " : "device memory ") +
                          std::to_string(++blocks_made_));
  blocks_[data] = block;
  ++stats_.allocations;
  stats_.allocated_bytes += size_bytes;
  return block;
}

void SimDevice::Core::give_block(const std::shared_ptr<Block>& block, std::size_t size_bytes) {
  const std::scoped_lock lock(mutex_);
  const auto* const data = static_cast<const std::byte*>(block->bytes);
  if (failure_.is_ok()) {
    checker_.remove_memory(data);
  }
  blocks_.erase(data);
  stats_.allocated_bytes -= size_bytes;
}

Status SimDevice::Core::copy(std::size_t stream, const BufferRange& from, const BufferRange& to) {
  assert(from.size_bytes == to.size_bytes);
  assert(from.offset_bytes + from.size_bytes <= from.buffer.size_bytes());
  assert(to.offset_bytes + to.size_bytes <= to.buffer.size_bytes());
  if (from.buffer.kind() == MemoryKind::kHost || to.buffer.kind() == MemoryKind::kHost) {
    return unsupported("device.memory", "a copy takes pinned memory on the host's side");
  }
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  const std::uint64_t number = ++copies_;
  if (options_.errors.refused_copies.contains(number)) {
    return internal("device.copy", "the simulated device takes no copy " + std::to_string(number));
  }
  Operation operation;
  const bool out = to.buffer.kind() == MemoryKind::kPinned;
  const bool within = !out && from.buffer.kind() == MemoryKind::kCuda;
  operation.engine = out ? kCopyOut : kCopyIn;
  operation.what = out ? "copy out" : within ? "copy within" : "copy in";
  const double rate = options_.bytes_per_ns * (within ? kMemoryOverLink : 1);
  operation.time =
      drawn(options_.copy_latency +
            Duration(static_cast<std::int64_t>(static_cast<double>(from.size_bytes) / rate)));
  if (options_.errors.failing_copies.contains(number)) {
    operation.failure = internal("device.copy", "copy " + std::to_string(number) + " failed");
  }
  operation.effect = [source = from.data(), target = to.data(), size = from.size_bytes] {
    if (size > 0) std::memmove(target, source, size);
    return Status::ok();
  };
  checker_.queue_work(stream);
  use(operation, stream, from, Access::kRead);
  use(operation, stream, to, Access::kWrite);
  push(stream, std::move(operation));
  return Status::ok();
}

Status SimDevice::Core::launch(std::size_t stream, const Kernel& kernel) {
  const SimCost cost = options_.cost ? options_.cost(kernel) : SimCost{};
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  const std::uint64_t number = ++launches_;
  const SimErrors& errors = options_.errors;
  if (errors.refused_launches.contains(number)) {
    return internal("device.launch",
                    "the simulated device takes no launch " + std::to_string(number));
  }
  Operation operation;
  operation.engine = kCompute;
  operation.what = kernel.name;
  operation.time = drawn(cost.time);
  operation.share = std::clamp(cost.share, 0.0, 1.0);
  operation.hangs = errors.hung_launches.contains(number);
  operation.loses_device = errors.lost_at_launch == number;
  if (errors.failing_launches.contains(number)) {
    operation.failure = internal("device.launch", "launch " + std::to_string(number) + " failed");
  }
  operation.effect = [run = kernel.run] { return run(nullptr); };
  checker_.queue_work(stream);
  for (const BufferRange& range : kernel.reads) use(operation, stream, range, Access::kRead);
  for (const BufferRange& range : kernel.writes) use(operation, stream, range, Access::kWrite);
  stats_.most_launches = std::max(stats_.most_launches, ++open_launches_);
  push(stream, std::move(operation));
  return Status::ok();
}

Status SimDevice::Core::record(std::size_t stream, const std::shared_ptr<Point>& point) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  checker_.queue_work(stream);
  point->known = checker_.known_to(stream);
  Operation operation;
  operation.kind = Operation::Kind::kRecord;
  operation.point = point;
  operation.record = ++point->recorded;
  push(stream, std::move(operation));
  return Status::ok();
}

Status SimDevice::Core::wait(std::size_t stream, const std::shared_ptr<Point>& point) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  // On a card this waits for nothing, which nobody wants who asks for it.
  if (point->recorded == 0) checker_.report("not ordered: a wait for an event without a record");
  checker_.wait(stream, point->known);
  Operation operation;
  operation.kind = Operation::Kind::kWait;
  operation.point = point;
  operation.record = point->recorded;
  push(stream, std::move(operation));
  return Status::ok();
}

Result<bool> SimDevice::Core::is_done(const Point& point) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return failure_;
  if (point.done < point.recorded) return false;
  checker_.tell_host(point.known);
  if (!point.failure.is_ok()) return point.failure;
  return true;
}

void SimDevice::Core::on_host_access(const BufferRange& range, Access access) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.is_ok()) return;
  if (range.buffer.kind() == MemoryKind::kCuda) {
    checker_.report("the host uses memory of the device");
  }
  checker_.access(RaceChecker::kHost, range.data(), range.size_bytes, access, "the host");
}

std::vector<std::string> SimDevice::Core::stuck() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::string> found;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    const Queue& queue = queues_[i];
    if (queue.running && !queue.running->hangs) return {};
    if (!queue.running && queue.is_ready && taken_[queue.waiting.front().engine] == 0) return {};
    const std::string name = "stream " + std::to_string(i + 1);
    if (queue.running) {
      found.push_back(name + " hangs in `" + queue.running->what + "`");
    } else if (!queue.waiting.empty()) {
      const Operation& first = queue.waiting.front();
      if (first.kind == Operation::Kind::kWork && !queue.is_ready) return {};  // starts in a while
      found.push_back(name + (first.kind == Operation::Kind::kWait
                                  ? " waits for an event that does not come"
                                  : " waits for an engine"));
    }
  }
  return found;
}

void SimDevice::Core::end_hung() {
  const std::scoped_lock lock(mutex_);
  for (Queue& queue : queues_) {
    for (Operation& operation : queue.waiting) operation.hangs = false;
    if (!queue.running || !std::exchange(queue.running->hangs, false)) continue;
    queue.running->end = clock_->now();
  }
  arm();
}

Duration SimDevice::Core::drawn(Duration time) {
  if (options_.jitter <= 0) return time;
  std::uniform_real_distribution<double> share(0.0, options_.jitter);
  return time +
         Duration(static_cast<std::int64_t>(static_cast<double>(time.count()) * share(random_)));
}

void SimDevice::Core::use(Operation& operation, std::size_t stream, const BufferRange& range,
                          Access access) {
  checker_.access(stream, range.data(), range.size_bytes, access, operation.what);
  auto block = blocks_.upper_bound(range.data());
  if (block == blocks_.begin()) return;
  operation.uses.push_back((--block)->second.lock());
}

void SimDevice::Core::push(std::size_t stream, Operation operation) {
  operation.id = ++last_id_;
  operation.not_before = clock_->now() + options_.issue_latency;
  queue(stream).waiting.push_back(std::move(operation));
  pump();
}

void SimDevice::Core::pump() {
  bool moved = true;
  while (moved) {
    moved = false;
    for (std::size_t i = 0; i < queues_.size(); ++i) {
      Queue& queue = queues_[i];
      if (queue.running || queue.is_ready) continue;
      moved = pass_points(queue) || moved;
      if (queue.waiting.empty() || queue.waiting.front().kind != Operation::Kind::kWork ||
          queue.waiting.front().not_before > clock_->now()) {
        continue;
      }
      queue.is_ready = true;
      ready_[queue.waiting.front().engine].push_back(i);
    }
    moved = start_ready() || moved;
  }
  arm();
}

// Past records and past waits for what is done already. True when there was one.
bool SimDevice::Core::pass_points(Queue& queue) {
  bool moved = false;
  while (!queue.waiting.empty()) {
    const Operation& first = queue.waiting.front();
    if (first.kind == Operation::Kind::kRecord) {
      first.point->done = first.record;
      first.point->failure = std::exchange(queue.failure, Status::ok());
    } else if (first.kind != Operation::Kind::kWait || first.point->done < first.record) {
      break;
    }
    queue.waiting.pop_front();
    moved = true;
  }
  return moved;
}

bool SimDevice::Core::start_ready() {
  constexpr double kWhole = 1.0 + 1e-9;
  bool moved = false;
  for (std::size_t engine = 0; engine < kEngines; ++engine) {
    std::deque<std::size_t>& line = ready_[engine];
    while (!line.empty()) {
      Queue& queue = queues_[line.front()];
      Operation& first = queue.waiting.front();
      if (taken_[engine] + first.share > kWhole) break;
      taken_[engine] += first.share;
      first.end = clock_->now() + first.time;
      queue.running = std::move(first);
      queue.waiting.pop_front();
      queue.is_ready = false;
      line.pop_front();
      moved = true;
    }
  }
  return moved;
}

void SimDevice::Core::arm() {
  TimePoint next = TimePoint::max();
  for (const Queue& queue : queues_) {
    if (queue.running) {
      if (!queue.running->hangs) next = std::min(next, queue.running->end);
    } else if (!queue.is_ready && !queue.waiting.empty() &&
               queue.waiting.front().kind == Operation::Kind::kWork) {
      next = std::min(next, queue.waiting.front().not_before);
    }
  }
  if (next >= armed_for_) return;  // a timer comes before it, or there is nothing to come for
  armed_for_ = next;
  clock_->call_at(next, [weak = weak_from_this(), next] {
    if (const auto core = weak.lock()) core->ring(next);
  });
}

void SimDevice::Core::ring(TimePoint armed_for) {
  {
    const std::scoped_lock lock(mutex_);
    if (armed_for == armed_for_) armed_for_ = TimePoint::max();
    has_rung_ = true;
  }
  if (options_.thread == SimThread::kClocks) {
    step();
  } else {
    rang_.notify_one();
  }
}

void SimDevice::Core::serve(std::stop_token stop) {
  name_this_thread("sim");
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(mutex_);
      if (!rang_.wait(lock, stop, [this] { return std::exchange(has_rung_, false); })) return;
    }
    step();
  }
}

void SimDevice::Core::step() {
  std::unique_lock lock(mutex_);
  while (auto due = take_due(clock_->now())) {
    Operation& operation = due->second;
    if (operation.loses_device) {
      lose(lock);
      return;
    }
    // Kernels run without the lock: who queues work or asks for an event does not wait for them.
    lock.unlock();
    Status status = operation.failure.is_ok() ? operation.effect() : operation.failure;
    operation.effect = nullptr;
    operation.uses.clear();
    lock.lock();
    if (!failure_.is_ok()) return;
    end(queues_[due->first], operation, std::move(status));
    pump();
  }
  pump();
}

// The operation that was over first stays the stream's running one until it has ended.
std::optional<std::pair<std::size_t, Operation>> SimDevice::Core::take_due(TimePoint now) {
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    const auto& running = queues_[i].running;
    if (!running || running->hangs || running->is_ending || running->end > now) continue;
    if (!first || std::pair(running->end, running->id) <
                      std::pair(queues_[*first].running->end, queues_[*first].running->id)) {
      first = i;
    }
  }
  if (!first) return std::nullopt;
  Operation operation = std::move(*queues_[*first].running);
  queues_[*first].running->is_ending = true;
  return std::pair(*first, std::move(operation));
}

void SimDevice::Core::end(Queue& queue, const Operation& operation, Status status) {
  taken_[operation.engine] = std::max(0.0, taken_[operation.engine] - operation.share);
  if (queue.failure.is_ok()) queue.failure = std::move(status);
  queue.running.reset();
  const auto busy = [&](double share) {
    return Duration(static_cast<std::int64_t>(static_cast<double>(operation.time.count()) * share));
  };
  switch (operation.engine) {
    case kCopyIn:
      stats_.copying_in += operation.time;
      break;
    case kCopyOut:
      stats_.copying_out += operation.time;
      break;
    default:
      stats_.computing += busy(operation.share);
      ++stats_.launches;
      --open_launches_;
  }
}

void SimDevice::Core::lose(std::unique_lock<std::mutex>& lock) {
  failure_ = Status(
      Code::kUnavailable, "device.lost",
      "the simulated device stopped in launch " + std::to_string(options_.errors.lost_at_launch));
  std::deque<Queue> dropped(queues_.size());
  dropped.swap(queues_);
  for (auto& line : ready_) line.clear();
  lock.unlock();  // what the dropped work holds may be memory of ours
}

class SimDevice::SimEvent final : public Event {
 public:
  explicit SimEvent(std::shared_ptr<Core> core) : core_(std::move(core)) {}
  Result<bool> is_done() override { return core_->is_done(*point_); }
  const std::shared_ptr<Point>& point() const { return point_; }

 private:
  const std::shared_ptr<Core> core_;
  const std::shared_ptr<Point> point_ = std::make_shared<Point>();
};

class SimDevice::SimStream final : public Stream {
 public:
  explicit SimStream(std::shared_ptr<Core> core)
      : core_(std::move(core)), number_(core_->add_stream()) {}

  Status record(Event& event) override {
    auto* const of_sim = dynamic_cast<SimEvent*>(&event);
    return of_sim ? core_->record(number_, of_sim->point()) : foreign_event();
  }
  Status wait(const Event& event) override {
    const auto* const of_sim = dynamic_cast<const SimEvent*>(&event);
    return of_sim ? core_->wait(number_, of_sim->point()) : foreign_event();
  }
  Status copy(const BufferRange& from, const BufferRange& to) override {
    return core_->copy(number_, from, to);
  }
  Status launch(const Kernel& kernel) override { return core_->launch(number_, kernel); }

 private:
  static Status foreign_event() {
    return unsupported("device.event", "the simulated device knows no other device's events");
  }

  const std::shared_ptr<Core> core_;
  const std::size_t number_;
};

// Of a buffer's bytes: tells the device when the last copy of the buffer goes.
struct SimDevice::Owner {
  Owner(std::shared_ptr<Core> of, std::shared_ptr<Block> bytes, std::size_t size,
        std::shared_ptr<MemoryBudget> payer)
      : core(std::move(of)), block(std::move(bytes)), size_bytes(size), budget(std::move(payer)) {}
  ~Owner() {
    core->give_block(block, size_bytes);
    if (budget) budget->release(size_bytes);
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;

  std::shared_ptr<Core> core;
  std::shared_ptr<Block> block;
  std::size_t size_bytes;
  std::shared_ptr<MemoryBudget> budget;
};

SimDevice::SimDevice(std::shared_ptr<Clock> clock, SimOptions options)
    : core_(std::make_shared<Core>(std::move(clock), std::move(options))) {
  if (core_->has_thread()) {
    thread_ = std::jthread([core = core_](std::stop_token stop) { core->serve(std::move(stop)); });
  }
}
SimDevice::~SimDevice() = default;

Result<Buffer> SimDevice::allocate(MemoryKind kind, std::size_t size_bytes,
                                   const std::shared_ptr<MemoryBudget>& budget) {
  if (kind == MemoryKind::kHost) return Buffer::allocate(size_bytes, budget);
  if (budget && !budget->try_charge(size_bytes)) {
    return Status(Code::kResourceExhausted, "memory.limit",
                  std::to_string(size_bytes) + " bytes wanted of the simulated device's memory");
  }
  Result<std::shared_ptr<Block>> block = core_->take_block(kind, size_bytes);
  if (!block) {
    if (budget) budget->release(size_bytes);
    return block.status();
  }
  void* const bytes = (*block)->bytes;
  return Buffer::adopt(bytes, size_bytes, kind,
                       std::make_shared<Owner>(core_, std::move(*block), size_bytes, budget),
                       SimDevice::kOrdinal);
}

Result<std::unique_ptr<Stream>> SimDevice::new_stream() {
  if (Status lost = failure(); !lost.is_ok()) return lost;
  return std::unique_ptr<Stream>(std::make_unique<SimStream>(core_));
}

Result<std::unique_ptr<Event>> SimDevice::new_event() {
  if (Status lost = failure(); !lost.is_ok()) return lost;
  return std::unique_ptr<Event>(std::make_unique<SimEvent>(core_));
}

const sluice_cuda_api* SimDevice::operators() const { return core_->operators(); }
Status SimDevice::failure() const { return core_->failure(); }
void SimDevice::on_host_access(const BufferRange& range, Access access) {
  core_->on_host_access(range, access);
}
void SimDevice::end_hung() { core_->end_hung(); }
SimStats SimDevice::stats() const { return core_->stats(); }
std::vector<std::string> SimDevice::races() const { return core_->races(); }
std::vector<std::string> SimDevice::stuck() const { return core_->stuck(); }

}  // namespace sluice
