#include "tests/nodes/infer/backends/onnx_cases.h"

#include "sluice/nodes/infer/graph/onnx_proto.h"
#include "sluice/nodes/infer/graph/tensor_data.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

template <class T>
bool all_near(const Tensor& a, const Tensor& b) {
  const std::span<T> x = a.span<T>();
  const std::span<T> y = b.span<T>();
  return std::equal(x.begin(), x.end(), y.begin(), [](T got, T expected) {
    if (std::isnan(expected)) return std::isnan(got);
    if (std::isinf(expected)) return got == expected;
    return std::abs(got - expected) <= 1e-5 + 1e-3 * std::abs(expected);
  });
}

bool is_nan_bf16(std::int16_t bits) { return (bits & 0x7FFF) > 0x7F80; }

// The cases cut f32 to bf16 where we, like the processors, round to the nearest: one step apart.
bool all_adjacent(const Tensor& a, const Tensor& b) {
  const auto* x = reinterpret_cast<const std::int16_t*>(a.raw());
  const auto* y = reinterpret_cast<const std::int16_t*>(b.raw());
  return std::equal(x, x + a.elements(), y, [](std::int16_t got, std::int16_t expected) {
    if (is_nan_bf16(expected)) return is_nan_bf16(got);
    return std::abs(got - expected) <= 1;
  });
}

std::string difference(const Tensor& got, const Tensor& expected) {
  if (got.dtype() != expected.dtype()) {
    return "element type " + std::string(to_string(got.dtype())) + " instead of " +
           std::string(to_string(expected.dtype()));
  }
  if (got.shape() != expected.shape()) {
    return "shape " + got.shape().to_string() + " instead of " + expected.shape().to_string();
  }
  if (got.elements() == 0) return {};
  const bool equal = got.dtype() == DType::kF32   ? all_near<float>(got, expected)
                     : got.dtype() == DType::kF64 ? all_near<double>(got, expected)
                     : got.dtype() == DType::kBF16
                         ? all_adjacent(got, expected)
                         : std::memcmp(got.raw(), expected.raw(), got.size_bytes()) == 0;
  return equal ? "" : "values";
}

Result<std::vector<Tensor>> load_all(const fs::path& set, const std::string& prefix,
                                     std::size_t count) {
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < count; ++i) {
    Result<Tensor> tensor = load_tensor(set / (prefix + std::to_string(i) + ".pb"));
    if (!tensor) return tensor.status();
    tensors.push_back(std::move(*tensor));
  }
  return tensors;
}

// NumPy, which wrote the cases, has no bf16: the bits are stored as u16.
void restore_bf16(std::vector<Tensor>& tensors, const std::vector<ModelPort>& ports) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (ports[i].dtype != DType::kBF16 || tensors[i].dtype() != DType::kU16) continue;
    tensors[i] = Tensor(DType::kBF16, tensors[i].shape(), tensors[i].buffer());
  }
}

CaseResult run_set(const Model& model, const fs::path& set) {
  auto inputs = load_all(set, "input_", model.inputs().size());
  if (!inputs) return {Outcome::kFailed, inputs.status().message()};
  auto expected = load_all(set, "output_", model.outputs().size());
  if (!expected) return {Outcome::kFailed, expected.status().message()};
  restore_bf16(*inputs, model.inputs());
  restore_bf16(*expected, model.outputs());
  const Result<std::unique_ptr<Session>> session = model.new_session();
  if (!session) return {Outcome::kFailed, session.status().message()};
  const Result<std::span<Tensor>> got = (*session)->run(*inputs, nullptr);
  if (!got) {
    const bool is_unsupported = got.status().code() == Code::kUnsupported;
    return {is_unsupported ? Outcome::kUnsupported : Outcome::kFailed, got.status().message()};
  }
  for (std::size_t i = 0; i < expected->size(); ++i) {
    const std::string what = difference((*got)[i], (*expected)[i]);
    if (!what.empty()) return {Outcome::kFailed, "output " + std::to_string(i) + ": " + what};
  }
  return {};
}

}  // namespace

fs::path onnx_testdata() {
  if (const char* given = std::getenv("SLUICE_ONNX_TESTDATA")) return given;
  for (const char* path : {"/usr/share/libonnx-testdata/data",
                           "/usr/lib/python3/dist-packages/onnx/backend/test/data"}) {
    if (fs::is_directory(path)) return path;
  }
  return {};
}

std::vector<fs::path> onnx_cases(const std::string& group) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(onnx_testdata() / group)) {
    if (fs::exists(entry.path() / "model.onnx")) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

Result<Tensor> load_tensor(const fs::path& file) {
  const auto mapped = graph::MappedFile::open(file.string());
  if (!mapped) return mapped.status();
  const auto proto = graph::proto::decode_tensor((*mapped)->bytes());
  if (!proto) return proto.status();
  return graph::TensorLoader(*mapped).load(*proto);
}

CaseResult run_onnx_case(const Backend& backend, const fs::path& folder) {
  const auto model = backend.load((folder / "model.onnx").string(), {});
  if (!model) {
    const bool is_unsupported = model.status().code() == Code::kUnsupported;
    return {is_unsupported ? Outcome::kUnsupported : Outcome::kFailed, model.status().message()};
  }
  for (int i = 0;; ++i) {
    const fs::path set = folder / ("test_data_set_" + std::to_string(i));
    if (!fs::is_directory(set)) break;
    CaseResult result = run_set(**model, set);
    if (result.outcome != Outcome::kPassed) return result;
  }
  return {};
}

}  // namespace sluice::testing
