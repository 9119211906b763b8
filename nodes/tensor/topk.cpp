// topk: gives the k largest values along an axis, largest first; of a classifier, with labels.
//   best: { type: topk, from: share, k: 5, labels: ./labels.txt }
//   json: { type: jsonl.write, from: best, path: ./classes.jsonl, fields: { file: item.key, best:
//   value } }
// Related: softmax, argmax, infer.
#include "sluice/core/read_file.h"
#include "sluice/core/registry.h"
#include "sluice/nodes/source/utf8.h"
#include "sluice/nodes/tensor/axis.h"
#include "sluice/nodes/tensor/axis_step.h"

#include <algorithm>
#include <sstream>

namespace sluice {
namespace {

class Topk final : public Node {
 public:
  inline static const In<Tensor> in{"in", "f32, any shape"};
  inline static const Out<List<Detection>> out =
      Out<List<Detection>>("out",
                           "of a tensor with one axis (others may have one element): class, score "
                           "and label of each")
          .optional();
  inline static const Out<Tensor> scores =
      Out<Tensor>("scores", "f32, the shape with k along the axis: the values").optional();
  inline static const Out<Tensor> indices =
      Out<Tensor>("indices", "i64, the same shape: their places along the axis, from 0").optional();
  inline static const Option<int> k =
      Option<int>("k", "how many, at most as many as the axis has").range(1, 1e6).or_default(5);
  inline static const Option<int> axis = axis_option();
  inline static const Option<Path> labels = Option<Path>(
      "labels", "file with a label a line, UTF-8, class 0 first; as many as the axis has elements");
  inline static const Spec kSpec =
      Spec("topk", "Gives the k largest values along an axis, largest first.")
          .ports(in, out, scores, indices)
          .options(k, axis, labels)
          .stateless()
          .runs_on_devices()
          .notes(
              "As JSON `out` is [{\"class\": 3, \"score\": 0.9, \"label\": \"cat\"}, ...]. Of "
              "equal "
              "values the one with the lower place comes first. An item with a NaN is rejected: it "
              "has no order. The values are passed on as they are; put a softmax in front for "
              "shares. Related: softmax, argmax, infer.")
          .rejects("tensor.shape",
                   "the tensor is not f32, has no such axis, less than k along it, or another "
                   "number than there are labels")
          .rejects("tensor.nan", "a value is NaN")
          .example(R"(nodes:
  share: { type: softmax, from: logits }
  best:  { type: topk, from: share, k: 3 }
  json:  { type: jsonl.write, from: best, path: ./classes.jsonl, fields: { file: item.key, best: value } }
)");

  Result<Ports> resolve(Resolve& plan) override {
    const bool gives_list = reads_list(plan);
    if (plan.has(labels)) load_labels(plan);
    PlannedAxis planned = plan_axis(plan, in, axis);
    if (planned.dims) check_extents(plan, planned, gives_list);

    if (planned.dims) (*planned.dims)[planned.axis] = Dim{plan.option(k), ""};
    Ports ports = plan.declared();
    ports.inputs[in.index()].type.tensor = TensorType{DType::kF32, std::nullopt, ""};
    ports.outputs[scores.index()].type.tensor = TensorType{DType::kF32, planned.dims, ""};
    ports.outputs[indices.index()].type.tensor = TensorType{DType::kI64, planned.dims, ""};
    if (plan.common().has_lanes() && suits_device(plan)) ports.execution = ExecutionClass::kLanes;
    ports.stacking = gpu::step_stacking(true, false);
    return ports;
  }

  Status process(Context& ctx) override {
    const Tensor& tensor = ctx.get(in);
    const auto along = check_axis(tensor, ctx.option(axis));
    if (!along) return along.status();
    const std::int64_t count = ctx.option(k);
    const std::int64_t length = tensor.shape()[*along];
    if (Status status = check_item(ctx, tensor.shape(), *along); !status) return status;

    Shape shape = tensor.shape();
    shape[*along] = count;
    auto values = ctx.allocate_tensor(DType::kF32, shape);
    if (!values) return values.status();
    auto places = ctx.allocate_tensor(DType::kI64, shape);
    if (!places) return places.status();
    std::vector<std::int64_t> order(static_cast<std::size_t>(length));
    AxisRows to(*values, *along);
    for (AxisRows from(tensor, *along); !from.at_end(); from.next(), to.next()) {
      const float* row = tensor.data<float>() + from.offset();
      if (!find_largest(row, from.step(), count, order)) return holds_nan(tensor.shape());
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t place = order[static_cast<std::size_t>(i)];
        values->data<float>()[to.offset() + i * to.step()] = row[place * from.step()];
        places->data<std::int64_t>()[to.offset() + i * to.step()] = place;
      }
    }
    emit_all(ctx.item(), std::move(*values), std::move(*places));
    return Status::ok();
  }

  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context& ctx, Device& device,
                                                               std::size_t lanes) override {
    return gpu::make_step_programs(std::make_shared<LargestStep>(ctx.option(axis), ctx.option(k)),
                                   "topk", device, lanes);
  }

  Result<std::vector<Tensor>> device_inputs(Context& ctx) override {
    const Tensor& tensor = ctx.get(in);
    Result<std::vector<Tensor>> dense = dense_input(tensor, ctx.option(axis), ctx);
    if (!dense) return dense;
    if (Status status = check_device_input(ctx, tensor.shape()); !status) return status;
    return dense;
  }

