// softmax: turns scores into shares that sum to 1.
//   share: { type: softmax, from: logits }
// Most classifiers give scores of any size; their order is that of the shares, so topk and argmax
// need no softmax unless the shares themselves are wanted. Related: infer, topk, argmax.
#include "sluice/core/registry.h"
#include "sluice/nodes/tensor/axis.h"
#include "sluice/nodes/tensor/axis_step.h"

namespace sluice {
namespace {

class Softmax final : public Node {
 public:
  inline static const In<Tensor> in{"in", "f32, any shape: scores"};
  inline static const Out<Tensor> out{"out", "f32, the same shape: shares, 0..1"};
  inline static const Option<int> axis = axis_option();
  inline static const Spec kSpec =
      Spec("softmax", "Turns scores into shares that sum to 1 along an axis.")
          .ports(in, out)
          .options(axis)
          .stateless()
          .runs_on_devices()
          .notes(
              "exp(x) over the sum of exp(x), made so that large scores do not overflow. A score "
              "of minus infinity has no share. A NaN never comes out: an item with one, or with an "
              "infinite score, is rejected. Related: infer, topk, argmax.")
          .rejects("tensor.shape", "the tensor is not f32, or has no such axis")
          .rejects("tensor.nan", "a score is NaN or infinite, or all along the axis are -infinity")
          .example(R"(nodes:
  logits: { type: infer, from: input, model: ./classify.onnx }
  share:  { type: softmax, from: logits }
  best:   { type: topk, from: share, k: 5, labels: ./labels.txt }
)");

  Result<Ports> resolve(Resolve& plan) override {
    const PlannedAxis planned = plan_axis(plan, in, axis);
    Ports ports = plan.declared();
    ports.inputs[in.index()].type.tensor = TensorType{DType::kF32, std::nullopt, ""};
    ports.outputs[out.index()].type.tensor = TensorType{DType::kF32, planned.dims, planned.layout};
    if (plan.common().has_lanes()) ports.execution = ExecutionClass::kLanes;
    ports.stacking = gpu::step_stacking(true, true);
    return ports;
  }

  Status process(Context& ctx) override {
    const Tensor& scores = ctx.get(in);
    const auto along = check_axis(scores, ctx.option(axis));
    if (!along) return along.status();
    auto shares = ctx.allocate_tensor(DType::kF32, scores.shape());
    if (!shares) return shares.status();

    AxisRows to(*shares, *along);
    for (AxisRows from(scores, *along); !from.at_end(); from.next(), to.next()) {
      if (!softmax_row(scores.data<float>() + from.offset(), from.step(),
                       shares->data<float>() + to.offset(), to.step(), from.length())) {
        return no_shares(scores.shape());
      }
    }
    ctx.emit(out, std::move(*shares));
    return Status::ok();
  }

  Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context& ctx, Device& device,
                                                               std::size_t lanes) override {
    return gpu::make_step_programs(std::make_shared<SoftmaxStep>(ctx.option(axis)), "softmax",
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
    if (has_nan(outputs[1])) return no_shares(inputs[0]);
    ctx.emit(out, outputs[0]);
    return Status::ok();
  }

 private:
  static Status no_shares(const Shape& shape) {
    return invalid("tensor.nan", "a row of the tensor " + shape.to_string() +
                                     " holds NaN or infinite scores and gives no shares");
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Softmax>();

}  // namespace
}  // namespace sluice
