// infer: runs a model.
//   det: { type: infer, from: det_in, model: ./det.onnx }
//   rec: { type: infer, from: rec_in, model: ./rec.onnx, precision: bf16_if_available,
//          batch: { max: 16, wait: 5ms, pad: { w: { step: 160, max: 3200 } } } }
// Tensors between nodes are one item's: the batch axis is added here and taken away again. One
// session a worker, each on one thread; `parallel:` says how many. Padding to buckets makes few
// shapes out of many, which saves planning; an item is padded to its own bucket, never to its
// neighbours', and its outputs are cut back to its real size. Related: image.to_tensor, softmax,
// topk, ocr.boxes, ocr.ctc; docs/backends.md.
#include "sluice/core/model.h"
#include "sluice/core/registry.h"
#include "sluice/nodes/infer/choose_backend.h"
#include "sluice/nodes/infer/device_programs.h"
#include "sluice/nodes/infer/model_ports.h"
#include "sluice/nodes/infer/padded_tensors.h"
#include "sluice/nodes/infer/session_inputs.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

namespace sluice {
namespace {

class Infer final : public Node {
 public:
  inline static const Option<Path> model =
      Option<Path>("model", "the ONNX file; relative to the pipeline's file")
          .required("./model.onnx");
  inline static const Option<Choice> backend =
      Option<Choice>("backend",
                     "what runs it; auto: native if it knows all of the model's operators, else a "
                     "plugin that does")
          .one_of({"auto", "native", "openvino", "onnxruntime"})
          .or_default({"auto"});
  inline static const Option<Choice> precision =
      Option<Choice>("precision",
                     "of the arithmetic; auto: fp32 on a CPU, and on a GPU fp16 where a trial run "
                     "is close enough to fp32, else tf32. bf16_if_available never fails for want "
                     "of bf16; tf32 and fp16 are a GPU's")
          .one_of({"auto", "fp32", "tf32", "fp16", "bf16", "bf16_if_available"})
          .or_default({"auto"});
  inline static const Option<bool> tune =
      Option<bool>(
          "tune",
          "true: what computes a layer fastest is timed on this machine, at the first item "
          "of each size, and remembered in ~/.cache/sluice/algorithms; else a rule says. "
          "For the backend native; others choose by themselves")
          .or_default(false);
  inline static const Option<TextMap> outputs =
      Option<TextMap>("outputs",
                      "port: output of the model, for each that is wanted; a model with one output "
                      "gives it as `out`");
  inline static const Spec kSpec =
      Spec("infer", "Runs a model.")
          .dynamic_inputs("the model's inputs by their names; a single one needs none")
          .dynamic_outputs("`out`, or the names under `outputs:`")
          .options(model, backend, precision, tune, outputs)
          .stateless()
          .batches()
          .runs_on_devices()
          .rejects("infer.shape", "the tensor does not fit the model")
          .rejects("infer.pad", "the tensor is larger than the largest bucket of batch.pad")
          .rejects("infer.failed", "the model could not be computed")
          .notes(
              "One session runs on one thread; `parallel: auto` makes one for each core. On a CPU "
              "a batch is walked "
              "item by item, so `batch:` is for `pad:` there. Model metadata travels with the "
              "outputs, for nodes "
              "such as ocr.ctc. Related: image.to_tensor, softmax, topk, argmax.")
          .example(R"(nodes:
  prob: { type: infer, from: input, model: ./model.onnx }
  top:  { type: topk, from: prob, k: 5 }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports;
    if (!load(plan)) return ports;
    add_inputs(plan, ports);
    add_outputs(plan, ports);
    if (model_->may_wait()) ports.execution = ExecutionClass::kBlocking;
    const bool has_lanes = plan.common().has_lanes() && runs_on_device(plan);
    if (has_lanes) {
      ports.execution = ExecutionClass::kLanes;
      ports.stacking = stacking(plan);
      expected_ = expected_run(plan, ports.stacking.most);
    }
    check_precision(plan, has_lanes);
    ports.model = {std::string(model_->backend()), why_};
    return ports;
  }

