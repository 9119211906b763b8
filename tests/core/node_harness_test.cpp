#include "sluice/core/node_harness.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

// Writes a text `times` times in a row; counts what it allocates.
class Repeat final : public Node {
 public:
  inline static const In<Text> text{"text", "the text to repeat"};
  inline static const In<Text> glue = In<Text>("glue", "what goes between").optional();
  inline static const Out<Text> out{"out", "the repeated text"};
  inline static const Out<Record> length = Out<Record>("length", "how long it is").optional();
  inline static const Option<int> times =
      Option<int>("times", "how often").range(0, 9).or_default(2);
  inline static const Option<Path> file{"file", "of no use"};
  inline static const Spec kSpec = Spec("test.repeat", "Repeats a text.")
                                       .ports(text, glue, out, length)
                                       .options(times, file)
                                       .stateless();

  Status process(Context& ctx) override {
    const std::string& word = ctx.get(text).text;
    if (word == "throw") throw std::runtime_error("thrown");
    if (word == "fail") return invalid("test.fail", "asked to fail");
    if (word == "end") ctx.fail_run(internal("test.end", "asked to end"));
    if (auto scratch = ctx.allocate(word.size()); !scratch) return scratch.status();

    std::string repeated;
    for (std::int64_t i = 0; i < ctx.option(times); ++i) {
      if (i > 0 && ctx.has(glue)) repeated += ctx.get(glue).text;
      repeated += word;
    }
    if (ctx.wanted(length)) ctx.emit(length, Record{static_cast<std::int64_t>(repeated.size())});
    ctx.emit(out, Text{std::move(repeated)});
    return Status::ok();
  }
};
[[maybe_unused]] const bool kRepeat = register_node<Repeat>();

// Gives the numbers below `count` as keys.
class Count final : public Node {
 public:
  inline static const Out<Text> out{"out", "the number"};
  inline static const Option<int> count = Option<int>("count", "how many").required("3");
  inline static const Spec kSpec = Spec("test.count", "Counts.").ports(out).options(count).source();

  Result<Next> next(SourceContext& ctx) override {
    if (next_ == ctx.option(count)) return Next::kEnd;
    ctx.set_key("n" + std::to_string(next_));
    ctx.emit(out, Text{std::to_string(next_++)});
    return Next::kItem;
  }

 private:
  std::int64_t next_ = 0;
};
[[maybe_unused]] const bool kCount = register_node<Count>();

// Holds a packet for a second.
class Delay final : public FlowNode {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> out{"out", "the same, later"};
  inline static const Spec kSpec = Spec("test.delay", "Delays.").ports(in, out);

  void on_packet(FlowContext& ctx, std::size_t, Packet packet) override {
    held_ = std::move(packet);
    ctx.set_timer(ctx.clock().now() + std::chrono::seconds(1));
  }
  void on_timer(FlowContext& ctx) override { ctx.send(0, std::move(held_)); }

 private:
  Packet held_;
};
[[maybe_unused]] const bool kDelay = register_node<Delay>();

PayloadRef text(std::string value) { return PayloadRef::make(Text{std::move(value)}); }

TEST(NodeHarness, RunsANodeWithItsDefaults) {
  NodeHarness node("test.repeat");
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"text", text("ab")}});

  ASSERT_THAT(run.status, IsOk());
  EXPECT_EQ(run.out()[0].get<Text>().text, "abab");
  EXPECT_EQ(run.out("length")[0].get<Record>().value, Value(4));
}

TEST(NodeHarness, GivesOptionsAndOptionalInputs) {
  NodeHarness node("test.repeat", {{"times", 3}, {"file", "x/y"}});
  node.wire("glue", PortType::of<Text>());
  node.ignore_output("length");
  ASSERT_THAT(node.open(), IsOk());

  const auto run = node.process({{"text", text("a")}, {"glue", text("-")}});

  EXPECT_EQ(run.out()[0].get<Text>().text, "a-a-a");
  EXPECT_TRUE(run.out("length").empty());
}

TEST(NodeHarness, GivesAStatusToEachItemOfABatch) {
  NodeHarness node("test.repeat");
  ASSERT_THAT(node.open(), IsOk());

  const auto runs =
      node.process_batch({{{"text", text("a")}}, {{"text", text("fail")}}, {{"text", text("b")}}});

  ASSERT_EQ(runs.size(), 3u);
  EXPECT_THAT(runs[1].status, FailsWith("test.fail"));
  EXPECT_EQ(runs[2].out()[0].get<Text>().text, "bb");
}

TEST(NodeHarness, TurnsAnExceptionIntoAStatus) {
  NodeHarness node("test.repeat");
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_THAT(node.process({{"text", text("throw")}}).status, FailsWith("node.threw", "thrown"));
}

TEST(NodeHarness, LimitsTheMemoryOfAnItem) {
  NodeHarness node("test.repeat");
  node.limit_memory(4);
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_THAT(node.process({{"text", text("abcd")}}).status, IsOk());
  EXPECT_THAT(node.process({{"text", text("abcde")}}).status, FailsWith("memory.limit"));
}

TEST(NodeHarness, KeepsWhatANodeEndedTheRunWith) {
  NodeHarness node("test.repeat");
  ASSERT_THAT(node.open(), IsOk());
  EXPECT_THAT(node.failed_run(), IsOk());

  node.process({{"text", text("end")}});

  EXPECT_THAT(node.failed_run(), FailsWith("test.end"));
}

TEST(NodeHarness, RunsASourceToItsEnd) {
  NodeHarness node("test.count", {{"count", 2}});
  ASSERT_THAT(node.open(), IsOk());

  EXPECT_EQ(node.next().key, "n0");
  const auto second = node.next();
  EXPECT_EQ(second.outputs.at("out")[0].get<Text>().text, "1");
  EXPECT_EQ(*node.next().next, Next::kEnd);
}

TEST(NodeHarness, RunsTheTimersOfAFlowNodeInVirtualTime) {
  NodeHarness node("test.delay");
  ASSERT_THAT(node.open(), IsOk());
  Packet packet;
  packet.payload = text("x");
  EXPECT_TRUE(node.feed("in", std::move(packet)).empty());

  node.clock().advance(std::chrono::seconds(1));

  const auto sent = node.sent();
  ASSERT_EQ(sent.at("out").size(), 1u);
  EXPECT_EQ(sent.at("out")[0].payload.get<Text>().text, "x");
}

TEST(Registry, FindsTypesByNameAndListsThemSorted) {
  ASSERT_NE(find_node_type("test.repeat"), nullptr);
  EXPECT_EQ(find_node_type("test.repeat")->spec->summary(), "Repeats a text.");
  EXPECT_EQ(find_node_type("test.none"), nullptr);

  const auto types = node_types();
  for (std::size_t i = 1; i < types.size(); ++i)
    EXPECT_LT(types[i - 1]->spec->type(), types[i]->spec->type());
}

TEST(Spec, ListsWhatTheClassDeclares) {
  const Spec& spec = Repeat::kSpec;

  EXPECT_EQ(spec.inputs().size(), 2u);
  EXPECT_EQ(spec.outputs()[1].name, "length");
  EXPECT_EQ(spec.concurrency(), Concurrency::kStateless);
  EXPECT_EQ(spec.find_option("times")->default_value(), OptionValue(std::int64_t{2}));
  EXPECT_EQ(spec.find_option("tims"), nullptr);
}

}  // namespace
}  // namespace sluice
