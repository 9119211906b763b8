#include "sluice/core/node_harness.h"

#include "tests/support/file_size_limit.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

namespace sluice {

// A payload that JSON cannot show.
struct Opaque {};
template <>
struct PayloadTraits<Opaque> {
  static PayloadType describe() {
    return {"Opaque", [](const void*) { return sizeof(Opaque); }, nullptr, {}, nullptr};
  }
};

namespace {

using testing::FailsWith;
using testing::IsOk;
using testing::TempFolder;

using OptionList = NodeHarness::OptionList;

PayloadRef text(const std::string& text) { return PayloadRef::make(Text{text}); }

OptionList to(const std::string& path, OptionList options = {}) {
  options.emplace_back("path", path);
  return options;
}

ExpressionMap fields(const std::vector<std::pair<std::string, std::string>>& written) {
  ExpressionMap map;
  for (const auto& [name, expression] : written) {
    map.emplace_back(name, *Expression::parse(expression));
  }
  return map;
}

// What planning says about a node with these inputs.
Status resolved(const OptionList& options,
                const std::vector<std::pair<std::string, PortType>>& wires) {
  NodeHarness node("jsonl.write", options);
  for (const auto& [name, type] : wires) node.wire(name, type);
  return node.open();
}

TEST(JsonlWrite, WritesTheOnlyInputItself) {
  const TempFolder folder;
  NodeHarness node("jsonl.write", to(folder.path("sub/out.jsonl")));
  node.wire("", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  EXPECT_THAT(node.process({{"value", text("a\n\"b\"")}}).status, IsOk());
  EXPECT_THAT(node.process({{"value", text("\xE9")}}).status, IsOk());
  EXPECT_THAT(node.close(), IsOk());

  EXPECT_EQ(folder.read("sub/out.jsonl"), "\"a\\n\\\"b\\\"\"\n\"\xEF\xBF\xBD\"\n");
}

TEST(JsonlWrite, WritesAnObjectOfSeveralInputs) {
  const TempFolder folder;
  NodeHarness node("jsonl.write", to(folder.path("out.jsonl")));
  node.wire("b", PortType::of<Text>());
  node.wire("a", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  EXPECT_THAT(node.process({{"a", text("1")}, {"b", text("2")}}).status, IsOk());

  EXPECT_EQ(folder.read("out.jsonl"), "{\"b\":\"2\",\"a\":\"1\"}\n");
}

TEST(JsonlWrite, WritesTheFieldsInTheirOrder) {
  const TempFolder folder;
  NodeHarness node(
      "jsonl.write",
      to(folder.path("out.jsonl"),
         {{"fields", fields({{"w", "page.width"}, {"file", "item.key"}, {"text", "line"}})}}));
  node.wire("page", PortType::of<Image>());
  node.wire("line", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  const PayloadRef page = PayloadRef::make(*Image::allocate(7, 3, 1));
  EXPECT_THAT(node.process({{"page", page}, {"line", text("x")}}, "a.png").status, IsOk());

  EXPECT_EQ(folder.read("out.jsonl"), "{\"w\":7,\"file\":\"a.png\",\"text\":\"x\"}\n");
}

TEST(JsonlWrite, RefusesAnInputWithoutAJsonForm) {
  const TempFolder folder;
  const std::string path = folder.path("out.jsonl");

  EXPECT_THAT(resolved(to(path), {{"page", PortType::of<Opaque>()}}),
              FailsWith("node.resolve", "SL0405"));
  EXPECT_THAT(
      resolved(to(path, {{"fields", fields({{"p", "page"}})}}), {{"page", PortType::of<Opaque>()}}),
      FailsWith("node.resolve", "SL0405"));
  EXPECT_TRUE(folder.files().empty());
}

TEST(JsonlWrite, RefusesFieldsThatAreNotThere) {
  const TempFolder folder;
  EXPECT_THAT(resolved(to(folder.path("o.jsonl"), {{"fields", fields({{"p", "page.widht"}})}}),
                       {{"page", PortType::of<Image>()}}),
              FailsWith("node.resolve", "SL0222"));
}

TEST(JsonlWrite, RefusesToRunWithoutAnInput) {
  const TempFolder folder;
  EXPECT_THAT(resolved(to(folder.path("o.jsonl")), {}), FailsWith("node.resolve", "SL0304"));
}

TEST(JsonlWrite, DoesNotTouchAFileThatIsThereUnlessTold) {
  const TempFolder folder;
  const std::string path = folder.write("out.jsonl", "a long old record\n");
  EXPECT_THAT(resolved(to(path), {{"v", PortType::of<Text>()}}),
              FailsWith("node.resolve", "SL0702"));
  EXPECT_EQ(folder.read("out.jsonl"), "a long old record\n");

  EXPECT_THAT(resolved(to(path, {{"overwrite", true}}), {{"v", PortType::of<Text>()}}), IsOk());
  EXPECT_EQ(folder.read("out.jsonl"), "");
}

TEST(JsonlWrite, RefusesAFolder) {
  const TempFolder folder;
  EXPECT_THAT(resolved(to(folder.path()), {{"v", PortType::of<Text>()}}),
              FailsWith("node.resolve", "SL0705"));
}

TEST(JsonlWrite, DoesNotOpenBelowAFile) {
  const TempFolder folder;
  folder.write("file", "");
  EXPECT_THAT(resolved(to(folder.path("file/out.jsonl")), {{"v", PortType::of<Text>()}}),
              FailsWith("sink.open"));
}

TEST(JsonlWrite, EndsTheRunWhenTheDeviceIsFull) {
  NodeHarness node("jsonl.write", to("/dev/full"));
  node.wire("v", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  const Status status = node.process({{"v", text("x")}}).status;

  EXPECT_THAT(status, FailsWith("run.aborted"));
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_THAT(node.failed_run(), FailsWith("sink.disk_full"));
}

TEST(JsonlWrite, LeavesWholeRecordsOnAFullDisk) {
  const TempFolder folder;
  NodeHarness node("jsonl.write", to(folder.path("out.jsonl")));
  node.wire("v", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  ASSERT_THAT(node.process({{"v", text("first")}}).status, IsOk());
  Status second;
  {
    const testing::FileSizeLimit limit(20);
    second = node.process({{"v", text("too long for what is left")}}).status;
  }

  EXPECT_THAT(second, FailsWith("run.aborted"));
  EXPECT_THAT(node.failed_run(), FailsWith("sink.disk_full", "1 whole records"));
  EXPECT_EQ(folder.read("out.jsonl"), "{\"v\":\"first\"}\n");
}

TEST(JsonlWrite, EndsTheRunWhenTheReaderOfAPipeIsGone) {
  const auto handler = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  NodeHarness node("jsonl.write", to("/dev/fd/" + std::to_string(ends[1])));
  node.wire("v", PortType::of<Text>());
  ASSERT_THAT(node.open(), IsOk());
  ::close(ends[0]);

  EXPECT_THAT(node.process({{"v", text("x")}}).status, FailsWith("run.aborted"));
  EXPECT_THAT(node.failed_run(), FailsWith("sink.closed"));
  ::close(ends[1]);
  std::signal(SIGPIPE, handler);
}

}  // namespace
}  // namespace sluice
