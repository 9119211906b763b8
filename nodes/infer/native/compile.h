#pragma once

#include "sluice/core/status.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"
#include "sluice/nodes/infer/native/kernels/conv.h"
#include "sluice/nodes/infer/native/kernels/conv_last.h"
#include "sluice/nodes/infer/native/kernels/conv_transpose_last.h"
#include "sluice/nodes/infer/native/kernels/gemm.h"
#include "sluice/nodes/infer/native/kernels/winograd.h"
#include "sluice/nodes/infer/native/tuner.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

// Turns one node of the graph into a call of a kernel.
namespace sluice::native {

// Where the operands of one call lie. Null where an optional one is not there.
struct Call {
  std::span<const std::byte* const> inputs;
  std::span<std::byte* const> outputs;
  std::byte* scratch = nullptr;

  template <class T>
  const T* in(std::size_t index) const {
    return index < inputs.size() ? reinterpret_cast<const T*>(inputs[index]) : nullptr;
  }
  template <class T>
  T* out(std::size_t index) const {
    return reinterpret_cast<T*>(outputs[index]);
  }
};

// Computes the outputs from the inputs; it knows shapes and parameters, but no addresses.
// Errors: infer.failed when the values of an operand are wrong (an index out of range).
using Kernel = std::function<Status(const Call&)>;

struct CompiledNode {
  Kernel run;
  std::size_t scratch_bytes = 0;  // 64-byte aligned, any contents
  const char* algorithm = "";     // which of several kernels it is; may be empty
};

// The weights of a convolution as Winograd's algorithm wants them, made when a plan first asks for
// them: whether it pays depends on the size of the images, and they are four times as large.
// Threads: thread-safe.
class LazyWinograd {
 public:
  LazyWinograd(const kernels::SimdKernels& simd, const kernels::ConvParams& params, Tensor weights,
               std::optional<Tensor> bias, const kernels::Epilogue& epilogue)
      : simd_(&simd),
        params_(params),
        weights_(std::move(weights)),
        bias_(std::move(bias)),
        epilogue_(epilogue) {}

  std::shared_ptr<const kernels::Winograd> get() const;

 private:
  const kernels::SimdKernels* const simd_;
  const kernels::ConvParams params_;
  const Tensor weights_;
  const std::optional<Tensor> bias_;
  const kernels::Epilogue epilogue_;
  mutable std::once_flag once_;
  mutable std::shared_ptr<const kernels::Winograd> made_;
};

// The constant weights of one node, laid out for its kernel. Shared by plans and sessions.
struct PackedWeights {
  std::shared_ptr<const kernels::PackedConv> conv;
  std::shared_ptr<const kernels::PackedConvTranspose> conv_transpose;
  std::shared_ptr<const kernels::PackedGemm> gemm;
  // For channels-last images; there in place of the above where the CPU has kernels for them.
  std::shared_ptr<const kernels::ConvLast> conv_last;
  std::shared_ptr<const LazyWinograd> winograd;  // beside conv_last, for a 3x3
  Tuner* tuner = nullptr;                        // says which of the two; none: a rule does
  std::shared_ptr<const kernels::ConvTransposeLast> conv_transpose_last;
  std::shared_ptr<const kernels::ConvLast> matmul;  // a product is a 1x1 convolution over rows
};

struct NodeToCompile {
  const graph::Node& node;
  graph::Operands operands;
  std::span<const graph::Fact> outputs;
  const PackedWeights* weights = nullptr;  // null: packed at every call
  // Of the 1x1 convolution that comes before this one, and of the depthwise one before that.
  const PackedWeights* first = nullptr;
  const PackedWeights* depthwise = nullptr;
  // Of channels-last images, the floats from a pixel to the next, one an operand and one an output;
  // 0, or none at all: as many as there are channels.
  std::span<const std::int64_t> input_steps = {}, output_steps = {};
};

// Errors: infer.shape, infer.values, infer.unsupported.
Result<CompiledNode> compile(const NodeToCompile& what);

// Its parts, by kind of operation.
Result<CompiledNode> compile_elementwise(const NodeToCompile& what);
Result<CompiledNode> compile_product(const NodeToCompile& what);
Result<CompiledNode> compile_layer(const NodeToCompile& what);
Result<CompiledNode> compile_movement(const NodeToCompile& what);

// Lays out the constant weights of a node for its kernel; nothing when it has none.
// `constants`: the operands as far as they are constant, else null. `precision`: of products, where
// the CPU has it.
PackedWeights pack_weights(const graph::Node& node, std::span<const Tensor* const> constants,
                           kernels::Precision precision);

// Why this engine cannot run the node, from the element types of its operands; none when it can.
std::optional<std::string> unsupported_reason(const graph::Graph& graph, const graph::Node& node);

// Computes a node whose operands' values are known. A graph::Evaluate.
Result<std::vector<Tensor>> evaluate(const graph::Node& node, graph::Operands operands,
                                     std::span<const graph::Fact> outputs);

// True where a kernel reads the operand, or writes the output, with any step from pixel to pixel.
bool reads_steps(const graph::Operation& operation, std::size_t operand);
bool writes_steps(const graph::Operation& operation);

// Whether a channels-last convolution with such an output is computed by Winograd's algorithm.
bool chooses_winograd(const PackedWeights& weights, const Shape& out);

// A mean over neighbouring axes of several, but not over the innermost: [images, pixels, channels]
// to [images, channels].
struct PixelMeans {
  std::int64_t images = 1, pixels = 1, channels = 1;
};
// What a reduction comes to, as such a mean that there is a kernel for.
std::optional<PixelMeans> pixels_to_average(const graph::Reduce& op, graph::Operands operands);

// An operand of the output that the kernel may overwrite with its result, given equal sizes; the
// operands' indices, best first.
std::vector<std::size_t> overwritable_operands(const graph::Operation& operation);

// The kernels' names for what the graph calls an activation.
kernels::Activation activation_of(const std::optional<graph::Unary>& unary);

}  // namespace sluice::native
