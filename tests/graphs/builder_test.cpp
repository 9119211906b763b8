#include "sluice/graphs/builder.h"

#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/render.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

constexpr const char* kYaml = R"(
name: ocr
nodes:
  files: { type: test.source, glob: "pages/*.jpg" }
  page: { type: test.decode, from: files, parallel: 2, queue: { items: 8, bytes: 1MiB } }
  tensor: { type: test.to_tensor, from: page, width: 320, mean: [0.5, 0.25, 0.5], layout: chw }
  det: { type: test.infer, from: tensor, model: det.onnx, batch: { max: 4, wait: 2ms, pad: { w: { step: 16, max: 320 } } } }
  boxes: { type: test.boxes, from: { prob: det, map: tensor.map } }
  lines: { type: test.write, from: { page: page, boxes: boxes }, path: lines.jsonl, fields: { file: item.key } }
rejects: { path: rejects.jsonl, max: 5% }
run: { memory: 1MiB, in_flight: 9 }
)";

GraphSpec built() {
  GraphBuilder graph("ocr");
  graph.rejects("rejects.jsonl").max_rejected_share(0.05).memory(1 << 20).in_flight(9);
  graph.node("files", "test.source").option("glob", "pages/*.jpg");
  graph.node("page", "test.decode").from("files").parallel(2).queue(8, 1 << 20);
  graph.node("tensor", "test.to_tensor")
      .from("page")
      .option("width", 320)
      .option("mean", std::vector<double>{0.5, 0.25, 0.5})
      .option("layout", "chw");
  graph.node("det", "test.infer")
      .from("tensor")
      .option("model", "det.onnx")
      .batch(4, std::chrono::milliseconds(2))
      .pad({"w", 16, 320, {}});
  graph.node("boxes", "test.boxes").from("prob", "det").from("map", "tensor.map");
  graph.node("lines", "test.write")
      .from("page", "page")
      .from("boxes", "boxes")
      .option("path", "lines.jsonl")
      .option("fields", std::vector<std::pair<std::string, std::string>>{{"file", "item.key"}});
  return graph.build();
}

TEST(Builder, GivesThePlanOfTheFileThatSaysTheSame) {
  const Checked<Plan> from_yaml = plan_text(kYaml, "", {});
  const Checked<Plan> from_builder = make_plan(built());

  ASSERT_TRUE(from_yaml.value) << from_yaml.diagnostics.render();
  ASSERT_TRUE(from_builder.value) << from_builder.diagnostics.render();
  EXPECT_EQ(render_plan(*from_yaml.value), render_plan(*from_builder.value));
  for (std::size_t i = 0; i < from_yaml.value->nodes.size(); ++i) {
    const PlanNode& yaml = from_yaml.value->nodes[i];
    const PlanNode& builder = from_builder.value->nodes[i];
    EXPECT_EQ(yaml.options.values, builder.options.values) << yaml.name;
    EXPECT_EQ(yaml.options.given, builder.options.given) << yaml.name;
  }
}

TEST(Builder, NamesTheNodeOfAProblemThatHasNoLine) {
  const GraphSpec graph = GraphBuilder().node("files", "test.source").option("glub", 3).build();

  const Checked<Plan> plan = make_plan(graph);

  ASSERT_FALSE(plan.value);
  EXPECT_EQ(plan.diagnostics.items[0].render({}),
            "error[SL0204]: unknown option `glub` for node type `test.source`\n"
            "  --> nodes.files.glub\n"
            "   = did you mean `glob`?\n"
            "   = options: glob   (sluice show test.source)\n");
}

TEST(Builder, RefusesTwoNodesOfOneName) {
  GraphBuilder graph;
  graph.node("a", "test.values");
  graph.node("a", "test.values");

  const Checked<Plan> plan = make_plan(graph.build());

  ASSERT_FALSE(plan.value);
  EXPECT_EQ(plan.diagnostics.items[0].code, "SL0219");
}

TEST(Builder, TakesTextWithUnitsAndTemplates) {
  GraphBuilder graph;
  graph.node("values", "test.values")
      .option("wait_for", std::chrono::milliseconds(3))
      .option("size", "2KiB")
      .option("label", "${item.key}$$");
  graph.node("out", "test.discard").from("values");

  const Checked<Plan> plan = make_plan(graph.build());

  ASSERT_TRUE(plan.value) << plan.diagnostics.render();
  const Options& options = plan.value->nodes[0].options;
  EXPECT_EQ(std::get<Duration>(options.values[6]), std::chrono::milliseconds(3));
  EXPECT_EQ(std::get<ByteSize>(options.values[5]).bytes, 2048u);
  EXPECT_EQ(std::get<Template>(options.values[10]).expand({"a.jpg", 0, 0}), "a.jpg$");
}

}  // namespace
}  // namespace sluice
