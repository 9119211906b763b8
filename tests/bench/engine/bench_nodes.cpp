// Nodes that cost nothing but what they are told to burn, so that what is measured is the engine.
#include "tests/bench/engine/bench_nodes.h"

#include "sluice/core/registry.h"

#include <time.h>

#include <array>

namespace sluice {

PayloadType PayloadTraits<bench::Number>::describe() {
  PayloadType type;
  type.name = "Number";
  type.size_bytes = [](const void*) { return sizeof(bench::Number); };
  return type;
}

namespace bench {
namespace {

std::array<Meter*, kMeters> meters{};

[[maybe_unused]] const bool kNumberRegistered = register_payload_type(payload_type<Number>());

Option<int> meter_option() {
  return Option<int>("meter", "its place among the meters").range(0, kMeters - 1).or_default(0);
}

Option<int> steps_option() { return Option<int>("steps", "of burn, per item").or_default(0); }

class Count final : public Node {
 public:
  inline static const Out<Number> out{"out", "the items' numbers"};
  inline static const Option<int> meter = meter_option();
  inline static const Option<int> steps = steps_option();
  inline static const Spec kSpec =
      Spec("bench.count", "Gives the items of a meter.").ports(out).options(meter, steps).source();

  Status open(Context& ctx, std::size_t) override {
    meter_ = meters[static_cast<std::size_t>(ctx.option(meter))];
    return Status::ok();
  }
  Result<Next> next(SourceContext& ctx) override {
    std::uint64_t number = 0;
    if (!meter_->next(number)) return Next::kEnd;
    burn(static_cast<std::uint64_t>(ctx.option(steps)), number);
    ctx.emit(out, Number{number});
    return Next::kItem;
  }

 private:
  Meter* meter_ = nullptr;
};

// Burns, and passes its input on.
class WorkBase : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> out{"out", "the same"};
  inline static const Option<int> steps = steps_option();
  static Spec spec(std::string type) {
    return Spec(std::move(type), "Works, and passes its input on.").ports(in, out).options(steps);
  }

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* wired = plan.wired(in)) ports.outputs[0].type = *wired;
    return ports;
  }
  Status process(Context& ctx) override {
    burn(static_cast<std::uint64_t>(ctx.option(steps)), ctx.item().number());
    ctx.emit(out, ctx.take(in));
    return Status::ok();
  }
};
class Work final : public WorkBase {
 public:
  inline static const Spec kSpec = spec("bench.work");
};
class WorkParallel final : public WorkBase {
 public:
  inline static const Spec kSpec = spec("bench.work_parallel").stateless();
};

class Join final : public Node {
 public:
  inline static const In<Number> a{"a", "an item"};
  inline static const In<Number> b{"b", "the same item"};
  inline static const In<Number> c{"c", "the same item"};
  inline static const In<Number> d{"d", "the same item"};
  inline static const Out<Number> out{"out", "the item"};
  inline static const Spec kSpec =
      Spec("bench.join", "Four branches become one.").ports(a, b, c, d, out);

  Status process(Context& ctx) override {
    const std::uint64_t number = ctx.get(a).value;
    if (ctx.get(b).value != number || ctx.get(c).value != number || ctx.get(d).value != number)
      return internal("bench.pairing", "the inputs are not of one item");
    ctx.emit(out, ctx.item().inputs()[0]);
    return Status::ok();
  }
};

class Arrive final : public Node {
 public:
  inline static const In<Any> in{"in", "the items"};
  inline static const Option<int> meter = meter_option();
  inline static const Spec kSpec =
      Spec("bench.arrive", "Tells a meter what has arrived.").ports(in).options(meter).sink();

  Status open(Context& ctx, std::size_t) override {
    meter_ = meters[static_cast<std::size_t>(ctx.option(meter))];
    return Status::ok();
  }
  Status process(Context& ctx) override {
    const PayloadRef& payload = ctx.get(in);
    const bool is_number = &payload.type() == &payload_type<Number>();
    meter_->arrived(is_number ? payload.get<Number>().value : ctx.item().number());
    return Status::ok();
  }

 private:
  Meter* meter_ = nullptr;
};

// Waits as a call does that asks another machine.
class Sleep final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Option<int> ms = Option<int>("ms", "of sleep, per item").or_default(1);
  inline static const Spec kSpec =
      Spec("bench.sleep", "Sleeps in its calls.").ports(in).options(ms).sink().blocking();

  Status process(Context& ctx) override {
    const std::int64_t time = ctx.option(ms);
    const timespec pause{time / 1000, time % 1000 * 1'000'000};
    nanosleep(&pause, nullptr);
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Count>() && register_node<Work>() &&
                                          register_node<WorkParallel>() && register_node<Join>() &&
                                          register_node<Arrive>() && register_node<Sleep>();

}  // namespace

void set_meter(std::size_t place, Meter& meter) { meters[place] = &meter; }

}  // namespace bench
}  // namespace sluice
