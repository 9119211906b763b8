#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/families.h"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

namespace sluice::cuda {
namespace {

constexpr int kMaxChannels = 3;

struct Picture {
  Space space;                 // [N, h, w]
  std::int64_t height, width;  // of the source
  std::int64_t channels, out_channels;
  double scale_y, scale_x;  // source pixels for each of the result
  Operand in, out;
  std::int32_t antialias, reverse_channels;
  float scale[4], shift[4];
};

// Which source positions make one of the result: those from `begin` to `end`, each with the weight
// of a triangle around `centre` whose base is twice `support`.
struct Filter {
  std::int64_t begin, end;
  float centre, support;  // relative to `begin`, of the middle of a pixel

  __device__ __forceinline__ float weight(std::int64_t at) const {
    const float distance = fabsf(static_cast<float>(at - begin) - centre) / support;
    return distance < 1.0f ? 1.0f - distance : 0.0f;
  }
};

// As Pillow's BILINEAR: as wide as the reduction, cut at the edges.
__device__ __forceinline__ Filter wide_filter(std::int64_t index, double scale,
                                              std::int64_t extent) {
  const double support = scale > 1.0 ? scale : 1.0;
  const double centre = (static_cast<double>(index) + 0.5) * scale;
  const auto low = static_cast<std::int64_t>(centre - support + 0.5);
  const auto high = static_cast<std::int64_t>(centre + support + 0.5);
  const std::int64_t begin = low < 0 ? 0 : low;
  return {begin, high < extent ? high : extent,
          static_cast<float>(centre - 0.5 - static_cast<double>(begin)),
          static_cast<float>(support)};
}

// The two pixels around; beyond an edge the one at the edge.
__device__ __forceinline__ Filter narrow_filter(std::int64_t index, double scale,
                                                std::int64_t extent) {
  double centre = (static_cast<double>(index) + 0.5) * scale - 0.5;
  const auto last = static_cast<double>(extent - 1);
  centre = centre < 0.0 ? 0.0 : centre > last ? last : centre;
  const auto begin = static_cast<std::int64_t>(centre);
  return {begin, begin + 2 < extent ? begin + 2 : extent,
          static_cast<float>(centre - static_cast<double>(begin)), 1.0f};
}

__device__ __forceinline__ Filter filter_of(const Picture& picture, std::int64_t index,
                                            double scale, std::int64_t extent) {
  return picture.antialias ? wide_filter(index, scale, extent)
                           : narrow_filter(index, scale, extent);
}

__device__ __forceinline__ void sum_pixels(const Picture& picture, std::int64_t image,
                                           const Filter& rows, const Filter& columns,
                                           float (&sums)[kMaxChannels]) {
  const auto* const pixels = static_cast<const std::uint8_t*>(picture.in.data);
  const std::int64_t* const s = picture.in.strides;
  float total = 0.0f;
  for (std::int64_t y = rows.begin; y < rows.end; ++y) {
    const float row_weight = rows.weight(y);
    for (std::int64_t x = columns.begin; x < columns.end; ++x) {
      const float weight = row_weight * columns.weight(x);
      const std::uint8_t* const pixel = pixels + image * s[0] + y * s[1] + x * s[2];
      total += weight;
#pragma unroll
      for (int c = 0; c < kMaxChannels; ++c) {
        if (c < picture.channels) sums[c] += weight * static_cast<float>(pixel[c * s[3]]);
      }
    }
  }
#pragma unroll
  for (int c = 0; c < kMaxChannels; ++c) sums[c] /= total;
}

// One thread a pixel of the result.
__global__ void image_pixels(const __grid_constant__ Picture picture) {
  const std::int64_t step = std::int64_t{gridDim.x} * blockDim.x;
  for (std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
       i < picture.space.count; i += step) {
    std::int64_t image = i;
    const std::int64_t x = picture.space.take(image, 2);
    const std::int64_t y = picture.space.take(image, 1);
    float sums[kMaxChannels] = {};
    sum_pixels(picture, image, filter_of(picture, y, picture.scale_y, picture.height),
               filter_of(picture, x, picture.scale_x, picture.width), sums);
    const std::int64_t* const s = picture.out.strides;
    const std::int64_t to = image * s[0] + y * s[2] + x * s[3];
    const bool reversed = picture.reverse_channels && picture.channels == kMaxChannels;
#pragma unroll
    for (int c = 0; c < kMaxChannels; ++c) {
      if (c >= picture.channels) continue;
      const float value = reversed ? sums[kMaxChannels - 1 - c] : sums[c];
      store_float(picture.out.type, picture.out.data, to + c * s[1],
                  value * picture.scale[c] + picture.shift[c]);
    }
    for (std::int64_t c = picture.channels; c < picture.out_channels; ++c)
      store_float(picture.out.type, picture.out.data, to + c * s[1], 0.0f);
  }
}

}  // namespace

Made make_image(const sluice_cuda_op& op) {
  const sluice_cuda_view &in = op.in[0], &out = op.out[0];
  if (in.rank != 4 || in.type != SLUICE_CUDA_U8 || out.rank != 4 || !is_small_float(out.type))
    return no_kernel("pictures of other than u8 into f32, f16 and bf16");
  if ((in.dims[3] != 1 && in.dims[3] != kMaxChannels) || out.dims[1] < in.dims[3])
    return no_kernel("pictures of other than one and three channels");
  if (in.dims[1] < 1 || in.dims[2] < 1) return no_kernel("pictures without a pixel");
  const auto& settings = op.as.image;
  Picture picture{};
  picture.space = Space{out.dims[0], out.dims[2], out.dims[3]};
  picture.height = in.dims[1];
  picture.width = in.dims[2];
  picture.channels = in.dims[3];
  picture.out_channels = out.dims[1];
  picture.scale_y = static_cast<double>(in.dims[1]) / static_cast<double>(out.dims[2]);
  picture.scale_x = static_cast<double>(in.dims[2]) / static_cast<double>(out.dims[3]);
  picture.out.type = out.type;
  std::copy(in.strides, in.strides + kMaxRank, picture.in.strides);
  std::copy(out.strides, out.strides + kMaxRank, picture.out.strides);
  picture.antialias = settings.antialias;
  picture.reverse_channels = settings.reverse_channels;
  std::copy(settings.scale, settings.scale + 4, picture.scale);
  std::copy(settings.shift, settings.shift + 4, picture.shift);
  return made("kernel image", [picture, in, out](CUstream_st* stream, const void* const* inputs,
                                                 void* const* outputs) {
    Picture placed = picture;
    placed.in.data = at(inputs[0], in);
    placed.out.data = at(outputs[0], out);
    return launch(image_pixels, Threads::kAlone, grid_for(placed.space.count, 128), stream, placed);
  });
}

}  // namespace sluice::cuda
