#include "sluice/nodes/infer/native/kernels/conv_plan.h"
#include "sluice/nodes/infer/native/kernels/cpu.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"

#include <cblas.h>

#include <algorithm>

namespace sluice::kernels {
namespace {

// Output columns (pixels) unfolded at a time: half a MB of them.
std::int64_t chunk_columns(const ConvPlan& plan, std::int64_t columns) {
  constexpr std::int64_t kFloats = 128 * 1024;
  return std::min(columns, std::max<std::int64_t>(16, kFloats / plan.depth()));
}

// [depth][count]: the input under output pixels first .. first + count - 1.
void unfold(const ConvPlan& plan, const ConvImage& image, const float* input, std::int64_t first,
            std::int64_t count, float* unfolded) {
  const ConvParams& p = plan.params;
  for (std::int64_t k = 0; k < plan.depth(); ++k) {
    const float* plane = input + k / plan.window() * image.height * image.width;
    const std::int64_t down = k % plan.window() / p.kernel_w * p.dilation_h - p.pad_top;
    const std::int64_t right = k % p.kernel_w * p.dilation_w - p.pad_left;
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t y = (first + i) / image.out_width * p.stride_h + down;
      const std::int64_t x = (first + i) % image.out_width * p.stride_w + right;
      const bool inside = y >= 0 && y < image.height && x >= 0 && x < image.width;
      *unfolded++ = inside ? plane[y * image.width + x] : 0.0f;
    }
  }
}

}  // namespace

std::size_t conv_portable_scratch(const ConvPlan& plan, std::int64_t height, std::int64_t width) {
  const std::int64_t columns = plan.params.out_height(height) * plan.params.out_width(width);
  return static_cast<std::size_t>(chunk_columns(plan, columns) *
                                  (plan.depth() + plan.group_outputs())) *
         sizeof(float);
}

void conv_portable(const ConvPlan& plan, const ConvImage& image) {
  init_blas();
  const std::int64_t out_area = image.out_height * image.out_width;
  const std::int64_t chunk = chunk_columns(plan, out_area);
  float* unfolded = reinterpret_cast<float*>(image.scratch);
  float* product = unfolded + chunk * plan.depth();  // beside the output, which may be the residual
  const auto rows = plan.group_outputs();
  for (std::int64_t group = 0; group < plan.params.groups; ++group) {
    const float* input = image.input + group * plan.group_inputs() * image.height * image.width;
    const float* weights = plan.weights.data() + group * rows * plan.depth();
    for (std::int64_t first = 0; first < out_area; first += chunk) {
      const std::int64_t count = std::min(chunk, out_area - first);
      unfold(plan, image, input, first, count, unfolded);
      for (std::int64_t r = 0; r < rows; ++r) {
        std::fill_n(product + r * count, count, plan.bias.data()[group * rows + r]);
      }
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, static_cast<int>(rows),
                  static_cast<int>(count), static_cast<int>(plan.depth()), 1.0f, weights,
                  static_cast<int>(plan.depth()), unfolded, static_cast<int>(count), 1.0f, product,
                  static_cast<int>(count));
      apply(plan.epilogue.activation, rows * count, product, product);
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::int64_t at = (group * rows + r) * out_area + first;
        float* values = product + r * count;
        if (image.residual != nullptr) {
          for (std::int64_t i = 0; i < count; ++i) values[i] += image.residual[at + i];
          apply(plan.epilogue.after, count, values, values);
        }
        std::copy_n(values, count, image.output + at);
      }
    }
  }
}

}  // namespace sluice::kernels
