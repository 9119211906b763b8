#include "tests/nodes/infer/backends/each_backend.h"
#include "tests/support/status_matchers.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <random>

// Trained models: the backends have to agree with each other.

namespace sluice {
namespace {

using testing::IsOk;

const std::filesystem::path kModels =
    std::filesystem::path(SLUICE_SOURCE_DIR) / "examples/ocr/models";

Tensor noise(const Shape& shape) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> values(-1, 1);
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  std::ranges::generate(tensor.span<float>(), [&] { return values(random); });
  return tensor;
}

// The outputs of the second run, into which nothing is copied, for this input.
std::vector<Tensor> run_twice(const Backend& backend, const std::string& path,
                              const Tensor& input) {
  const auto model = backend.load(path, {});
  EXPECT_THAT(model, IsOk());
  if (!model) return {};
  const auto session = std::move(*(*model)->new_session());
  EXPECT_THAT(session->run(std::vector<Tensor>{input}, nullptr), IsOk());
  auto outputs = session->run(std::vector<Tensor>{input}, nullptr);
  EXPECT_THAT(outputs, IsOk());
  const auto shapes = (*model)->output_shapes(std::vector<Shape>{input.shape()});
  EXPECT_THAT(shapes, IsOk());
  EXPECT_EQ(shapes->front(), outputs->front().shape());
  return {outputs->begin(), outputs->end()};
}

float largest_difference(const Tensor& a, const Tensor& b) {
  float largest = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    largest = std::max(largest, std::abs(a.data<float>()[i] - b.data<float>()[i]));
  }
  return largest;
}

class OcrModels : public testing::EachBackend {
 protected:
  void expect_as_native(const char* file, const Shape& shape) {
    const std::filesystem::path path = kModels / file;
    if (!std::filesystem::exists(path))
      GTEST_SKIP() << "examples/ocr/fetch_models.sh gets " << path;
    const Tensor input = noise(shape);

    const auto expected = run_twice(*find_backend("native"), path.string(), input);
    const auto got = run_twice(backend(), path.string(), input);

    ASSERT_EQ(got.size(), 1U);
    ASSERT_EQ(got[0].shape(), expected.at(0).shape());
    EXPECT_LT(largest_difference(got[0], expected[0]), 1e-4F);  // of probabilities
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, OcrModels, ::testing::Values("openvino", "onnxruntime"),
                         testing::backend_of);

TEST_P(OcrModels, FindTheSameLinesAsNative) {
  expect_as_native("PP-OCRv6_det_small.onnx", {1, 3, 96, 160});
}

TEST_P(OcrModels, ReadTheSameCharactersAsNative) {
  expect_as_native("PP-OCRv6_rec_small.onnx", {1, 3, 48, 160});
}

}  // namespace
}  // namespace sluice
