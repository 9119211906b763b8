#include "tests/gpu/support/net_writer.h"

#include <algorithm>
#include <cmath>

namespace sluice::gpu_suite {

using testing::attribute;
using Numbers = std::vector<std::int64_t>;

std::string NetWriter::input(const std::string& name, const std::vector<testing::OnnxDim>& dims,
                             DType dtype) {
  onnx_.input(name, dims, dtype);
  return name;
}

void NetWriter::output(const std::string& name, DType dtype) { onnx_.output(name, dtype); }

std::string NetWriter::node(const std::string& type, const std::vector<std::string>& inputs,
                            const std::vector<testing::OnnxAttribute>& attributes) {
  std::string name = new_name();
  onnx_.node(type, inputs, {name}, attributes);
  return name;
}

std::vector<std::string> NetWriter::nodes(const std::string& type,
                                          const std::vector<std::string>& inputs, int outputs) {
  std::vector<std::string> names;
  for (int i = 0; i < outputs; ++i) names.push_back(new_name());
  onnx_.node(type, inputs, names);
  return names;
}

std::string NetWriter::conv(const std::string& x, const Conv& conv) {
  const std::int64_t inputs = conv.in / conv.group;
  const auto fan_in = static_cast<float>(inputs * conv.size * conv.size);
  const std::int64_t pad = conv.size / 2;
  const std::string w =
      weights(Shape{conv.out, inputs, conv.size, conv.size}, conv.gain * std::sqrt(2 / fan_in));
  return node("Conv", {x, w, weights(Shape{conv.out}, 0.1F)},
              {attribute("kernel_shape", Numbers{conv.size, conv.size}),
               attribute("strides", Numbers{conv.stride, conv.stride}),
               attribute("pads", Numbers{pad, pad, pad, pad}), attribute("group", conv.group)});
}

std::string NetWriter::relu(const std::string& x) { return node("Relu", {x}); }
std::string NetWriter::relu6(const std::string& x) {
  return node("Clip", {x, number(0), number(6)});
}

std::string NetWriter::dense(const std::string& x, std::int64_t in, std::int64_t out) {
  const float deviation = 1 / std::sqrt(static_cast<float>(in));
  return node("Add",
              {node("MatMul", {x, weights(Shape{in, out}, deviation)}), weights(Shape{out}, 0.1F)});
}

std::string NetWriter::layer_norm(const std::string& x, std::int64_t width) {
  Tensor scale = *Tensor::allocate(DType::kF32, Shape{width});
  std::ranges::fill(scale.span<float>(), 1.0F);
  return node("LayerNormalization", {x, constant(scale), weights(Shape{width}, 0.1F)},
              {attribute("axis", std::int64_t{-1}), attribute("epsilon", 1e-12F)});
}

// Evenly between plus and minus, which is as good as a bell here, and quicker.
std::string NetWriter::weights(const Shape& shape, float deviation) {
  Tensor tensor = *Tensor::allocate(DType::kF32, shape);
  const float most = deviation * std::sqrt(3.0F);
  for (float& value : tensor.span<float>()) {
    value = most * (static_cast<float>(engine_()) * 0x1p-31F - 1);
  }
  return constant(tensor);
}

std::string NetWriter::whole_numbers(const Numbers& values) {
  Tensor tensor = *Tensor::allocate(DType::kI64, Shape{static_cast<std::int64_t>(values.size())});
  std::ranges::copy(values, tensor.data<std::int64_t>());
  return constant(tensor);
}

std::string NetWriter::number(float value) {
  Tensor tensor = *Tensor::allocate(DType::kF32, Shape{});
  *tensor.data<float>() = value;
  return constant(tensor);
}

std::string NetWriter::constant(const Tensor& tensor) {
  std::string name = new_name();
  onnx_.constant(name, tensor);
  return name;
}

}  // namespace sluice::gpu_suite
