#pragma once

#include "tests/nodes/infer/graph/onnx_writer.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace sluice::gpu_suite {

// A convolution with a square window, a bias and the padding that keeps the size at stride 1.
struct Conv {
  std::int64_t in, out, size;
  std::int64_t stride = 1;
  std::int64_t group = 1;
  float gain = 1;  // of its output's scale over its input's, about, with a ReLU before it
};

// Writes networks as ONNX, layer by layer, with random weights. Each function adds nodes and gives
// the name of what they compute.
class NetWriter {
 public:
  std::string input(const std::string& name, const std::vector<testing::OnnxDim>& dims,
                    DType dtype = DType::kF32);
  void output(const std::string& name, DType dtype = DType::kF32);

  std::string node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::vector<testing::OnnxAttribute>& attributes = {});
  std::vector<std::string> nodes(const std::string& type, const std::vector<std::string>& inputs,
                                 int outputs);
  std::string conv(const std::string& x, const Conv& conv);
  std::string relu(const std::string& x);
  std::string relu6(const std::string& x);
  // x W + b over the last axis.
  std::string dense(const std::string& x, std::int64_t in, std::int64_t out);
  std::string layer_norm(const std::string& x, std::int64_t width);

  // Constants: of random numbers with this standard deviation, or as given.
  std::string weights(const Shape& shape, float deviation);
  std::string whole_numbers(const std::vector<std::int64_t>& values);
  std::string number(float value);

  std::string save(const std::string& file) const { return onnx_.save(file); }

 private:
  std::string constant(const Tensor& tensor);
  std::string new_name() { return "v" + std::to_string(names_++); }

  testing::OnnxWriter onnx_{17};
  std::mt19937 engine_{1};
  int names_ = 0;
};

}  // namespace sluice::gpu_suite
