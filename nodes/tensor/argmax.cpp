// argmax: gives the place of the largest value along an axis.
//   class: { type: argmax, from: logits }
// Related: topk, for more than one and for labels; softmax.
#include "sluice/core/registry.h"
#include "sluice/nodes/tensor/axis.h"
#include "sluice/nodes/tensor/axis_step.h"

#include <cmath>

namespace sluice {
namespace {

struct Best {
  std::int64_t place = 0;
  float value = 0;  // NaN where the row holds one
};

Best find_best(const float* values, std::int64_t step, std::int64_t length) {
  Best best{0, values[0]};
  for (std::int64_t i = 1; i < length && !std::isnan(best.value); ++i) {
    const float value = values[i * step];
    if (value > best.value || std::isnan(value)) best = {i, value};
  }
  return best;
}

class Argmax final : public Node {
 public:
  inline static const In<Tensor> in{"in", "f32, any shape"};
  inline static const Out<Tensor> out{
      "out", "i64, the shape without the axis: the place of the largest, from 0"};
  inline static const Out<Tensor> value =
      Out<Tensor>("value", "f32, the same shape as `out`: the largest itself").optional();
  inline static const Option<int> axis = axis_option();
  inline static const Spec kSpec =
      Spec("argmax", "Gives the place of the largest value along an axis.")
          .ports(in, out, value)
          .options(axis)
          .stateless()
          .runs_on_devices()
          .notes(
              "Of equal values the first counts. An item with a NaN is rejected: it has no "
              "largest. A tensor of one axis gives a tensor of none, one number as JSON. "
              "Related: topk, softmax, infer.")
          .rejects("tensor.shape", "the tensor is not f32, or has no such axis")
          .rejects("tensor.nan", "a value is NaN")
          .example(R"(nodes:
  logits: { type: infer, from: input, model: ./classify.onnx }
  best:   { type: argmax, from: logits }
  json:   { type: jsonl.write, from: best, path: ./classes.jsonl, fields: { file: item.key, class: value } }
)");

  Result<Ports> resolve(Resolve& plan) override {
    PlannedAxis planned = plan_axis(plan, in, axis);
    if (planned.dims) {
      planned.dims->erase(planned.dims->begin() + static_cast<std::ptrdiff_t>(planned.axis));
    }
    Ports ports = plan.declared();
    ports.inputs[in.index()].type.tensor = TensorType{DType::kF32, std::nullopt, ""};
    ports.outputs[out.index()].type.tensor = TensorType{DType::kI64, planned.dims, ""};
    ports.outputs[value.index()].type.tensor = TensorType{DType::kF32, planned.dims, ""};
    if (plan.common().has_lanes()) ports.execution = ExecutionClass::kLanes;
    ports.stacking = gpu::step_stacking(true, false);
    return ports;
  }

  Status process(Context& ctx) override {
    const Tensor& tensor = ctx.get(in);
    const auto along = check_axis(tensor, ctx.option(axis));
    if (!along) return along.status();
    const Shape shape = without_axis(tensor.shape(), *along);
    auto places = ctx.allocate_tensor(DType::kI64, shape);
    if (!places) return places.status();
    auto values = ctx.allocate_tensor(DType::kF32, shape);
    if (!values) return values.status();

    std::int64_t* place = places->data<std::int64_t>();
    float* largest = values->data<float>();
    for (AxisRows rows(tensor, *along); !rows.at_end(); rows.next()) {
      const Best best = find_best(tensor.data<float>() + rows.offset(), rows.step(), rows.length());
      if (std::isnan(best.value)) return holds_nan(tensor.shape());
      *place++ = best.place;
      *largest++ = best.value;
    }
    ctx.emit(out, std::move(*places));
    ctx.emit(value, std::move(*values));
    return Status::ok();
  }

  // The first of the largest is where the largest is, and its value tells of a NaN as well.
  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context& ctx, Device& device,
                                                               std::size_t lanes) override {
    return gpu::make_step_programs(
        std::make_shared<LargestStep>(ctx.option(axis), 1, LargestStep::Axis::kGoes), "argmax",
        device, lanes);
  }

  Result<std::vector<Tensor>> device_inputs(Context& ctx) override {
    return dense_input(ctx.get(in), ctx.option(axis), ctx);
  }

  Status check_device_input(Context& ctx, const Shape& item) override {
    return check_axis(item, ctx.option(axis)).status();
  }

  Status device_outputs(Context& ctx, std::span<const Shape> inputs,
                        std::span<const Tensor> outputs) override {
    if (has_nan(outputs[0])) return holds_nan(inputs[0]);
    ctx.emit(out, outputs[1]);
    ctx.emit(value, outputs[0]);
    return Status::ok();
  }

 private:
  static Shape without_axis(const Shape& whole, std::size_t axis) {
    Shape shape;
    for (std::size_t i = 0; i < whole.rank(); ++i) {
      if (i != axis) shape.push_back(whole[i]);
    }
    return shape;
  }

  static Status holds_nan(const Shape& shape) {
    return invalid("tensor.nan", "the tensor " + shape.to_string() + " holds a NaN");
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Argmax>();

}  // namespace
}  // namespace sluice
