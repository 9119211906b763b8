#include "sluice/nodes/infer/plugins/shape_function.h"

#include "sluice/nodes/infer/graph/importer.h"
#include "sluice/nodes/infer/graph/shape_inference.h"
#include "sluice/nodes/infer/native/compile.h"

#include <cstring>

namespace sluice::plugins {
namespace {

Result<std::vector<Shape>> shapes_of_a_run(const Model& model, std::span<const Shape> inputs) {
  std::vector<Tensor> zeros;
  for (std::size_t i = 0; i < inputs.size() && i < model.inputs().size(); ++i) {
    Result<Tensor> made = Tensor::allocate(model.inputs()[i].dtype, inputs[i]);
    if (!made) return made.status();
    std::memset(made->raw(), 0, made->size_bytes());
    zeros.push_back(std::move(*made));
  }
  Result<std::unique_ptr<Session>> session = model.new_session();
  if (!session) return session.status();
  const Result<std::span<Tensor>> outputs = (*session)->run(zeros, nullptr);
  if (!outputs) return outputs.status();
  std::vector<Shape> shapes;
  for (const Tensor& output : *outputs) shapes.push_back(output.shape());
  return shapes;
}

}  // namespace

const graph::Graph* ShapeFunction::graph() const {
  std::call_once(once_, [this] {
    Result<graph::Graph> imported = graph::import_onnx(path_, {options_.outputs});
    if (imported) graph_ = std::move(*imported);
  });
  return graph_ ? &*graph_ : nullptr;
}

Result<std::vector<Shape>> ShapeFunction::shapes(const Model& model,
                                                 std::span<const Shape> inputs) const {
  if (const graph::Graph* known = graph()) {
    Result<std::vector<Shape>> inferred =
        graph::infer_output_shapes(*known, inputs, native::evaluate);
    if (inferred) return inferred;
  }
  return shapes_of_a_run(model, inputs);
}

}  // namespace sluice::plugins
