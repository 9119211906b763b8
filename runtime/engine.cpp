#include "sluice/runtime/engine.h"

#include "sluice/core/log.h"
#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/flow_host.h"
#include "sluice/runtime/process_host.h"
#include "sluice/runtime/source_host.h"
#include "sluice/runtime/worker_threads.h"

#include <algorithm>
#include <string>
#include <thread>
#include <utility>

namespace sluice {
namespace {

int pool_threads(const EngineOptions& options) {
  if (options.threads > 0) return options.threads;
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::size_t source_count(const Plan& plan) {
  return static_cast<std::size_t>(std::ranges::count_if(
      plan.nodes, [](const PlanNode& node) { return node.spec().kind() == NodeKind::kSource; }));
}

// The library is loaded with the program, so its thread-local variables can be reached directly.
[[gnu::tls_model("initial-exec")]] constinit thread_local SettleScope* settle_scope = nullptr;

}  // namespace

SettleScope::SettleScope(Engine& engine)
    : engine_(engine), outer_(std::exchange(settle_scope, this)) {}

SettleScope::~SettleScope() {
  flush();
  settle_scope = outer_;
}

SettleScope* SettleScope::of(const Engine& engine) {
  return settle_scope != nullptr && &settle_scope->engine_ == &engine ? settle_scope : nullptr;
}

void SettleScope::put_down() {
  engine_.delivered(source_, std::exchange(items_, 0), std::exchange(largest_, 0));
}

Engine::Engine(Plan plan, EngineOptions options)
    : plan_(std::move(plan)),
      options_(std::move(options)),
      budget_(std::make_shared<MemoryBudget>(plan_.memory_bytes)),
      admission_(source_count(plan_), pool_threads(options_) + 2, plan_.max_in_flight, budget_),
      ledger_(plan_.rejects, [this](Status status) { fail(std::move(status)); }),
      scheduler_(std::make_unique<Scheduler>(pool_threads(options_), [this] { on_pool_idle(); })),
      devices_(options_.clock) {
  connect();
}

Engine::~Engine() {
  if (!closer_.joinable()) {
    close_opened();
    return;
  }
  if (running_.load(std::memory_order_acquire)) abort();
  closer_.join();
  // A stop that came when the run was at rest has woken the hosts once more.
  scheduler_->wait_idle();
}

void Engine::connect() {
  for (const PlanEdge& edge : plan_.edges) {
    const CommonOptions& reader = plan_.nodes[edge.to_node].common;
    channels_.push_back(plan_.is_fused(edge)
                            ? nullptr
                            : std::make_unique<Channel>(Channel::Capacity{
                                  reader.queue_items, reader.queue_bytes, reader.when_full}));
  }
  host_of_.resize(plan_.nodes.size());
  for (std::size_t n = 0; n < plan_.nodes.size(); ++n) {
    const std::vector<std::size_t> chain = plan_.chain_from(n);
    if (chain.empty()) continue;
    hosts_.push_back(new_host(chain));
    for (const std::size_t node : chain) host_of_[node] = hosts_.back().get();
  }
  for (std::size_t e = 0; e < plan_.edges.size(); ++e) {
    if (!channels_[e]) continue;
    channels_[e]->writer = host_of_[plan_.edges[e].from_node];
    channels_[e]->reader = host_of_[plan_.edges[e].to_node];
  }
}

// For nodes of which each is fused with the next, one mostly.
std::unique_ptr<Host> Engine::new_host(std::span<const std::size_t> chain) {
  PlanNode& first = plan_.nodes[chain.front()];
  std::vector<std::vector<Channel*>> inputs(first.inputs.size());
  for (std::size_t i = 0; i < first.inputs.size(); ++i) {
    for (const std::size_t edge : first.inputs[i].edges) inputs[i].push_back(channels_[edge].get());
  }
  std::vector<std::vector<Channel*>> outputs;
  std::vector<PlanNode*> members;
  for (const std::size_t node : chain) {
    members.push_back(&plan_.nodes[node]);
    const std::size_t begin = outputs.size();
    outputs.resize(begin + plan_.nodes[node].ports.outputs.size());
    for (std::size_t e = 0; e < plan_.edges.size(); ++e) {
      const PlanEdge& edge = plan_.edges[e];
      if (edge.from_node == node && channels_[e])
        outputs[begin + edge.from_output].push_back(channels_[e].get());
    }
  }
  const std::size_t place = scheduler_->add_node();
  if (std::holds_alternative<std::unique_ptr<FlowNode>>(first.node)) {
    return std::make_unique<FlowHost>(*this, first, place, std::move(inputs), std::move(outputs));
  }
  if (first.spec().kind() == NodeKind::kSource) {
    auto host =
        std::make_unique<SourceHost>(*this, first, place, sources_.size(), std::move(outputs));
    sources_.push_back(host.get());
    return host;
  }
  PlanNode* node = &first;
  if (members.size() > 1) {
    fused_.push_back(std::make_unique<PlanNode>(LaneChain::fused(plan_, members)));
    node = fused_.back().get();
  }
  return std::make_unique<ProcessHost>(*this, *node, members, place, std::move(inputs),
                                       std::move(outputs));
}

Status Engine::open() {
  for (const auto& host : hosts_) {
    const Status opened = host->open();
    if (!opened.is_ok()) {
      close_opened();
      return opened.with_context(host->name());
    }
    ++opened_;
  }
  return Status::ok();
}

void Engine::close_opened() {
  for (; opened_ > 0; --opened_) {
    Host& host = *hosts_[opened_ - 1];
    const Status closed = host.close();
    if (!closed.is_ok()) Log(host.name()).warning(closed.message());
  }
}

void Engine::start() {
  live_hosts_ = hosts_.size();
  at_rest_ = false;
  running_.store(true, std::memory_order_release);
  watch();
  for (const auto& host : hosts_) host->start();
  // Only now: a run that fails at once must not be shut down while it is being started.
  closer_ = std::thread([this] {
    name_this_thread("run");
    bring_to_rest();
  });
}

void Engine::stop_sources() {
  sources_stopped_.store(true, std::memory_order_release);
  sources_source_.request_stop();
  wake_hosts();
}

void Engine::abort() {
  aborted_.store(true, std::memory_order_release);
  sources_stopped_.store(true, std::memory_order_release);
  sources_source_.request_stop();
  abort_source_.request_stop();
  wake_hosts();
  const std::lock_guard lock(mutex_);
  finished_changed_.notify_all();
}

void Engine::fail(Status status) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_.is_ok()) return;
    failure_ = std::move(status);
  }
  abort();
}

