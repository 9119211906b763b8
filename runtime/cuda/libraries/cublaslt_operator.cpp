#include "sluice/runtime/cuda/libraries/cublaslt_operator.h"

#include "sluice/runtime/cuda/view.h"

#include <cublasLt.h>

#include <algorithm>
#include <cstdlib>
#include <iomanip>
#include <sstream>
#include <vector>

namespace sluice::cuda {
namespace {

constexpr std::string_view kLibrary = "cublaslt ";
constexpr int kMostWays = 16;
// What pointers of a run are multiples of, as far as their views' offsets are.
constexpr std::uint32_t kAlignment = 16;

template <auto destroy>
struct Destroyer {
  template <class T>
  void operator()(T* handle) const {
    destroy(handle);
  }
};
using Description =
    std::unique_ptr<cublasLtMatmulDescOpaque_t, Destroyer<cublasLtMatmulDescDestroy>>;
using Layout =
    std::unique_ptr<cublasLtMatrixLayoutOpaque_t, Destroyer<cublasLtMatrixLayoutDestroy>>;
using Preference =
    std::unique_ptr<cublasLtMatmulPreferenceOpaque_t, Destroyer<cublasLtMatmulPreferenceDestroy>>;

Outcome outcome_of(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return Outcome::ok();
  std::string message = std::string(call) + ": " + cublasLtGetStatusString(status);
  const bool unsupported =
      status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH;
  return unsupported ? Outcome::unsupported(std::move(message))
                     : Outcome::failed(std::move(message));
}

cudaDataType_t type_of(std::int32_t type) {
  return type == SLUICE_CUDA_F16 ? CUDA_R_16F : type == SLUICE_CUDA_BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

std::uint32_t alignment_of(const sluice_cuda_view& view) {
  const auto offset = static_cast<std::uint64_t>(offset_bytes(view));
  return offset % kAlignment == 0 ? kAlignment : static_cast<std::uint32_t>(offset & (~offset + 1));
}

cublasLtEpilogue_t epilogue_of(const Product& product) {
  const bool has_bias = product.bias != kNoOperand;
  switch (product.epilogue) {
    case Epilogue::kRelu:
      return has_bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
    case Epilogue::kGelu:
      return has_bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
    default:
      return has_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  }
}

// Sets attributes until one cannot be set.
class Setter {
 public:
  template <class Attribute, class Value>
  void set(cublasLtMatmulDescOpaque_t* description, Attribute attribute, Value value) {
    keep(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value),
         "cublasLtMatmulDescSetAttribute");
  }
  template <class Attribute, class Value>
  void set(cublasLtMatrixLayoutOpaque_t* layout, Attribute attribute, Value value) {
    keep(cublasLtMatrixLayoutSetAttribute(layout, attribute, &value, sizeof value),
         "cublasLtMatrixLayoutSetAttribute");
  }
  template <class Attribute, class Value>
  void set(cublasLtMatmulPreferenceOpaque_t* preference, Attribute attribute, Value value) {
    keep(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value),
         "cublasLtMatmulPreferenceSetAttribute");
  }
  void keep(cublasStatus_t status, const char* call) {
    if (outcome.is_ok()) outcome = outcome_of(status, call);
  }

  Outcome outcome;
};

class ProductOperator final : public LibraryOperator {
 public:
  ProductOperator(const LaneResources& lane, const sluice_cuda_op& op, Product product)
      : lane_(lane), op_(op), product_(std::move(product)) {}

  // Describes the product to the library and asks what computes it.
  Outcome open();

  const char* name() const override { return "cublaslt product"; }
  std::size_t ways() const override { return lane_.can_run() ? found_.size() : 1; }
  Outcome select(std::size_t way) override {
    if (lane_.can_run()) chosen_ = found_[way];
    return Outcome::ok();
  }
  std::string way() const override;
  Outcome select(const std::string& way) override;
  Outcome run(CUstream_st* stream, const void* const* inputs, void* const* outputs) override;

