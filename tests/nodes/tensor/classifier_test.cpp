#include "sluice/core/node_harness.h"

#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

// The end of a classifier: a model's scores, shares, and labels.

namespace sluice {
namespace {

using testing::IsOk;
using testing::TempFolder;
using testing::tensor_of;

// What a node gave, and what it said it would give.
struct Step {
  PayloadRef payload;
  PortType type;
};

Step run(NodeHarness& node, const std::string& input, const Step& before) {
  node.wire(input, before.type);
  EXPECT_THAT(node.open(), IsOk());
  const auto done = node.process({{node.ports().inputs.at(0).name, before.payload}});
  EXPECT_THAT(done.status, IsOk());
  const PortDecl& output = node.ports().outputs.at(0);
  return {done.out(output.name).at(0), output.type};
}

TEST(Classifier, GoesFromScoresToLabels) {
  const TempFolder folder;
  const std::string model = folder.write(
      "m.onnx", testing::OnnxWriter()
                    .input("x", {"N", 3})
                    .output("y")
                    .constant("w", tensor_of<float>({3, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0}))
                    .node("MatMul", {"x", "w"}, {"y"})
                    .bytes());
  const std::string labels = folder.write("labels.txt", "cat\ndog\nfox\nnone\n");
  PortType type = PortType::of<Tensor>();
  type.tensor = TensorType{DType::kF32, std::vector<Dim>{{3, ""}}, ""};
  NodeHarness infer("infer", {{"model", model}});
  infer.read_output("out");
  NodeHarness softmax("softmax");
  NodeHarness topk("topk", {{"k", std::int64_t{2}}, {"labels", labels}});

  const Step scores = run(infer, "", {PayloadRef::make(tensor_of<float>({3}, {0, 50, 0})), type});
  const Step shares = run(softmax, "in", scores);
  const Step best = run(topk, "in", shares);

  EXPECT_EQ(shares.type.to_string(), "Tensor f32 [4]");
  ASSERT_EQ(best.payload.items().size(), 2u);
  EXPECT_EQ(best.payload.items()[0].get<Detection>().label, "dog");
  EXPECT_FLOAT_EQ(best.payload.items()[0].get<Detection>().score, 1);
}

}  // namespace
}  // namespace sluice
