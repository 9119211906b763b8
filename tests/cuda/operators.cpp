#include "tests/cuda/operators.h"

#include <algorithm>
#include <cstddef>

namespace sluice::cuda::testing {
namespace {

// One number stands for as many as there are axes.
void spread(const Dims& from, std::int64_t (&to)[3], std::size_t axes) {
  for (std::size_t i = 0; i < axes; ++i) to[i] = from.size() == 1 ? from[0] : from[i];
}

Dims spatial(const Convolution& c, const sluice_cuda_window& window) {
  Dims dims;
  for (std::size_t i = 0; i < c.kernel.size(); ++i) {
    const std::int64_t reach = window.dilation[i] * (window.kernel[i] - 1) + 1;
    const std::int64_t pads = window.pad_begin[i] + window.pad_end[i];
    const std::int64_t x = c.x[i + 2];
    dims.push_back(c.transposed ? (x - 1) * window.stride[i] + reach - pads
                                : (x + pads - reach) / window.stride[i] + 1);
  }
  return dims;
}

}  // namespace

sluice_cuda_view strided(int type, const Dims& dims, const Dims& strides) {
  sluice_cuda_view view = {};
  view.type = type;
  view.rank = static_cast<std::int32_t>(dims.size());
  std::ranges::copy(dims, view.dims);
  std::ranges::copy(strides, view.strides);
  return view;
}

sluice_cuda_view dense(int type, const Dims& dims) {
  Dims strides(dims.size());
  std::int64_t stride = 1;
  for (std::size_t i = dims.size(); i-- > 0; stride *= dims[i]) strides[i] = stride;
  return strided(type, dims, strides);
}

sluice_cuda_view channels_last(int type, const Dims& dims, std::int64_t pitch) {
  Dims strides(dims.size());
  std::int64_t stride = pitch;
  for (std::size_t i = dims.size() - 1; i > 1; stride *= dims[i--]) strides[i] = stride;
  strides[0] = stride;
  strides[1] = 1;
  return strided(type, dims, strides);
}

sluice_cuda_view channels_last(int type, const Dims& dims) {
  return channels_last(type, dims, dims[1]);
}

sluice_cuda_activation none() { return {-1, 0, 0, 1, 0}; }
sluice_cuda_activation plain(sluice_cuda_unary function) { return {function, 0, 0, 1, 0}; }

sluice_cuda_op operator_of(const Convolution& c) {
  sluice_cuda_op op = {};
  op.kind = c.transposed ? SLUICE_CUDA_OP_CONV_TRANSPOSE : SLUICE_CUDA_OP_CONV;
  auto& conv = op.as.conv;
  const std::size_t axes = c.kernel.size();
  conv.window.axes = static_cast<std::int32_t>(axes);
  spread(c.kernel, conv.window.kernel, axes);
  spread(c.stride, conv.window.stride, axes);
  spread(c.dilation, conv.window.dilation, axes);
  spread(c.pad_begin, conv.window.pad_begin, axes);
  spread(c.pad_end, conv.window.pad_end, axes);
  conv.group = c.group;
  conv.has_bias = c.bias;
  conv.has_residual = c.residual;
  conv.activation = c.activation;
  conv.after = c.after;

  Dims weights = c.transposed ? Dims{c.x[1], c.out / c.group} : Dims{c.out, c.x[1] / c.group};
  weights.insert(weights.end(), c.kernel.begin(), c.kernel.end());
  Dims out = {c.x[0], c.out};
  const Dims image = spatial(c, conv.window);
  out.insert(out.end(), image.begin(), image.end());
  op.in[op.inputs++] = channels_last(c.type, c.x);
  op.in[op.inputs++] = channels_last(c.type, weights);
  if (c.bias) op.in[op.inputs++] = dense(c.type, {c.out});
  if (c.residual) op.in[op.inputs++] = channels_last(c.type, out);
  op.outputs = 1;
  op.out[0] = channels_last(c.type, out);
  return op;
}

sluice_cuda_op matmul(int type, std::int64_t batch, std::int64_t m, std::int64_t k,
                      std::int64_t n) {
  sluice_cuda_op op = {};
  op.kind = SLUICE_CUDA_OP_MATMUL;
  op.inputs = 2;
  op.outputs = 1;
  op.in[0] = dense(type, {batch, m, k});
  op.in[1] = dense(type, {batch, k, n});
  op.out[0] = dense(type, {batch, m, n});
  op.as.matmul.alpha = op.as.matmul.beta = 1;
  op.as.matmul.activation = none();
  return op;
}

sluice_cuda_op operator_of(const Attention& a) {
  sluice_cuda_op op = {};
  op.kind = SLUICE_CUDA_OP_ATTENTION;
  const auto heads = [&](std::int64_t sequence) {
    return strided(a.type, {a.batch, a.heads, sequence, a.size},
                   {sequence * a.heads * a.size, a.size, a.heads * a.size, 1});
  };
  op.in[0] = heads(a.queries);
  op.in[1] = op.in[2] = heads(a.keys);
  op.inputs = 3;
  if (a.mask != Attention::Mask::kNone) {
    op.in[op.inputs++] =
        a.mask == Attention::Mask::kFull
            ? dense(a.mask_type, {a.batch, a.heads, a.queries, a.keys})
            : strided(a.mask_type, {a.batch, a.heads, a.queries, a.keys}, {a.keys, 0, 0, 1});
  }
  op.outputs = 1;
  op.out[0] = heads(a.queries);
  op.as.attention.scale = 0.125F;
  return op;
}

}  // namespace sluice::cuda::testing
