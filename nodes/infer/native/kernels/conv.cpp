#include "sluice/nodes/infer/native/kernels/conv.h"

#include "sluice/nodes/infer/native/kernels/conv_plan.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/tile.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace sluice::kernels {
namespace {

ConvAlgorithm choose(const ConvPlan& plan) {
  if (isa() == Isa::kPortable) return ConvAlgorithm::kPortable;
  if (plan.group_inputs() == 1 && plan.params.groups > 1) return ConvAlgorithm::kDepthwise;
  return ConvAlgorithm::kTile;
}

// Narrow images would leave most of a row's tile empty, so those are unfolded across rows.
bool use_rows(const ConvPlan& plan, std::int64_t out_width) {
  return plan.algorithm == ConvAlgorithm::kTile && plan.window() > 1 && out_width >= 20;
}

AlignedFloats pack_weights(const ConvPlan& plan, const float* weights) {
  const std::int64_t rows = plan.group_outputs(), depth = plan.depth();
  if (plan.algorithm != ConvAlgorithm::kTile) {
    AlignedFloats copy(plan.params.groups * rows * depth);
    std::copy_n(weights, plan.params.groups * rows * depth, copy.data());
    return copy;
  }
  const std::int64_t size = packed_rows_size(rows, depth);
  AlignedFloats packed(plan.params.groups * size);
  for (std::int64_t g = 0; g < plan.params.groups; ++g) {
    pack_rows({weights + g * rows * depth, rows, depth, depth, 1}, packed.data() + g * size);
  }
  return packed;
}

}  // namespace

std::int64_t channel_block(const ConvPlan& plan) {
  constexpr std::int64_t kMaxDepth = 512;
  const std::int64_t channels = plan.group_inputs();
  const std::int64_t most = std::max<std::int64_t>(1, kMaxDepth / plan.window());
  const std::int64_t blocks = (channels + most - 1) / most;
  return (channels + blocks - 1) / blocks;
}

std::int64_t residual_copy_size(const ConvPlan& plan, std::int64_t columns) {
  return channel_block(plan) < plan.group_inputs() ? plan.group_outputs() * columns : 0;
}

Residual residual_of(const ConvPlan& plan, const ConvImage& image, std::int64_t at,
                     std::int64_t columns, float* copy) {
  if (image.residual == nullptr) return {};
  const std::int64_t area = image.out_height * image.out_width;
  if (image.residual != image.output || residual_copy_size(plan, columns) == 0)
    return {image.residual + at, area};
  for (std::int64_t row = 0; row < plan.group_outputs(); ++row) {
    std::copy_n(image.residual + at + row * area, columns, copy + row * columns);
  }
  return {copy, columns};
}

struct PackedConv::Impl {
  ConvPlan plan;
};

PackedConv::PackedConv(const ConvParams& params, const float* weights, const float* bias,
                       const Epilogue& epilogue) {
  assert(params.groups > 0 && params.in_channels % params.groups == 0 &&
         params.out_channels % params.groups == 0);
  auto impl = std::make_unique<Impl>();
  ConvPlan& plan = impl->plan;
  plan.params = params;
  plan.epilogue = epilogue;
  plan.algorithm = choose(plan);
  plan.weights = pack_weights(plan, weights);
  plan.bias = AlignedFloats(params.out_channels);
  if (bias != nullptr) std::copy_n(bias, params.out_channels, plan.bias.data());
  impl_ = std::move(impl);
}

PackedConv::~PackedConv() = default;
PackedConv::PackedConv(PackedConv&&) noexcept = default;
PackedConv& PackedConv::operator=(PackedConv&&) noexcept = default;

const ConvParams& PackedConv::params() const { return impl_->plan.params; }
const Epilogue& PackedConv::epilogue() const { return impl_->plan.epilogue; }

std::size_t PackedConv::scratch_bytes(std::int64_t height, std::int64_t width) const {
  const ConvPlan& plan = impl_->plan;
  switch (plan.algorithm) {
    case ConvAlgorithm::kTile:
      return use_rows(plan, plan.params.out_width(width))
                 ? conv_rows_scratch(plan, height, width)
                 : conv_panels_scratch(plan, height, width);
    case ConvAlgorithm::kDepthwise:
      return conv_depthwise_scratch(plan, height, width);
    case ConvAlgorithm::kPortable:
      break;
  }
  return conv_portable_scratch(plan, height, width);
}

void PackedConv::run(const ConvCall& call) const {
  const ConvPlan& plan = impl_->plan;
  ConvImage image;
  image.height = call.height;
  image.width = call.width;
  image.out_height = plan.params.out_height(call.height);
  image.out_width = plan.params.out_width(call.width);
  image.scratch = call.scratch;
  assert(image.out_height > 0 && image.out_width > 0);
  const std::int64_t in_size = plan.params.in_channels * call.height * call.width;
  const std::int64_t out_size = plan.params.out_channels * image.out_height * image.out_width;

  auto* algorithm = plan.algorithm == ConvAlgorithm::kDepthwise  ? conv_depthwise
                    : plan.algorithm == ConvAlgorithm::kPortable ? conv_portable
                    : use_rows(plan, image.out_width)            ? conv_rows
                                                                 : conv_panels;
  for (std::int64_t n = 0; n < call.batch; ++n) {
    image.input = call.input + n * in_size;
    image.output = call.output + n * out_size;
    image.residual = call.residual == nullptr ? nullptr : call.residual + n * out_size;
    algorithm(plan, image);
  }
}

const char* PackedConv::algorithm() const {
  switch (impl_->plan.algorithm) {
    case ConvAlgorithm::kTile:
      return "tile avx2";
    case ConvAlgorithm::kDepthwise:
      return "depthwise avx2";
    case ConvAlgorithm::kPortable:
      break;
  }
  return "unfold + blas";
}

}  // namespace sluice::kernels
