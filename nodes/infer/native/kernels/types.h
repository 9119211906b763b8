#pragma once

#include <cstdint>
#include <span>

// Vocabulary shared by the CPU kernels. All of them are plain functions over row-major, contiguous
// arrays: they allocate nothing while they run, keep no state, start no thread, and report nothing.
// What a kernel REQUIRES was checked when the model was loaded; asserts repeat it in debug builds.
// Threads: every kernel is thread-safe for distinct outputs and scratch.
// Alignment: natural for the element type; scratch 64 bytes.
namespace sluice::kernels {

// Extents, outermost first. Kernels take up to kMaxRank of them.
using Dims = std::span<const std::int64_t>;
inline constexpr std::size_t kMaxRank = 8;

// Product of the extents; 1 for none.
inline std::int64_t element_count(Dims dims) {
  std::int64_t count = 1;
  for (std::int64_t dim : dims) count *= dim;
  return count;
}

enum class ActivationKind : std::uint8_t {
  kNone,
  kRelu,
  kClip,         // min(max(x, alpha), beta)
  kLeakyRelu,    // x < 0 ? alpha * x : x
  kSigmoid,      // 1 / (1 + exp(-x))
  kSilu,         // x * sigmoid(x), also called swish
  kHardSigmoid,  // clip(alpha * x + beta, 0, 1)
  kHardSwish,    // x * clip(x / 6 + 1 / 2, 0, 1)
  kGelu,         // x / 2 * (1 + erf(x / sqrt 2)), the exact form
  kTanh,
};

// A function of one value that a kernel may apply to its result before it is stored:
// y = scale * f(x) + shift.
struct Activation {
  ActivationKind kind = ActivationKind::kNone;
  float alpha = 0.0f;
  float beta = 0.0f;
  float scale = 1.0f;
  float shift = 0.0f;

  bool is_scaled() const { return scale != 1.0f || shift != 0.0f; }
};

}  // namespace sluice::kernels
