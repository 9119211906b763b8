#include "sluice/runtime/pipeline.h"

#include "tests/runtime/run_yaml.h"
#include "tests/runtime/test_nodes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using testing::collected;
using testing::gate;
using testing::load_yaml;
using testing::run_yaml;

RunOptions threads(int count) {
  RunOptions options;
  options.threads = count;
  return options;
}

// The values a sink got, in order.
std::vector<std::string> values(const std::string& sink) {
  const auto sinks = collected().take();
  std::vector<std::string> all;
  if (const auto found = sinks.find(sink); found != sinks.end()) {
    for (const auto& entry : found->second) all.push_back(entry.value);
  }
  return all;
}

TEST(Pipeline, CarriesEveryItemInOrder) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 1000 }
  a: { type: test.pass, from: n }
  b: { type: test.pass, from: a, parallel: 2, spin: 100 }
  end: { type: test.collect, from: b }
)");

  EXPECT_EQ(report.items.in, 1000u);
  EXPECT_EQ(report.items.delivered, 1000u);
  EXPECT_EQ(report.exit_code(), 0);
  const auto got = values("end");
  ASSERT_EQ(got.size(), 1000u);
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], std::to_string(i));
}

TEST(Pipeline, RunsWithoutItems) {
  const Report report = run_yaml(
      "nodes:\n  n: { type: test.count, items: 0 }\n  end: { type: test.collect, from: n }\n");

  EXPECT_EQ(report.items.in, 0u);
  EXPECT_EQ(report.exit_code(), 0);
}

TEST(Pipeline, CountsRejectedItemsOnceAndGoesOn) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 500 }
  a: { type: test.pass, from: n, reject_one_in: 5 }
  b: { type: test.pass, from: n, reject_one_in: 5 }
  left: { type: test.collect, from: a }
  right: { type: test.collect, from: b }
)");
  collected().take();

  EXPECT_EQ(report.items.in, 500u);
  EXPECT_EQ(report.items.in, report.items.delivered + report.items.rejected);
  EXPECT_GT(report.items.rejected, 100u);
  EXPECT_EQ(report.exit_code(), 3);
}

TEST(Pipeline, TurnsAnExceptionIntoARejection) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 100 }
  a: { type: test.pass, from: n, throw_one_in: 3 }
  end: { type: test.collect, from: a }
)");
  collected().take();

  ASSERT_EQ(report.reasons.size(), 1u);
  EXPECT_EQ(report.reasons[0].reason, "node.exception");
  EXPECT_EQ(report.reasons[0].node, "a");
  EXPECT_EQ(report.items.rejected, report.reasons[0].items);
}

TEST(Pipeline, RejectsOnlyTheItemOfABatchThatANodeThrowsAt) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 100 }
  a: { type: test.pass_batch, from: n, throw_one_in: 7, batch: { max: 16 } }
  end: { type: test.collect, from: a }
)");

  std::vector<std::string> good;
  for (int i = 0; i < 100; ++i) {
    const std::string number = std::to_string(i);
    if (!testing::chosen(7, "throwa", number + "|" + number)) good.push_back(number);
  }
  ASSERT_LT(good.size(), 100u);
  EXPECT_EQ(values("end"), good);
}

TEST(Pipeline, CallsANodeForBatchesWithBatchesOfOne) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 2000 }
  a: { type: test.pass_batch, from: n, reject_one_in: 10 }
  b: { type: test.pass_batch, from: a }
  end: { type: test.collect, from: b }
)");
  collected().take();

  ASSERT_EQ(report.reasons.size(), 1u);
  EXPECT_EQ(report.reasons[0].reason, "test.chosen");
  EXPECT_EQ(report.items.delivered, 2000u - report.reasons[0].items);
}

TEST(Pipeline, RejectsWhatASourceRejects) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 100, reject_one_in: 4 }
  a: { type: test.pass, from: n }
  end: { type: test.collect, from: { in: a } }
)");

  EXPECT_EQ(report.items.in, 100u);
  EXPECT_GT(report.items.rejected, 5u);
  EXPECT_EQ(values("end").size(), report.items.delivered);
}

