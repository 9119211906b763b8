// Runs graphs drawn from seeds, with channels of a few items, against a model of them.
//
//   SLUICE_GRAPH_SEED=1234    runs that one alone
//   SLUICE_GRAPH_SEEDS=10000  how many to run instead of a few
#include "sluice/core/log.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/engine.h"

#include "tests/runtime/random_graph.h"
#include "tests/runtime/test_nodes.h"
#include "tests/support/sanitizers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace sluice {
namespace {

using testing::collected;
using testing::RandomGraph;
using namespace std::chrono_literals;

#if SLUICE_TEST_ASAN || SLUICE_TEST_TSAN
constexpr std::uint64_t kGraphs = 400;
#else
constexpr std::uint64_t kGraphs = 8000;
#endif

// The tests share the seeds between them, so that ctest runs some side by side.
constexpr std::uint64_t kShares = 8;
constexpr auto kStuckAfter = 50s;  // of a run that takes milliseconds

std::optional<std::uint64_t> environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) return std::nullopt;
  return std::strtoull(value, nullptr, 10);
}

// The words of the engine's own stall report: who waits for whom.
std::string stall_report(VirtualClock& clock) {
  std::string text;
  const Log::Sink before =
      Log::set_sink([&](LogLevel, std::string_view, std::string_view message) { text += message; });
  // The first look notes how far the run has come, the next finds that it has come no further.
  for (int i = 0; i < 3; ++i) clock.advance(EngineOptions().stall_after);
  Log::set_sink(before);
  return text;
}

// Waits for the end of the run, and has time pass in small steps where it passes at all.
bool comes_to_rest(Engine& engine, VirtualClock& clock, bool frozen) {
  if (frozen) return engine.wait(kStuckAfter);
  const auto step = 1ms;
  for (auto waited = 0ms; waited < kStuckAfter; waited += step) {
    if (engine.wait(step)) return true;
    clock.advance(step);
  }
  return false;
}

void expect_values(const std::string& name, const RandomGraph::Sink& expected,
                   std::vector<RandomGraph::Value> got, bool all) {
  // Of several sources each has an order of its own.
  const auto source_of = [](const RandomGraph::Value& value) {
    return value.key.substr(0, value.key.find('.'));
  };
  std::vector<RandomGraph::Value> wanted = expected.values;
  const auto by_source = [&](const auto& a, const auto& b) { return source_of(a) < source_of(b); };
  for (auto* values : {&wanted, &got}) {
    if (expected.in_order)
      std::stable_sort(values->begin(), values->end(), by_source);
    else
      std::sort(values->begin(), values->end());
  }
  // Items may be missing, but none is there twice, or is another, or has overtaken one.
  std::size_t place = 0;
  for (const RandomGraph::Value& value : got) {
    const auto from = wanted.begin() + static_cast<std::ptrdiff_t>(place);
    const auto found = std::find(from, wanted.end(), value);
    ASSERT_NE(found, wanted.end()) << name << " got " << value.text << " of item " << value.key
                                   << ", which is not due, or not after what came before it";
    if (all) {
      ASSERT_EQ(found, from) << name << " did not get " << from->text << " of item " << from->key;
    }
    place = static_cast<std::size_t>(found - wanted.begin()) + 1;
  }
  if (all) {
    ASSERT_EQ(place, wanted.size())
        << name << " did not get " << wanted[place].text << " of item " << wanted[place].key;
  }
}

std::string ending_name(const RandomGraph& graph) {
  switch (graph.ending()) {
    case RandomGraph::Ending::kItself:
      return "left alone";
    case RandomGraph::Ending::kStopped:
      return "stopped on the way";
    case RandomGraph::Ending::kAborted:
      return "ended on the way";
  }
  return {};
}

std::string summary(const Engine& engine) {
  const Ledger::Counts items = engine.ledger().counts();
  std::string text = std::to_string(items.in) + " in, " + std::to_string(items.delivered) +
                     " delivered, " + std::to_string(items.rejected) + " rejected, " +
                     std::to_string(items.dropped) + " dropped, " +
                     std::to_string(items.unfinished) + " unfinished";
  for (const RejectCount& reason : engine.ledger().reasons())
    text += "\n" + std::to_string(reason.items) + " " + reason.reason + " at " + reason.node;
  return text;
}

