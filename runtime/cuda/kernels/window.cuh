#pragma once

#include "sluice/runtime/cuda/kernels/element.cuh"
#include "sluice/runtime/cuda/kernels/space.h"

#include <algorithm>

// What slides over images: convolutions and pools. Images of one and two spatial axes become such
// of three, of which the first have an extent of 1.
namespace sluice::cuda {

constexpr int kAxes = 3;

// [N, C, spatial]
struct Image {
  void* data = nullptr;
  std::int32_t type = 0;
  std::int64_t n = 0, c = 0;  // strides
  std::int64_t strides[kAxes] = {};
  std::int64_t dims[kAxes] = {1, 1, 1};

  Image() = default;
  explicit Image(const sluice_cuda_view& view)
      : type(view.type), n(view.strides[0]), c(view.strides[1]) {
    const int axes = view.rank - 2;
    for (int axis = 0; axis < axes; ++axis) {
      dims[kAxes - axes + axis] = view.dims[2 + axis];
      strides[kAxes - axes + axis] = view.strides[2 + axis];
    }
  }
  __device__ __forceinline__ std::int64_t offset(std::int64_t image, std::int64_t channel,
                                                 const std::int64_t (&place)[kAxes]) const {
    return image * n + channel * c + place[0] * strides[0] + place[1] * strides[1] +
           place[2] * strides[2];
  }
};

struct Window {
  std::int64_t kernel[kAxes] = {1, 1, 1}, stride[kAxes] = {1, 1, 1};
  std::int64_t dilation[kAxes] = {1, 1, 1}, pad[kAxes] = {}, pad_end[kAxes] = {};

  Window() = default;
  explicit Window(const sluice_cuda_window& window) {
    for (int axis = 0; axis < window.axes; ++axis) {
      const int to = kAxes - window.axes + axis;
      kernel[to] = window.kernel[axis];
      stride[to] = window.stride[axis];
      dilation[to] = window.dilation[axis];
      pad[to] = window.pad_begin[axis];
      pad_end[to] = window.pad_end[axis];
    }
  }
};

inline bool has_images(const sluice_cuda_view& view, const sluice_cuda_window& window) {
  return window.axes >= 1 && window.axes <= kAxes && view.rank == window.axes + 2;
}

// The elements of an image in the order in which they lie.
struct Places {
  Space space;
  std::int32_t channels_last = 0;

  Places() = default;
  Places(const sluice_cuda_view& view, const Image& image) {
    const std::int64_t* const d = image.dims;
    channels_last = image.c == 1 && view.dims[1] > 1 ? 1 : 0;
    space = channels_last ? Space{view.dims[0], d[0], d[1], d[2], view.dims[1]}
                          : Space{view.dims[0], view.dims[1], d[0], d[1], d[2]};
  }
  __device__ __forceinline__ void split(std::int64_t position, std::int64_t& image,
                                        std::int64_t& channel, std::int64_t (&place)[kAxes]) const {
    if (channels_last) channel = space.take(position, 4);
    const int last = channels_last ? 3 : 4;
    place[2] = space.take(position, last);
    place[1] = space.take(position, last - 1);
    place[0] = space.take(position, last - 2);
    if (!channels_last) channel = space.take(position, 1);
    image = position;
  }
};

// The taps of the window, along one axis, that lie within the image; tap 0 is at `origin`.
struct Range {
  std::int64_t origin, begin, end;
};

__device__ __forceinline__ Range inside(const Window& window, const Image& x, int axis,
                                        std::int64_t place) {
  const std::int64_t origin = place * window.stride[axis] - window.pad[axis];
  const std::int64_t dilation = window.dilation[axis];
  const std::int64_t begin = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  const std::int64_t room = x.dims[axis] - origin;
  const std::int64_t end = room <= 0 ? 0 : (room + dilation - 1) / dilation;
  return {origin, begin, end < window.kernel[axis] ? end : window.kernel[axis]};
}

// Whether eight channels of every place are one or two vectors. REQUIRES: the channels lie
// together.
inline bool is_packed(const Image& image) {
  const std::int64_t strides[] = {image.n, image.c, image.strides[0], image.strides[1],
                                  image.strides[2]};
  return is_aligned(image.data, bytes_of(image.type), strides, 5, 1, kPack);
}

}  // namespace sluice::cuda