  Status open(Context& ctx, std::size_t workers) override {
    workers_.resize(workers);
    if (ctx.ports().execution == ExecutionClass::kLanes) return Status::ok();
    for (Worker& worker : workers_) {
      if (Status status = open(worker); !status.is_ok()) return status;
    }
    ctx.log().info(std::to_string(workers) + " sessions on backend " +
                   std::string(model_->backend()));
    return Status::ok();
  }

  Status process_batch(Context& ctx, std::span<Item> items) override {
    Worker& worker = workers_[ctx.worker()];
    if (!worker.session) {  // its device is lost
      if (Status status = open(worker); !status.is_ok()) return status;
    }
    prepare_all(worker, ctx, items);
    if (fixed_batch_ > 1) {
      run_together(worker, items);
    } else {
      for (const std::size_t i : worker.order) {
        items[i].set_status(run_alone(worker, items[i], worker.prepared[i]));
      }
    }
    for (Prepared& prepared : worker.prepared) prepared.inputs.clear();
    return Status::ok();
  }

  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context& ctx, Device& device,
                                                               std::size_t lanes) override {
    const std::string name = std::filesystem::path(ctx.option(model).text).filename();
    Result<DevicePrograms> made =
        make_device_programs(model_, name, device, ctx.option(precision).word, lanes, expected_);
    if (!made) return made.status();
    ctx.log().info(std::to_string(lanes) + " lanes on device " + device.name() + ", " +
                   (made->arithmetic.empty() ? "backend " + std::string(model_->backend())
                                             : made->arithmetic));
    return std::move(made->programs);
  }

  Result<std::vector<Tensor>> device_inputs(Context& ctx) override {
    Prepared prepared;
    if (Status status = prepare(ctx.item(), ctx.common().pad, prepared); !status) return status;
    return std::move(prepared.inputs);
  }

  Status device_outputs(Context& ctx, std::span<const Shape> inputs,
                        std::span<const Tensor> outputs) override {
    if (padded_.empty()) return emit_whole(ctx.item(), outputs);
    Worker& worker = workers_[ctx.worker()];
    std::vector<Shape> real;
    for (const PayloadRef& input : ctx.item().inputs()) real.push_back(input.get<Tensor>().shape());
    if (std::ranges::equal(real, inputs)) return emit_whole(ctx.item(), outputs);
    return emit_cut(ctx.item(), worker, real, outputs);
  }

 private:
  struct Prepared {
    std::vector<Tensor> inputs;  // of one item, padded
    std::vector<Shape> real;     // what they were before
    bool is_padded = false;
  };
  // A session, and what its calls would else allocate each time. Tensors stay for a call only.
  struct Worker {
    std::unique_ptr<Session> session;
    std::map<std::vector<std::int64_t>, std::vector<Shape>>
        shapes;  // of outputs, by the inputs' extents
    std::vector<std::int64_t> extents;
    std::vector<Prepared> prepared;         // by item
    std::vector<std::size_t> order, group;  // items
    std::vector<Tensor> inputs, rows;       // of a run; of an item's outputs
  };
  // One axis of one input that is padded.
  struct PaddedAxis {
    std::size_t input;
    std::size_t axis;
    std::size_t rule;  // of the common options
  };

  Status open(Worker& worker) const {
    Result<std::unique_ptr<Session>> session = model_->new_session();
    if (!session) return session.status();
    worker.session = std::move(*session);
    return Status::ok();
  }

  bool load(Resolve& plan) {
    const std::string& path = plan.option(model).text;
    ModelOptions options;
    const std::string& word = plan.option(precision).word;
    if (!asks_for_gpu(plan) && word.starts_with("bf16")) {
      options.precision = word == "bf16" ? Precision::kBf16 : Precision::kBf16IfAvailable;
    }
    options.tune = plan.option(tune);
    if (plan.has(outputs)) {
      for (const auto& [port, output] : plan.option(outputs)) options.outputs.push_back(output);
    }
    const std::vector<const Backend*> others = plugins();
    const std::string& asked = plan.option(backend).word;
    // A GPU runs what the native backend reads. Where the plan chose it, a model that only others
    // read runs on the CPU.
    const bool is_free = plan.common().device_is_chosen || !asks_for_gpu(plan);
    Result<ChosenBackend> chosen = choose_backend(is_free || asked != "auto" ? asked : "native",
                                                  path, options, find_backend("native"), others);
    if (!chosen) {
      report_load(plan, chosen.status());
      return false;
    }
    model_ = std::move(chosen->model);
    why_ = std::move(chosen->why);
    return true;
  }

