// A source that is ten times as fast as what follows: what arrives is to be fresh, what does not is
// to be counted, and what waits is to be bounded.
#include "sluice/core/registry.h"
#include "sluice/graphs/builder.h"

#include "tests/bench/engine/engine_cases.h"
#include "tests/bench/engine/engine_pipeline.h"

#include <algorithm>
#include <cstdio>

namespace sluice::bench {
namespace {

constexpr std::size_t kItemBytes = 64 * 1024;
constexpr std::size_t kMemoryBytes = 4 * 1024 * 1024;
constexpr std::uint32_t kQueue = 8;
constexpr double kStageUs = 20;

struct Stamped {
  std::uint64_t number;
  std::int64_t born_ns;
  Buffer ballast;
};

// Of the one pipeline at work; borrowed by its nodes.
struct Deliveries {
  std::uint64_t items = 0;  // to be made
  std::uint64_t expected = 0;
  std::uint64_t disorder = 0;
  std::vector<double> latencies;
};
Deliveries* deliveries = nullptr;

}  // namespace
}  // namespace sluice::bench

namespace sluice {
template <>
struct PayloadTraits<bench::Stamped> {
  static PayloadType describe() {
    PayloadType type;
    type.name = "Stamped";
    type.size_bytes = [](const void* payload) {
      return sizeof(bench::Stamped) +
             static_cast<const bench::Stamped*>(payload)->ballast.size_bytes();
    };
    return type;
  }
};
}  // namespace sluice

namespace sluice::bench {
namespace {

class Flood final : public Node {
 public:
  inline static const Out<Stamped> out{"out", "items that say when they were made"};
  inline static const Option<int> steps = Option<int>("steps", "of burn, per item").or_default(0);
  inline static const Spec kSpec =
      Spec("bench.flood", "Makes items of 64 KiB.").ports(out).options(steps).source();

  Result<Next> next(SourceContext& ctx) override {
    if (number_ == deliveries->items) return Next::kEnd;
    burn(static_cast<std::uint64_t>(ctx.option(steps)), number_);
    auto ballast = ctx.allocate(kItemBytes);
    if (!ballast) return ballast.status();
    ctx.emit(out, Stamped{number_++, now_ns(), std::move(*ballast)});
    return Next::kItem;
  }

 private:
  std::uint64_t number_ = 0;
};

class Collect final : public Node {
 public:
  inline static const In<Stamped> in{"in", "the items that were not dropped"};
  inline static const Spec kSpec =
      Spec("bench.collect", "Takes the time each was on its way.").ports(in).sink();

  Status process(Context& ctx) override {
    const Stamped& item = ctx.get(in);
    if (item.number < deliveries->expected) ++deliveries->disorder;
    deliveries->expected = item.number + 1;
    deliveries->latencies.push_back(static_cast<double>(now_ns() - item.born_ns));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_payload_type(payload_type<Stamped>()) &&
                                          register_node<Flood>() && register_node<Collect>();

WhenFull when_full_of(const std::string& word) {
  if (word == "drop_oldest") return WhenFull::kDropOldest;
  if (word == "drop_newest") return WhenFull::kDropNewest;
  return WhenFull::kBlock;
}

}  // namespace

int run_overload(const Arguments& arguments) {
  const WhenFull when_full = when_full_of(arguments.text("when_full", "block"));
  const double steps_per_us = static_cast<double>(steps_of_us(1000)) / 1000;
  Deliveries all;
  all.items = arguments.count("items", when_full == WhenFull::kBlock ? 20'000 : 100'000);
  all.latencies.reserve(all.items);
  deliveries = &all;

  GraphBuilder graph("overload");
  graph.memory(kMemoryBytes);
  graph.node("source", "bench.flood")
      .option("steps", static_cast<std::int64_t>(kStageUs / 10 * steps_per_us));
  graph.node("work", "bench.work")
      .from("source")
      .option("steps", static_cast<std::int64_t>(kStageUs * steps_per_us))
      .queue(kQueue, kMemoryBytes, when_full);
  graph.node("sink", "bench.collect").from("work").queue(kQueue);
  const Report report = started_pipeline(graph.build()).wait();

  // What waits in the queue, what is worked on and what the source has in its hands.
  const double queue_ns = (kQueue + 2) * kStageUs * 1000;
  const std::uint64_t arrived = all.latencies.size();
  const bool exact = report.items.in == all.items && report.items.delivered == arrived &&
                     report.items.dropped == all.items - arrived && report.items.rejected == 0;
  const double over =
      static_cast<double>(report.peak_memory_bytes) - static_cast<double>(kMemoryBytes);
  print_figures({{"p99_over_queue", percentile(all.latencies, 0.99) / queue_ns},
                 {"p50_over_queue", percentile(all.latencies, 0.5) / queue_ns},
                 {"delivered_share", static_cast<double>(arrived) / static_cast<double>(all.items)},
                 {"counted_exactly", exact ? 1 : 0},
                 {"items_over_memory", std::max(0.0, over / kItemBytes)},
                 {"peak_items", static_cast<double>(report.peak_memory_bytes) / kItemBytes},
                 {"disorder", static_cast<double>(all.disorder)}});
  deliveries = nullptr;
  return exact ? 0 : 1;
}

}  // namespace sluice::bench
