#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/render.h"
#include "sluice/runtime/lane_call.h"
#include "sluice/runtime/lanes/sim_device.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/tensors.h"
#include "tests/support/token_watcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

// Nodes that run as one piece of work on a device: which do, and that nobody can tell by what comes
// out.

namespace sluice {
namespace {

using ::testing::ElementsAre;
using testing::flat_image;
using ::testing::HasSubstr;
using testing::image_of;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::OnnxDim;
using testing::OnnxWriter;

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken

// The logarithm of each number: of some numbers there is none.
std::string log_model(const OnnxDim& batch, const std::string& name) {
  return OnnxWriter()
      .input("x", {batch, 3, "H", "W"})
      .node("Log", {"x"}, {"y"})
      .output("y")
      .save(name);
}

std::string any_batch() {
  static const std::string path = log_model("N", "fusion_any.onnx");
  return path;
}

std::string sum_model() {
  return OnnxWriter()
      .input("a", {"N", 3, "H", "W"})
      .input("b", {"N", 3, "H", "W"})
      .node("Add", {"a", "b"}, {"y"})
      .output("y")
      .save("fusion_sum.onnx");
}

// `nodes` between pictures and `end`, each with `${params.device}` where it says DEVICE.
std::string pipeline(const std::string& nodes, const std::string& last, const std::string& device) {
  std::string yaml = "params: { device: " + device +
                     " }\nnodes:\n  photos: { type: app_in, payload: Image }\n" + nodes +
                     "  end: { type: app_out, from: " + last + " }\n";
  for (std::size_t at; (at = yaml.find("DEVICE")) != std::string::npos;) {
    yaml.replace(at, 6, "device: \"${params.device}\"");
  }
  return yaml;
}

Plan planned(const std::string& yaml) {
  Checked<Plan> plan = plan_text(yaml, "test.yaml");
  EXPECT_TRUE(plan.value.has_value()) << yaml;
  return plan.value ? std::move(*plan.value) : Plan();
}

// The chains of more than one node, as "a+b".
std::vector<std::string> chains(const std::string& nodes, const std::string& last) {
  const Plan plan = planned(pipeline(nodes, last, "sim"));
  std::vector<std::string> found;
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const std::vector<std::size_t> chain = plan.chain_from(n);
    if (chain.size() < 2) continue;
    std::string names;
    for (const std::size_t node : chain) {
      names += (names.empty() ? "" : "+") + plan.nodes[node].name;
    }
    found.push_back(names);
  }
  return found;
}

std::string tensor_node(const std::string& more = "mean: 0.2, DEVICE") {
  return "  tensor: { type: image.to_tensor, from: photos, " + more + " }\n";
}
std::string model_node(const std::string& more = "DEVICE") {
  return "  model: { type: infer, from: tensor, model: " + any_batch() + ", " + more + " }\n";
}
std::string share_node(const std::string& more = "DEVICE") {
  return "  share: { type: softmax, from: model, axis: 0, " + more + " }\n";
}
std::string best_node(const std::string& more = "DEVICE") {
  return "  best: { type: topk, from: share, axis: 0, k: 2, " + more +
         " }\n  rest: { type: discard, from: best.indices }\n";
}
std::string all_nodes() { return tensor_node() + model_node() + share_node() + best_node(); }

TEST(Fusion, TakesAllNeighboursOfADevice) {
  EXPECT_THAT(chains(all_nodes(), "best.scores"), ElementsAre("tensor+model+share+best"));
  EXPECT_THAT(
      chains(tensor_node() + model_node("device: cpu") + share_node() + best_node(), "best.scores"),
      ElementsAre("share+best"));
}

TEST(Fusion, LeavesNodesApartWhoseWordsDiffer) {
  for (const char* words : {"order: any", "on_error: fail", "gpu_timeout: 1s",
                            "queue: { items: 8, when_full: drop_oldest }"}) {
    const std::string other = std::string("DEVICE, ") + words;
    EXPECT_THAT(
        chains(tensor_node() + model_node() + share_node(other) + best_node(), "best.scores"),
        ::testing::Contains("tensor+model"))
        << words;
  }
  EXPECT_THAT(chains(tensor_node("DEVICE, streams: 2") + model_node("DEVICE, streams: 3"), "model"),
              IsEmpty());
  EXPECT_THAT(chains(tensor_node("DEVICE, streams: 2") + model_node(), "model"),
              ElementsAre("tensor+model"));
}

TEST(Fusion, LooksAtAllOfAChain) {
  EXPECT_THAT(chains(tensor_node("DEVICE, streams: 2") + model_node() +
                         share_node("DEVICE, streams: 3") + best_node(),
                     "best.scores"),
              ElementsAre("tensor+model", "share+best"));
}

TEST(Fusion, NeedsOneReaderThatReadsNothingElse) {
  const std::string two = tensor_node() + model_node() +
                          "  again: { type: infer, from: tensor, model: " + any_batch() +
                          ", DEVICE }\n  seen: { type: discard, from: again }\n";
  EXPECT_THAT(chains(two, "model"), ElementsAre("tensor+model"));

  EXPECT_THAT(chains(tensor_node() + "  other: { type: image.to_tensor, from: photos, DEVICE }\n" +
                         "  model: { type: infer, from: { a: tensor, b: other }, model: " +
                         sum_model() + ", DEVICE }\n",
                     "model"),
              IsEmpty());
}

TEST(Fusion, LeavesAPaddedModelAlone) {
  EXPECT_THAT(chains("  tensor: { type: image.to_tensor, from: photos, height: 4, DEVICE }\n" +
                         model_node("DEVICE, batch: { max: 2, pad: { w: { step: 8, max: 64 } } }"),
                     "model"),
              IsEmpty());
}

TEST(Fusion, IsShownByThePlan) {
  const std::string text = render_plan(planned(pipeline(all_nodes(), "best.scores", "sim")));

  EXPECT_THAT(text, ::testing::ContainsRegex("tensor +-> +model\\.x .* on sim, fused +no queue"));
  EXPECT_THAT(text, HasSubstr("on cpu, then h2d u8"));
  EXPECT_THAT(text, HasSubstr("on cpu, after d2h f32"));
}

struct Became {
  std::vector<std::string> items;                                         // their bytes, or why not
  std::map<std::pair<std::string, std::string>, std::uint64_t> rejected;  // by node and reason
  std::map<std::string, std::uint64_t> seen;                              // items, by node
};

Became run(const std::string& yaml, const std::vector<Image>& pictures) {
  Became became;
  PipelineResult loaded = Pipeline::load(plan_text(yaml, "test.yaml"));
  EXPECT_TRUE(loaded) << loaded.error();
  if (!loaded) return became;
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("end", [](const Tensor&) {});
  EXPECT_TRUE(pipeline.start().is_ok());
  Input<Image> photos = pipeline.input<Image>("photos");
  std::vector<Ticket> tickets;
  for (const Image& picture : pictures) tickets.push_back(photos.push(picture));
  for (const Ticket& ticket : tickets) {
    ticket.wait();
    const Tensor* const tensor = ticket.reply<Tensor>();
    became.items.push_back(
        tensor == nullptr
            ? std::string(ticket.status().reason()) + ": " + ticket.status().message()
            : tensor->shape().to_string() +
                  std::string(reinterpret_cast<const char*>(tensor->raw()), tensor->size_bytes()));
  }
  const Report report = pipeline.drain(kLongEnough);
  for (const RejectCount& count : report.reasons) {
    became.rejected[{count.node, count.reason}] += count.items;
  }
  for (const NodeStats& node : report.nodes) became.seen[node.name] = node.items;
  return became;
}

// Of a few sizes; in some the colours are such that their logarithms give no shares, or that there
// is none to take.
std::vector<Image> pictures() {
  std::vector<Image> pictures;
  for (int i = 0; i < 60; ++i) {
    const int dark = i % 11 == 3 ? 0 : 60;
    pictures.push_back(image_of(3 + i % 3, 4 + i % 2, 3, [&](int x, int y, int c) {
      return dark + (x * 37 + y * 11 + c * 29 + i * 7) % 150;
    }));
  }
  return pictures;
}

// Gives what was rejected.
auto expect_as_on_the_cpu(const std::string& nodes, const std::string& last,
                          const std::vector<Image>& given = pictures()) {
  const Became on_cpu = run(pipeline(nodes, last, "cpu"), given);
  const Became on_device = run(pipeline(nodes, last, "sim"), given);

  EXPECT_TRUE(on_device.items == on_cpu.items) << nodes;
  EXPECT_EQ(on_device.rejected, on_cpu.rejected) << nodes;
  return on_cpu.rejected;
}

TEST(Fusion, GivesAndRejectsWhatTheNodesDoOneByOne) {
  EXPECT_FALSE(expect_as_on_the_cpu(all_nodes(), "best.scores").empty());
  expect_as_on_the_cpu(tensor_node() + model_node("DEVICE, batch: { max: 8, wait: 1ms }") +
                           share_node() + best_node(),
                       "best.scores");
}

TEST(Fusion, RejectsByTheNodeThatCannotGoOn) {
  const Became became = run(pipeline(all_nodes(), "best.scores", "sim"), pictures());

  ASSERT_EQ(became.rejected.size(), 1u);
  EXPECT_EQ(became.rejected.begin()->first,
            std::pair(std::string("share"), std::string("tensor.nan")));
  EXPECT_EQ(became.seen.at("share"), 60u);
  EXPECT_EQ(became.seen.at("best"), 60u - became.rejected.begin()->second);
}

TEST(Fusion, RejectsByTheNodeWhoseShapesDoNotFit) {
  // Takes sizes whose numbers make rows of eight.
  const std::string model = OnnxWriter()
                                .input("x", {"N", 3, "H", "W"})
                                .constant("rows", testing::tensor_of<std::int64_t>({3}, {0, -1, 8}))
                                .node("Reshape", {"x", "rows"}, {"y"})
                                .output("y")
                                .save("fusion_rows.onnx");
  const std::string nodes =
      tensor_node() + "  model: { type: infer, from: tensor, model: " + model +
      ", DEVICE }\n  most: { type: topk, from: model, k: 5, axis: 0, DEVICE }\n"
      "  rest: { type: discard, from: most.indices }\n";
  std::vector<Image> given;
  for (const auto& [width, height] : {std::pair(8, 2), {4, 4}, {5, 5}, {8, 4}, {2, 4}}) {
    given.push_back(image_of(width, height, 3, [](int x, int y, int c) { return x + 9 * y + c; }));
  }

  const Became became = run(pipeline(nodes, "most.scores", "sim"), given);

  EXPECT_EQ(became.rejected.at({"most", "tensor.shape"}), 1u);  // of 2 x 4 x 3 there are 3 rows
  EXPECT_EQ(became.rejected.size(), 2u);
  EXPECT_EQ(became.seen.at("model"), 5u);
  EXPECT_THAT(became.items[2], HasSubstr("Reshape"));
}

TEST(Fusion, KeepsWhatOthersReadAsWell) {
  const std::string nodes = tensor_node("mean: 0, DEVICE") + model_node() + share_node() +
                            "  seen: { type: discard, from: [share] }\n"
                            "  place: { type: discard, from: tensor.map }\n";
  EXPECT_THAT(chains(nodes, "model"), ElementsAre("tensor+model+share"));
  std::vector<Image> bright;
  for (int i = 0; i < 20; ++i) {
    bright.push_back(image_of(3 + i % 2, 4, 3,
                              [&](int x, int y, int c) { return 100 + x + 3 * y + 9 * c + i; }));
  }

  EXPECT_THAT(expect_as_on_the_cpu(nodes, "model", bright), IsEmpty());
  EXPECT_THAT(expect_as_on_the_cpu(nodes, "tensor", bright), IsEmpty());
}

// What two nodes of the device read goes to neither as one piece of work, and need not leave it.
TEST(Fusion, LeavesWhatOnlyItsDeviceReadsThere) {
  const std::string nodes = tensor_node() + model_node("DEVICE, batch: { max: 4, wait: 1ms }") +
                            "  place: { type: argmax, from: model, axis: 0, DEVICE }\n"
                            "  seen: { type: discard, from: place }\n"
                            "  twice: { type: infer, from: model, model: " +
                            any_batch() + ", DEVICE, batch: { max: 4, wait: 1ms } }\n";
  const std::string one = nodes + "  end2: { type: discard, from: twice }\n";
  EXPECT_THAT(chains(one, "place.value"), ElementsAre("tensor+model+place"));

  const std::string joined =
      "  tensor: { type: image.to_tensor, from: photos, std: 0.1, DEVICE }\n" +
      model_node("DEVICE, batch: { max: 4, wait: 1ms }") +
      "  all: { type: infer, from: { a: tensor, b: model }, model: " + sum_model() +
      ", DEVICE, batch: { max: 8, wait: 1ms } }\n";
  EXPECT_THAT(chains(joined, "all"), ElementsAre("tensor+model"));
  EXPECT_THAT(
      render_plan(planned(pipeline(joined, "all", "sim"))),
      ::testing::ContainsRegex("model +-> +all\\.b .* on sim, after d2d f32, then d2d f32"));

  expect_as_on_the_cpu(joined, "all");
}

// What a host is to the nodes, without an engine.
class StubHost final : public NodeServices {
 public:
  explicit StubHost(const PlanNode& node) {
    options = &node.options;
    common = &node.common;
    ports = &node.ports;
    wanted.assign(node.wanted.begin(), node.wanted.end());
    node_name = node.name;
  }
  const std::shared_ptr<MemoryBudget>& budget() override { return budget_; }
  Clock& clock() override { return *clock_; }
  std::stop_token stop() override { return {}; }
  void fail_run(Status status) override { ADD_FAILURE() << status.message(); }

