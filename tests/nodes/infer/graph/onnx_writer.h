#pragma once

#include "sluice/core/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

// Writes small ONNX files for tests, so that each test shows the model it is about.
namespace sluice::testing {

struct OnnxAttribute {
  std::string name;
  std::string encoded;  // an AttributeProto
};
OnnxAttribute attribute(const std::string& name, std::int64_t value);
OnnxAttribute attribute(const std::string& name, float value);
OnnxAttribute attribute(const std::string& name, const char* value);
OnnxAttribute attribute(const std::string& name, const std::vector<std::int64_t>& values);

// Dimensions of an input or output: a number, or a symbol.
struct OnnxDim {
  OnnxDim(int value) : size(value) {}            // NOLINT
  OnnxDim(const char* value) : symbol(value) {}  // NOLINT
  std::int64_t size = -1;
  std::string symbol;
};

class OnnxWriter {
 public:
  explicit OnnxWriter(std::int64_t opset = 13) : opset_(opset) {}

  OnnxWriter& input(const std::string& name, const std::vector<OnnxDim>& dims,
                    DType dtype = DType::kF32);
  OnnxWriter& output(const std::string& name, DType dtype = DType::kF32);
  OnnxWriter& constant(const std::string& name, const Tensor& tensor);
  // A tensor whose data is in another file.
  OnnxWriter& external(const std::string& name, const Shape& shape, const std::string& location);
  OnnxWriter& node(const std::string& op_type, const std::vector<std::string>& inputs,
                   const std::vector<std::string>& outputs,
                   const std::vector<OnnxAttribute>& attributes = {});
  OnnxWriter& metadata(const std::string& key, const std::string& value);

  std::string bytes() const;
  // As save_bytes of bytes().
  std::string save(const std::string& name) const;

 private:
  std::int64_t opset_;
  std::string graph_, metadata_;
};

// Writes these bytes to a file in a folder of this process, in place of one of the same name, and
// returns its path. What has the old file mapped keeps it.
std::string save_bytes(const std::string& name, const std::string& bytes);

}  // namespace sluice::testing
