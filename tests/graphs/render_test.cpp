#include "sluice/graphs/render.h"

#include "sluice/graphs/make_plan.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Plan small_plan() {
  Checked<Plan> plan = plan_text(
      "name: \"a<b\"\n"
      "nodes:\n"
      "  files: { type: test.source, glob: \"*.jpg\" }\n"
      "  page: { type: test.decode, from: files }\n"
      "  tensor: { type: test.to_tensor, from: page }\n"
      "  boxes: { type: test.boxes, from: { prob: tensor, map: tensor.map } }\n"
      "  out: { type: test.discard, from: boxes }\n",
      "small.yaml");
  return std::move(*plan.value);
}

TEST(Render, TextGivesALineANode) {
  EXPECT_EQ(render_text(small_plan()), R"(a<b
  files   test.source                                       -> Bytes
  page    test.decode     <- files                          -> Image
  tensor  test.to_tensor  <- page                           -> Tensor f32 [3,224,224] chw, map ImageMap
  boxes   test.boxes      <- prob: tensor, map: tensor.map  -> [Quad]
  out     test.discard    <- boxes
)");
}

TEST(Render, DotNamesEveryEdge) {
  const std::string dot = render_dot(small_plan());

  EXPECT_NE(dot.find("digraph \"a<b\""), std::string::npos);
  EXPECT_NE(dot.find("\"tensor\" -> \"boxes\" [label=\"map: ImageMap\"];"), std::string::npos);
}

TEST(Render, MermaidNamesEveryEdge) {
  const std::string mermaid = render_mermaid(small_plan());

  EXPECT_EQ(mermaid.rfind("flowchart LR\n", 0), 0u);
  EXPECT_NE(mermaid.find("n2 -->|\"Tensor f32 [3,224,224] chw\"| n3"), std::string::npos);
}

TEST(Render, PlanShowsEachCopyToADeviceAndBack) {
  const Checked<Plan> plan = plan_text(
      "nodes:\n"
      "  files: { type: test.source, glob: \"*.jpg\" }\n"
      "  page: { type: test.decode, from: files }\n"
      "  tensor: { type: test.to_tensor, from: page }\n"
      "  net: { type: test.infer, from: tensor, model: ./a.onnx, device: sim }\n"
      "  again: { type: test.discard, from: net }\n",
      "small.yaml");

  const std::string text = render_plan(*plan.value);

  EXPECT_NE(text.find("per files  on cpu, then h2d 588 KiB f32"), std::string::npos) << text;
  EXPECT_NE(text.find("per files  on cpu, after d2h 3.9 KiB f32"), std::string::npos) << text;
}

TEST(Render, SvgIsOneClosedDocumentWithEscapedNames) {
  const std::string svg = render_svg(small_plan());

  EXPECT_EQ(svg.rfind("<svg xmlns=", 0), 0u);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("<title>a&lt;b</title>"), std::string::npos);
  EXPECT_EQ(svg.find("http://", 20), std::string::npos) << "nothing from elsewhere";
}

}  // namespace
}  // namespace sluice
