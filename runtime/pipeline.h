#pragma once

#include "sluice/core/payloads.h"
#include "sluice/graphs/diagnostic.h"
#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/plan.h"
#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/report.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

class Engine;
class PipelineResult;

// Values for `${params.x}` of a pipeline file.
using Params = std::vector<std::pair<std::string, std::string>>;

struct RunOptions {
  int threads = 0;                     // of the pool; 0: one a core
  std::optional<std::uint64_t> limit;  // items of each source
  bool fail_fast = false;              // the first rejected item ends the run
  // Every call is timed, and every item from its source to its end, for Report::end_to_end and
  // NodeStats::measures. Costs about a microsecond a call.
  bool measure = false;
  std::shared_ptr<Clock> clock;  // null: the machine's
};

// What became of an item that the program pushed. Copies share. Threads: thread-safe.
class Ticket {
 public:
  explicit Ticket(std::shared_ptr<TicketState> state) : state_(std::move(state)) {}
  // Until the item has come to its end. Blocks.
  Outcome wait() const;
  // After wait: why it was rejected; ok otherwise.
  Status status() const;
  // After wait: the last value that an `app_out` got for it, if that is a T; else null.
  template <class T>
  const T* reply() const {
    const PayloadRef& payload = replied();
    return payload && &payload.type() == &payload_type<T>() ? &payload.get<T>() : nullptr;
  }

 private:
  const PayloadRef& replied() const;
  std::shared_ptr<TicketState> state_;
};

// An `app_in` node, as the program sees it. Copies push into the same node. Threads: thread-safe.
template <class T>
class Input {
 public:
  explicit Input(AppInput* input) : input_(input) {}
  // Waits while the pipeline is full. The ticket of an input that was closed says unfinished.
  Ticket push(T value, std::string key = {}) {
    return push_payload(PayloadRef::make(std::move(value)), std::move(key));
  }
  // Does not wait: none when the pipeline is full.
  std::optional<Ticket> try_push(T value, std::string key = {}) {
    AppInput::Entry entry{PayloadRef::make(std::move(value)), std::move(key),
                          std::make_shared<TicketState>()};
    std::shared_ptr<TicketState> ticket = entry.ticket;
    if (!input_->try_push(entry)) return std::nullopt;
    return Ticket(std::move(ticket));
  }
  // No more will come.
  void close() { input_->close(); }

 private:
  Ticket push_payload(PayloadRef payload, std::string key) {
    std::shared_ptr<TicketState> ticket = std::make_shared<TicketState>();
    if (!input_->push({std::move(payload), std::move(key), ticket})) ticket->refuse();
    return Ticket(std::move(ticket));
  }
  AppInput* input_;
};

// An `app_out` node that the program pulls from. Threads: thread-safe.
template <class T>
class Output {
 public:
  explicit Output(AppOutput* output) : output_(output) {}
  // The next value; none when the pipeline has come to its end. Blocks.
  std::optional<T> pull() {
    std::optional<PayloadRef> payload = output_->pull();
    if (!payload) return std::nullopt;
    return payload->template get<T>();
  }

 private:
  AppOutput* output_;
};

// A pipeline in a program of one's own: load, connect, start, push, drain.
//
//   auto pipeline = sluice::Pipeline::load("classify.yaml", {{"model", "m.onnx"}});
//   if (!pipeline) { std::cerr << pipeline.error(); return 2; }
//   pipeline->output<Record>("labels", [](const Record& label) { show(label); });
//   if (Status started = pipeline->start(); !started) ...
//   auto frames = pipeline->input<Image>("frames");
//   while (camera.read(image)) frames.push(std::move(image));
//   Report report = pipeline->drain(30s);
//
// Several run side by side in one process. It installs no signal handler, never exits, prints
// nothing. Lifetime: destroying it ends the run; what is on its way stays unfinished. Threads:
// inputs and outputs are thread-safe; the calls of this class are not, but for stop and stats.
class Pipeline {
 public:
  // Everything wrong with it is in the result's error.
  static PipelineResult load(const std::string& file, const Params& params = {},
                             RunOptions options = {});
  static PipelineResult load(const GraphSpec& graph, RunOptions options = {});
  // What make_plan or plan_file gave.
  static PipelineResult load(Checked<Plan> plan, RunOptions options = {});

  Pipeline(Pipeline&&) noexcept;
  Pipeline& operator=(Pipeline&&) noexcept;
  ~Pipeline();

  // The `app_in` node of that name. REQUIRES: there is one, and it takes T; anything else aborts.
  template <class T>
  Input<T> input(const std::string& node) {
    return Input<T>(&app_input(node, payload_type<T>()));
  }
  // The `app_out` node of that name, to pull from. REQUIRES: as above.
  template <class T>
  Output<T> output(const std::string& node) {
    return Output<T>(&app_output(node, payload_type<T>()));
  }
  // The same, to be called with each value, one at a time, on a thread of the pipeline. Before
  // start.
  template <class T>
  void output(const std::string& node, std::function<void(const T&)> callback) {
    app_output(node, payload_type<T>())
        .set_callback(
            [call = std::move(callback)](const PayloadRef& payload) { call(payload.get<T>()); });
  }

  // Opens every node: models are loaded, outputs made. An error says which node could not be
  // opened. Blocks.
  Status open();
  // Lets the sources go, after `open` where that was not called.
  Status start();
  // Waits until all sources have come to their end and every item to its. Blocks.
  Report wait();
  // False when `timeout` passed first. Blocks.
  bool wait_for(Duration timeout);
  // Closes the inputs, stops the sources, and waits for what is on its way; what takes longer than
  // `timeout` stays unfinished. Blocks.
  Report drain(Duration timeout);
  // Stops the sources and returns; what is on its way is finished. Any thread.
  void stop_sources();
  // Ends the run at once: what is on its way stays unfinished. Any thread.
  void stop();

  // As it stands now, while it runs or after. Any thread.
  Report report() const;
  std::optional<std::uint64_t> total_items() const;
  const Plan& plan() const;

 private:
  friend class PipelineResult;
  explicit Pipeline(std::unique_ptr<Engine> engine);
  AppInput& app_input(const std::string& node, const PayloadType& type);
  AppOutput& app_output(const std::string& node, const PayloadType& type);

  std::unique_ptr<Engine> engine_;
  TimePoint started_{};
  std::optional<TimePoint> ended_;
};

// A pipeline, or everything that is wrong with it.
class PipelineResult {
 public:
  PipelineResult(Pipeline pipeline, Diagnostics warnings)
      : pipeline_(std::move(pipeline)), diagnostics_(std::move(warnings)) {}
  explicit PipelineResult(Diagnostics problems) : diagnostics_(std::move(problems)) {}

  explicit operator bool() const { return pipeline_.has_value(); }
  // REQUIRES: there is one.
  Pipeline* operator->() { return &*pipeline_; }
  Pipeline& operator*() { return *pipeline_; }
  // The problems as the command line shows them; empty when there are none.
  std::string error() const { return diagnostics_.render(); }
  const Diagnostics& diagnostics() const { return diagnostics_; }

 private:
  std::optional<Pipeline> pipeline_;
  Diagnostics diagnostics_;
};

}  // namespace sluice