void expect_outcome(const RandomGraph& graph, const Engine& engine) {
  const Ledger::Counts items = engine.ledger().counts();
  ASSERT_TRUE(engine.failure().is_ok()) << engine.failure().message();
  ASSERT_EQ(items.in, items.delivered + items.rejected + items.dropped + items.unfinished);
  SCOPED_TRACE(summary(engine));
  ASSERT_EQ(engine.memory().used_bytes(), 0u);
  ASSERT_LE(engine.memory().peak_bytes(), engine.memory().limit_bytes());
  const auto sinks = collected().take();
  const bool ends_early = graph.ending() != RandomGraph::Ending::kItself;
  // Of several sources that were stopped nobody knows how far each had come.
  const bool in_is_known = !ends_early || graph.has_one_source();
  const RandomGraph::Expected expected =
      ends_early && in_is_known ? graph.expect(items.in) : graph.expect();
  const bool all =
      graph.is_exact() && in_is_known && graph.ending() != RandomGraph::Ending::kAborted;
  ASSERT_LE(items.in, expected.in);
  if (graph.ending() != RandomGraph::Ending::kAborted) {
    ASSERT_EQ(items.unfinished, 0u);
  }
  if (!graph.may_drop()) {
    ASSERT_EQ(items.dropped, 0u);
  }
  if (!graph.has_tight_memory()) {
    ASSERT_LE(items.rejected, expected.rejected);
  }
  if (all) {
    ASSERT_EQ(items.in, expected.in);
    ASSERT_EQ(items.rejected, expected.rejected);
  }
  for (const auto& [name, sink] : expected.sinks) {
    std::vector<RandomGraph::Value> got;
    if (const auto found = sinks.find(name); found != sinks.end()) {
      for (const auto& entry : found->second) got.push_back({entry.key, entry.value});
    }
    expect_values(name, sink, std::move(got), all);
  }
}

void run_graph(std::uint64_t seed) {
  const RandomGraph graph(seed);
  SCOPED_TRACE("SLUICE_GRAPH_SEED=" + std::to_string(seed) + " with " +
               std::to_string(graph.threads()) + " threads, time " +
               (graph.is_frozen() ? "stands still" : "passes") + ", " + ending_name(graph) + "\n" +
               graph.yaml());
  Checked<Plan> plan = plan_text(graph.yaml(), "random.yaml");
  ASSERT_TRUE(plan.value) << plan.diagnostics.render();
  const auto clock = std::make_shared<VirtualClock>();
  EngineOptions options;
  options.threads = graph.threads();
  options.clock = clock;
  Engine engine(std::move(*plan.value), options);
  ASSERT_TRUE(engine.open().is_ok());

  engine.start();
  if (graph.ending() != RandomGraph::Ending::kItself) {
    std::atomic<int> steps = 0;
    while (steps.fetch_add(1, std::memory_order_relaxed) < graph.steps_before_ending()) {
    }
    if (graph.ending() == RandomGraph::Ending::kAborted)
      engine.abort();
    else
      engine.stop_sources();
  }

  if (!comes_to_rest(engine, *clock, graph.is_frozen())) {
    ADD_FAILURE() << "the run stands still: " << stall_report(*clock);
    engine.abort();
    if (!engine.wait(20s)) {
      std::fprintf(stderr, "seed %llu cannot even be ended\n",
                   static_cast<unsigned long long>(seed));
      std::abort();
    }
    return;
  }
  expect_outcome(graph, engine);
}

class RandomGraphs : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(RandomGraphs, ComeToAnEndWithEveryItemAccountedFor) {
  if (const auto seed = environment("SLUICE_GRAPH_SEED")) {
    if (*seed % kShares == GetParam()) run_graph(*seed);
    return;
  }
  const std::uint64_t graphs = environment("SLUICE_GRAPH_SEEDS").value_or(kGraphs);
  for (std::uint64_t seed = GetParam(); seed < graphs && !HasFailure(); seed += kShares)
    run_graph(seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::Range(std::uint64_t{0}, kShares));

}  // namespace
}  // namespace sluice
