#include "sluice/nodes/infer/native/kernels/simd/kernels.h"
#include "sluice/nodes/infer/native/kernels/simd/math.h"

namespace sluice::kernels::SLUICE_SIMD {
namespace {

template <ActivationKind kKind>
SLUICE_TARGET void activate_all(const Activation& activation, std::int64_t count, float* x) {
  const Vec alpha = all(activation.alpha), beta = all(activation.beta);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    store(x + i, activate<kKind>(load(x + i), alpha, beta));
  }
  if (i == count) return;
  const Mask mask = row_lanes(count - i, 0);
  store(x + i, mask, activate<kKind>(load(x + i, mask), alpha, beta));
}

SLUICE_TARGET void scale_all(const Activation& activation, std::int64_t count, float* x) {
  const Vec scale = all(activation.scale), shift = all(activation.shift);
  for (std::int64_t i = 0; i < count; i += kLanes) {
    const Mask mask = row_lanes(count - i, 0);
    store(x + i, mask, fma(load(x + i, mask), scale, shift));
  }
}

void apply_kind(const Activation& activation, std::int64_t count, float* x) {
  switch (activation.kind) {
    case ActivationKind::kNone:
      return;
    case ActivationKind::kRelu:
      return activate_all<ActivationKind::kRelu>(activation, count, x);
    case ActivationKind::kClip:
      return activate_all<ActivationKind::kClip>(activation, count, x);
    case ActivationKind::kLeakyRelu:
      return activate_all<ActivationKind::kLeakyRelu>(activation, count, x);
    case ActivationKind::kSigmoid:
      return activate_all<ActivationKind::kSigmoid>(activation, count, x);
    case ActivationKind::kSilu:
      return activate_all<ActivationKind::kSilu>(activation, count, x);
    case ActivationKind::kHardSigmoid:
      return activate_all<ActivationKind::kHardSigmoid>(activation, count, x);
    case ActivationKind::kHardSwish:
      return activate_all<ActivationKind::kHardSwish>(activation, count, x);
    case ActivationKind::kGelu:
      return activate_all<ActivationKind::kGelu>(activation, count, x);
    case ActivationKind::kTanh:
      return activate_all<ActivationKind::kTanh>(activation, count, x);
  }
}

}  // namespace

void activate(const Activation& activation, std::int64_t count, float* x) {
  apply_kind(activation, count, x);
  if (activation.is_scaled()) scale_all(activation, count, x);
}

}  // namespace sluice::kernels::SLUICE_SIMD