 private:
  const std::shared_ptr<MemoryBudget> budget_ = std::make_shared<MemoryBudget>();
  const std::shared_ptr<Clock> clock_ = Clock::system();
};

// The runs that a chain of all nodes but the first and the last makes of pictures of these sizes,
// as "items: shapes of inputs".
std::vector<std::string> runs_for(const std::string& nodes, const std::string& last,
                                  const std::vector<std::pair<int, int>>& sizes) {
  Plan plan = planned(pipeline(nodes, last, "sim"));
  std::vector<PlanNode*> members;
  for (const std::size_t node : plan.chain_from(1)) members.push_back(&plan.nodes[node]);
  const PlanNode fused = LaneChain::fused(plan, members);
  StubHost host(fused);
  LaneChain chain(host, members);
  EXPECT_TRUE(chain.open(1).is_ok());
  const auto device = std::make_shared<SimDevice>(Clock::system(), SimOptions());
  EXPECT_TRUE(chain.programs(*device, 1));

  testing::TokenWatcher watcher;
  std::vector<TokenRef> tokens;
  std::vector<PayloadRef> payloads;
  std::vector<std::vector<Emission>> emissions(sizes.size());
  for (const auto& [width, height] : sizes) {
    tokens.push_back(watcher.make("item"));
    payloads.push_back(PayloadRef::make(flat_image(width, height, 3, 9)));
  }
  std::vector<Item> items;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    items.emplace_back(host, std::span(&payloads[i], 1), *tokens[i], i, emissions[i]);
  }
  LaneCall call;
  std::vector<std::string> runs;
  for (const LaneRun& run : call.begin(chain, 0, items)) {
    std::string text;
    for (const std::size_t item : run.items)
      text += (text.empty() ? "" : " ") + std::to_string(item);
    text += ":";
    for (const Tensor& input : run.work.inputs) text += " " + input.shape().to_string();
    runs.push_back(text);
  }
  EXPECT_TRUE(chain.close().is_ok());
  for (const Item& item : items) EXPECT_TRUE(const_cast<Item&>(item).status().is_ok());
  return runs;
}

