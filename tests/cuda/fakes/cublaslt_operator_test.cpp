#include "sluice/runtime/cuda/libraries/cublaslt_operator.h"

#include "tests/cuda/fakes/fake_cublaslt.h"
#include "tests/support/cuda/case.h"
#include "tests/support/cuda/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>

// Products as the plugin asks cublasLt for them, with what our kernels do after it, against the
// operator's definition.

namespace sluice::cuda {
namespace {

using testing::fake_cublaslt;
using testing::FakeCublasLt;
using ::testing::HasSubstr;

class Products : public ::testing::Test {
 protected:
  Products() {
    fake_cublaslt() = FakeCublasLt();
    lane_.cudnn.handle = reinterpret_cast<cudnnContext*>(this);  // only asked whether it is there
    lane_.cudnn.workspace_bytes = 4096;
  }

  // Empty, if the library's way of computing it is right.
  std::string wrong(Case& test, const MadeLibraryOperator& made) const {
    if (!made.outcome.is_ok()) return made.outcome.message;
    if (!made.made->select(0).is_ok()) return "no way";
    std::array<const void*, SLUICE_CUDA_MAX_OPERANDS> inputs = {};
    for (std::size_t i = 0; i < test.inputs.size(); ++i) inputs[i] = test.inputs[i].pointer();
    void* const output = test.outputs[0].pointer();
    const Outcome outcome = made.made->run(nullptr, inputs.data(), &output);
    if (!outcome.is_ok()) return outcome.message;
    const std::vector<double> expected = reference(test)[0];
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double got = test.outputs[0].get(static_cast<std::int64_t>(i));
      if (std::abs(got - expected[i]) > 1e-4 * std::max(1.0, std::abs(expected[i]))) {
        return std::to_string(got) + " for " + std::to_string(expected[i]) + " at " +
               std::to_string(i) + " by " + made.made->name();
      }
    }
    return test.outputs[0].is_intact() ? "" : "it wrote beside its output";
  }

  LaneResources lane_;
};

sluice_cuda_activation any_activation(Dice& dice) {
  return {dice.of<int>({-1, SLUICE_CUDA_RELU, SLUICE_CUDA_GELU_TANH, SLUICE_CUDA_SILU}), 0, 0,
          dice.of<float>({1, 1, 2}), 0};
}

TEST_F(Products, AreWhatMatricesComeTo) {
  Dice dice(1);
  for (int round = 0; round < 400; ++round) {
    const std::int64_t batch = dice.whole(1, 3), rows = dice.whole(1, 9);
    const std::int64_t columns = dice.whole(1, 9), depth = dice.whole(1, 9);
    const auto matrix = [&](std::int64_t m, std::int64_t n) {
      auto view = ordered(SLUICE_CUDA_F32, {batch, m, n},
                          dice.of<std::vector<int>>({{0, 1, 2}, {0, 2, 1}, {1, 0, 2}}));
      view.offset = dice.of<int>({0, 0, 1, 4});
      return view;
    };
    Case test;
    test.op.kind = SLUICE_CUDA_OP_MATMUL;
    auto& settings = test.op.as.matmul;
    settings.has_bias = dice.once_in(2) ? 0 : 1;
    settings.bias_is_matrix = dice.once_in(2) ? 1 : 0;
    settings.alpha = 0.5F;
    settings.beta = settings.bias_is_matrix ? 2.0F : 1.0F;
    settings.activation = any_activation(dice);
    test.op.out[test.op.outputs++] = matrix(rows, columns);
    test.op.in[test.op.inputs++] = matrix(rows, depth);
    test.op.in[test.op.inputs++] = matrix(depth, columns);
    if (dice.once_in(4)) test.op.in[dice.whole(0, 1)].strides[0] = 0;
    if (settings.has_bias) {
      test.op.in[test.op.inputs++] =
          settings.bias_is_matrix ? test.op.out[0] : dense(SLUICE_CUDA_F32, {columns});
    }
    test.make(dice, -1, 1);
    ASSERT_EQ(wrong(test, make_product(lane_, test.op, product_of_matmul(test.op))), "") << round;
  }
}

TEST_F(Products, AreWhatConvolutionsOfPixelsComeTo) {
  Dice dice(2);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t in = dice.whole(1, 9), out = dice.whole(1, 9);
    const int axes = static_cast<int>(dice.whole(1, 3));
    Extents x = {dice.whole(1, 2), in}, w = {out, in};
    Case test;
    test.op.kind = SLUICE_CUDA_OP_CONV;
    auto& settings = test.op.as.conv;
    settings.window.axes = axes;
    for (int axis = 0; axis < axes; ++axis) {
      settings.window.kernel[axis] = settings.window.stride[axis] = 1;
      settings.window.dilation[axis] = 1;
      x.push_back(dice.whole(1, 4));
      w.push_back(1);
    }
    Extents y = x;
    y[1] = out;
    settings.group = 1;
    settings.has_bias = dice.once_in(2) ? 0 : 1;
    settings.has_residual = dice.once_in(2) ? 0 : 1;
    settings.activation =
        dice.once_in(2) ? sluice_cuda_activation{-1, 0, 0, 1, 0} : any_activation(dice);
    settings.after = any_activation(dice);
    test.op.in[test.op.inputs++] = channels_last(SLUICE_CUDA_F32, x);
    test.op.in[test.op.inputs++] = channels_last(SLUICE_CUDA_F32, w);
    if (settings.has_bias) test.op.in[test.op.inputs++] = dense(SLUICE_CUDA_F32, {out});
    if (settings.has_residual) {
      test.op.in[test.op.inputs] = channels_last(SLUICE_CUDA_F32, y);
      if (dice.once_in(3)) test.op.in[test.op.inputs].strides[0] = 0;
      ++test.op.inputs;
    }
    test.op.out[test.op.outputs++] = channels_last(SLUICE_CUDA_F32, y);
    test.make(dice, -1, 1);
    ASSERT_EQ(wrong(test, make_product(lane_, test.op, product_of_convolution(test.op))), "")
        << round;
  }
}