TEST(Pipeline, EndsAtTheFirstRejectionWhenToldTo) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 100000 }
  a: { type: test.pass, from: n, reject_one_in: 50, on_error: fail }
  end: { type: test.collect, from: a }
)");
  collected().take();

  EXPECT_EQ(report.exit_code(), 1);
  EXPECT_EQ(report.failure.reason(), "test.chosen");
  EXPECT_EQ(report.items.in, report.items.delivered + report.items.rejected + report.items.dropped +
                                 report.items.unfinished);
}

TEST(Pipeline, EndsWhenASinkCannotGoOn) {
  const Report report = run_yaml(
      "nodes:\n  n: { type: test.count, items: 1000 }\n  end: { type: test.fail_run, from: n }\n");

  EXPECT_EQ(report.exit_code(), 1);
  EXPECT_EQ(report.failure.reason(), "test.full");
  EXPECT_EQ(report.failure.message(), "end: the disk is full");
}

TEST(Pipeline, SaysWhichNodeDoesNotOpen) {
  Pipeline pipeline =
      load_yaml("nodes:\n  n: { type: test.count }\n  end: { type: test.fail_to_open, from: n }\n");

  const Status started = pipeline.start();

  EXPECT_EQ(started.reason(), "test.open");
  EXPECT_EQ(started.message(), "end: there is nothing to open");
}

TEST(Pipeline, PairsChildrenWithTheItemAroundThem) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 300 }
  slow: { type: test.pass, from: n, spin: 2000 }
  child: { type: test.children, from: n, most: 5 }
  pair: { type: test.join, from: { lead: child, other: slow } }
  all: { type: gather, from: pair }
  end: { type: test.collect, from: all }
)");

  EXPECT_EQ(report.items.delivered, 300u);
  const auto got = values("end");
  ASSERT_EQ(got.size(), 300u);
  EXPECT_EQ(got[0].rfind("[", 0), 0u);
}

TEST(Pipeline, PairsChildrenThatOvertakeEachOtherWithTheItemsAroundThem) {
  const Report report = run_yaml(R"(
run: { in_flight: 1 }
nodes:
  n: { type: test.count, items: 5000 }
  child: { type: test.children, from: n, most: 4 }
  inner: { type: test.children, from: child, most: 4 }
  some: { type: test.pass_blocking, from: inner, parallel: 3, order: any, spin: 300 }
  last: { type: test.children, from: some, most: 2 }
  pair: { type: test.mix, from: { lead: last, other: n, third: child } }
  end: { type: discard, from: pair }
)");

  EXPECT_EQ(report.items.delivered, 5000u);
}

TEST(Pipeline, RejectsTheParentOfARejectedChild) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 300 }
  child: { type: test.children, from: n, most: 5 }
  some: { type: test.pass, from: child, reject_one_in: 10 }
  all: { type: gather, from: some }
  end: { type: test.collect, from: all }
)");

  EXPECT_GT(report.items.rejected, 20u);
  EXPECT_EQ(report.items.in, report.items.delivered + report.items.rejected);
  EXPECT_EQ(values("end").size(), report.items.delivered);
}

TEST(Pipeline, GathersWithoutTheMissingWhenToldTo) {
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 300 }
  child: { type: test.children, from: n, most: 5 }
  some: { type: test.pass, from: child, reject_one_in: 10 }
  all: { type: gather, from: some, missing: skip }
  end: { type: test.collect, from: all }
)");

  EXPECT_EQ(values("end").size(), 300u);
  EXPECT_GT(report.items.rejected, 20u);
}

TEST(Pipeline, KeepsItsMemoryUnderTheLimit) {
  const Report report = run_yaml(R"(
run: { memory: 1MiB, in_flight: 64 }
nodes:
  n: { type: test.count, items: 2000 }
  a: { type: test.allocate, from: n, size: 100KiB }
  b: { type: test.pass, from: a, spin: 100 }
  end: { type: discard, from: b }
)");

  EXPECT_EQ(report.items.delivered, 2000u);
  EXPECT_LE(report.peak_memory_bytes, 1u << 20);
}

TEST(Pipeline, RejectsAnItemThatAloneIsOverTheLimit) {
  const Report report = run_yaml(R"(
run: { memory: 1MiB }
nodes:
  n: { type: test.count, items: 20 }
  a: { type: test.allocate, from: n, size: 2MiB }
  end: { type: discard, from: a }
)");

  EXPECT_EQ(report.items.rejected, 20u);
  EXPECT_EQ(report.reasons[0].reason, "memory.limit");
}

