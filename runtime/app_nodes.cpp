// app_in, app_out: the ends of a pipeline that a host program holds.
//   frames: { type: app_in, payload: Image }
//   labels: { type: app_out, from: top }
// The program pushes with Pipeline::input and gets with Pipeline::output. Related: files,
// jsonl.write.
#include "sluice/core/registry.h"
#include "sluice/runtime/app_ports.h"

namespace sluice {
namespace {

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
                                       .notes(
                                           "For programs that embed the engine; `sluice run` has "
                                           "nobody who pushes, so the node ends at once there.")
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
    ctx.emit(out, std::move(entry->payload));
    return Next::kItem;
  }

  Status close(Context&) override {
    input_->refuse_rest();
    return Status::ok();
  }

  AppInput& app_input() override { return *input_; }

 private:
  std::unique_ptr<AppInput> input_;
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
                                       .notes(
                                           "A program that does not take what comes makes the "
                                           "pipeline wait, as any slow sink does.")
                                       .example(
                                           "nodes:\n  texts: { type: app_in, payload: Text }\n  "
                                           "end: { type: app_out, from: texts }\n");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* wired = plan.wired(value)) ports.inputs[0].type = *wired;
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
