#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/pipeline.h"

#include "tests/nodes/image/pictures.h"
#include "tests/nodes/infer/held_backend.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

// A pipeline whose model runs for as long as the test likes, in a backend that says so.

namespace sluice {
namespace {

using testing::flat_image;

constexpr std::chrono::seconds kLongEnough{30};  // only waited for where the engine is broken

testing::Hold& hold() {
  static testing::Hold one;
  return one;
}
[[maybe_unused]] const bool kRegistered =
    testing::register_held_backend("held", hold(), testing::HeldRuns::kMayWait);

PipelineResult load_held(int threads) {
  const std::string model = testing::held_model("held");
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
