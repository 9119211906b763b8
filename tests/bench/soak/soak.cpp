// Pipelines that are offered twice what they can do, for minutes: what the process holds must not
// creep. Three of them at once, one for each word of `when_full`, each with items of changing size
// that become children and are gathered again.
//
//   tests/bench/run.sh soak [-- minutes=10]
//
// Prints what the process holds in each tenth of the time, and figures for bars.py as `VALUE name
// value` at the end. Exit 1: items were not counted exactly.
#include "sluice/core/registry.h"
#include "sluice/graphs/builder.h"

#include "tests/bench/engine/engine_pipeline.h"
#include "tests/bench/engine/workload.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>
#include <string>

namespace sluice::bench {
namespace {

constexpr std::size_t kMemoryBytes = 32 * 1024 * 1024;
constexpr double kStageUs = 50;
constexpr std::size_t kParts = 4;

struct Part {
  Buffer ballast;
};

}  // namespace
}  // namespace sluice::bench

namespace sluice {
template <>
struct PayloadTraits<bench::Part> {
  static PayloadType describe() {
    PayloadType type;
    type.name = "Part";
    type.size_bytes = [](const void* payload) {
      return sizeof(bench::Part) + static_cast<const bench::Part*>(payload)->ballast.size_bytes();
    };
    return type;
  }
};
}  // namespace sluice

namespace sluice::bench {
namespace {

// 256 bytes to 256 KiB, every magnitude as often as the next: a fixed sequence without a pattern.
std::size_t size_of(std::uint64_t number) {
  std::uint64_t mixed = number * 0x9E3779B97F4A7C15U;
  mixed ^= mixed >> 29;
  return (std::size_t{256} << (mixed % 10)) + (mixed >> 40) % 256;
}

class Flood final : public Node {
 public:
  inline static const Out<List<Part>> out{"out", "blocks of several sizes"};
  inline static const Option<int> steps = Option<int>("steps", "of burn, per item").or_default(0);
  inline static const Spec kSpec =
      Spec("soak.flood", "Makes items until it is stopped.").ports(out).options(steps).source();

  Result<Next> next(SourceContext& ctx) override {
    burn(static_cast<std::uint64_t>(ctx.option(steps)), number_);
    List<Part> parts;
    for (std::size_t i = 0; i < kParts; ++i) {
      auto ballast = ctx.allocate(size_of(number_ * kParts + i));
      if (!ballast) return ballast.status();
      parts.push_back(Part{std::move(*ballast)});
    }
    ++number_;
    ctx.emit(out, std::move(parts));
    return Next::kItem;
  }

 private:
  std::uint64_t number_ = 0;
};

class Work final : public Node {
 public:
  inline static const In<Part> in{"in", "a block"};
  inline static const Out<Part> out{"out", "the same"};
  inline static const Option<int> steps = Option<int>("steps", "of burn, per item").or_default(0);
  inline static const Spec kSpec =
      Spec("soak.work", "Works, and passes its input on.").ports(in, out).options(steps);

  Status process(Context& ctx) override {
    burn(static_cast<std::uint64_t>(ctx.option(steps)), ctx.item().number());
    ctx.emit(out, ctx.take(in));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered =
    register_payload_type(payload_type<Part>()) && register_node<Flood>() && register_node<Work>();

// What a pipeline does with an item takes twice what the source takes to make it.
GraphSpec graph_of(const std::string& name, WhenFull when_full, double steps_per_us) {
  const auto steps = [&](double us) { return static_cast<std::int64_t>(us * steps_per_us); };
  GraphBuilder graph(name);
  graph.memory(kMemoryBytes);
  graph.node("source", "soak.flood").option("steps", steps(kStageUs / 2));
  graph.node("part", "split").from("source").queue(8, kMemoryBytes, when_full);
  graph.node("work", "soak.work").from("part").option("steps", steps(kStageUs / kParts));
  graph.node("whole", "gather").from("work");
  graph.node("end", "discard").from("whole");
  return graph.build();
}

double resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  double size = 0;
  double resident = 0;
  statm >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

void pause_s(double seconds) {
  const auto whole = static_cast<time_t>(seconds);
  const timespec pause{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
  nanosleep(&pause, nullptr);
}

// The most that was seen in each tenth of the time.
std::array<double, 10> watch(double seconds) {
  constexpr int kLooks = 20;
  std::array<double, 10> most{};
  for (std::size_t tenth = 0; tenth < most.size(); ++tenth) {
    for (int look = 0; look < kLooks; ++look) {
      pause_s(seconds / kLooks / static_cast<double>(most.size()));
      most[tenth] = std::max(most[tenth], resident_bytes());
    }
    std::printf("after %3zu %% of the time: %.1f MB\n", (tenth + 1) * 10, most[tenth] / 1e6);
    std::fflush(stdout);
  }
  return most;
}

bool counted_exactly(const Report& report) {
  const Ledger::Counts& items = report.items;
  return items.in > 0 && items.rejected == 0 && items.in == items.delivered + items.dropped;
}

}  // namespace

int run_soak(double minutes) {
  const double steps_per_us = static_cast<double>(steps_of_us(1000)) / 1000;
  std::vector<Pipeline> pipelines;
  for (const auto& [name, when_full] : {std::pair{"block", WhenFull::kBlock},
                                        {"drop_oldest", WhenFull::kDropOldest},
                                        {"drop_newest", WhenFull::kDropNewest}}) {
    pipelines.push_back(started_pipeline(graph_of(name, when_full, steps_per_us)));
  }
  const std::array<double, 10> most = watch(minutes * 60);
  for (Pipeline& pipeline : pipelines) pipeline.stop_sources();

  bool exact = true;
  double peak_over_limit = 0;
  for (Pipeline& pipeline : pipelines) {
    const Report report = pipeline.wait();
    std::printf("%s: %s\n", report.pipeline.c_str(), report.last_line(report.exit_code()).c_str());
    exact = exact && counted_exactly(report);
    peak_over_limit = std::max(peak_over_limit, static_cast<double>(report.peak_memory_bytes) /
                                                    static_cast<double>(kMemoryBytes));
  }
  // The first tenth is left out: pools fill up to what the pipelines have in flight at most.
  std::printf("VALUE soak.memory %.4f\n", most.back() / most[1]);
  std::printf("VALUE soak.over_limit %.4f\n", peak_over_limit);
  std::printf("VALUE soak.counted %d\n", exact ? 1 : 0);
  return exact ? 0 : 1;
}

}  // namespace sluice::bench

int main(int argc, char** argv) {
  const sluice::bench::Arguments arguments(argc, argv);
  return sluice::bench::run_soak(arguments.number("minutes", 10));
}
