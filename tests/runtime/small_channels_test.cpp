// Channels of a few items, where a wake-up that is lost stops the run: every item comes through, in
// order, whatever the capacity, the items on their way, the threads, and the shape of the graph.
#include "tests/runtime/run_yaml.h"
#include "tests/runtime/test_nodes.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace sluice {
namespace {

using testing::collected;
using testing::run_yaml;

constexpr int kItems = 1000;

struct Shape {
  const char* name;
  const char* nodes;  // between `n` and the sink, which reads `last`; QUEUE stands for the queue
  std::function<std::string(int)> value;
};

std::string number(int item) { return std::to_string(item); }

std::string children_of(int item) {
  std::string list;
  for (std::size_t i = 0; i < testing::child_count(number(item), "child", 5); ++i)
    list += (i == 0 ? "" : " ") + number(item) + "/" + std::to_string(i);
  return "[" + list + "]";
}

std::string diamond_of(int item) {
  return testing::mixed(number(item), {number(item), number(item)});
}

const Shape kShapes[] = {
    {"Chain", R"(
  a: { type: test.pass, from: n, QUEUE }
  b: { type: test.pass_serial, from: a, QUEUE }
  c: { type: test.pass_blocking, from: b, parallel: 2, QUEUE }
  last: { type: test.pass, from: c, parallel: 2, QUEUE }
)",
     number},
    {"Diamond", R"(
  a: { type: test.pass, from: n, QUEUE }
  b: { type: test.pass_serial, from: n, QUEUE }
  c: { type: test.pass_blocking, from: n, parallel: 2, QUEUE }
  last: { type: test.mix, from: { lead: a, other: b, third: c }, QUEUE }
)",
     diamond_of},
    {"SplitAndGather", R"(
  child: { type: test.children, from: n, most: 5, QUEUE }
  a: { type: test.pass_serial, from: child, QUEUE }
  b: { type: test.join, from: { lead: a, other: n }, QUEUE }
  last: { type: gather, from: b, QUEUE }
)",
     children_of},
};

struct Load {
  int capacity;
  int in_flight;
  int threads;
  const char* source;
};

std::string yaml_of(const Shape& shape, const Load& load) {
  std::string yaml = "run: { in_flight: " + std::to_string(load.in_flight) +
                     " }\nnodes:\n  n: { type: " + load.source +
                     ", items: " + std::to_string(kItems) + " }" + shape.nodes +
                     "  end: { type: test.collect, from: last, QUEUE }\n";
  const std::string queue = "queue: { items: " + std::to_string(load.capacity) + " }";
  for (std::size_t at = yaml.find("QUEUE"); at != std::string::npos; at = yaml.find("QUEUE"))
    yaml.replace(at, 5, queue);
  return yaml;
}

std::vector<Load> all_loads() {
  std::vector<Load> loads;
  for (const int capacity : {1, 2, 3, 5, 64}) {
    for (const int in_flight : {1, 3, 64}) {
      for (const int threads : {1, 2}) {
        for (const char* source : {"test.count", "test.count_on_thread"})
          loads.push_back({capacity, in_flight, threads, source});
      }
    }
  }
  return loads;
}

class SmallChannels : public ::testing::TestWithParam<Shape> {};

TEST_P(SmallChannels, CarryEveryItemInOrder) {
  for (const Load& load : all_loads()) {
    const std::string yaml = yaml_of(GetParam(), load);
    SCOPED_TRACE(yaml + "with " + std::to_string(load.threads) + " threads");
    RunOptions options;
    options.threads = load.threads;

    const Report report = run_yaml(yaml, options);

    ASSERT_EQ(report.items.in, static_cast<std::uint64_t>(kItems));
    ASSERT_EQ(report.items.delivered, static_cast<std::uint64_t>(kItems));
    const auto got = collected().take()["end"];
    ASSERT_EQ(got.size(), static_cast<std::size_t>(kItems));
    for (int i = 0; i < kItems; ++i)
      ASSERT_EQ(got[static_cast<std::size_t>(i)].value, GetParam().value(i));
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, SmallChannels, ::testing::ValuesIn(kShapes),
                         [](const auto& shape) { return std::string(shape.param.name); });

}  // namespace
}  // namespace sluice
