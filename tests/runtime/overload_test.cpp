#include "sluice/core/registry.h"
#include "sluice/runtime/pipeline.h"

#include "tests/runtime/run_yaml.h"
#include "tests/runtime/test_nodes.h"

#include <gtest/gtest.h>

#include <chrono>

// Sources that make more than their readers can take.

namespace sluice {
namespace {

using testing::collected;
using testing::gate;
using testing::load_yaml;
using testing::run_yaml;

TEST(Overload, DropsWhatAFullQueueMayNotHold) {
  gate().close();
  Pipeline pipeline = load_yaml(R"(
nodes:
  n: { type: test.count, items: 50 }
  slow: { type: test.gate, from: n, queue: { items: 2, when_full: drop_newest } }
  end: { type: test.collect, from: slow }
)");
  ASSERT_TRUE(pipeline.start().is_ok());
  gate().wait_for(1);
  gate().open();

  const Report report = pipeline.wait();
  collected().take();

  EXPECT_EQ(report.items.in, 50u);
  EXPECT_EQ(report.items.delivered + report.items.dropped, 50u);
  EXPECT_EQ(report.exit_code(), 0);
}

// Takes 20 us of the thread for each item, however loaded the machine is.
class BusySource final : public Node {
 public:
  inline static const Out<Text> out{"out", "nothing in particular"};
  inline static const Spec kSpec = Spec("test.busy_source", "Takes its time.").ports(out).source();

  Result<Next> next(SourceContext& ctx) override {
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(20);
    while (std::chrono::steady_clock::now() < end) {
    }
    ctx.emit(out, Text{"item"});
    return Next::kItem;
  }
};
[[maybe_unused]] const bool kRegistered = register_node<BusySource>();

TEST(Overload, LetsReadersHaveTheirTurnBesideASourceThatDrops) {
  for (const char* when_full : {"drop_newest", "drop_oldest"}) {
    RunOptions options;
    options.threads = 1;
    options.limit = 4096;
    const Report report = run_yaml(std::string(R"(
nodes:
  n: { type: test.busy_source }
  a: { type: test.pass, from: n, queue: { items: 8, when_full: )") +
                                       when_full + R"( } }
  end: { type: discard, from: a }
)",
                                   options);
    EXPECT_EQ(report.items.in, 4096u);
    EXPECT_EQ(report.items.delivered + report.items.dropped, 4096u);
    // A turn of the source makes about a dozen, of which the queue holds 8.
    EXPECT_GT(report.items.delivered, 400u) << when_full;
  }
}

}  // namespace
}  // namespace sluice
