#include "sluice/runtime/cuda/libraries/convolution.h"
#include "sluice/runtime/cuda/libraries/product.h"

#include "tests/cuda/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

// What a library fuses and what is left for a kernel come to what the operator says, whatever the
// convolution or the product is: it is a number here.

namespace sluice::cuda {
namespace {

using namespace testing;
using ::testing::HasSubstr;

constexpr double kBias = 2, kResidual = -3;

double activate(const sluice_cuda_activation& activation, double v) {
  switch (activation.function) {
    case SLUICE_CUDA_RELU:
      v = std::max(v, 0.0);
      break;
    case SLUICE_CUDA_GELU_TANH:
      v = v > 0 ? v * 0.9 : v * 0.1;  // stands for it
      break;
    case SLUICE_CUDA_ABS:
      v = v < 0 ? -v : v;
      break;
    default:
      return v;
  }
  return activation.scale * v + activation.shift;
}

double of_tail(const Tail& tail, const std::array<double, SLUICE_CUDA_MAX_OPERANDS>& inputs,
               double v) {
  const auto& map = tail.op().as.map;
  for (int i = 0; i < map.stages; ++i) {
    const sluice_cuda_stage& stage = map.stage[i];
    if (stage.kind == SLUICE_CUDA_STAGE_UNARY) {
      v = activate(stage.activation, v);
    } else {
      EXPECT_EQ(stage.function, SLUICE_CUDA_ADD);
      v += inputs[static_cast<std::size_t>(
          tail.places().at(static_cast<std::size_t>(stage.operand - 1)))];
    }
  }
  return v;
}

// Every convolution there is of these parts, with `check(op, inputs)` for each.
template <class Check>
void for_all_convolutions(const Dims& kernel, const Check& check) {
  const std::array activations = {none(), plain(SLUICE_CUDA_RELU), plain(SLUICE_CUDA_ABS),
                                  plain(SLUICE_CUDA_GELU_TANH),
                                  sluice_cuda_activation{SLUICE_CUDA_RELU, 0, 0, 2, -1}};
  for (const int bias_type : {-1, int{SLUICE_CUDA_F16}, int{SLUICE_CUDA_F32}}) {
    for (const bool residual : {false, true}) {
      for (const auto& activation : activations) {
        for (const auto& after : activations) {
          sluice_cuda_op op = operator_of(Convolution{.x = {1, 8, 4, 4},
                                                      .out = 8,
                                                      .kernel = kernel,
                                                      .bias = bias_type >= 0,
                                                      .residual = residual,
                                                      .activation = activation,
                                                      .after = after});
          std::array<double, SLUICE_CUDA_MAX_OPERANDS> inputs = {};
          int at = 2;
          if (bias_type >= 0) {
            op.in[at].type = bias_type;
            inputs[static_cast<std::size_t>(at++)] = kBias;
          }
          if (residual) inputs[static_cast<std::size_t>(at)] = kResidual;
          check(op, inputs);
        }
      }
    }
  }
}

double by_definition(const sluice_cuda_op& op, double v) {
  const auto& conv = op.as.conv;
  if (conv.has_bias) v += kBias;
  v = activate(conv.activation, v);
  if (conv.has_residual) v += kResidual;
  return activate(conv.after, v);
}

double by_cudnn(const ConvolutionParts& parts,
                const std::array<double, SLUICE_CUDA_MAX_OPERANDS>& inputs, double v) {
  std::size_t operand = 2;
  const auto next = [&] {
    const int place = parts.operands.at(operand++);
    return place == kZeros ? 0.0 : inputs[static_cast<std::size_t>(place)];
  };
  if (parts.graph.residual) v += next();
  if (parts.graph.bias) v += next();
  if (parts.graph.relu) v = std::max(v, 0.0);
  EXPECT_EQ(parts.operands.at(operand), kOutput);
  EXPECT_EQ(parts.operands.size(), operand + 1);
  return of_tail(parts.tail, inputs, v);
}

TEST(ConvolutionParts, ComeToTheWhole) {
  for (const Fusion fusion : {Fusion::kAll, Fusion::kBias, Fusion::kNone}) {
    for_all_convolutions({3, 3}, [&](const sluice_cuda_op& op, const auto& inputs) {
      const ConvolutionParts parts = convolution_parts(op, fusion);
      ASSERT_TRUE(parts.outcome.is_ok()) << parts.outcome.message;
      for (const double v : {-4.0, 0.5, 4.0}) {
        EXPECT_EQ(by_cudnn(parts, inputs, v), by_definition(op, v));
      }
    });
  }
}

// Engines that are compiled at run time aside, cuDNN has none for other orders.
TEST(ConvolutionParts, HaveABiasWhereAnythingElseIsFused) {
  for_all_convolutions({3, 3}, [&](const sluice_cuda_op& op, const auto&) {
    const ConvolutionGraph graph = convolution_parts(op, Fusion::kAll).graph;
    if (graph.relu || graph.residual) {
      ASSERT_TRUE(graph.bias);
      EXPECT_EQ(graph.bias->type, graph.y.type);
    }
  });
}

TEST(ConvolutionParts, LeaveARepeatedResidualToTheKernel) {
  sluice_cuda_op op =
      operator_of(Convolution{.x = {2, 8, 4, 4}, .out = 8, .kernel = {3, 3}, .residual = true});
  op.in[3].strides[2] = op.in[3].strides[3] = 0;

  const ConvolutionParts parts = convolution_parts(op, Fusion::kAll);

  EXPECT_FALSE(parts.graph.residual);
  EXPECT_EQ(parts.tail.op().as.map.stages, 1);
}

TEST(ConvolutionParts, RefuseWhatDoesNotBeginAtSixteenBytes) {
  sluice_cuda_op op = operator_of(Convolution{.x = {2, 8, 4, 4}, .out = 8, .kernel = {3, 3}});
  op.in[0].offset = 4;
  EXPECT_THAT(convolution_parts(op, Fusion::kAll).outcome.message, HasSubstr("16 bytes"));
}

double by_cublaslt(const Product& product,
                   const std::array<double, SLUICE_CUDA_MAX_OPERANDS>& inputs, double v) {
  const auto& matmul = product.matmul.as.matmul;
  v *= matmul.alpha;
  if (product.c != kNoOperand) v += matmul.beta * inputs[static_cast<std::size_t>(product.c)];
  if (product.bias != kNoOperand) v += inputs[static_cast<std::size_t>(product.bias)];
  if (product.epilogue == Epilogue::kRelu) v = activate(plain(SLUICE_CUDA_RELU), v);
  if (product.epilogue == Epilogue::kGelu) v = activate(plain(SLUICE_CUDA_GELU_TANH), v);
  return of_tail(product.tail, inputs, v);
}

TEST(Product, OfConvolutionsComesToTheWhole) {
  for_all_convolutions({1, 1}, [&](const sluice_cuda_op& op, const auto& inputs) {
    const Product product = product_of_convolution(op);
    ASSERT_TRUE(product.outcome.is_ok()) << product.outcome.message;
    for (const double v : {-4.0, 0.5, 4.0}) {
      EXPECT_EQ(by_cublaslt(product, inputs, v), by_definition(op, v));
    }
  });
}

TEST(Product, OfConvolutionsHasARowAPixel) {
  sluice_cuda_op op = operator_of(Convolution{.x = {2, 8, 3, 5}, .out = 16, .kernel = {1, 1}});
  op.out[0] = channels_last(SLUICE_CUDA_F16, {2, 16, 3, 5}, 40);

  const Product product = product_of_convolution(op);

  ASSERT_TRUE(product.outcome.is_ok()) << product.outcome.message;
  EXPECT_EQ(product.layout.d.columns, 30);
  EXPECT_EQ(product.layout.d.rows, 16);
  EXPECT_EQ(product.layout.d.leading, 40);
  EXPECT_TRUE(product.layout.a.transposed);  // a filter is a row
}

TEST(Product, IsNoConvolutionOfMoreThanPixels) {
  const Convolution pixels{.x = {2, 8, 4, 4}, .out = 8, .kernel = {1, 1}};
  std::array<Convolution, 5> others = {pixels, pixels, pixels, pixels, pixels};
  others[0].kernel = {1, 3};
  others[1].stride = {2};
  others[2].pad_end = {1};
  others[3].group = 2;
  others[4].transposed = true;
  for (const Convolution& other : others) {
    EXPECT_EQ(product_of_convolution(operator_of(other)).outcome.code, SLUICE_CUDA_UNSUPPORTED);
  }
}

// beta of a vector is 1 in what is fused; `swapped` output is by columns, where no epilogue has it.
TEST(Product, OfMatricesComesToTheWhole) {
  for (const int bias_type : {-1, int{SLUICE_CUDA_F16}, int{SLUICE_CUDA_F32}}) {
    for (const bool is_matrix : {false, true}) {
      for (const bool by_columns : {false, true}) {
        for (const auto& activation : {none(), plain(SLUICE_CUDA_RELU),
                                       plain(SLUICE_CUDA_GELU_TANH), plain(SLUICE_CUDA_ABS)}) {
          sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 2, 4, 8, 16);
          op.as.matmul.alpha = 0.5F;
          op.as.matmul.activation = activation;
          if (by_columns) op.out[0] = strided(SLUICE_CUDA_F16, {2, 4, 16}, {64, 1, 4});
          if (bias_type >= 0) {
            op.inputs = 3;
            op.as.matmul.has_bias = 1;
            op.as.matmul.bias_is_matrix = is_matrix;
            op.in[2] = is_matrix ? op.out[0] : dense(bias_type, {16});
            op.in[2].type = bias_type;
          }
          const Product product = product_of_matmul(op);
          ASSERT_TRUE(product.outcome.is_ok()) << product.outcome.message;
          for (const double v : {-8.0, 1.0, 8.0}) {
            const double sum = 0.5 * v + (bias_type >= 0 ? kBias : 0);
            EXPECT_EQ(by_cublaslt(product, {0, 0, kBias}, v), activate(activation, sum));
          }
        }
      }
    }
  }
}

TEST(Product, FusesABiasOfItsTypeAndGelu) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_BF16, 1, 128, 384, 1536);
  op.inputs = 3;
  op.in[2] = dense(SLUICE_CUDA_BF16, {1536});
  op.as.matmul.has_bias = 1;
  op.as.matmul.activation = plain(SLUICE_CUDA_GELU_TANH);

  const Product product = product_of_matmul(op);

  EXPECT_EQ(product.bias, 2);
  EXPECT_EQ(product.epilogue, Epilogue::kGelu);
  EXPECT_TRUE(product.tail.is_empty());
}

TEST(Product, RefusesAVectorTimesAnotherNumber) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 1, 4, 8, 16);
  op.inputs = 3;
  op.in[2] = dense(SLUICE_CUDA_F16, {16});
  op.as.matmul.has_bias = 1;
  op.as.matmul.beta = 0.5F;
  EXPECT_EQ(product_of_matmul(op).outcome.code, SLUICE_CUDA_UNSUPPORTED);
  op.as.matmul.beta = 0;
  EXPECT_TRUE(product_of_matmul(op).outcome.is_ok());
}

TEST(Product, RefusesOperandsOfDifferentTypes) {
  sluice_cuda_op op = matmul(SLUICE_CUDA_F16, 1, 4, 8, 16);
  op.out[0].type = SLUICE_CUDA_F32;
  EXPECT_THAT(product_of_matmul(op).outcome.message, HasSubstr("f32, f16, bf16 alike"));
}

}  // namespace
}  // namespace sluice::cuda
