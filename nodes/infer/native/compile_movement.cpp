#include "sluice/nodes/infer/native/compile.h"
#include "sluice/nodes/infer/native/kernels/movement.h"

#include <cstring>

namespace sluice::native {
namespace {

using graph::resolve;

// A shape seen as [outer, axis, inner].
struct Fold {
  std::int64_t outer = 1, axis = 1, inner = 1;
};

Fold fold_at(const Shape& shape, std::size_t axis) {
  Fold fold;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    std::int64_t& part = i < axis ? fold.outer : i == axis ? fold.axis : fold.inner;
    part *= shape[i];
  }
  return fold;
}

// One compile function an operation; the operands' shapes are known to fit.
struct Movement {
  const NodeToCompile& what;

  const Shape& x() const { return what.operands[0]->shape; }
  std::size_t element_bytes() const { return size_of(what.outputs[0].dtype); }

  Result<CompiledNode> copy() const {
    const std::size_t bytes =
        static_cast<std::size_t>(what.outputs[0].shape.elements()) * element_bytes();
    return CompiledNode{[bytes](const Call& call) {
      std::memcpy(call.out<std::byte>(0), call.in<std::byte>(0), bytes);
      return Status::ok();
    }};
  }

  // Views, when they cannot be one (a graph input that is itself an output).
  Result<CompiledNode> operator()(const graph::Identity&) const { return copy(); }
  Result<CompiledNode> operator()(const graph::Reshape&) const { return copy(); }
  Result<CompiledNode> operator()(const graph::Flatten&) const { return copy(); }
  Result<CompiledNode> operator()(const graph::Squeeze&) const { return copy(); }
  Result<CompiledNode> operator()(const graph::Unsqueeze&) const { return copy(); }

