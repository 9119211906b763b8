#include "sluice/runtime/cuda/libraries/product.h"

#include "sluice/runtime/cuda/view.h"

#include <optional>

namespace sluice::cuda {
namespace {

Product refused(const sluice_cuda_op& op, std::string why) {
  Product product(op.out[0]);
  product.outcome = Outcome::unsupported(std::move(why));
  return product;
}

bool is_taken(std::int32_t type) {
  return type == SLUICE_CUDA_F32 || type == SLUICE_CUDA_F16 || type == SLUICE_CUDA_BF16;
}

std::optional<Epilogue> epilogue_of(const sluice_cuda_activation& activation) {
  if (is_none(activation)) return Epilogue::kNone;
  if (is_plain(activation, SLUICE_CUDA_RELU)) return Epilogue::kRelu;
  if (is_plain(activation, SLUICE_CUDA_GELU_TANH)) return Epilogue::kGelu;
  return std::nullopt;
}

// In the epilogue if nothing is left for the tail before it.
void activate(Product& product, const sluice_cuda_activation& activation) {
  const auto epilogue = epilogue_of(activation);
  if (epilogue && product.tail.is_empty() && product.epilogue == Epilogue::kNone) {
    product.epilogue = *epilogue;
  } else {
    product.tail.apply(activation);
  }
}

// A vector along `axis` of the operator's output.
void add_bias(Product& product, const sluice_cuda_op& op, int place, int axis) {
  const sluice_cuda_view& bias = op.in[place];
  const bool is_packed = bias.dims[0] == 1 || bias.strides[0] == 1;
  if (product.layout.is_swapped && product.tail.is_empty() && is_packed &&
      bias.type == op.out[0].type && offset_bytes(bias) % 16 == 0) {
    product.bias = place;
    product.bias_view = bias;
  } else {
    product.tail.add(along(op.out[0], bias, axis), place);
  }
}

// The matrix that is added, times `matmul.beta`; by the tail where BLAS cannot have it so.
Outcome add_matrix(Product& product, const sluice_cuda_view& matrix,
                   const sluice_cuda_view& for_tail, int place) {
  auto& parameters = product.matmul.as.matmul;
  if (matrix.type == product.matmul.out[0].type) {
    parameters.has_bias = parameters.bias_is_matrix = 1;
    product.matmul.in[2] = matrix;
    product.matmul.inputs = 3;
    product.layout = matmul_layout(product.matmul);
    product.c = place;
    if (product.layout.outcome.is_ok()) return Outcome::ok();
  }
  const float beta = parameters.beta;
  parameters.has_bias = parameters.bias_is_matrix = 0;
  product.matmul.inputs = 2;
  product.layout = matmul_layout(product.matmul);
  product.c = kNoOperand;
  if (product.layout.outcome.is_ok() && beta != 1) {
    return Outcome::unsupported("cublasLt is not asked for a repeated bias times another number");
  }
  product.tail.add(for_tail, place);
  return product.layout.outcome;
}

// [N, C, image] as a matrix of a row a pixel. Nothing if pixels are not evenly apart.
std::optional<sluice_cuda_view> pixels(const sluice_cuda_view& view) {
  sluice_cuda_view matrix = view;
  matrix.rank = 3;
  matrix.dims[0] = matrix.dims[1] = 1;
  matrix.strides[0] = 0;
  matrix.strides[1] = view.dims[1];
  matrix.dims[2] = view.dims[1];
  matrix.strides[2] = view.dims[1] == 1 ? 1 : view.strides[1];
  for (int i = 1; i < view.rank; ++i) {
    const int axis = i == view.rank - 1 ? 0 : view.rank - i;
    if (view.dims[axis] == 1) continue;
    if (matrix.dims[1] == 1) {
      matrix.strides[1] = view.strides[axis];
    } else if (view.strides[axis] != matrix.dims[1] * matrix.strides[1]) {
      return std::nullopt;
    }
    matrix.dims[1] *= view.dims[axis];
  }
  return matrix;
}

bool is_of_pixels(const sluice_cuda_op& op) {
  const sluice_cuda_window& window = op.as.conv.window;
  for (int axis = 0; axis < window.axes; ++axis) {
    if (window.kernel[axis] != 1 || window.stride[axis] != 1) return false;
    if (window.pad_begin[axis] != 0 || window.pad_end[axis] != 0) return false;
  }
  return op.kind == SLUICE_CUDA_OP_CONV && op.as.conv.group == 1;
}

bool has_one_type(const sluice_cuda_op& op) {
  return is_taken(op.out[0].type) && op.in[0].type == op.out[0].type &&
         op.in[1].type == op.out[0].type;
}

constexpr const char* kTypes = "cublasLt is not asked for operands other than f32, f16, bf16 alike";

}  // namespace

Product product_of_matmul(const sluice_cuda_op& op) {
  if (!has_one_type(op)) return refused(op, kTypes);
  const auto& parameters = op.as.matmul;
  Product product(op.out[0]);
  product.matmul = op;
  product.matmul.as.matmul.has_bias = 0;
  product.matmul.inputs = 2;
  const bool has_bias = parameters.has_bias != 0 && parameters.beta != 0;
  if (has_bias && parameters.bias_is_matrix) {
    product.outcome = add_matrix(product, op.in[2], op.in[2], 2);
  } else {
    product.layout = matmul_layout(product.matmul);
    product.outcome = product.layout.outcome;
    if (has_bias && parameters.beta != 1) {
      return refused(op, "cublasLt is not asked for a vector as bias times another number");
    }
    if (has_bias) add_bias(product, op, 2, op.out[0].rank - 1);
  }
  activate(product, parameters.activation);
  return product;
}

Product product_of_convolution(const sluice_cuda_op& op) {
  if (!is_of_pixels(op)) return refused(op, "not a convolution of single pixels");
  if (!has_one_type(op)) return refused(op, kTypes);
  const auto x = pixels(op.in[0]);
  const auto y = pixels(op.out[0]);
  if (!x || !y) return refused(op, "pixels that are not evenly apart");

  const auto& conv = op.as.conv;
  Product product(op.out[0]);
  sluice_cuda_op& matmul = product.matmul;
  matmul.kind = SLUICE_CUDA_OP_MATMUL;
  matmul.inputs = 2;
  matmul.outputs = 1;
  matmul.in[0] = *x;
  matmul.out[0] = *y;
  sluice_cuda_view& weights = matmul.in[1] = op.in[1];
  weights.rank = 3;
  weights.dims[0] = 1;
  weights.strides[0] = 0;
  weights.dims[1] = op.in[1].dims[1];
  weights.strides[1] = op.in[1].strides[1];
  weights.dims[2] = op.in[1].dims[0];
  weights.strides[2] = op.in[1].strides[0];
  matmul.as.matmul.alpha = matmul.as.matmul.beta = 1;
  matmul.as.matmul.activation.function = -1;

  // The residual comes before the activation only where that one is none.
  const int residual = conv.has_bias ? 3 : 2;
  const bool adds_first = conv.has_residual && is_none(conv.activation);
  const auto matrix = adds_first ? pixels(op.in[residual]) : std::nullopt;
  if (matrix) {
    product.outcome = add_matrix(product, *matrix, op.in[residual], residual);
  } else {
    product.layout = matmul_layout(matmul);
    product.outcome = product.layout.outcome;
  }
  if (conv.has_bias) add_bias(product, op, 2, 1);
  activate(product, conv.activation);
  if (conv.has_residual && !matrix) product.tail.add(op.in[residual], residual);
  activate(product, conv.after);
  return product;
}

}  // namespace sluice::cuda
