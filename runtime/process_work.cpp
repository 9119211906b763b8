#include "sluice/runtime/engine.h"
#include "sluice/runtime/node_host.h"
#include "sluice/runtime/process_host.h"

#include <iterator>
#include <utility>

// The calls of a node that its host hands out: to the pool, to threads of the node, to lanes.

namespace sluice {

// A node that was put on a device because there is one goes on without where that cannot be used
// after all.
Status ProcessHost::open_lanes() {
  Status opened = make_lanes();
  if (opened.is_ok() || !plan_node_.common.device_is_chosen) return opened;
  has_left_device_.store(true, std::memory_order_release);
  Log(name()).warning("runs on the CPU: " + opened.message());
  return Status::ok();
}

Status ProcessHost::make_lanes() {
  Result<Devices::Opened> device = engine_.devices().open(plan_node_.common.device);
  if (!device) return device.status();
  auto programs =
      chain_->programs(*device->device, static_cast<std::size_t>(plan_node_.common.lanes()));
  if (!programs) return programs.status();
  LaneOptions options;
  options.node = name();
  options.timeout = plan_node_.common.gpu_timeout;
  options.pool = device->pool;
  options.executor = [this](Runnable& work) { engine_.scheduler().submit(pool_place_, work); };
  auto lanes = LaneSet::create(device->device, device->poller, std::move(*programs), options);
  if (!lanes) return lanes.status();
  lanes_ = std::move(*lanes);
  return Status::ok();
}

// What was on a device that is lost has failed. A node that was put there because it was there goes
// on without; of one that was meant to be there, nothing more can come.
void ProcessHost::look_for_loss(const Status& status) {
  if (status.reason() != "device.lost") return;
  if (!common->device_is_chosen) {
    fail_run(status);
  } else if (!has_left_device_.exchange(true, std::memory_order_acq_rel)) {
    Log(name()).warning("goes on on the CPU: " + status.message());
  }
}

// Of a run that ends early, what is on the device need not come to its end.
void ProcessHost::end_thread() {
  if (lanes_) lanes_->cancel(Status(Code::kCancelled, "run.aborted", "the run was ended"));
}

void ProcessHost::Work::run() {
  ProcessHost& host = host_;
  if (emissions.size() < item_count) emissions.resize(item_count);
  items.reserve(item_count);
  for (Unit& unit : units.all()) {
    Packet& packet = unit.packet;
    if (!packet.is_item()) continue;
    items.emplace_back(host, unit.payloads(), *packet.token, packet.place(),
                       emissions[items.size()]);
  }
  if (!host.runs_elsewhere_) host.engine_.scheduler().before_heavy();
  started_ = now_ns();
  if (host.lanes_ && !host.has_left_device_.load(std::memory_order_acquire)) {
    run_on_lanes();
    return;
  }
  if (host.chain_) {
    host.chain_->process_batch(worker, items);
  } else if (host.plan_node_.spec().takes_batches()) {
    Context ctx(host, items.empty() ? nullptr : &items.front(), worker);
    const CallTime time(host.measures_.get());
    node_calls::process_batch(host.node_, ctx, items);
  } else {
    for (Item& item : items) {
      Context ctx(host, &item, worker);
      item.set_status(host.engine_.was_aborted()
                          ? Status(Code::kCancelled, "run.aborted", "the run was ended")
                          : host.call(ctx));
    }
  }
  end();
}

// Once `done` is set the work may be another's.
void ProcessHost::Work::end() {
  ProcessHost& host = host_;
  const std::uint64_t ns = now_ns() - started_;
  host.busy_ns_.fetch_add(ns, std::memory_order_relaxed);
  host.learn_cost(ns, items.size());
  done.store(true, std::memory_order_release);
  host.wake();
}

// A run may come back before the next one is submitted, so one more than there are is awaited.
void ProcessHost::Work::run_on_lanes() {
  ProcessHost& host = host_;
  host.engine_.scheduler().begin_external();
  const std::span<LaneRun> runs = lane_call_.begin(*host.chain_, worker, items);
  away_.store(runs.size() + 1, std::memory_order_relaxed);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    LaneWork work = std::move(runs[i].work);
    work.budget = host.budget();
    work.done = [this, i](Status status, std::span<Tensor> outputs) {
      run_came_back(i, std::move(status), outputs);
    };
    host.lanes_->submit(std::move(work));
  }
  one_back();
}

void ProcessHost::Work::one_back() {
  if (away_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  Scheduler& scheduler = host_.engine_.scheduler();
  lane_call_.end(*host_.chain_, worker, items);
  for (const LaneRun& run : lane_call_.runs()) host_.look_for_loss(run.status);
  lane_call_.clear();
  if (host_.measures_) host_.measures_->calls.add(now_ns() - started_);
  end();
  scheduler.end_external();
}

void ProcessHost::Work::run_came_back(std::size_t run, Status status, std::span<Tensor> outputs) {
  LaneRun& back = lane_call_.runs()[run];
  back.status = std::move(status);
  back.outputs.assign(std::move_iterator(outputs.begin()), std::move_iterator(outputs.end()));
  one_back();
}

void ProcessHost::Work::clear() {
  units.clear();
  after.clear();
  item_count = 0;
  ends_group = false;
  items.clear();
  for (std::vector<Emission>& of_item : emissions) of_item.clear();
  done.store(false, std::memory_order_relaxed);
  handed_out = false;
}

}  // namespace sluice