TEST(Pipeline, DrainsWhatIsOnItsWay) {
  Pipeline pipeline = load_yaml(R"(
nodes:
  n: { type: test.count, items: 100000000 }
  a: { type: test.pass_blocking, from: n }
  end: { type: discard, from: a }
)");
  ASSERT_TRUE(pipeline.start().is_ok());

  const Report report = pipeline.drain(std::chrono::seconds(60));

  EXPECT_EQ(report.items.unfinished, 0u);
  EXPECT_EQ(report.items.in, report.items.delivered);
  EXPECT_EQ(report.exit_code(), 0);
}

TEST(Pipeline, LeavesUnfinishedWhatIsStopped) {
  gate().close();
  Pipeline pipeline = load_yaml(R"(
nodes:
  n: { type: test.count, items: 1000 }
  held: { type: test.gate, from: n }
  end: { type: discard, from: held }
)");
  ASSERT_TRUE(pipeline.start().is_ok());
  gate().wait_for(1);
  pipeline.stop();
  gate().open();

  const Report report = pipeline.wait();

  EXPECT_GT(report.items.unfinished, 0u);
  EXPECT_EQ(report.items.in, report.items.delivered + report.items.unfinished);
  EXPECT_EQ(report.exit_code(), 1);
}

TEST(Pipeline, MayBeStoppedAfterItsEndAndDestroyedAtOnce) {
  for (int round = 0; round < 200; ++round) {
    Pipeline pipeline = load_yaml(
        "nodes:\n  n: { type: test.count, items: 3 }\n  end: { type: discard, from: n }\n");
    ASSERT_TRUE(pipeline.start().is_ok());
    ASSERT_EQ(pipeline.wait().items.delivered, 3u);

    pipeline.stop();
  }
}

TEST(Pipeline, EndsAtOnceWhenItWasStoppedBeforeItsStart) {
  const auto opened = [] {
    Pipeline pipeline = load_yaml(R"(
nodes:
  n: { type: test.count, items: 1000000000 }
  t: { type: test.count_on_thread, items: 1000000000 }
  end: { type: discard, from: [n, t] }
)");
    EXPECT_TRUE(pipeline.open().is_ok());
    return pipeline;
  };
  Pipeline drained = opened();
  drained.stop_sources();
  ASSERT_TRUE(drained.start().is_ok());
  const Report report = drained.wait();
  EXPECT_EQ(report.items.in, report.items.delivered);
  EXPECT_EQ(report.exit_code(), 0);

  Pipeline aborted = opened();
  aborted.stop();
  ASSERT_TRUE(aborted.start().is_ok());
  EXPECT_TRUE(aborted.wait().aborted);
}

TEST(Pipeline, ClosesItsNodesWhenItIsOpenedAndNeverStarted) {
  const int before = testing::open_nodes();
  {
    Pipeline pipeline = load_yaml(
        "nodes:\n  n: { type: test.count, items: 1 }\n  end: { type: test.fail_run, from: n }\n");
    ASSERT_TRUE(pipeline.open().is_ok());
    EXPECT_EQ(testing::open_nodes(), before + 1);
  }
  EXPECT_EQ(testing::open_nodes(), before);
}

TEST(Pipeline, TakesNoMoreThanItsLimit) {
  RunOptions options;
  options.limit = 7;

  const Report report = run_yaml(
      "nodes:\n  n: { type: test.count, items: 1000 }\n  end: { type: discard, from: n }\n",
      options);

  EXPECT_EQ(report.items.in, 7u);
}

TEST(Pipeline, GivesBackWhatTheProgramPushed) {
  Pipeline pipeline = load_yaml(R"(
nodes:
  texts: { type: app_in, payload: Text }
  a: { type: test.pass, from: texts }
  replies: { type: app_out, from: a }
)");
  std::vector<std::string> got;
  pipeline.output<Text>("replies", [&](const Text& text) { got.push_back(text.text); });
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Text> input = pipeline.input<Text>("texts");

  std::vector<Ticket> tickets;
  for (int i = 0; i < 100; ++i)
    tickets.push_back(input.push(Text{std::to_string(i)}, "key" + std::to_string(i)));
  EXPECT_EQ(tickets[42].wait(), Outcome::kDelivered);
  ASSERT_NE(tickets[42].reply<Text>(), nullptr);
  EXPECT_EQ(tickets[42].reply<Text>()->text, "42");
  const Report report = pipeline.drain(std::chrono::seconds(60));

  EXPECT_EQ(report.items.delivered, 100u);
  ASSERT_EQ(got.size(), 100u);
  EXPECT_EQ(got[99], "99");
}