void Engine::host_done() {
  const std::lock_guard lock(mutex_);
  if (--live_hosts_ == 0) finished_changed_.notify_all();
}

bool Engine::wait(std::optional<Duration> timeout) {
  std::unique_lock lock(mutex_);
  const auto at_rest = [this] { return at_rest_; };
  if (timeout) return finished_changed_.wait_for(lock, *timeout, at_rest);
  finished_changed_.wait(lock, at_rest);
  return true;
}

void Engine::bring_to_rest() {
  {
    std::unique_lock lock(mutex_);
    finished_changed_.wait(lock, [this] { return live_hosts_ == 0 || was_aborted(); });
  }
  shut_down();
  const std::lock_guard lock(mutex_);
  at_rest_ = true;
  finished_changed_.notify_all();
}

// Afterwards nothing of the run runs, every item has its outcome, every node is closed.
void Engine::shut_down() {
  Clock::TimerId timer = 0;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    timer = std::exchange(watch_timer_, 0);
  }
  if (timer != 0) clock().cancel(timer);
  // Sources with a thread of their own make work for the pool, so they go first. What a source
  // holds is its step's until the pool is idle too.
  for (const auto& host : hosts_) host->end_thread();
  scheduler_->wait_idle();
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    Host& host = *hosts_[i];
    host.discard();
    if (host.is_done()) continue;
    const Status closed = host.close();
    if (!closed.is_ok()) Log(host.name()).warning(closed.message());
  }
  scheduler_->wait_idle();
  for (const auto& channel : channels_) {
    while (channel && channel->take() != nullptr) {
    }
  }
  const Status report = ledger_.close();
  if (!report.is_ok()) {
    const std::lock_guard lock(mutex_);
    if (failure_.is_ok()) failure_ = report;
  }
  running_.store(false, std::memory_order_release);
}

