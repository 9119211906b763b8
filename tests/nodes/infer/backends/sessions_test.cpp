#include "sluice/core/allocations.h"
#include "sluice/core/model.h"

#include "tests/nodes/infer/backends/each_backend.h"
#include "tests/nodes/infer/graph/onnx_writer.h"
#include "tests/support/sanitizers.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

#include <thread>

// Many sessions of one model, side by side.

namespace sluice {
namespace {

using testing::attribute;
using testing::FailsWith;
using testing::IsOk;
using testing::OnnxWriter;
using testing::tensor_of;
using testing::values_of;

Tensor ramp(const Shape& shape) {
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    tensor.data<float>()[i] = static_cast<float>(i % 7) - 3.0F;
  }
  return tensor;
}

// Every kind of packed weights: a dense, a grouped and a depthwise convolution, and a product.
std::string mixed_model() {
  const std::vector<std::int64_t> same{1, 1, 1, 1};
  return OnnxWriter()
      .input("x", {"N", 3, "H", "W"})
      .constant("dense", ramp({8, 3, 3, 3}))
      .constant("grouped", ramp({8, 4, 1, 1}))
      .constant("depth", ramp({8, 1, 3, 3}))
      .constant("matrix", ramp({8, 5}))
      .node("Conv", {"x", "dense"}, {"a"}, {attribute("pads", same)})
      .node("Relu", {"a"}, {"b"})
      .node("Conv", {"b", "grouped"}, {"c"}, {attribute("group", std::int64_t{2})})
      .node("Conv", {"c", "depth"}, {"d"},
            {attribute("group", std::int64_t{8}), attribute("pads", same)})
      .node("GlobalAveragePool", {"d"}, {"e"})
      .node("Flatten", {"e"}, {"f"})
      .node("MatMul", {"f", "matrix"}, {"y"})
      .output("y")
      .save("mixed.onnx");
}

class Sessions : public testing::EachBackend {};
INSTANTIATE_TEST_SUITE_P(Backends, Sessions, testing::all_backends(), testing::backend_of);

std::vector<float> run_on(Session& session, const Shape& shape) {
  const std::vector<Tensor> inputs{ramp(shape)};
  const auto outputs = session.run(inputs, nullptr);
  EXPECT_THAT(outputs, IsOk());
  return outputs ? values_of<float>(outputs->front()) : std::vector<float>{};
}

TEST_P(Sessions, GiveTheSameSideBySideAsAlone) {
  const auto model = backend().load(mixed_model(), {});
  ASSERT_THAT(model, IsOk());
  // More shapes than a model keeps plans for, so that plans also come and go.
  std::vector<Shape> shapes;
  for (std::int64_t width = 3; width < 23; ++width) shapes.push_back({1, 3, 5, width});
  std::vector<std::vector<float>> alone;
  const auto first = (*model)->new_session();
  for (const Shape& shape : shapes) alone.push_back(run_on(**first, shape));

  std::vector<int> equal(4, 0);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < equal.size(); ++t) {
      threads.emplace_back([&, t] {
        const auto session = (*model)->new_session();
        for (std::size_t i = 0; i < 2 * shapes.size(); ++i) {
          const std::size_t at = (i * (t + 1)) % shapes.size();
          equal[t] += run_on(**session, shapes[at]) == alone[at];
        }
      });
    }
  }

  for (const int count : equal) EXPECT_EQ(count, static_cast<int>(2 * shapes.size()));
}

TEST(NativeSessions, AskTheHeapForNothingOnceTheyHaveSeenTheShapes) {
  if (SLUICE_TEST_ASAN || SLUICE_TEST_TSAN) GTEST_SKIP() << "a sanitizer has its own operator new";
  const auto model = find_backend("native")->load(mixed_model(), {});
  ASSERT_THAT(model, IsOk());
  const auto session = std::move(*(*model)->new_session());
  const std::vector<Tensor> small{ramp({1, 3, 5, 7})}, large{ramp({2, 3, 20, 18})};
  const auto count_runs = [&] {
    const std::uint64_t before = allocations_of_this_thread();
    const bool are_ok =
        session->run(small, nullptr).is_ok() && session->run(large, nullptr).is_ok();
    const std::uint64_t after = allocations_of_this_thread();
    EXPECT_TRUE(are_ok);
    return after - before;
  };

  EXPECT_GT(count_runs(), 0U);  // plans, and the proof that they are counted
  EXPECT_EQ(count_runs(), 0U);
}

// A shape that is an input's value: a plan serves one value only.
TEST_P(Sessions, KeepPlansApartByTheValuesThatShapesDependOn) {
  const std::string path = OnnxWriter()
                               .input("x", {"N", 6})
                               .input("shape", {2}, DType::kI64)
                               .node("Reshape", {"x", "shape"}, {"y"})
                               .output("y")
                               .save("reshape.onnx");
  const auto model = backend().load(path, {});
  ASSERT_THAT(model, IsOk());
  const auto session = std::move(*(*model)->new_session());
  const auto shape_for = [&](std::int64_t rows, std::int64_t columns) {
    const std::vector<Tensor> inputs{ramp({1, 6}), tensor_of<std::int64_t>({2}, {rows, columns})};
    const auto outputs = session->run(inputs, nullptr);
    return outputs ? outputs->front().shape() : Shape{};
  };

  EXPECT_EQ(shape_for(2, 3), (Shape{2, 3}));
  EXPECT_EQ(shape_for(3, 2), (Shape{3, 2}));
  EXPECT_EQ(shape_for(2, 3), (Shape{2, 3}));
}

TEST_P(Sessions, ChargeNobodyForARunThatFails) {
  const std::string path =
      OnnxWriter()
          .input("x", {"N", 64})
          .node("Relu", {"x"}, {"small"})
          .node("Concat", {"x", "x"}, {"large"}, {attribute("axis", std::int64_t{1})})
          .output("small")
          .output("large")
          .save("two_outputs.onnx");
  const auto model = backend().load(path, {});
  ASSERT_THAT(model, IsOk());
  const auto session = std::move(*(*model)->new_session());
  // Room for one of the outputs, not for both.
  const auto budget = std::make_shared<MemoryBudget>(600);
  const std::vector<Tensor> inputs{ramp({1, 64})};

  for (int round = 0; round < 3; ++round) {
    EXPECT_THAT(session->run(inputs, budget), FailsWith("memory.limit"));
    EXPECT_EQ(budget->used_bytes(), 0U);
  }
}

TEST_P(Sessions, OutliveWhoLoadedTheModel) {
  auto model = backend().load(mixed_model(), {});
  ASSERT_THAT(model, IsOk());
  auto session = std::move(*(*model)->new_session());
  const auto before = run_on(*session, {1, 3, 4, 4});

  model->reset();

  EXPECT_EQ(run_on(*session, {1, 3, 4, 4}), before);
}

TEST_P(Sessions, GiveEachItemOfABatchWhatItGetsAlone) {
  const auto model = backend().load(mixed_model(), {});
  ASSERT_THAT(model, IsOk());
  const auto session = std::move(*(*model)->new_session());
  const Tensor batch = ramp({3, 3, 5, 7});

  const auto outputs = session->run(std::vector<Tensor>{batch}, nullptr);

  ASSERT_THAT(outputs, IsOk());
  const Tensor together = outputs->front();
  for (std::int64_t row = 0; row < 3; ++row) {
    const std::vector<Tensor> one{batch.row(row).reshaped({1, 3, 5, 7})};
    EXPECT_EQ(values_of<float>(session->run(one, nullptr)->front()),
              values_of<float>(together.row(row)));
  }
}

}  // namespace
}  // namespace sluice