  static bool asks_for_gpu(const Resolve& plan) { return plan.common().device.starts_with("cuda"); }

  bool runs_on_device(Resolve& plan) const {
    if (!asks_for_gpu(plan) || model_->backend() == "native") return true;
    if (!plan.common().device_is_chosen) {
      plan.option_problem(backend, "SL0510",
                          "the backend `" + std::string(model_->backend()) + "` runs on the CPU",
                          "on a GPU leave `backend:` away, or say `backend: native`");
    }
    return false;
  }

  static void check_precision(Resolve& plan, bool has_lanes) {
    const std::string& word = plan.option(precision).word;
    if ((asks_for_gpu(plan) && has_lanes) || (word != "tf32" && word != "fp16")) return;
    plan.option_problem(precision, "SL0507", "`" + word + "` is arithmetic of a GPU",
                        "for this node use fp32, or bf16_if_available; `device: cuda` runs it on "
                        "a GPU");
  }

  // On a device numbers need not go through the host between this node and its neighbours, where
  // they go into the model as they come.
  Stacking stacking(const Resolve& plan) const {
    Stacking stacking;
    if (fixed_batch_ > 1) {
      stacking.most = fixed_batch_;
      stacking.is_fixed = true;
    } else if (model_->backend() == "native" && takes_any_batch(*model_)) {
      stacking.most = plan.common().batch_max;
    }
    stacking.takes_unseen = padded_.empty();
    stacking.gives_unseen = padded_.empty() && keeps_batch(*model_);
    return stacking;
  }

  // Known where what is wired, or the model, says all extents. Of tensors that are no numbers the
  // values may matter, and nothing is padded that is not here yet.
  ExpectedRun expected_run(const Resolve& plan, std::int64_t batch) const {
    ExpectedRun run;
    for (const ModelPort& input : model_->inputs()) {
      const auto wired = std::ranges::find_if(
          plan.inputs(), [&](const WiredInput& w) { return is_named(w, input); });
      const bool says_dims =
          wired != plan.inputs().end() && wired->type.tensor && wired->type.tensor->dims;
      const std::vector<Dim> dims = says_dims ? *wired->type.tensor->dims : *item_type(input).dims;
      if (input.dtype != DType::kF32 || !padded_.empty() ||
          !std::ranges::all_of(dims, &Dim::is_static)) {
        return {};
      }
      Shape shape{batch};
      for (const Dim& dim : dims) shape.push_back(dim.size);
      run.inputs.push_back(shape);
    }
    return run;
  }

  // The backends beside the native one, in the order in which `auto` tries them.
  static std::vector<const Backend*> plugins() {
    std::vector<const Backend*> found;
    for (const auto& candidate : backends()) {
      if (candidate->name() != "native") found.push_back(candidate.get());
    }
    return found;
  }

  static void report_load(Resolve& plan, const Status& failure) {
    if (failure.reason() == "model.output") {
      plan.option_problem(outputs, "SL0505", failure.message());
    } else if (failure.reason() == "model.precision") {
      plan.option_problem(precision, "SL0507", failure.message(), "use bf16_if_available or fp32");
    } else if (failure.reason().starts_with("backend.")) {
      plan.option_problem(backend, failure.reason() == "backend.library" ? "SL0509" : "SL0508",
                          failure.message(),
                          "`backend: auto` takes what there is; sluice doctor "
                          "lists the backends");
    } else if (failure.code() == Code::kNotFound) {
      plan.option_problem(model, "SL0501", failure.message(),
                          "a path is relative to the pipeline's file");
    } else if (failure.code() == Code::kUnsupported) {
      plan.option_problem(model, "SL0503", failure.message(),
                          "export the model with operators that `native` knows, cut it before them "
                          "with `outputs:`, or install a backend that has them (sluice doctor)");
    } else {
      plan.option_problem(model, "SL0502", failure.message(),
                          failure.reason() == "model.truncated"
                              ? "copy or download it again, and compare its size"
                              : "`model:` takes an ONNX file");
    }
  }