// A model runs once for pictures of any size that become tensors of one.
TEST(Fusion, PutsPicturesOfAllSizesTogether) {
  const auto nodes = [](const std::string& size, const std::string& batch) {
    return "  tensor: { type: image.to_tensor, from: photos, " + size + ", DEVICE }\n" +
           model_node("DEVICE, batch: { max: " + batch + " }");
  };
  const std::vector<std::pair<int, int>> sizes{{9, 4}, {5, 5}, {9, 4}, {4, 9}, {5, 5}};

  EXPECT_THAT(runs_for(nodes("width: 4, height: 3", "8"), "model", sizes),
              ElementsAre("0 2 1 4 3: [2,4,9,3] [2,5,5,3] [4,9,4,3]"));
  EXPECT_THAT(runs_for(nodes("width: 4, height: 3", "2"), "model", sizes),
              ElementsAre("1 4: [2,5,5,3]", "0 2: [2,4,9,3]", "3: [1,9,4,3]"));
  // Here the tensors have the sizes of the pictures.
  EXPECT_THAT(runs_for(nodes("channels: bgr", "8"), "model", sizes),
              ElementsAre("1 4: [2,5,5,3]", "0 2: [2,4,9,3]", "3: [1,9,4,3]"));
  // 84 bytes a tensor, so that the second would not begin where programs want it.
  EXPECT_THAT(runs_for(nodes("width: 7, height: 1", "8"), "model", sizes),
              ElementsAre("1 4: [2,5,5,3]", "0 2: [2,4,9,3]", "3: [1,9,4,3]"));
}

