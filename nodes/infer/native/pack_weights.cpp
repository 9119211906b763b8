#include "sluice/core/processor.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/layer.h"

#include <algorithm>

namespace sluice::native {
namespace {

using graph::Fact;
using graph::resolve;
using graph::WindowAxis;

// Packing needs pads and extents that do not depend on the input: a stand-in of a size that no
// window is too large for. What does depend on it is found at planning by comparing the pads.
template <class Op>
std::optional<std::vector<WindowAxis>> axes_of_weights(const Op& op, const Shape& weights,
                                                       std::int64_t in_channels) {
  if (weights.rank() < 3 || weights.rank() > 4) return std::nullopt;
  Fact x, w;
  x.shape = Shape{1, in_channels};
  for (std::size_t i = 2; i < weights.rank(); ++i) x.shape.push_back(std::int64_t{1} << 20);
  w.shape = weights;
  const Fact* operands[] = {&x, &w};
  auto axes = resolve(op, operands);
  if (!axes) return std::nullopt;
  return std::move(*axes);
}

struct Matrix {
  std::int64_t k = 0, n = 0;
  kernels::PackedGemm::Layout layout = kernels::PackedGemm::Layout::kKByN;
  const float* data = nullptr;
};

std::shared_ptr<const kernels::ConvLast> pack_matmul(
    const kernels::SimdKernels& simd, kernels::Precision precision, const Matrix& b,
    const float* bias, const std::optional<graph::Unary>& activation) {
  kernels::ConvParams params;
  params.in_channels = b.k, params.out_channels = b.n;
  std::vector<float> turned;
  if (b.layout == kernels::PackedGemm::Layout::kKByN) {
    turned.resize(static_cast<std::size_t>(b.k * b.n));
    for (std::int64_t k = 0; k < b.k; ++k) {
      for (std::int64_t n = 0; n < b.n; ++n) {
        turned[static_cast<std::size_t>(n * b.k + k)] = b.data[k * b.n + n];
      }
    }
  }
  return std::make_shared<const kernels::ConvLast>(
      simd, precision, params, turned.empty() ? b.data : turned.data(), bias,
      kernels::Epilogue{activation_of(activation), {}});
}

}  // namespace

std::shared_ptr<const kernels::Winograd> LazyWinograd::get() const {
  std::call_once(once_, [this] {
    made_ = std::make_shared<const kernels::Winograd>(
        *simd_, params_, weights_.data<float>(), bias_ ? bias_->data<float>() : nullptr, epilogue_);
  });
  return made_;
}

PackedWeights pack_weights(const graph::Node& node, std::span<const Tensor* const> constants,
                           kernels::Precision precision) {
  PackedWeights packed;
  const auto constant = [&](std::size_t i) {
    return i < constants.size() ? constants[i] : nullptr;
  };
  const Tensor* weights = constant(1);
  const bool has_bias = graph::Graph::operand(node, 2) != graph::kNoValue;
  const Tensor* bias = constant(2);
  if (weights == nullptr || weights->dtype() != DType::kF32 || weights->elements() == 0)
    return packed;
  if (has_bias && (bias == nullptr || bias->dtype() != DType::kF32)) return packed;
  const float* bias_data = bias == nullptr ? nullptr : bias->data<float>();
  const Shape& shape = weights->shape();
  const kernels::SimdKernels* simd = kernels::simd_kernels(kernels::isa());

  if (const auto* conv = std::get_if<graph::Conv>(&node.operation)) {
    if (conv->group < 1 || shape.rank() < 3) return packed;
    const auto axes = axes_of_weights(*conv, shape, shape[1] * conv->group);
    if (!axes || (bias != nullptr && bias->elements() != shape[0])) return packed;
    if (simd != nullptr) {
      packed.conv_last = std::make_shared<const kernels::ConvLast>(
          *simd, precision, conv_params(*conv, shape, *axes), weights->data<float>(), bias_data,
          kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
      const kernels::ConvParams& params = packed.conv_last->params();
      if (kernels::Winograd::covers(params)) {
        packed.winograd = std::make_shared<const LazyWinograd>(
            *simd, params, *weights, bias == nullptr ? std::nullopt : std::optional(*bias),
            kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
      }
      return packed;
    }
    packed.conv = std::make_shared<const kernels::PackedConv>(
        conv_params(*conv, shape, *axes), weights->data<float>(), bias_data,
        kernels::Epilogue{activation_of(conv->activation), activation_of(conv->after)});
  } else if (const auto* conv = std::get_if<graph::ConvTranspose>(&node.operation)) {
    if (conv->group < 1 || shape.rank() < 3) return packed;
    const auto axes = axes_of_weights(*conv, shape, shape[0]);
    if (!axes || (bias != nullptr && bias->elements() != shape[1] * conv->group)) return packed;
    if (!conv->output_shape.empty()) return packed;
    const kernels::ConvTransposeParams params = conv_transpose_params(*conv, shape, *axes);
    if (simd != nullptr && kernels::ConvTransposeLast::covers(params)) {
      packed.conv_transpose_last = std::make_shared<const kernels::ConvTransposeLast>(
          *simd, params, weights->data<float>(), bias_data, activation_of(conv->activation));
      return packed;
    }
    packed.conv_transpose = std::make_shared<const kernels::PackedConvTranspose>(
        params, weights->data<float>(), bias_data, activation_of(conv->activation));
  } else if (const auto* gemm = std::get_if<graph::Gemm>(&node.operation)) {
    if (shape.rank() != 2 || gemm->transpose_a || gemm->alpha != 1.0f) return packed;
    const std::int64_t n = shape[gemm->transpose_b ? 0 : 1];
    const std::int64_t k = shape[gemm->transpose_b ? 1 : 0];
    const bool is_row = bias == nullptr ||
                        (gemm->beta == 1.0f && bias->elements() == n && bias->shape().rank() > 0 &&
                         bias->shape()[bias->shape().rank() - 1] == n);
    if (!is_row) return packed;
    const auto layout =
        gemm->transpose_b ? kernels::PackedGemm::Layout::kNByK : kernels::PackedGemm::Layout::kKByN;
    if (simd != nullptr) {
      packed.matmul = pack_matmul(*simd, precision, {k, n, layout, weights->data<float>()},
                                  bias_data, gemm->activation);
      return packed;
    }
    packed.gemm = std::make_shared<const kernels::PackedGemm>(
        k, n, layout, weights->data<float>(), bias_data, activation_of(gemm->activation));
  } else if (const auto* matmul = std::get_if<graph::MatMul>(&node.operation)) {
    if (shape.rank() != 2 || (bias != nullptr && bias->elements() != shape[1])) return packed;
    if (simd != nullptr) {
      packed.matmul = pack_matmul(
          *simd, precision,
          {shape[0], shape[1], kernels::PackedGemm::Layout::kKByN, weights->data<float>()},
          bias_data, matmul->activation);
      return packed;
    }
    packed.gemm = std::make_shared<const kernels::PackedGemm>(
        shape[0], shape[1], kernels::PackedGemm::Layout::kKByN, weights->data<float>(), bias_data,
        activation_of(matmul->activation));
  }
  return packed;
}

namespace {

// Of Sluice's kernels: answers about others do not hold for them. To be raised with any change of
// what a convolution costs.
constexpr int kKernels = 1;

// Times a convolution of images of this size both ways, with numbers of its own. False, too, where
// there is no memory for them.
bool is_winograd_faster(const PackedWeights& weights, std::int64_t height, std::int64_t width) {
  const kernels::ConvLast& direct = *weights.conv_last;
  const kernels::ConvParams& params = direct.params();
  const std::shared_ptr<const kernels::Winograd> winograd = weights.winograd->get();
  Result<Tensor> input = Tensor::allocate(DType::kF32, {height * width, params.in_channels});
  Result<Tensor> output = Tensor::allocate(DType::kF32, {height * width, params.out_channels});
  if (!input || !output) return false;
  // Numbers of few bits: read as bf16, two by two, they are themselves and zeros.
  for (std::int64_t i = 0; i < input->elements(); ++i) {
    input->data<float>()[i] = static_cast<float>(i % 251 - 125) / 64.0F;
  }

  kernels::ConvLastCall image;
  image.height = image.out_height = height;
  image.width = image.out_width = width;
  image.pad_top = image.pad_left = 1;
  image.output = kernels::pixels_of(output->data<float>(), params.out_channels);
  if (direct.writes_bf16()) image.output.precision = kernels::Precision::kBf16;
  kernels::ConvLastCall directly = image, transformed = image;
  const float* const pixels = input->data<float>();
  directly.input = transformed.input = kernels::pixels_of(pixels, params.in_channels);
  if (direct.reads_bf16()) directly.input.precision = kernels::Precision::kBf16;
  if (direct.writes_bf16()) transformed.input.precision = kernels::Precision::kBf16;
  Result<Buffer> scratch = Buffer::allocate(
      std::max(direct.scratch_bytes(directly), winograd->scratch_bytes(transformed)));
  if (!scratch) return false;
  directly.scratch = transformed.scratch = scratch->data();

  const std::string question = std::to_string(kKernels) + " " + processor_name() + ": " +
                               direct.algorithm() + " 3x3 " + std::to_string(params.in_channels) +
                               " to " + std::to_string(params.out_channels) + ", " +
                               std::to_string(height) + "x" + std::to_string(width);
  const Tuner::Candidate candidates[] = {
      {"direct", [&] { direct.run(directly); }},
      {"winograd", [&] { winograd->run(transformed); }},
  };
  return weights.tuner->fastest(question, candidates) == 1;
}

}  // namespace

bool chooses_winograd(const PackedWeights& weights, const Shape& out) {
  if (weights.winograd == nullptr || out.rank() != 4) return false;
  if (weights.tuner != nullptr) return is_winograd_faster(weights, out[1], out[2]);
  const kernels::ConvLast& direct = *weights.conv_last;
  return kernels::Winograd::pays(
      direct.params(), out[1], out[2],
      direct.reads_bf16() ? kernels::Precision::kBf16 : kernels::Precision::kFp32);
}

}  // namespace sluice::native