  void add_inputs(Resolve& plan, Ports& ports) {
    const std::vector<ModelPort>& inputs = model_->inputs();
    for (const WiredInput& wired : plan.inputs()) {
      const bool known =
          std::ranges::any_of(inputs, [&](const ModelPort& p) { return is_named(wired, p); });
      const bool ambiguous = wired.name.empty() && inputs.size() > 1;
      if (known && !ambiguous) continue;
      plan.input_problem(wired.name, "SL0506",
                         ambiguous ? "the model has several inputs"
                                   : "the model has no input `" + wired.name + "`",
                         "inputs: " + joined_names(inputs));
      return;
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      PortDecl port;
      port.name = inputs[i].name;
      port.doc = "an input of the model";
      port.type = PortType::of<Tensor>();
      port.type.tensor = item_type(inputs[i]);
      const auto wired = std::ranges::find_if(
          plan.inputs(), [&](const WiredInput& w) { return is_named(w, inputs[i]); });
      if (wired != plan.inputs().end()) find_padding(plan, *wired, i, *port.type.tensor);
      check_batch(plan, inputs[i]);
      ports.inputs.push_back(std::move(port));
    }
    for (const PadRule& rule : plan.common().pad) {
      const auto used = [&](const PaddedAxis& p) {
        return plan.common().pad[p.rule].axis == rule.axis;
      };
      if (std::ranges::any_of(padded_, used)) continue;
      plan.problem(
          {"SL0804",
           "no input has an axis `" + rule.axis + "` to pad",
           "axes are letters of the layout that the tensor comes with, such as `layout: chw`",
           Problem::Place::kNode,
           {}});
    }
  }

  void find_padding(Resolve& plan, const WiredInput& wired, std::size_t input, TensorType& type) {
    if (!wired.type.tensor || wired.type.tensor->layout.empty()) return;
    const std::string& layout = wired.type.tensor->layout;
    for (std::size_t r = 0; r < plan.common().pad.size(); ++r) {
      const std::size_t axis = layout.find(plan.common().pad[r].axis);
      if (axis == std::string::npos || !type.dims || axis >= type.dims->size()) continue;
      padded_.push_back({input, axis, r});
      (*type.dims)[axis] = Dim();  // what comes need not have the model's extent yet
    }
  }

  void check_batch(Resolve& plan, const ModelPort& input) {
    if (input.dims.empty() || !input.dims[0].is_static() || input.dims[0].size <= 1) return;
    fixed_batch_ = input.dims[0].size;
    if (plan.common().batch_max > fixed_batch_) {
      plan.problem({"SL0504",
                    "batch.max is " + std::to_string(plan.common().batch_max) +
                        ", and the model's batch is fixed at " + std::to_string(fixed_batch_),
                    "set `batch: { max: " + std::to_string(fixed_batch_) +
                        " }`; missing items are filled with zeros",
                    Problem::Place::kNode,
                    {}});
    }
  }

  void add_outputs(Resolve& plan, Ports& ports) {
    const std::vector<ModelPort>& given = model_->outputs();
    Metadata metadata = model_->metadata();
    metadata["sluice.model"] = plan.option(model).text;
    metadata["sluice.backend"] = std::string(model_->backend());
    const auto shared = std::make_shared<const Metadata>(std::move(metadata));
    for (std::size_t i = 0; i < given.size(); ++i) {
      PortDecl port;
      port.doc = "output `" + given[i].name + "` of the model";
      port.type = PortType::of<Tensor>();
      port.type.tensor = item_type(given[i]);
      port.type.metadata = shared;
      if (plan.has(outputs)) {
        port.name = plan.option(outputs)[i].first;
      } else {
        port.name = given.size() == 1 ? "out" : port_name(given[i].name);
        port.optional = given.size() > 1;
      }
      ports.outputs.push_back(std::move(port));
    }
  }

