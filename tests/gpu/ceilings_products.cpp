#include "tests/gpu/ceilings_products.h"

#include "tests/gpu/support/raw_cuda.h"
#include "tests/gpu/support/report.h"

#include <cstdint>

namespace sluice::gpu_suite {
namespace {

struct ProductType {
  const char* name;
  cudaDataType_t type;
  cublasComputeType_t compute;
  std::size_t bytes;
};

// Numbers that differ: zeros need less power, and so go faster than any real ones.
void fill(void* memory, std::size_t elements, const ProductType& type) {
  std::vector<std::uint8_t> bytes(elements * type.bytes);
  std::uint32_t seed = 1;
  for (std::size_t i = 0; i < elements; ++i) {
    seed = seed * 1664525 + 1013904223;
    // Of magnitude 0.5 to 1, of either sign: the exponent is set, all else is random.
    const std::uint32_t sign = seed & 0x80000000U, mantissa = seed >> 8 & 0x7FFFFFU;
    const std::uint32_t f32 = sign | 0x3F000000U | mantissa;
    const std::uint32_t f16 = sign >> 16 | 0x3800U | mantissa >> 13;
    const std::uint32_t word = type.type == CUDA_R_32F   ? f32
                               : type.type == CUDA_R_16F ? f16
                                                         : f32 >> 16;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&word), type.bytes,
                bytes.data() + i * type.bytes);
  }
  check(cudaMemcpy(memory, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
}

// Of square matrices, in TFLOP/s, with the algorithm that cublasLt would take first.
double product_tflops(const ProductType& type, std::uint64_t n, int rounds) {
  Timer timer;
  const DeviceMemory a(n * n * type.bytes), b(n * n * type.bytes), c(n * n * type.bytes);
  constexpr std::size_t kWorkspace = std::size_t{64} << 20;
  const DeviceMemory workspace(kWorkspace);
  fill(a.get(), n * n, type);
  fill(b.get(), n * n, type);
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtCreate(&handle), "cublasLtCreate");
  check(cublasLtMatmulDescCreate(&product, type.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
  const cublasOperation_t transposed = CUBLAS_OP_T;
  check(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                       sizeof(transposed)),
        "cublasLtMatmulDescSetAttribute");
  check(cublasLtMatrixLayoutCreate(&layout, type.type, n, n, static_cast<std::int64_t>(n)),
        "cublasLtMatrixLayoutCreate");
  check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &kWorkspace, sizeof(kWorkspace)),
        "cublasLtMatmulPreferenceSetAttribute");
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  check(cublasLtMatmulAlgoGetHeuristic(handle, product, layout, layout, layout, layout, preference,
                                       1, &found, &count),
        "cublasLtMatmulAlgoGetHeuristic");
  if (count == 0) throw std::runtime_error("cublasLt has no algorithm");
  const float one = 1, zero = 0;
  const double seconds = timer.seconds(rounds, 5, [&] {
    check(cublasLtMatmul(handle, product, &one, a.get(), layout, b.get(), layout, &zero, c.get(),
                         layout, c.get(), layout, &found.algo, workspace.get(), kWorkspace,
                         timer.stream()),
          "cublasLtMatmul");
  });
  cublasLtMatmulPreferenceDestroy(preference);
  cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulDescDestroy(product);
  cublasLtDestroy(handle);
  const auto size = static_cast<double>(n);
  return 2 * size * size * size / seconds / 1e12;
}

}  // namespace

void measure_products(bool is_quick) {
  const ProductType types[] = {{"fp16", CUDA_R_16F, CUBLAS_COMPUTE_32F, 2},
                               {"bf16", CUDA_R_16BF, CUBLAS_COMPUTE_32F, 2},
                               {"tf32", CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, 4},
                               {"fp32", CUDA_R_32F, CUBLAS_COMPUTE_32F, 4}};
  for (const ProductType& type : types) {
    const std::string name = std::string("m1.product.") + type.name;
    try {
      report(name, product_tflops(type, 8192, is_quick ? 3 : 10), "TFLOP/s");
    } catch (const std::exception& problem) {
      unmeasured(name, problem.what());
    }
  }
}

}  // namespace sluice::gpu_suite