Status Engine::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Engine::settled(const Token& token) {
  if (options_.measure && token.outcome() == Outcome::kDelivered) {
    end_to_end_.add(static_cast<std::uint64_t>((clock().now() - token.born).count()));
  }
  const std::size_t bytes = token.allocated_bytes.load(std::memory_order_relaxed);
  SettleScope* const scope = SettleScope::of(*this);
  if (scope != nullptr && token.cookie == nullptr && token.outcome() == Outcome::kDelivered) {
    scope->add(token.source_index, bytes);
    return;
  }
  // Who hears of its item here may look at the counts, so the others go first.
  if (scope != nullptr) scope->flush();
  ledger_.settled(token);
  const bool refused = admission_.settled(token.source_index, 1, bytes);
  if (token.cookie != nullptr) TicketState::settle(token);
  if (refused) wake_sources();
}

void Engine::delivered(std::size_t source, std::int64_t items, std::size_t largest_bytes) {
  ledger_.delivered(items);
  if (admission_.settled(source, items, largest_bytes)) wake_sources();
}

std::int64_t Engine::let_in(std::size_t source, std::int64_t wanted) {
  const std::int64_t items = admission_.let_in(source, wanted);
  if (items > 0) ledger_.admitted(items);
  return items;
}

void Engine::give_back(std::size_t source, std::int64_t items) {
  ledger_.admitted(-items);
  if (admission_.give_back(source, items)) wake_sources();
}

bool Engine::knows_costs() {
  if (knows_costs_.load(std::memory_order_relaxed)) return true;
  const bool all = std::ranges::all_of(hosts_, [](const auto& host) { return host->knows_cost(); });
  if (all) knows_costs_.store(true, std::memory_order_relaxed);
  return all;
}

void Engine::wake_hosts() {
  // Before the start there is nothing to wake, and `start` sees how things stand.
  if (!running_.load(std::memory_order_acquire)) return;
  for (const auto& host : hosts_) host->wake();
}

void Engine::wake_sources() {
  for (Host* source : sources_) {
    if (!source->is_done()) source->wake();
  }
}

void Engine::on_pool_idle() {
  if (!running_.load(std::memory_order_acquire) || was_aborted()) return;
  for (const auto& host : hosts_) host->on_pool_idle();
}

std::vector<NodeStats> Engine::stats() const {
  std::vector<NodeStats> stats;
  for (std::size_t n = 0; n < plan_.nodes.size(); ++n) {
    stats.push_back(host_of_[n]->stats_of(plan_.nodes[n]));
  }
  return stats;
}

std::optional<std::uint64_t> Engine::total() const {
  std::uint64_t total = 0;
  for (const auto& host : hosts_) {
    const auto* source = dynamic_cast<const SourceHost*>(host.get());
    if (source == nullptr) continue;
    const std::optional<std::uint64_t> items = source->total();
    if (!items) return std::nullopt;
    total += std::min(*items, options_.limit.value_or(UINT64_MAX));
  }
  return total;
}

// Looks now and then whether items still get on; where none has for long, says who waits for whom.
void Engine::watch() {
  const std::lock_guard lock(mutex_);
  if (ending_) return;
  watch_timer_ = clock().call_at(clock().now() + options_.stall_after, [this] {
    report_stall();
    watch();
  });
}

void Engine::report_stall() {
  std::uint64_t progress = 0;
  for (const auto& host : hosts_) {
    const NodeStats stats = host->stats();
    progress += stats.items + stats.busy_ns;
  }
  const bool stalled =
      progress == std::exchange(watched_progress_, progress) && admission_.in_flight() > 0;
  if (!stalled) return;
  std::string text = "no item has moved for a while; " + std::to_string(admission_.in_flight()) +
                     " are on their way:";
  for (const auto& host : hosts_) text += "\n  " + host->name() + ": " + host->waiting_for();
  Log("engine").warning(text);
}

}  // namespace sluice