TEST(Fusion, PutsFewPicturesOfAllSizesIntoAFixedBatch) {
  const std::string nodes =
      "  tensor: { type: image.to_tensor, from: photos, width: 4, height: 3, DEVICE }\n"
      "  model: { type: infer, from: tensor, model: " +
      log_model(4, "fusion_four.onnx") + ", batch: { max: 4 }, DEVICE }\n";

  EXPECT_THAT(runs_for(nodes, "model", {{9, 4}, {5, 5}}), ElementsAre("0 1: [1,4,9,3] [3,5,5,3]"));
}

// A program that gets tensors where they are, and gives them so.
TEST(HeldTensors, GoThroughAProgramWithoutLeavingTheDevice) {
  PipelineResult loaded = Pipeline::load(plan_text(R"(
nodes:
  given: { type: app_in, payload: Tensor, device: sim }
  model: { type: infer, from: given, device: sim, batch: { max: 4, wait: 1ms }, model: )" +
                                                       any_batch() + R"( }
  got:   { type: app_out, from: model, device: sim }
)",
                                                   "test.yaml"));
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("got", [](const Tensor&) {});
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Tensor> given = pipeline.input<Tensor>("given");
  const Shape shape{3, 2, 5};
  const auto numbers = testing::tensor_of<float>(shape, std::vector<float>(30, 1e9F));

  Ticket first = given.push(numbers);
  ASSERT_EQ(first.wait(), Outcome::kDelivered) << first.status().message();
  const Tensor once = *first.reply<Tensor>();
  Ticket second = given.push(once);
  ASSERT_EQ(second.wait(), Outcome::kDelivered) << second.status().message();
  const Tensor twice = *second.reply<Tensor>();

  EXPECT_EQ(once.buffer().kind(), MemoryKind::kCuda);
  EXPECT_EQ(twice.shape(), shape);
  // The simulated device's memory can be read here, as no GPU's can.
  EXPECT_EQ(testing::values_of<float>(twice), std::vector<float>(30, std::log(std::log(1e9F))));
  Ticket gaps = given.push(Tensor(DType::kF32, {3, 1, 5}, Shape{10, 1, 1}, twice.buffer(), 0));
  EXPECT_EQ(gaps.wait(), Outcome::kRejected);
  EXPECT_THAT(gaps.status().message(), HasSubstr("no gaps; this one is [3,1,5] with strides [10"));
  Ticket integers = given.push(Tensor(DType::kI32, shape, twice.buffer()));
  EXPECT_EQ(integers.wait(), Outcome::kRejected);
  EXPECT_THAT(integers.status().message(), HasSubstr("takes f32, i32 was given"));
  pipeline.drain(kLongEnough);
}