  Result<CompiledNode> operator()(const graph::Transpose& op) const {
    auto permutation = resolve(op, what.operands);
    if (!permutation) return permutation.status();
    return CompiledNode{[dims = x(), bytes = element_bytes(),
                         order = std::move(*permutation)](const Call& call) {
      kernels::transpose(bytes, dims.dims(), order, call.in<std::byte>(0), call.out<std::byte>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::Concat& op) const {
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const Fold fold = fold_at(what.outputs[0].shape, *axis);
    std::vector<std::int64_t> extents;
    for (const graph::Fact* operand : what.operands) extents.push_back(operand->shape[*axis]);
    // The parts' addresses are filled in at the call; the list itself is scratch.
    const std::size_t scratch = extents.size() * sizeof(kernels::ConcatPart);
    return CompiledNode{
        [fold, bytes = element_bytes(), extents = std::move(extents)](const Call& call) {
          auto* parts = reinterpret_cast<kernels::ConcatPart*>(call.scratch);
          for (std::size_t i = 0; i < extents.size(); ++i) {
            parts[i] = {call.in<std::byte>(i), extents[i]};
          }
          kernels::concat(bytes, fold.outer, fold.inner, {parts, extents.size()},
                          call.out<std::byte>(0));
          return Status::ok();
        },
        scratch};
  }

  Result<CompiledNode> operator()(const graph::Split& op) const {
    auto sizes = resolve(op, what.operands, what.outputs.size());
    if (!sizes) return sizes.status();
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const Fold fold = fold_at(x(), *axis);
    const std::size_t scratch = sizes->size() * sizeof(kernels::SplitPart);
    return CompiledNode{
        [fold, bytes = element_bytes(), sizes = std::move(*sizes)](const Call& call) {
          auto* parts = reinterpret_cast<kernels::SplitPart*>(call.scratch);
          for (std::size_t i = 0; i < sizes.size(); ++i) {
            parts[i] = {call.out<std::byte>(i), sizes[i]};
          }
          kernels::split(bytes, fold.outer, fold.inner, call.in<std::byte>(0),
                         {parts, sizes.size()});
          return Status::ok();
        },
        scratch};
  }

  Result<CompiledNode> operator()(const graph::Slice& op) const {
    auto range = resolve(op, what.operands);
    if (!range) return range.status();
    return CompiledNode{
        [dims = x(), bytes = element_bytes(), range = std::move(*range)](const Call& call) {
          kernels::slice(bytes, {dims.dims(), range.starts, range.steps, range.extents},
                         call.in<std::byte>(0), call.out<std::byte>(0));
          return Status::ok();
        }};
  }

  template <class I>
  CompiledNode gather(const Fold& fold, std::size_t count) const {
    return {[fold, count, bytes = element_bytes(), origin = what.node.origin](const Call& call) {
      const std::span<const I> indices(call.in<I>(1), count);
      if (kernels::gather<I>(bytes, fold.outer, fold.axis, fold.inner, indices,
                             call.in<std::byte>(0), call.out<std::byte>(0))) {
        return Status::ok();
      }
      return invalid("infer.failed", origin + ": an index is out of the " +
                                         std::to_string(fold.axis) + " there are");
    }};
  }

  Result<CompiledNode> operator()(const graph::Gather& op) const {
    const auto axis = graph::resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const Fold fold = fold_at(x(), *axis);
    const auto count = static_cast<std::size_t>(what.operands[1]->shape.elements());
    if (what.operands[1]->dtype == DType::kI32) return gather<std::int32_t>(fold, count);
    return gather<std::int64_t>(fold, count);
  }

  Result<CompiledNode> operator()(const graph::Expand&) const {
    return CompiledNode{
        [dims = x(), out = what.outputs[0].shape, bytes = element_bytes()](const Call& call) {
          kernels::expand(bytes, dims.dims(), out.dims(), call.in<std::byte>(0),
                          call.out<std::byte>(0));
          return Status::ok();
        }};
  }

  Result<CompiledNode> operator()(const graph::Tile&) const {
    auto repeats = graph::integers_of(what.operands, 1);
    if (!repeats) return repeats.status();
    return CompiledNode{
        [dims = x(), bytes = element_bytes(), repeats = std::move(*repeats)](const Call& call) {
          kernels::tile(bytes, dims.dims(), repeats, call.in<std::byte>(0), call.out<std::byte>(0));
          return Status::ok();
        }};
  }

  Result<CompiledNode> operator()(const graph::Pad& op) const {
    auto amounts = resolve(op, what.operands);
    if (!amounts) return amounts.status();
    kernels::PadMode mode = kernels::PadMode::kConstant;
    if (op.mode == graph::Pad::Mode::kReflect) mode = kernels::PadMode::kReflect;
    if (op.mode == graph::Pad::Mode::kEdge) mode = kernels::PadMode::kEdge;
    if (op.mode == graph::Pad::Mode::kWrap) mode = kernels::PadMode::kWrap;
    return CompiledNode{[dims = x(), bytes = element_bytes(), mode,
                         amounts = std::move(*amounts)](const Call& call) {
      kernels::pad(bytes, {dims.dims(), amounts.before, amounts.after, mode, call.in<std::byte>(2)},
                   call.in<std::byte>(0), call.out<std::byte>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::DepthToSpace& op) const {
    const auto mode = op.mode == graph::DepthToSpace::Mode::kDepthColumnRow
                          ? kernels::DepthToSpaceMode::kDcr
                          : kernels::DepthToSpaceMode::kCrd;
    return CompiledNode{
        [dims = x(), bytes = element_bytes(), block = op.block, mode](const Call& call) {
          kernels::depth_to_space(bytes, dims.dims(), block, mode, call.in<std::byte>(0),
                                  call.out<std::byte>(0));
          return Status::ok();
        }};
  }

  Result<CompiledNode> operator()(const graph::SpaceToDepth& op) const {
    return CompiledNode{[dims = x(), bytes = element_bytes(), block = op.block](const Call& call) {
      kernels::space_to_depth(bytes, dims.dims(), block, call.in<std::byte>(0),
                              call.out<std::byte>(0));
      return Status::ok();
    }};
  }

  Result<CompiledNode> operator()(const graph::ConstantOfShape& op) const {
    const std::int64_t count = what.outputs[0].shape.elements();
    return CompiledNode{[value = op.value, count, bytes = element_bytes()](const Call& call) {
      kernels::fill(bytes, count, value.raw(), call.out<std::byte>(0));
      return Status::ok();
    }};
  }

  template <class T>
  Result<CompiledNode> operator()(const T&) const {
    return unsupported("infer.unsupported", what.node.origin + " is not known to the engine");
  }
};

}  // namespace

Result<CompiledNode> compile_movement(const NodeToCompile& what) {
  return std::visit(Movement{what}, what.node.operation);
}

}  // namespace sluice::native
