#include "sluice/core/model.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <semaphore>

// A pipeline whose model runs for as long as the test likes, in a backend that says so.

namespace sluice {
namespace {

using testing::flat_image;
using testing::OnnxWriter;

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken

struct Hold {
  std::counting_semaphore<> started{0};
  std::counting_semaphore<> may_end{0};
};
Hold& hold() {
  static Hold one;
  return one;
}

class HeldSession final : public Session {
 public:
  Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                const std::shared_ptr<MemoryBudget>&) override {
    hold().started.release();
    if (!hold().may_end.try_acquire_for(kLongEnough)) {
      return internal("infer.failed", "nobody let it end: it held up who would have");
    }
    outputs_.assign(inputs.begin(), inputs.end());
    return std::span<Tensor>(outputs_);
  }

 private:
  std::vector<Tensor> outputs_;
};

class HeldModel final : public Model {
 public:
  explicit HeldModel(graph::Interface interface) : interface_(std::move(interface)) {}
  const std::vector<ModelPort>& inputs() const override { return interface_.inputs; }
  const std::vector<ModelPort>& outputs() const override { return interface_.outputs; }
  const std::map<std::string, std::string>& metadata() const override {
    return interface_.metadata;
  }
  std::string_view backend() const override { return "held"; }
  std::size_t weight_bytes() const override { return 0; }
  bool may_wait() const override { return true; }
  Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const override {
    return std::vector<Shape>(inputs.begin(), inputs.end());
  }
  Result<std::unique_ptr<Session>> new_session() const override {
    return std::unique_ptr<Session>(std::make_unique<HeldSession>());
  }

 private:
  const graph::Interface interface_;
};

// Takes the one file that these tests write.
class HeldBackend final : public Backend {
 public:
  std::string_view name() const override { return "held"; }
  Status available() const override { return Status::ok(); }
  Result<std::shared_ptr<const Model>> load(const std::string& path,
                                            const ModelOptions&) const override {
    if (!path.ends_with("held.onnx")) return unsupported("model.unsupported", "no model of mine");
    Result<graph::Interface> interface = graph::read_interface(path);
    if (!interface) return interface.status();
    return std::shared_ptr<const Model>(std::make_shared<HeldModel>(std::move(*interface)));
  }
};
[[maybe_unused]] const bool kRegistered = register_backend(std::make_unique<HeldBackend>());

PipelineResult load_held(int threads) {
  const std::string model = OnnxWriter()
                                .input("x", {"N", 1, 4, 4})
                                .node("Held", {"x"}, {"y"})
                                .output("y")
                                .save("held.onnx");
  RunOptions options;
  options.threads = threads;
  return Pipeline::load(plan_text(R"(
nodes:
  held:   { type: app_in, payload: Image }
  tensor: { type: image.to_tensor, from: held, width: 4, height: 4, channels: grey }
  model:  { type: infer, from: tensor, parallel: 2, model: )" +
                                      model + R"( }
  end:    { type: app_out, from: model }
  quick:  { type: app_in, payload: Image }
  small:  { type: image.to_tensor, from: quick, width: 4, height: 4, channels: grey }
  done:   { type: app_out, from: small }
)",
                                  "test.yaml"),
                        options);
}

TEST(WaitingBackend, LeavesThePoolToTheOtherNodesWhileItsRunsLast) {
  PipelineResult loaded = load_held(1);
  ASSERT_TRUE(loaded) << loaded.error();
  Pipeline pipeline = std::move(*loaded);
  pipeline.output<Tensor>("end", [](const Tensor&) {});
  pipeline.output<Tensor>("done", [](const Tensor&) {});
  ASSERT_TRUE(pipeline.start().is_ok());
  Input<Image> held = pipeline.input<Image>("held");
  Input<Image> quick = pipeline.input<Image>("quick");

  // Both runs at once, on a pool of one thread, and then the other branch.
  const std::vector<Ticket> tickets{held.push(flat_image(4, 4, 3, 1)),
                                    held.push(flat_image(4, 4, 3, 2))};
  EXPECT_TRUE(hold().started.try_acquire_for(kLongEnough));
  EXPECT_TRUE(hold().started.try_acquire_for(kLongEnough));
  const Ticket other = quick.push(flat_image(4, 4, 3, 3));
  EXPECT_EQ(other.wait(), Outcome::kDelivered);
  hold().may_end.release(2);

  for (const Ticket& ticket : tickets) {
    EXPECT_EQ(ticket.wait(), Outcome::kDelivered) << ticket.status().message();
  }
  pipeline.drain(kLongEnough);
}

TEST(WaitingBackend, IsReportedWithThreadsOfItsOwnAndWhyItWasTaken) {
  PipelineResult loaded = load_held(1);
  ASSERT_TRUE(loaded) << loaded.error();

  const Report report = loaded->report();
  const auto model = std::ranges::find(report.nodes, "model", &NodeStats::name);

  EXPECT_EQ(model->execution, ExecutionClass::kBlocking);
  EXPECT_EQ(model->workers, 2U);
  EXPECT_EQ(model->model.backend, "held");
  EXPECT_THAT(model->model.why, ::testing::StartsWith("native cannot run it: "));
  EXPECT_THAT(model->model.why, ::testing::HasSubstr("Held (node 0, output 'y')"));
}

}  // namespace
}  // namespace sluice
