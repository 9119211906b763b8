#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/onnx_proto.h"
#include "sluice/nodes/infer/graph/tensor_data.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice::graph {

// One node of the file on its way into the graph: its attributes and operands, and what becomes of
// it. Errors stick: the first one wins, later calls do no harm, the importer looks at the end.
class NodeImport {
 public:
  struct Source {
    const proto::Node& node;
    std::span<const ValueId> inputs;
    std::int64_t opset;
    std::string origin;
  };
  NodeImport(Graph& graph, const TensorLoader& loader, Source source)
      : graph_(graph), loader_(loader), source_(std::move(source)) {
    results_.assign(source_.node.outputs.size(), kNoValue);
  }

  std::int64_t opset() const { return source_.opset; }
  std::string_view op_type() const { return source_.node.op_type; }

  // Attributes; the default when there is none of that name.
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::int64_t integer(std::string_view name, std::int64_t otherwise);
  float number(std::string_view name, float otherwise);
  std::string_view text(std::string_view name, std::string_view otherwise);
  std::vector<std::int64_t> integers(std::string_view name);
  std::vector<float> numbers(std::string_view name);
  std::optional<Tensor> tensor(std::string_view name);

  // Operands; kNoValue when the node leaves them out.
  std::size_t input_count() const { return source_.inputs.size(); }
  ValueId input(std::size_t index) const;
  std::span<const ValueId> inputs() const { return source_.inputs; }
  // Fails unless the first `count` operands are there.
  bool require(std::size_t count);
  DType dtype(ValueId id) const;
  const Tensor* constant(ValueId id) const { return graph_.constant_of(id); }

  // Makes constants.
  ValueId constant_integers(const std::vector<std::int64_t>& numbers);
  ValueId constant_numbers(const std::vector<float>& numbers);
  ValueId constant_scalar(float number);
  ValueId constant_scalar(std::int64_t number);
  ValueId constant_tensor(Tensor tensor);

  std::size_t output_count() const { return source_.node.outputs.size(); }
  bool wants_output(std::size_t index) const {
    return index < output_count() && !source_.node.outputs[index].empty();
  }

  // Adds a node whose one output is a value in between.
  ValueId emit(Operation operation, std::vector<ValueId> inputs, DType dtype);
  // Adds the node that gives the results, one dtype each, or says which values they are.
  void finish(Operation operation, std::vector<ValueId> inputs, std::vector<DType> dtypes);
  void finish_with(std::size_t output, ValueId id);

  void fail(const std::string& what);
  void refuse(const std::string& what);

  const Status& status() const { return status_; }
  std::span<const ValueId> results() const { return results_; }

 private:
  ValueId constant_of(DType dtype, const Shape& shape, const void* elements);
  const proto::Attribute* find(std::string_view name) const;
  const proto::Attribute* find(std::string_view name, proto::Attribute::Type type);

  Graph& graph_;
  const TensorLoader& loader_;
  Source source_;
  std::vector<ValueId> results_;
  Status status_;
};

// How the operators of one domain of ONNX are translated.
struct OperatorImport {
  std::string_view op_type;
  void (*import)(NodeImport&);
};
std::span<const OperatorImport> elementwise_imports();
std::span<const OperatorImport> layer_imports();
std::span<const OperatorImport> tensor_imports();

}  // namespace sluice::graph
