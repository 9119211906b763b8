#pragma once

#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/graph/mapped_file.h"
#include "sluice/nodes/infer/graph/onnx_proto.h"

#include <memory>
#include <optional>
#include <string>

namespace sluice::graph {

// Ours for ONNX's element type; none for strings, complex numbers and what we do not know.
std::optional<DType> dtype_of(proto::DataType type);

// Makes tensors out of TensorProtos of one file. The tensors keep the file mapped and point into it
// where the data's alignment allows; otherwise they own a copy.
class TensorLoader {
 public:
  explicit TensorLoader(std::shared_ptr<const MappedFile> file) : file_(std::move(file)) {}

  // Data in another file is read only from beneath the folder that the model file is in; links
  // and ".." that lead out of it are refused.
  // Errors: model.invalid, model.unsupported, model.missing (external data).
  Result<Tensor> load(const proto::Tensor& tensor) const;

 private:
  Result<Tensor> load_external(const proto::Tensor& tensor, DType dtype, const Shape& shape) const;

  std::shared_ptr<const MappedFile> file_;
};

}  // namespace sluice::graph
