// Prints how many GFLOP/s one core does in fused multiply-adds in fp32, its widest, with all
// operands in registers: what an inference engine on this machine can reach at most. A multiply-add
// is two.
//   fma_peak
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <numeric>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace {

// Enough chains of their own that no multiply-add waits for the one before it.
constexpr int kChains = 12;
constexpr int kSteps = 100'000;
constexpr int kRepeats = 12;

// A loop of kSteps multiply-adds on each of the chains.
struct Loop {
  float (*run)(float factor, float addend);
  int lanes;  // floats a multiply-add works on
};

#if defined(__x86_64__)
__attribute__((target("avx512f"))) float run_avx512(float factor, float addend) {
  __m512 sums[kChains];
  for (__m512& sum : sums) sum = _mm512_set1_ps(1);
  const __m512 by = _mm512_set1_ps(factor), plus = _mm512_set1_ps(addend);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m512& sum : sums) sum = _mm512_fmadd_ps(sum, by, plus);
  }
  float lanes[kChains * 16];
  for (int i = 0; i < kChains; ++i) _mm512_storeu_ps(lanes + i * 16, sums[i]);
  return std::accumulate(std::begin(lanes), std::end(lanes), 0.0F);
}

__attribute__((target("avx2,fma"))) float run_avx2(float factor, float addend) {
  __m256 sums[kChains];
  for (__m256& sum : sums) sum = _mm256_set1_ps(1);
  const __m256 by = _mm256_set1_ps(factor), plus = _mm256_set1_ps(addend);
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (__m256& sum : sums) sum = _mm256_fmadd_ps(sum, by, plus);
  }
  float lanes[kChains * 8];
  for (int i = 0; i < kChains; ++i) _mm256_storeu_ps(lanes + i * 8, sums[i]);
  return std::accumulate(std::begin(lanes), std::end(lanes), 0.0F);
}
#endif

// Four floats, which is what NEON and SSE have.
using Vector = float __attribute__((vector_size(16)));

float run_portable(float factor, float addend) {
  Vector sums[kChains];
  for (Vector& sum : sums) sum = Vector{1, 1, 1, 1};
  const Vector by{factor, factor, factor, factor}, plus{addend, addend, addend, addend};
  for (int step = 0; step < kSteps; ++step) {
#pragma GCC unroll 12
    for (Vector& sum : sums) sum = sum * by + plus;
  }
  float total = 0;
  for (const Vector& sum : sums) total += sum[0] + sum[1] + sum[2] + sum[3];
  return total;
}

Loop widest_loop() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {run_avx512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {run_avx2, 8};
#endif
  return {run_portable, 4};
}

}  // namespace

int main() {
  const Loop loop = widest_loop();
  // Read at run time, so that nothing is computed by the compiler.
  volatile float factor = 0.5F, addend = 0.25F, result = 0;
  double best_s = 1e9;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    result = loop.run(factor, addend);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
    best_s = std::min(best_s, elapsed.count());
  }
  static_cast<void>(result);
  std::printf("%.2f\n", 2.0 * kChains * kSteps * loop.lanes / best_s * 1e-9);
}