  // In the order in which they are to be run: items of one shape one after the other, so that a
  // session keeps its plan and its memory.
  void prepare_all(Worker& worker, Context& ctx, std::span<Item> items) const {
    worker.prepared.resize(std::max(worker.prepared.size(), items.size()));
    worker.order.clear();
    for (std::size_t i = 0; i < items.size(); ++i) {
      Status status = prepare(items[i], ctx.common().pad, worker.prepared[i]);
      if (status.is_ok()) worker.order.push_back(i);
      items[i].set_status(std::move(status));
    }
    std::ranges::sort(worker.order, {}, [&](std::size_t i) {
      return std::pair(worker.prepared[i].inputs.front().elements(), i);
    });
  }

  Status prepare(Item& item, std::span<const PadRule> rules, Prepared& prepared) const {
    prepared.inputs.clear();
    prepared.real.clear();
    prepared.is_padded = false;
    for (std::size_t i = 0; i < item.inputs().size(); ++i) {
      const Result<Tensor> dense =
          contiguous_input(model_->inputs()[i], item.inputs()[i].get<Tensor>(), item.budget());
      if (!dense) return dense.status();
      const Tensor& tensor = *dense;
      Shape shape = tensor.shape();
      if (shape.rank() >= Shape::kMaxRank) {
        return invalid("infer.shape", "input '" + model_->inputs()[i].name + "' is " +
                                          shape.to_string() + ", and there is a batch axis to add");
      }
      prepared.real.push_back(shape);
      for (const PaddedAxis& padded : padded_) {
        if (padded.input != i || padded.axis >= shape.rank()) continue;
        const PadRule& rule = rules[padded.rule];
        const std::optional<std::int64_t> bucket = rule.bucket(shape[padded.axis]);
        if (!bucket) {
          return invalid("infer.pad", "axis " + rule.axis + " is " +
                                          std::to_string(shape[padded.axis]) +
                                          ", more than the largest bucket of batch.pad");
        }
        shape[padded.axis] = *bucket;
      }
      if (shape == tensor.shape()) {
        prepared.inputs.push_back(tensor);
        continue;
      }
      Result<Tensor> padded = item.allocate_tensor(tensor.dtype(), shape);
      if (!padded) return padded.status();
      std::memset(padded->raw(), 0, padded->size_bytes());
      copy_common(tensor.raw(), tensor.shape().dims(), padded->raw(), shape.dims(),
                  size_of(tensor.dtype()));
      prepared.inputs.push_back(std::move(*padded));
      prepared.is_padded = true;
    }
    return Status::ok();
  }

  Status run_alone(Worker& worker, Item& item, const Prepared& prepared) {
    worker.inputs.clear();
    for (const Tensor& tensor : prepared.inputs) {
      worker.inputs.push_back(tensor.reshaped(with_batch(tensor.shape(), 1)));
    }
    Result<std::span<Tensor>> results = run(worker, item);
    if (!results) return results.status();
    Status status = emit_all(item, worker, prepared, *results, 0);
    release(*results);
    return status;
  }

  static Result<std::span<Tensor>> run(Worker& worker, Item& payer) {
    Result<std::span<Tensor>> results = worker.session->run(worker.inputs, payer.budget());
    worker.inputs.clear();
    if (results) {
      for (const Tensor& result : *results) payer.count_allocated(result.size_bytes());
    }
    return results;
  }

  // What was emitted lives on with its readers, not with the session.
  static void release(std::span<Tensor> results) { std::ranges::fill(results, Tensor()); }

  // A model whose batch is fixed gets that many items; those that are missing are zeros.
  void run_together(Worker& worker, std::span<Item> items) {
    while (!worker.order.empty()) {
      take_group(worker);
      Result<std::span<Tensor>> results = run_group(worker, items[worker.group.front()]);
      for (std::size_t row = 0; row < worker.group.size(); ++row) {
        const std::size_t i = worker.group[row];
        items[i].set_status(results ? emit_all(items[i], worker, worker.prepared[i], *results,
                                               static_cast<std::int64_t>(row))
                                    : results.status());
      }
      if (results) release(*results);
    }
  }