TEST(Pipeline, TellsTheProgramWhyAnItemWasRejected) {
  Pipeline pipeline = load_yaml(R"(
nodes:
  texts: { type: app_in, payload: Text }
  a: { type: test.pass, from: texts, reject_one_in: 1 }
  end: { type: app_out, from: a }
)");
  pipeline.output<Text>("end", [](const Text&) {});
  ASSERT_TRUE(pipeline.start().is_ok());

  const Ticket ticket = pipeline.input<Text>("texts").push(Text{"x"});

  EXPECT_EQ(ticket.wait(), Outcome::kRejected);
  EXPECT_EQ(ticket.status().reason(), "test.chosen");
  pipeline.drain(std::chrono::seconds(60));
}

TEST(Pipeline, TellsTheProgramThatTheRunEndedEarly) {
  Pipeline pipeline = load_yaml(R"(
nodes:
  texts: { type: app_in, payload: Text }
  end: { type: test.fail_run, from: texts }
  back: { type: app_out, from: texts }
)");
  Input<Text> input = pipeline.input<Text>("texts");
  ASSERT_TRUE(pipeline.start().is_ok());
  std::vector<Ticket> tickets;
  for (int i = 0; i < 20; ++i) tickets.push_back(input.push(Text{std::to_string(i)}));

  // Nobody has called Pipeline::wait.
  EXPECT_EQ(tickets.back().wait(), Outcome::kUnfinished);
  Output<Text> back = pipeline.output<Text>("back");
  while (back.pull()) {
  }
  EXPECT_EQ(pipeline.wait().exit_code(), 1);
}

TEST(Pipeline, RefusesAPushAfterItsInputWasClosed) {
  Pipeline pipeline = load_yaml(
      "nodes:\n  texts: { type: app_in, payload: Text }\n  end: { type: app_out, from: texts }\n");
  pipeline.output<Text>("end", [](const Text&) {});
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Text> input = pipeline.input<Text>("texts");
  input.close();
  pipeline.wait();

  EXPECT_EQ(input.push(Text{"late"}).wait(), Outcome::kUnfinished);
}

TEST(Pipeline, LetsTheProgramPull) {
  Pipeline pipeline = load_yaml(R"(
nodes:
  n: { type: test.count, items: 200 }
  end: { type: app_out, from: n, capacity: 2 }
)");
  ASSERT_TRUE(pipeline.start().is_ok());
  Output<Text> output = pipeline.output<Text>("end");

  int count = 0;
  while (const std::optional<Text> text = output.pull())
    EXPECT_EQ(text->text, std::to_string(count++));

  EXPECT_EQ(count, 200);
  EXPECT_EQ(pipeline.wait().items.delivered, 200u);
}

TEST(Pipeline, RunsBesideAnotherInOneProcess) {
  const std::string yaml = R"(
nodes:
  n: { type: test.count, items: 5000 }
  a: { type: test.pass, from: n, spin: 50 }
  end: { type: discard, from: a }
)";
  Pipeline one = load_yaml(yaml, threads(2));
  Pipeline two = load_yaml(yaml, threads(2));
  ASSERT_TRUE(one.start().is_ok());
  ASSERT_TRUE(two.start().is_ok());

  EXPECT_EQ(one.wait().items.delivered, 5000u);
  EXPECT_EQ(two.wait().items.delivered, 5000u);
}

TEST(Pipeline, ReleasesAPartialBatchWhenNothingElseRuns) {
  RunOptions options;
  const auto clock =
      std::make_shared<VirtualClock>();  // never moves: the wait alone would never end
  options.clock = clock;

  const Report report = run_yaml(R"(

nodes:
  n: { type: test.count, items: 50 }
  a: { type: test.pass_batch, from: n, batch: { max: 32, wait: 1h } }
  b: { type: test.pass_blocking_batch, from: a, batch: { max: 32, wait: 1h } }
  end: { type: discard, from: b }
)",
                                 options);

  EXPECT_EQ(report.items.delivered, 50u);
}