 private:
  Layout layout_of(const BlasMatrix& matrix, Setter& setter) const;
  Outcome describe();
  Outcome ask();

  const LaneResources& lane_;
  const sluice_cuda_op op_;  // whose operands a run has
  const Product product_;
  Description description_;
  Layout a_, b_, c_, d_;
  std::vector<cublasLtMatmulHeuristicResult_t> found_;
  cublasLtMatmulHeuristicResult_t chosen_ = {};
};

Outcome ProductOperator::open() {
  if (!lane_.can_run()) return Outcome::ok();
  if (Outcome outcome = describe(); !outcome.is_ok()) return outcome;
  return ask();
}

Layout ProductOperator::layout_of(const BlasMatrix& matrix, Setter& setter) const {
  cublasLtMatrixLayout_t layout = nullptr;
  setter.keep(cublasLtMatrixLayoutCreate(
                  &layout, type_of(op_.out[0].type), static_cast<std::uint64_t>(matrix.rows),
                  static_cast<std::uint64_t>(matrix.columns), matrix.leading),
              "cublasLtMatrixLayoutCreate");
  if (layout != nullptr && product_.layout.batch > 1) {
    setter.set(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT,
               static_cast<std::int32_t>(product_.layout.batch));
    setter.set(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, matrix.batch_stride);
  }
  return Layout(layout);
}

Outcome ProductOperator::describe() {
  const bool is_f32 = op_.out[0].type == SLUICE_CUDA_F32;
  Setter setter;
  cublasLtMatmulDesc_t description = nullptr;
  setter.keep(
      cublasLtMatmulDescCreate(
          &description,
          is_f32 && lane_.cudnn.allow_tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
          CUDA_R_32F),
      "cublasLtMatmulDescCreate");
  if (description == nullptr) return setter.outcome;
  description_.reset(description);
  const auto operation = [](const BlasMatrix& matrix) {
    return matrix.transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
  };
  const MatmulLayout& layout = product_.layout;
  setter.set(description, CUBLASLT_MATMUL_DESC_TRANSA, operation(layout.a));
  setter.set(description, CUBLASLT_MATMUL_DESC_TRANSB, operation(layout.b));
  setter.set(description, CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue_of(product_));
  if (product_.bias != kNoOperand) {
    // Nobody reads there: the heuristics look at how far a bias is aligned.
    setter.set(description, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
               reinterpret_cast<const void*>(std::uintptr_t{kAlignment}));
  }
  a_ = layout_of(layout.a, setter);
  b_ = layout_of(layout.b, setter);
  c_ = layout_of(layout.c, setter);
  d_ = layout_of(layout.d, setter);
  return setter.outcome;
}

Outcome ProductOperator::ask() {
  Setter setter;
  cublasLtMatmulPreference_t raw = nullptr;
  setter.keep(cublasLtMatmulPreferenceCreate(&raw), "cublasLtMatmulPreferenceCreate");
  if (raw == nullptr) return setter.outcome;
  const Preference preference(raw);
  const sluice_cuda_op& matmul = product_.matmul;
  const bool is_swapped = product_.layout.is_swapped;
  setter.set(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, lane_.cudnn.workspace_bytes);
  setter.set(raw, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES,
             alignment_of(matmul.in[is_swapped ? 1 : 0]));
  setter.set(raw, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES,
             alignment_of(matmul.in[is_swapped ? 0 : 1]));
  setter.set(raw, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
             alignment_of(product_.c == kNoOperand ? matmul.out[0] : matmul.in[2]));
  setter.set(raw, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, alignment_of(matmul.out[0]));
  if (!setter.outcome.is_ok()) return setter.outcome;
  found_.resize(kMostWays);
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(lane_.cublaslt, description_.get(), a_.get(), b_.get(),
                                     c_.get(), d_.get(), raw, kMostWays, found_.data(), &count);
  found_.resize(static_cast<std::size_t>(count));
  std::erase_if(found_, [](const auto& result) { return result.state != CUBLAS_STATUS_SUCCESS; });
  if (status == CUBLAS_STATUS_SUCCESS && found_.empty()) {
    return Outcome::unsupported("cublasLtMatmulAlgoGetHeuristic: nothing computes this product");
  }
  return outcome_of(status, "cublasLtMatmulAlgoGetHeuristic");
}

// The library promises that an algorithm may be kept as its bytes for one version of it.
std::string ProductOperator::way() const {
  std::ostringstream text;
  text << kLibrary << std::hex << std::setfill('0');
  for (const std::uint64_t word : chosen_.algo.data) text << std::setw(16) << word;
  return text.str();
}

Outcome ProductOperator::select(const std::string& way) {
  constexpr std::size_t kDigits = 16;
  cublasLtMatmulHeuristicResult_t known = {};
  const bool is_ours = way.starts_with(kLibrary) &&
                       way.size() == kLibrary.size() + kDigits * std::size(known.algo.data);
  if (!is_ours || way.find_first_not_of("0123456789abcdef", kLibrary.size()) != std::string::npos) {
    return Outcome::unsupported("'" + way + "' is not cublasLt's");
  }
  for (std::size_t i = 0; i < std::size(known.algo.data); ++i) {
    known.algo.data[i] =
        std::strtoull(way.substr(kLibrary.size() + i * kDigits, kDigits).c_str(), nullptr, 16);
  }
  cublasLtMatmulHeuristicResult_t checked = {};
  const cublasStatus_t status =
      cublasLtMatmulAlgoCheck(lane_.cublaslt, description_.get(), a_.get(), b_.get(), c_.get(),
                              d_.get(), &known.algo, &checked);
  if (status != CUBLAS_STATUS_SUCCESS || checked.workspaceSize > lane_.cudnn.workspace_bytes) {
    return Outcome::unsupported("cublasLt does not know '" + way + "' for this product");
  }
  known.workspaceSize = checked.workspaceSize;
  chosen_ = known;
  return Outcome::ok();
}

Outcome ProductOperator::run(CUstream_st* stream, const void* const* inputs, void* const* outputs) {
  const sluice_cuda_op& matmul = product_.matmul;
  const auto input = [&](const sluice_cuda_view& view, int place) {
    return static_cast<const std::byte*>(inputs[place]) + offset_bytes(view);
  };
  const void* a = input(matmul.in[0], product_.a);
  const void* b = input(matmul.in[1], product_.b);
  if (product_.layout.is_swapped) std::swap(a, b);
  void* d = start_of(matmul.out[0], outputs[0]);
  const bool has_c = product_.c != kNoOperand;
  const void* c = has_c ? input(matmul.in[2], product_.c) : d;
  if (product_.bias != kNoOperand) {
    Setter setter;
    setter.set(description_.get(), CUBLASLT_MATMUL_DESC_BIAS_POINTER,
               static_cast<const void*>(input(product_.bias_view, product_.bias)));
    if (!setter.outcome.is_ok()) return setter.outcome;
  }
  const float alpha = matmul.as.matmul.alpha;
  const float beta = has_c ? matmul.as.matmul.beta : 0;
  return outcome_of(cublasLtMatmul(lane_.cublaslt, description_.get(), &alpha, a, a_.get(), b,
                                   b_.get(), &beta, c, c_.get(), d, d_.get(), &chosen_.algo,
                                   lane_.workspace, chosen_.workspaceSize, stream),
                    "cublasLtMatmul");
}

}  // namespace

MadeLibraryOperator make_product(const LaneResources& lane, const sluice_cuda_op& op,
                                 Product product) {
  if (!product.outcome.is_ok()) return {std::move(product.outcome), nullptr};
  const Tail tail = product.tail;
  auto made = std::make_unique<ProductOperator>(lane, op, std::move(product));
  if (Outcome outcome = made->open(); !outcome.is_ok()) return {std::move(outcome), nullptr};
  return with_tail(std::move(made), tail);
}

}  // namespace sluice::cuda
