// app_in, app_out: the ends of a pipeline that a host program holds.
//   frames: { type: app_in, payload: Image }
//   labels: { type: app_out, from: top }
// The program pushes with Pipeline::input and gets with Pipeline::output. Related: files,
// jsonl.write.
#include "sluice/core/registry.h"
#include "sluice/core/tensor.h"
#include "sluice/runtime/app_ports.h"
#include "sluice/runtime/lanes/sim_device.h"

#include <charconv>
#include <optional>
#include <string_view>

namespace sluice {
namespace {

// The number of the device that the node is told, and not only given because there is one.
std::optional<int> device_told(const Resolve& plan) {
  const CommonOptions& common = plan.common();
  if (!common.has_lanes() || common.device_is_chosen) return std::nullopt;
  constexpr std::string_view kCuda = "cuda:";
  if (!common.device.starts_with(kCuda)) return SimDevice::kOrdinal;
  int ordinal = 0;
  std::from_chars(common.device.data() + kCuda.size(), common.device.data() + common.device.size(),
                  ordinal);
  return ordinal;
}

class AppIn final : public Node, public HasAppInput {
 public:
  inline static const Out<Any> out{"out", "what the program pushes"};
  inline static const Option<std::string> payload =
      Option<std::string>("payload", "the payload type that the program pushes").required("Image");
  inline static const Option<int> capacity =
      Option<int>("capacity", "items that wait to be let in before push waits")
          .range(1, 1 << 20)
          .or_default(16);
  inline static const Spec kSpec = Spec("app_in", "Items that the host program pushes.")
                                       .ports(out)
                                       .options(payload, capacity)
                                       .source()
                                       .runs_on_devices()
                                       .notes(
                                           "For programs that embed the engine; `sluice run` has "
                                           "nobody who pushes, so the node ends at once there. "
                                           "With `device: cuda` and nodes of that GPU as readers, "
                                           "tensors may be pushed that are in its memory.")
                                       .rejects("device.tensor",
                                                "the tensor is in a GPU's memory, where the node "
                                                "takes none of that GPU, or has gaps there")
                                       .example(
                                           "nodes:\n  texts: { type: app_in, payload: Text }\n  "
                                           "end: { type: app_out, from: texts }\n");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    const PayloadType* type = find_payload_type(plan.option(payload));
    if (type == nullptr) {
      std::string names;
      for (const std::string& name : payload_type_names())
        names += (names.empty() ? "" : ", ") + name;
      plan.option_problem(payload, "SL0706", "no payload type `" + plan.option(payload) + "`",
                          "payload types: " + names);
    } else {
      ports.outputs[0].type = {type, std::nullopt, nullptr};
    }
    device_ = device_told(plan);
    ports.stacking.gives_unseen = device_.has_value();
    input_ = std::make_unique<AppInput>(static_cast<std::size_t>(plan.option(capacity)));
    return ports;
  }

  Result<Next> next(SourceContext& ctx) override {
    // In this order: what was pushed before the end is still let in.
    const bool ended = input_->has_ended() || ctx.stop().stop_requested();
    std::optional<AppInput::Entry> entry = input_->pull();
    if (!entry) return ended ? Next::kEnd : Next::kAgain;
    if (!entry->key.empty()) ctx.set_key(std::move(entry->key));
    ctx.set_cookie(TicketState::cookie_of(std::move(entry->ticket)));
    if (Status status = check_place(entry->payload); !status.is_ok()) {
      ctx.set_key(std::string(ctx.key()));  // as its own: the item is rejected, the run goes on
      return status;
    }
    ctx.emit(out, std::move(entry->payload));
    return Next::kItem;
  }

  Status close(Context&) override {
    input_->refuse_rest();
    return Status::ok();
  }

  AppInput& app_input() override { return *input_; }

 private:
  Status check_place(const PayloadRef& payload) const {
    if (&payload.type() != &payload_type<Tensor>()) return Status::ok();
    const Tensor& tensor = payload.get<Tensor>();
    const Buffer& bytes = tensor.buffer();
    if (bytes.is_on_host()) return Status::ok();
    if (device_ && bytes.ordinal() == *device_) {
      return tensor.is_contiguous()
                 ? Status::ok()
                 : invalid("device.tensor", "on a device a tensor may have no gaps; this one is " +
                                                tensor.shape().to_string() + " with strides " +
                                                tensor.strides().to_string());
    }
    return invalid("device.tensor",
                   "the tensor is in the memory of GPU " + std::to_string(bytes.ordinal()) +
                       (device_ ? ", and the node's device is another"
                                : "; `device:` of the app_in says whether it may be"));
  }

  std::unique_ptr<AppInput> input_;
  std::optional<int> device_;  // whose memory tensors may be in
};

class AppOut final : public Node, public HasAppOutput {
 public:
  inline static const In<Any> value{"value", "what the program gets"};
  inline static const Option<int> capacity =
      Option<int>("capacity", "values that wait to be pulled before the pipeline waits")
          .range(1, 1 << 20)
          .or_default(16);
  inline static const Spec kSpec = Spec("app_out", "Gives items to the host program.")
                                       .ports(value)
                                       .options(capacity)
                                       .sink()
                                       .blocking()
                                       .runs_on_devices()
                                       .notes(
                                           "A program that does not take what comes makes the "
                                           "pipeline wait, as any slow sink does. With "
                                           "`device: cuda` and a node of that GPU as writer, the "
                                           "program gets tensors in its memory.")
                                       .example(
                                           "nodes:\n  texts: { type: app_in, payload: Text }\n  "
                                           "end: { type: app_out, from: texts }\n");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* wired = plan.wired(value)) ports.inputs[0].type = *wired;
    ports.stacking.takes_unseen = device_told(plan).has_value();
    output_ = std::make_unique<AppOutput>(static_cast<std::size_t>(plan.option(capacity)));
    return ports;
  }

  Status process(Context& ctx) override {
    const PayloadRef& payload = ctx.get(value);
    if (void* cookie = ctx.item().cookie()) TicketState::of(cookie).reply(payload);
    if (output_->put(payload, ctx.stop())) return Status::ok();
    return {Code::kCancelled, "run.aborted", "the run was ended before the program took the value"};
  }

  Status close(Context&) override {
    output_->end();
    return Status::ok();
  }

  AppOutput& app_output() override { return *output_; }

 private:
  std::unique_ptr<AppOutput> output_;
};

[[maybe_unused]] const bool kInRegistered = register_node<AppIn>();
[[maybe_unused]] const bool kOutRegistered = register_node<AppOut>();

}  // namespace
}  // namespace sluice