TEST(Pipeline, MergesDifferentSources) {
  const Report report = run_yaml(R"(
nodes:
  one: { type: test.count, items: 100 }
  two: { type: test.count_on_thread, items: 100 }
  a: { type: test.pass, from: [one, two] }
  b: { type: test.pass, from: a }
  pair: { type: test.join, from: { lead: a, other: b } }
  end: { type: test.collect, from: pair }
)");

  EXPECT_EQ(report.items.in, 200u);
  EXPECT_EQ(report.items.delivered, 200u);
  EXPECT_EQ(values("end").size(), 200u);
}

// What is pushed is done on the pushing thread when nobody else is at it, by the pool otherwise.
TEST(Pipeline, TakesWhatManyThreadsPushAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kItems = 1000;
  Pipeline pipeline = load_yaml(R"(
run: { in_flight: 3 }
nodes:
  texts: { type: app_in, payload: Text, capacity: 2 }
  a: { type: test.pass, from: texts, reject_one_in: 10 }
  b: { type: test.pass_serial, from: a, queue: { items: 1 } }
  end: { type: test.collect, from: b }
)");
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Text> input = pipeline.input<Text>("texts");

  std::atomic<int> delivered = 0;
  std::vector<std::thread> pushers;
  for (int t = 0; t < kThreads; ++t) {
    pushers.emplace_back([&, t] {
      for (int i = 0; i < kItems; ++i) {
        const Ticket ticket = input.push(Text{std::to_string(t * kItems + i)});
        if (i % 3 == 0 && ticket.wait() == Outcome::kDelivered) ++delivered;
      }
    });
  }
  for (std::thread& pusher : pushers) pusher.join();
  input.close();
  const Report report = pipeline.wait();

  EXPECT_EQ(report.items.in, static_cast<std::uint64_t>(kThreads * kItems));
  EXPECT_EQ(report.items.in, report.items.delivered + report.items.rejected);
  EXPECT_EQ(values("end").size(), report.items.delivered);
  EXPECT_GT(delivered, kThreads * kItems / 4);
}

TEST(Pipeline, LetsInWhatWasPushedBeforeTheStart) {
  Pipeline pipeline = load_yaml(
      "nodes:\n  texts: { type: app_in, payload: Text }\n"
      "  end: { type: test.collect, from: texts }\n");
  Input<Text> input = pipeline.input<Text>("texts");
  const Ticket ticket = input.push(Text{"early"});

  ASSERT_TRUE(pipeline.start().is_ok());

  EXPECT_EQ(ticket.wait(), Outcome::kDelivered);
  input.close();
  EXPECT_EQ(pipeline.wait().items.delivered, 1u);
  EXPECT_EQ(values("end"), std::vector<std::string>{"early"});
}

TEST(Pipeline, MeasuresEveryCallAndItemWhenAsked) {
  RunOptions options;
  options.measure = true;
  const Report report = run_yaml(R"(
nodes:
  n: { type: test.count, items: 100 }
  a: { type: test.pass, from: n, reject_one_in: 4 }
  b: { type: test.pass_blocking, from: a }
  end: { type: test.collect, from: b }
)",
                                 options);
  collected().take();

  EXPECT_GT(report.items.rejected, 5u);
  EXPECT_EQ(report.end_to_end.count(), report.items.delivered);
  for (const NodeStats& node : report.nodes) {
    ASSERT_NE(node.measures, nullptr) << node.name;
    const std::uint64_t ends = node.name == "n" ? 1 : 0;  // its last call gives no item
    EXPECT_EQ(node.measures->calls.count(), node.items + ends) << node.name;
  }
}

TEST(Pipeline, MeasuresNothingUnlessAsked) {
  const Report report = run_yaml(
      "nodes:\n  n: { type: test.count, items: 3 }\n  end: { type: test.collect, from: n }\n");
  collected().take();

  EXPECT_EQ(report.end_to_end.count(), 0u);
  for (const NodeStats& node : report.nodes) EXPECT_EQ(node.measures, nullptr);
}

}  // namespace
}  // namespace sluice
