#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/infer/gpu/attention.h"
#include "sluice/nodes/infer/gpu/constants.h"
#include "sluice/nodes/infer/gpu/gpu_plan.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sluice::gpu {

// Where a value, or a part of one, lies.
struct Operand {
  Place place;
  View view;
};

inline sluice_cuda_op op_of(sluice_cuda_op_kind kind) {
  sluice_cuda_op op{};
  op.kind = kind;
  return op;
}

// Turns a graph into operators for a device. Every value is a view of some memory: what only moves
// elements (Transpose, Slice, Split, Expand, most Reshapes) costs nothing, and an operator that
// wants its operand in another form has it copied first. Arithmetic on elements waits until
// somebody wants its result, and grows by what is done to that, so that a chain of nodes is one
// operator. Numbers that the model has in f32 are of the type that was asked for in between, and
// f32 again where they leave.
class Lowering {
 public:
  // `facts`: one a value; `type`: SLUICE_CUDA_F32, F16 or BF16.
  Lowering(const graph::Graph& graph, std::vector<graph::Fact> facts, sluice_cuda_type type,
           Constants& constants);

  // Errors: infer.unsupported, which names the node; infer.shape; those of Constants.
  Result<std::shared_ptr<const GpuPlan>> run();

 private:
  // Arithmetic on elements that has not been emitted yet.
  struct Chain {
    sluice_cuda_op op{};
    std::vector<Place> inputs;
    DType dtype = DType::kF32;  // of what comes out, as the graph has it
  };

  // lowering.cpp
  void choose_nodes();
  Status lower(const graph::Node& node);
  Status deliver_outputs();
  void lay_out_arena();

  const graph::Fact& fact(graph::ValueId id) const { return facts_[static_cast<std::size_t>(id)]; }
  const Shape& shape(graph::ValueId id) const { return fact(id).shape; }
  bool is_known(graph::ValueId id) const { return fact(id).value.has_value(); }
  std::int32_t stored_type(DType dtype) const {
    return dtype == DType::kF32 ? type_ : type_of(dtype);
  }
  std::vector<const graph::Fact*> operands_of(const graph::Node& node) const;

  // The value as it lies, arithmetic that waited done.
  Result<Operand> get(graph::ValueId id);
  // In the type that numbers have here.
  Result<Operand> get_stored(graph::ValueId id);
  // Without gaps in the order of its axes, or with the channels innermost.
  Result<Operand> get_dense(graph::ValueId id);
  Result<Operand> get_channels_last(graph::ValueId id);
  // As [outer, n, inner] or whatever else has as many elements, copied if it must be.
  Result<Operand> get_grouped(graph::ValueId id, Dims dims);
  // A constant in a form of its own.
  Result<Operand> constant(const Tensor& tensor, const View& form, const std::string& name);
  Result<Operand> known(graph::ValueId id);
  Result<Operand> converted(const Operand& from, const View& form);

  // Memory of the arena.
  Operand make(const View& view);
  // The value is there from now on.
  void put(graph::ValueId id, const Operand& operand);
  Operand put_new(graph::ValueId id, const View& view);

  void emit(sluice_cuda_op op, std::span<const Operand> inputs, std::span<const Operand> outputs);
  void emit_chain(Chain chain, const Operand& to);
  // Writes a value to where it is wanted.
  Status assign(graph::ValueId id, const Operand& to);
  Status refuse(const std::string& what) const;

  // lower_elementwise.cpp
  Status lower_op(const graph::Unary& op);
  Status lower_op(const graph::Binary& op);
  Status lower_op(const graph::Where& op);
  Status lower_op(const graph::Cast& op);
  Status lower_op(const graph::BatchNorm& op);
  Result<std::pair<Operand, Operand>> affine(float epsilon);
  Result<Chain> begin_chain(graph::ValueId id, Dims dims, std::int32_t compute);
  // Which operand of the chain's operator the value is.
  Result<int> add_operand(Chain& chain, graph::ValueId id, Dims dims);
  Result<int> add_operand(Chain& chain, const Operand& operand);
  bool can_go_on(graph::ValueId id, Dims dims, std::int32_t compute) const;
  void keep(graph::ValueId id, Chain chain);
  void add_activation(Chain& chain, const graph::Unary& unary);

  // lower_movement.cpp
  Status lower_op(const graph::Identity& op);
  Status lower_op(const graph::Reshape& op);
  Status lower_op(const graph::Flatten& op);
  Status lower_op(const graph::Squeeze& op);
  Status lower_op(const graph::Unsqueeze& op);
  Status lower_op(const graph::Transpose& op);
  Status lower_op(const graph::Slice& op);
  Status lower_op(const graph::Split& op);
  Status lower_op(const graph::Expand& op);
  Status lower_op(const graph::Tile& op);
  Status lower_op(const graph::Concat& op);
  Status lower_op(const graph::Pad& op);
  Status lower_op(const graph::Gather& op);
  Status lower_op(const graph::DepthToSpace& op);
  Status lower_op(const graph::SpaceToDepth& op);
  Status reshape();
  Status rearrange(Dims parts, Dims order);
  Status pad_with(graph::ValueId number, const graph::PadAmounts& amounts);

  // lower_reduction.cpp
  Status lower_op(const graph::Reduce& op);
  Status lower_op(const graph::ArgReduce& op);
  Status lower_op(const graph::TopK& op);
  Status lower_op(const graph::Softmax& op);
  Status lower_op(const graph::LayerNorm& op);
  Status lower_op(const graph::InstanceNorm& op);
  // A list of numbers in that type.
  Result<Operand> vector(graph::ValueId id, std::int32_t type);

  // lower_layer.cpp
  Status lower_op(const graph::Conv& op);
  Status lower_op(const graph::ConvTranspose& op);
  Status lower_op(const graph::Pool& op);
  Status lower_op(const graph::Lrn& op);
  Status lower_op(const graph::Resize& op);
  Result<Operand> weights(graph::ValueId id, std::int64_t channels);
  Result<Operand> padded_channels(graph::ValueId id, std::int64_t channels);

  // lower_product.cpp
  Status lower_op(const graph::Gemm& op);
  Status lower_op(const graph::MatMul& op);
  Result<Operand> matrices(graph::ValueId id, Dims dims, Dims grouped);
  Status product(const Operand& a, const Operand& b, graph::ValueId bias, sluice_cuda_op op);
  Status attend(const Attention& attention);

  // What only shapes could tell, and they did not.
  Status lower_op(const graph::ShapeOf& op);
  Status lower_op(const graph::SizeOf& op);
  Status lower_op(const graph::ConstantOfShape& op);
  Status lower_op(const graph::Range& op);

  const graph::Graph& graph_;
  const graph::Uses uses_;
  const std::vector<graph::Fact> facts_;
  const sluice_cuda_type type_;
  Constants& constants_;
  const AttentionPatterns attentions_;

  const graph::Node* node_ = nullptr;                            // that is being lowered
  std::vector<char> is_chosen_;                                  // by node
  std::vector<std::optional<Operand>> operands_;                 // by value
  std::map<graph::ValueId, Chain> chains_;                       // by value
  std::map<std::pair<graph::ValueId, int>, Operand> converted_;  // other forms of a value
  std::vector<std::size_t> blocks_;                              // of the arena: their bytes
  GpuPlan plan_;
};

}  // namespace sluice::gpu
