#include "tests/cuda/fakes/fake_cublaslt.h"

#include <cublasLt.h>

#include <algorithm>
#include <cmath>
#include <cstring>

namespace sluice::cuda::testing {

FakeCublasLt& fake_cublaslt() {
  static FakeCublasLt library;
  return library;
}

}  // namespace sluice::cuda::testing

using sluice::cuda::testing::fake_cublaslt;

namespace {

// What hides behind the library's descriptors.
struct Description {
  std::int32_t transposes_a = 0, transposes_b = 0, epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const float* bias = nullptr;
};

struct Layout {
  std::int64_t rows, columns, leading;
  std::int32_t batch = 1;
  std::int64_t batch_stride = 0;

  std::int64_t place(std::int64_t i, std::int64_t row, std::int64_t column) const {
    return i * batch_stride + column * leading + row;
  }
};

Description& of(cublasLtMatmulDesc_t description) {
  return *reinterpret_cast<Description*>(description);
}
const Layout& of(cublasLtMatrixLayout_t layout) { return *reinterpret_cast<Layout*>(layout); }

template <class T>
cublasStatus_t take(T& to, const void* from, size_t bytes) {
  if (bytes != sizeof to) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to, from, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

float finished(const Description& description, float value, std::int64_t row) {
  const int epilogue = description.epilogue;
  if ((epilogue & CUBLASLT_EPILOGUE_BIAS) != 0) value += description.bias[row];
  if ((epilogue & CUBLASLT_EPILOGUE_RELU) != 0) return std::max(value, 0.0F);
  if ((epilogue & CUBLASLT_EPILOGUE_GELU) == 0) return value;
  const float inner = 0.7978845608F * (value + 0.044715F * value * value * value);
  return 0.5F * value * (1 + std::tanh(inner));
}

bool fits(const Layout& layout, std::int64_t rows, std::int64_t columns, int batch) {
  return layout.rows == rows && layout.columns == columns && layout.batch == batch &&
         layout.leading >= layout.rows;
}

}  // namespace

extern "C" {

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* description, cublasComputeType_t,
                                        cudaDataType_t) {
  *description = reinterpret_cast<cublasLtMatmulDesc_t>(new Description);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t description) {
  delete &of(description);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t description,
                                              cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA:
      return take(of(description).transposes_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB:
      return take(of(description).transposes_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE:
      return take(of(description).epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
      return take(of(description).bias, value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type,
                                          std::uint64_t rows, std::uint64_t columns,
                                          std::int64_t leading) {
  if (type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  *layout = reinterpret_cast<cublasLtMatrixLayout_t>(
      new Layout{static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns), leading});
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  delete &of(layout);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                cublasLtMatrixLayoutAttribute_t attribute,
                                                const void* value, size_t bytes) {
  auto& to = const_cast<Layout&>(of(layout));
  switch (attribute) {
    case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
      return take(to.batch, value, bytes);
    case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
      return take(to.batch_stride, value, bytes);
    default:
      return CUBLAS_STATUS_INVALID_VALUE;
  }
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  fake_cublaslt().least_alignment = 256;
  *preference = reinterpret_cast<cublasLtMatmulPreference_t>(new char);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  delete reinterpret_cast<char*>(preference);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t,
                                                    cublasLtMatmulPreferenceAttributes_t attribute,
                                                    const void* value, size_t bytes) {
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) {
    return take(fake_cublaslt().workspace_bytes, value, bytes);
  }
  std::uint32_t alignment = 0;
  const cublasStatus_t status = take(alignment, value, bytes);
  fake_cublaslt().least_alignment = std::min(fake_cublaslt().least_alignment, alignment);
  return status;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                              cublasLtMatmulPreference_t, int most,
                                              cublasLtMatmulHeuristicResult_t results[],
                                              int* count) {
  *count = std::min(most, fake_cublaslt().ways);
  for (int i = 0; i < *count; ++i) {
    results[i] = {};
    results[i].algo.data[0] = static_cast<std::uint64_t>(i) + 0xabc0;
    results[i].state = CUBLAS_STATUS_SUCCESS;
  }
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoCheck(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                       const cublasLtMatmulAlgo_t* algorithm,
                                       cublasLtMatmulHeuristicResult_t* result) {
  // Those of a higher number want a workspace that no lane has.
  result->workspaceSize = algorithm->data[0] >= 0xabd0 ? std::size_t{1} << 40 : 0;
  return algorithm->data[0] >= 0xabc0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t description, const void* alpha,
                              const void* a, cublasLtMatrixLayout_t a_layout, const void* b,
                              cublasLtMatrixLayout_t b_layout, const void* beta, const void* c,
                              cublasLtMatrixLayout_t c_layout, void* d,
                              cublasLtMatrixLayout_t d_layout,
                              const cublasLtMatmulAlgo_t* algorithm, void*, size_t, cudaStream_t) {
  fake_cublaslt().algorithm = algorithm->data[0];
  const Description& how = of(description);
  const Layout &la = of(a_layout), &lb = of(b_layout), &lc = of(c_layout), &ld = of(d_layout);
  const std::int64_t inner = how.transposes_a ? la.rows : la.columns;
  const bool all_fit =
      fits(la, how.transposes_a ? inner : ld.rows, how.transposes_a ? ld.rows : inner, ld.batch) &&
      fits(lb, how.transposes_b ? ld.columns : inner, how.transposes_b ? inner : ld.columns,
           ld.batch) &&
      fits(lc, ld.rows, ld.columns, ld.batch) && ld.leading >= ld.rows;
  if (!all_fit) return CUBLAS_STATUS_INVALID_VALUE;
  const float times = *static_cast<const float*>(alpha), plus = *static_cast<const float*>(beta);
  for (int i = 0; i < ld.batch; ++i) {
    for (std::int64_t column = 0; column < ld.columns; ++column) {
      for (std::int64_t row = 0; row < ld.rows; ++row) {
        float sum = 0;
        for (std::int64_t k = 0; k < inner; ++k) {
          sum += static_cast<const float*>(
                     a)[how.transposes_a ? la.place(i, k, row) : la.place(i, row, k)] *
                 static_cast<const float*>(
                     b)[how.transposes_b ? lb.place(i, column, k) : lb.place(i, k, column)];
        }
        sum *= times;
        if (plus != 0) sum += plus * static_cast<const float*>(c)[lc.place(i, row, column)];
        static_cast<float*>(d)[ld.place(i, row, column)] = finished(how, sum, row);
      }
    }
  }
  return CUBLAS_STATUS_SUCCESS;
}
}
