#include "sluice/runtime/pipeline.h"

#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/engine.h"

#include <cstdio>
#include <cstdlib>

namespace sluice {
namespace {

EngineOptions engine_options(const RunOptions& options) {
  EngineOptions engine;
  engine.threads = options.threads;
  engine.limit = options.limit;
  engine.fail_fast = options.fail_fast;
  engine.measure = options.measure;
  if (options.clock) engine.clock = options.clock;
  return engine;
}

// A program that names a node that is not there, or by a wrong type, has a bug that no run can
// mend.
[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "sluice: %s\n", message.c_str());
  std::abort();
}

const PlanNode& find_node(const Plan& plan, const std::string& name) {
  for (const PlanNode& node : plan.nodes) {
    if (node.name == name) return node;
  }
  die("the pipeline has no node `" + name + "`");
}

}  // namespace

Outcome Ticket::wait() const { return state_->wait(); }
Status Ticket::status() const { return state_->status(); }
const PayloadRef& Ticket::replied() const { return state_->replied(); }

PipelineResult Pipeline::load(const std::string& file, const Params& params, RunOptions options) {
  LoadOptions load_options;
  load_options.params = params;
  return load(plan_file(file, load_options), std::move(options));
}

PipelineResult Pipeline::load(const GraphSpec& graph, RunOptions options) {
  return load(make_plan(graph), std::move(options));
}

PipelineResult Pipeline::load(Checked<Plan> plan, RunOptions options) {
  if (!plan.value) return PipelineResult(std::move(plan.diagnostics));
  return {Pipeline(std::make_unique<Engine>(std::move(*plan.value), engine_options(options))),
          std::move(plan.diagnostics)};
}

Pipeline::Pipeline(std::unique_ptr<Engine> engine) : engine_(std::move(engine)) {}
Pipeline::Pipeline(Pipeline&&) noexcept = default;
Pipeline& Pipeline::operator=(Pipeline&&) noexcept = default;
Pipeline::~Pipeline() = default;

AppInput& Pipeline::app_input(const std::string& name, const PayloadType& type) {
  const PlanNode& node = find_node(engine_->plan(), name);
  const auto* owner = std::get_if<std::unique_ptr<Node>>(&node.node);
  auto* input = owner ? dynamic_cast<HasAppInput*>(owner->get()) : nullptr;
  if (input == nullptr) die("`" + name + "` is no app_in");
  const PayloadType* given = node.ports.outputs.front().type.payload;
  if (given != &type) die("`" + name + "` takes " + given->name + ", not " + type.name);
  return input->app_input();
}

AppOutput& Pipeline::app_output(const std::string& name, const PayloadType& type) {
  const PlanNode& node = find_node(engine_->plan(), name);
  const auto* owner = std::get_if<std::unique_ptr<Node>>(&node.node);
  auto* output = owner ? dynamic_cast<HasAppOutput*>(owner->get()) : nullptr;
  if (output == nullptr) die("`" + name + "` is no app_out");
  const PayloadType* given = node.ports.inputs.front().type.payload;
  if (given != &type) die("`" + name + "` gives " + given->name + ", not " + type.name);
  return output->app_output();
}

Status Pipeline::open() { return engine_->open(); }

Status Pipeline::start() {
  if (!engine_->is_open()) {
    if (Status opened = engine_->open(); !opened) return opened;
  }
  started_ = engine_->clock().now();
  engine_->start();
  return Status::ok();
}

Report Pipeline::wait() {
  engine_->wait(std::nullopt);
  if (!ended_) ended_ = engine_->clock().now();
  return report();
}

bool Pipeline::wait_for(Duration timeout) {
  if (!engine_->wait(timeout)) return false;
  if (!ended_) ended_ = engine_->clock().now();
  return true;
}

Report Pipeline::drain(Duration timeout) {
  stop_sources();
  if (!wait_for(timeout)) engine_->abort();
  return wait();
}

void Pipeline::stop_sources() { engine_->stop_sources(); }
void Pipeline::stop() { engine_->abort(); }

Report Pipeline::report() const {
  Report report;
  report.pipeline = engine_->plan().name;
  report.items = engine_->ledger().counts();
  report.reasons = engine_->ledger().reasons();
  report.nodes = engine_->stats();
  report.end_to_end = engine_->end_to_end();
  report.elapsed = ended_.value_or(engine_->clock().now()) - started_;
  report.peak_memory_bytes = engine_->memory().peak_bytes();
  report.failure = engine_->failure();
  report.aborted = engine_->was_aborted();
  return report;
}

std::optional<std::uint64_t> Pipeline::total_items() const { return engine_->total(); }
const Plan& Pipeline::plan() const { return engine_->plan(); }

}  // namespace sluice