  Status check_device_input(Context& ctx, const Shape& item) override {
    const auto along = check_axis(item, ctx.option(axis));
    return along ? check_item(ctx, item, *along) : along.status();
  }

  Status device_outputs(Context& ctx, std::span<const Shape> inputs,
                        std::span<const Tensor> outputs) override {
    if (has_nan(outputs[0])) return holds_nan(inputs[0]);
    emit_all(ctx.item(), outputs[0], outputs[1]);
    return Status::ok();
  }

 private:
  // A GPU finds one after the other, which is fast for few.
  static constexpr std::int64_t kMostOnDevice = 256;

  static bool suits_device(Resolve& plan) {
    if (plan.option(k) <= kMostOnDevice) return true;
    if (!plan.common().device_is_chosen) {
      plan.option_problem(
          k, "SL0510",
          "more than " + std::to_string(kMostOnDevice) + " of a row are found on the CPU",
          "lower `k`, or leave `device:` away");
    }
    return false;
  }

  static Status holds_nan(const Shape& shape) {
    return invalid("tensor.nan", "the tensor " + shape.to_string() + " holds a NaN");
  }

  void emit_all(Item& item, Tensor values, Tensor places) const {
    if (item.wanted(out)) emit_list(item, values, places);
    item.emit(scores, std::move(values));
    item.emit(indices, std::move(places));
  }

  void emit_list(Item& item, const Tensor& values, const Tensor& places) const {
    List<Detection> list;
    const auto score = values.span<float>();
    const auto place = places.span<std::int64_t>();
    list.reserve(score.size());
    for (std::size_t i = 0; i < score.size(); ++i) {
      Detection found{static_cast<int>(place[i]), score[i], {}};
      if (!labels_.empty()) found.label = labels_[static_cast<std::size_t>(place[i])];
      list.push_back(std::move(found));
    }
    item.emit(out, std::move(list));
  }

  Status check_item(const Context& ctx, const Shape& shape, std::size_t along) const {
    const auto wrong = [&](const std::string& why) {
      return invalid("tensor.shape", "the tensor is " + shape.to_string() + ", " + why);
    };
    if (shape[along] < ctx.option(k)) {
      return wrong("and k = " + std::to_string(ctx.option(k)) + " are wanted along axis " +
                   std::to_string(along));
    }
    if (!labels_.empty() && shape[along] != static_cast<std::int64_t>(labels_.size())) {
      return wrong("and there are " + std::to_string(labels_.size()) + " labels");
    }
    if (ctx.wanted(out) && shape.elements() != shape[along]) {
      return wrong("and a list of classes is made of one axis only");
    }
    return Status::ok();
  }

  static bool reads_list(const Resolve& plan) {
    return std::ranges::any_of(plan.read_outputs(), [](const std::string& name) {
      return name.empty() || name == out.name();
    });
  }

  void load_labels(Resolve& plan) {
    const std::string& path = plan.option(labels).text;
    const Result<std::string> text = read_file(path);
    if (!text) {
      plan.option_problem(labels, "SL0704", "cannot read " + path + ": " + text.status().message(),
                          "correct the path");
      return;
    }
    std::istringstream lines(*text);
    std::string line;
    while (std::getline(lines, line)) {
      if (!line.empty() && line.back() == '\r') line.pop_back();
      if (find_invalid_utf8(line) != std::string_view::npos) {
        plan.option_problem(
            labels, "SL0704",
            "line " + std::to_string(labels_.size() + 1) + " of " + path + " is not UTF-8",
            "save it as UTF-8");
        return;
      }
      labels_.push_back(line);
    }
    if (labels_.empty())
      plan.option_problem(labels, "SL0704", path + " is empty", "write a label a line");
  }

  void check_extents(Resolve& plan, const PlannedAxis& planned, bool gives_list) const {
    const std::vector<Dim>& dims = *planned.dims;
    const Dim& along = dims[planned.axis];
    if (along.is_static() && along.size < plan.option(k)) {
      plan.option_problem(k, "SL0209",
                          "`k` is " + std::to_string(plan.option(k)) + ", and axis " +
                              std::to_string(planned.axis) + " of the tensor has " +
                              along.to_string(),
                          "lower `k`, or give another `axis`");
    }
    if (!labels_.empty() && along.is_static() &&
        along.size != static_cast<std::int64_t>(labels_.size())) {
      plan.option_problem(labels, "SL0207",
                          plan.option(labels).text + " has " + std::to_string(labels_.size()) +
                              " lines, and axis " + std::to_string(planned.axis) +
                              " of the tensor has " + along.to_string(),
                          "give a line for each class, in the model's order");
    }
    const bool one_axis = std::ranges::all_of(
        dims, [&](const Dim& dim) { return &dim == &along || !dim.is_static() || dim.size == 1; });
    if (gives_list && !one_axis) {
      plan.input_problem(
          in.name(), "SL0403",
          "`out` of topk is of one axis only, and this is " + plan.wired(in)->to_string(),
          "read `scores` and `indices`, which have any shape");
    }
  }

  std::vector<std::string> labels_;
};

[[maybe_unused]] const bool kRegistered = register_node<Topk>();

}  // namespace
}  // namespace sluice