Case small_matmul(Dice& dice) {
  Case test;
  test.op.kind = SLUICE_CUDA_OP_MATMUL;
  test.op.inputs = 2;
  test.op.outputs = 1;
  test.op.in[0] = test.op.in[1] = test.op.out[0] = dense(SLUICE_CUDA_F32, {1, 4, 4});
  test.op.as.matmul.alpha = 1;
  test.op.as.matmul.activation.function = -1;
  test.make(dice);
  return test;
}

TEST_F(Products, AskForWhatTheLaneAndTheOperandsAllow) {
  Dice dice(3);
  Case test = small_matmul(dice);
  test.op.in[1].offset = 2;

  static_cast<void>(make_product(lane_, test.op, product_of_matmul(test.op)));

  EXPECT_EQ(fake_cublaslt().workspace_bytes, 4096u);
  EXPECT_EQ(fake_cublaslt().least_alignment, 8u);
}

TEST_F(Products, RunTheWayThatIsSelectedAndFindItAgain) {
  Dice dice(4);
  Case test = small_matmul(dice);
  const auto first = make_product(lane_, test.op, product_of_matmul(test.op)).made;
  const auto second = make_product(lane_, test.op, product_of_matmul(test.op)).made;
  ASSERT_EQ(first->ways(), 3u);
  ASSERT_TRUE(first->select(2).is_ok());

  ASSERT_TRUE(second->select(first->way()).is_ok()) << first->way();

  const std::array<const void*, 2> inputs = {test.inputs[0].pointer(), test.inputs[1].pointer()};
  void* const output = test.outputs[0].pointer();
  ASSERT_TRUE(second->run(nullptr, inputs.data(), &output).is_ok());
  EXPECT_EQ(fake_cublaslt().algorithm, 0xabc2u);
}

TEST_F(Products, RefuseAWayThatIsNone) {
  Dice dice(5);
  const Case test = small_matmul(dice);
  const auto made = make_product(lane_, test.op, product_of_matmul(test.op)).made;
  const std::string known = made->way();
  std::string large = known, unknown = known, bad = known;
  large.replace(9, 16, "000000000000abd0");
  unknown.replace(9, 16, "0000000000000001");
  bad.back() = 'x';
  for (const std::string& way :
       {std::string(), std::string("cudnn 58"), known + "0", bad, unknown, large}) {
    EXPECT_EQ(made->select(way).code, SLUICE_CUDA_UNSUPPORTED) << way;
  }
}

TEST_F(Products, SayThatNothingComputesThem) {
  fake_cublaslt().ways = 0;
  Dice dice(6);
  const Case test = small_matmul(dice);
  const Outcome outcome = make_product(lane_, test.op, product_of_matmul(test.op)).outcome;
  EXPECT_EQ(outcome.code, SLUICE_CUDA_UNSUPPORTED);
  EXPECT_THAT(outcome.message, HasSubstr("nothing computes"));
}

}  // namespace
}  // namespace sluice::cuda