TEST(HeldTensors, NeedNeighboursOnTheirDevice) {
  const std::string given = "nodes:\n  given: { type: app_in, payload: Tensor, device: sim }\n";
  const PipelineResult read_on_cpu =
      Pipeline::load(plan_text(given + "  share: { type: softmax, from: given }\n"
                                       "  got:   { type: app_out, from: share }\n",
                               "test.yaml"));
  const PipelineResult given_on_cpu =
      Pipeline::load(plan_text("nodes:\n  given: { type: app_in, payload: Tensor }\n"
                               "  most:  { type: argmax, from: given, device: sim }\n"
                               "  got:   { type: app_out, from: most, device: sim }\n",
                               "test.yaml"));

  EXPECT_THAT(read_on_cpu.error(), HasSubstr("error[SL0606]: `given` has tensors in the memory of "
                                             "`sim`, and `share` reads them in the host's memory"));
  EXPECT_THAT(read_on_cpu.error(), HasSubstr("test.yaml:2:51"));
  EXPECT_THAT(given_on_cpu.error(), HasSubstr("`got` has tensors in the memory of `sim`, and "
                                              "`most` gives them in the host's memory"));
}

TEST(HeldTensors, AreRejectedByAPipelineThatReadsThemOnTheHost) {
  PipelineResult loaded = Pipeline::load(plan_text(R"(
nodes:
  given: { type: app_in, payload: Tensor }
  share: { type: softmax, from: given }
  got:   { type: app_out, from: share }
)",
                                                   "test.yaml"));
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("got", [](const Tensor&) {});
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Tensor> given = pipeline.input<Tensor>("given");
  const Tensor on_gpu(DType::kF32, {2}, Buffer::adopt(nullptr, 8, MemoryKind::kCuda, nullptr, 1));

  Ticket ticket = given.push(on_gpu);
  EXPECT_EQ(ticket.wait(), Outcome::kRejected);
  EXPECT_EQ(ticket.status().reason(), "device.tensor");
  EXPECT_THAT(ticket.status().message(), HasSubstr("in the memory of GPU 1; `device:`"));
  Ticket next = given.push(testing::tensor_of<float>({2}, {1, 2}));
  EXPECT_EQ(next.wait(), Outcome::kDelivered);
  pipeline.drain(kLongEnough);
}

TEST(Fusion, FillsTheModelsBatch) {
  const std::string model = log_model(4, "fusion_four.onnx");
  const std::string nodes =
      "  tensor: { type: image.to_tensor, from: photos, mean: 0.2, width: 5, height: 4, DEVICE }\n"
      "  model: { type: infer, from: tensor, model: " +
      model + ", batch: { max: 4, wait: 1ms }, DEVICE }\n" + share_node();
  EXPECT_THAT(chains(nodes, "share"), ElementsAre("tensor+model+share"));

  expect_as_on_the_cpu(nodes, "share");
}

}  // namespace
}  // namespace sluice
