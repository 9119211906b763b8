// softmax: turns scores into shares that sum to 1.
//   share: { type: softmax, from: logits }
// Most classifiers give scores of any size; their order is that of the shares, so topk and argmax
// need no softmax unless the shares themselves are wanted. Related: infer, topk, argmax.
#include "sluice/core/registry.h"
#include "sluice/nodes/tensor/axis.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice {
namespace {

// exp(x - largest) / sum: the largest is taken off first, so that nothing overflows. False where
// the row gives no shares.
bool softmax_row(const float* from, std::int64_t from_step, float* to, std::int64_t to_step,
                 std::int64_t length) {
  float largest = -std::numeric_limits<float>::infinity();
  for (std::int64_t i = 0; i < length; ++i) largest = std::max(largest, from[i * from_step]);
  if (!std::isfinite(largest)) return false;
  double sum = 0;
  for (std::int64_t i = 0; i < length; ++i) {
    const float power = std::exp(from[i * from_step] - largest);
    to[i * to_step] = power;
    sum += power;
  }
  if (!std::isfinite(sum)) return false;
  const auto factor = static_cast<float>(1 / sum);
  for (std::int64_t i = 0; i < length; ++i) to[i * to_step] *= factor;
  return true;
}

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
        return invalid("tensor.nan", "a row of the tensor " + scores.shape().to_string() +
                                         " holds NaN or infinite scores and gives no shares");
      }
    }
    ctx.emit(out, std::move(*shares));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Softmax>();

}  // namespace
}  // namespace sluice