  // Moves the first item in order, and those that fit it, from the order to the group: as many as
  // one run takes.
  void take_group(Worker& worker) const {
    const auto same_shape = [](const Tensor& a, const Tensor& b) { return a.shape() == b.shape(); };
    const std::vector<Tensor>& first = worker.prepared[worker.order.front()].inputs;
    worker.group.clear();
    std::erase_if(worker.order, [&](std::size_t i) {
      const bool joins = std::cmp_less(worker.group.size(), batch()) &&
                         std::ranges::equal(worker.prepared[i].inputs, first, same_shape);
      if (joins) worker.group.push_back(i);
      return joins;
    });
  }

  // Of one run of a session.
  std::int64_t batch() const { return std::max(std::int64_t{1}, fixed_batch_); }

  Result<std::span<Tensor>> run_group(Worker& worker, Item& payer) {
    if (Status status = stack_group(worker, payer); !status.is_ok()) return status;
    return run(worker, payer);
  }

  // Makes the worker's inputs those of the group, one behind the other.
  Status stack_group(Worker& worker, Item& payer) const {
    worker.inputs.clear();
    for (std::size_t input = 0; input < model_->inputs().size(); ++input) {
      const Tensor& like = worker.prepared[worker.group.front()].inputs[input];
      Result<Tensor> whole =
          payer.allocate_tensor(like.dtype(), with_batch(like.shape(), fixed_batch_));
      if (!whole) return whole.status();
      std::memset(whole->raw(), 0, whole->size_bytes());
      for (std::size_t row = 0; row < worker.group.size(); ++row) {
        std::memcpy(whole->raw() + row * like.size_bytes(),
                    worker.prepared[worker.group[row]].inputs[input].raw(), like.size_bytes());
      }
      worker.inputs.push_back(std::move(*whole));
    }
    return Status::ok();
  }

  // One item's row of each output, cut back to what its real size gives.
  Status emit_all(Item& item, Worker& worker, const Prepared& prepared,
                  std::span<const Tensor> results, std::int64_t row) {
    worker.rows.clear();
    for (const Tensor& batch : results) worker.rows.push_back(item_of(batch, row));
    Status status = prepared.is_padded ? emit_cut(item, worker, prepared.real, worker.rows)
                                       : emit_whole(item, worker.rows);
    worker.rows.clear();
    return status;
  }

  static Status emit_whole(Item& item, std::span<const Tensor> outputs) {
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!outputs[i].is_empty()) item.emit(i, PayloadRef::make(outputs[i]));
    }
    return Status::ok();
  }

  Status emit_cut(Item& item, Worker& worker, std::span<const Shape> real,
                  std::span<const Tensor> outputs) const {
    Result<const std::vector<Shape>*> shapes = real_shapes(worker, real);
    if (!shapes) return shapes.status();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      Result<Tensor> part = cut(outputs[i], without_batch((**shapes)[i]), item);
      if (!part) return part.status();
      item.emit(i, PayloadRef::make(std::move(*part)));
    }
    return Status::ok();
  }

  Result<const std::vector<Shape>*> real_shapes(Worker& worker, std::span<const Shape> real) const {
    constexpr std::size_t kKept = 1024;  // sizes remembered; then it begins anew
    std::vector<std::int64_t>& key = worker.extents;
    key.clear();
    for (const Shape& shape : real) key.insert(key.end(), shape.begin(), shape.end());
    if (const auto found = worker.shapes.find(key); found != worker.shapes.end())
      return &found->second;
    std::vector<Shape> inputs;
    for (const Shape& shape : real) inputs.push_back(with_batch(shape, batch()));
    Result<std::vector<Shape>> shapes = model_->output_shapes(inputs);
    if (!shapes) return shapes.status();
    if (worker.shapes.size() >= kKept) worker.shapes.clear();
    return &worker.shapes.emplace(key, std::move(*shapes)).first->second;
  }

  std::shared_ptr<const Model> model_;
  std::string why_;  // this backend
  std::vector<Worker> workers_;
  std::vector<PaddedAxis> padded_;
  std::int64_t fixed_batch_ = 0;  // 0 or 1: any
  ExpectedRun expected_;          // on a device
};

[[maybe_unused]] const bool kRegistered = register_node<Infer>();

}  // namespace
}  // namespace sluice
