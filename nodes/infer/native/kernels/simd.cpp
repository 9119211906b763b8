#include "sluice/nodes/infer/native/kernels/simd.h"

#include "sluice/nodes/infer/native/kernels/target.h"

#include <bit>

namespace sluice::kernels {

std::uint16_t to_bf16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if (x != x) return static_cast<std::uint16_t>(bits >> 16 | 0x40u);  // a quiet NaN
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

#if SLUICE_HAVE_AVX2
namespace avx2 {
extern const SimdKernels kKernels;
}
namespace avx512 {
extern const SimdKernels kKernels;
}
namespace avx512_bf16 {
extern const SimdKernels kKernels;
}

const SimdKernels* simd_kernels(Isa isa) {
  switch (isa) {
    case Isa::kAvx512Bf16:
      return &avx512_bf16::kKernels;
    case Isa::kAvx512:
      return &avx512::kKernels;
    case Isa::kAvx2:
      return &avx2::kKernels;
    case Isa::kPortable:
      break;
  }
  return nullptr;
}
#else
const SimdKernels* simd_kernels(Isa) { return nullptr; }
#endif

}  // namespace sluice::kernels
