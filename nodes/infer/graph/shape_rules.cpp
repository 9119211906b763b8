#include "sluice/nodes/infer/graph/shape_inference.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice::graph {
namespace {

using Shapes = Result<std::vector<Shape>>;

Status misfit(const std::string& what) { return invalid("infer.shape", what); }

Shapes one(const Result<Shape>& shape) {
  if (!shape) return shape.status();
  return std::vector<Shape>{*shape};
}

// [batch, channels, spatial extents...] of a sliding window's output.
Result<Shape> windowed(std::int64_t batch, std::int64_t channels,
                       const Result<std::vector<WindowAxis>>& axes) {
  if (!axes) return axes.status();
  std::vector<std::int64_t> dims{batch, channels};
  for (const WindowAxis& axis : *axes) dims.push_back(axis.out);
  return checked(dims);
}

// One rule an operation. Operands that are not optional are known to be there.
struct Rule {
  const Node& node;
  Operands operands;

  const Shape& x(std::size_t index = 0) const { return operands[index]->shape; }

  Shapes same() const { return std::vector<Shape>{x()}; }

  Shapes operator()(const Unary&) const { return same(); }
  Shapes operator()(const Identity&) const { return same(); }
  Shapes operator()(const Cast&) const { return same(); }

  Shapes operator()(const Binary& op) const {
    const Result<Shape> shape = broadcast(x(0), x(1));
    if (shape && op.kind == BinaryKind::kPRelu && *shape != x(0)) {
      return misfit("a slope " + x(1).to_string() + " for an input " + x(0).to_string());
    }
    return one(shape);
  }

  Shapes operator()(const Where&) const {
    const Result<Shape> values = broadcast(x(1), x(2));
    if (!values) return values.status();
    return one(broadcast(x(0), *values));
  }

  Shapes operator()(const Conv& op) const {
    const auto axes = resolve(op, operands);
    if (!axes) return axes.status();
    const Result<Shape> shape = windowed(x(0)[0], x(1)[0], axes);
    const Fact* residual = operand(operands, 3);
    if (!shape || residual == nullptr) return one(shape);
    return one(broadcast(*shape, residual->shape));
  }

  Shapes operator()(const ConvTranspose& op) const {
    const auto axes = resolve(op, operands);
    if (!axes) return axes.status();
    return one(windowed(x(0)[0], x(1)[1] * op.group, axes));
  }

  Shapes operator()(const Pool& op) const {
    const auto axes = resolve(op, operands);
    if (!axes) return axes.status();
    const Result<Shape> shape = windowed(x()[0], x()[1], axes);
    if (!shape) return shape.status();
    return std::vector<Shape>(node.outputs.size(), *shape);
  }

  Shapes operator()(const Gemm& op) const {
    if (x(0).rank() != 2 || x(1).rank() != 2) return misfit("Gemm takes matrices");
    const std::int64_t m = x(0)[op.transpose_a ? 1 : 0];
    const std::int64_t n = x(1)[op.transpose_b ? 0 : 1];
    if (x(0)[op.transpose_a ? 0 : 1] != x(1)[op.transpose_b ? 1 : 0]) {
      return misfit("matrices " + x(0).to_string() + " and " + x(1).to_string() +
                    " do not fit each other");
    }
    const Shape out{m, n};
    if (const Fact* c = operand(operands, 2)) {
      const Result<Shape> both = broadcast(out, c->shape);
      if (!both || *both != out)
        return misfit("C " + c->shape.to_string() + " for a result " + out.to_string());
    }
    return one(checked(out));
  }

  Shapes operator()(const MatMul&) const {
    const Shape& a = x(0);
    const Shape& b = x(1);
    if (a.rank() == 0 || b.rank() == 0) return misfit("MatMul takes no scalars");
    const std::int64_t k = a[a.rank() - 1];
    const std::int64_t k_of_b = b.rank() == 1 ? b[0] : b[b.rank() - 2];
    if (k != k_of_b) {
      return misfit("matrices " + a.to_string() + " and " + b.to_string() +
                    " do not fit each other");
    }
    const auto leading = [](const Shape& shape) {
      return Shape(shape.dims().first(shape.rank() < 2 ? 0 : shape.rank() - 2));
    };
    const Result<Shape> batch = broadcast(leading(a), leading(b));
    if (!batch) return batch.status();
    std::vector<std::int64_t> dims(batch->begin(), batch->end());
    if (a.rank() > 1) dims.push_back(a[a.rank() - 2]);
    if (b.rank() > 1) dims.push_back(b[b.rank() - 1]);
    if (const Fact* bias = operand(operands, 2)) {
      if (b.rank() < 2 || bias->shape != Shape{b[b.rank() - 1]})
        return misfit("a bias " + bias->shape.to_string());
    }
    return one(checked(dims));
  }

  // Vectors of one entry a channel, as normalisations take them.
  Shapes per_channel(std::size_t first) const {
    if (x().rank() < 2) return misfit("an input " + x().to_string() + " has no channels");
    for (std::size_t i = first; i < operands.size(); ++i) {
      if (operands[i] != nullptr && operands[i]->shape != Shape{x()[1]}) {
        return misfit("a vector " + operands[i]->shape.to_string() + " for an input " +
                      x().to_string());
      }
    }
    return same();
  }

  Shapes operator()(const BatchNorm&) const { return per_channel(1); }
  Shapes operator()(const InstanceNorm&) const { return per_channel(1); }

  Shapes operator()(const Lrn& op) const {
    if (x().rank() < 2) return misfit("an input " + x().to_string() + " has no channels");
    if (op.size < 1) return misfit("a size below 1");
    return same();
  }

  Shapes operator()(const LayerNorm& op) const {
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const Shape tail(x().dims().subspan(*axis));
    for (std::size_t i = 1; i < operands.size(); ++i) {
      if (operands[i] != nullptr && operands[i]->shape.elements() != tail.elements()) {
        return misfit("a scale " + operands[i]->shape.to_string() + " for rows of " +
                      tail.to_string());
      }
    }
    return same();
  }

  Shapes operator()(const Softmax& op) const {
    // Axis = rank is allowed where the input is coerced: rows of one element.
    if (op.extent == Softmax::Extent::kFromAxis && op.axis == static_cast<std::int64_t>(x().rank()))
      return same();
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    return same();
  }

  Shape reduced(std::span<const std::int64_t> axes, bool keep_dims) const {
    Shape out;
    for (std::size_t i = 0; i < x().rank(); ++i) {
      const bool gone =
          std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(i)) != axes.end();
      if (!gone) out.push_back(x()[i]);
      if (gone && keep_dims) out.push_back(1);
    }
    return out;
  }

  Shapes operator()(const Reduce& op) const {
    const auto axes = resolve(op, operands);
    if (!axes) return axes.status();
    if (op.no_axes == Reduce::NoAxes::kSpatial && x().rank() < 3) {
      return misfit("an input " + x().to_string() + " has no spatial axes");
    }
    if (op.no_axes == Reduce::NoAxes::kSpatial && x().elements() == 0)
      return misfit("nothing to pool");
    return one(checked(reduced(*axes, op.keep_dims)));
  }

  Shapes operator()(const ArgReduce& op) const {
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    if (x()[*axis] == 0) return misfit("no elements to choose from");
    const std::int64_t axes[] = {static_cast<std::int64_t>(*axis)};
    return one(checked(reduced(axes, op.keep_dims)));
  }

  Shapes operator()(const TopK& op) const {
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    const auto k = integers_of(operands, 1);
    if (!k) return k.status();
    if (k->size() != 1 || k->front() < 0 || k->front() > x()[*axis]) {
      return misfit("k does not fit an extent of " + std::to_string(x()[*axis]));
    }
    Shape out = x();
    out[*axis] = k->front();
    return std::vector<Shape>{out, out};
  }

  Shapes operator()(const Concat& op) const {
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    Shape out = x();
    for (std::size_t i = 1; i < operands.size(); ++i) {
      Shape part = x(i);
      if (part.rank() != out.rank()) return misfit("parts of different rank");
      out[*axis] += part[*axis];
      part[*axis] = out[*axis];
      if (part != out)
        return misfit("parts " + x(0).to_string() + " and " + x(i).to_string() + " do not line up");
    }
    return one(checked(out));
  }

  Shapes operator()(const Split& op) const {
    const auto sizes = resolve(op, operands, node.outputs.size());
    if (!sizes) return sizes.status();
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    std::vector<Shape> out;
    for (std::int64_t size : *sizes) {
      out.push_back(x());
      out.back()[*axis] = size;
    }
    return out;
  }

  Shapes operator()(const Slice& op) const {
    const auto range = resolve(op, operands);
    if (!range) return range.status();
    return one(checked(range->extents));
  }

  Shapes operator()(const Gather& op) const {
    const Result<std::size_t> axis = resolve_axis(op.axis, x().rank());
    if (!axis) return axis.status();
    std::vector<std::int64_t> dims(x().begin(), x().begin() + *axis);
    dims.insert(dims.end(), x(1).begin(), x(1).end());
    dims.insert(dims.end(), x().begin() + *axis + 1, x().end());
    if (x()[*axis] == 0 && x(1).elements() > 0) return misfit("nothing to gather from");
    return one(checked(dims));
  }

  Shapes operator()(const Reshape& op) const {
    auto dims = integers_of(operands, 1);
    if (!dims) return dims.status();
    if (dims->size() > Shape::kMaxRank) return misfit("more than 8 axes");
    std::int64_t known = 1;
    std::ptrdiff_t open = -1;
    for (std::size_t i = 0; i < dims->size(); ++i) {
      std::int64_t& dim = (*dims)[i];
      if (dim == 0 && !op.allow_zero) {
        if (i >= x().rank()) return misfit("a 0 beyond the input's axes");
        dim = x()[i];
      }
      if (dim == -1) {
        if (open >= 0) return misfit("two open extents");
        open = static_cast<std::ptrdiff_t>(i);
        dim = 1;
        continue;
      }
      const std::vector<std::int64_t> so_far(dims->begin(),
                                             dims->begin() + static_cast<std::ptrdiff_t>(i) + 1);
      const Result<Shape> valid = checked(so_far);
      if (!valid) return valid.status();
      known *= dim;
    }
    const std::int64_t elements = x().elements();
    if (open >= 0) {
      if (known == 0 || elements % known != 0) {
        return misfit("an input " + x().to_string() + " cannot take the shape asked for");
      }
      (*dims)[static_cast<std::size_t>(open)] = elements / known;
    }
    const Result<Shape> out = checked(*dims);
    if (out && out->elements() != elements) {
      return misfit("an input " + x().to_string() + " cannot take the shape " + out->to_string());
    }
    return one(out);
  }

  Shapes operator()(const Flatten& op) const {
    const auto rank = static_cast<std::int64_t>(x().rank());
    if (op.axis < -rank || op.axis > rank) return misfit("axis " + std::to_string(op.axis));
    const auto axis = static_cast<std::size_t>(op.axis < 0 ? op.axis + rank : op.axis);
    return std::vector<Shape>{Shape{Shape(x().dims().first(axis)).elements(),
                                    Shape(x().dims().subspan(axis)).elements()}};
  }

  Shapes operator()(const Transpose& op) const {
    const auto permutation = resolve(op, operands);
    if (!permutation) return permutation.status();
    Shape out;
    for (std::int64_t axis : *permutation) out.push_back(x()[static_cast<std::size_t>(axis)]);
    return std::vector<Shape>{out};
  }

  Shapes operator()(const Squeeze&) const {
    std::vector<char> gone(x().rank(), 0);
    if (operand(operands, 1) != nullptr) {
      const auto axes = integers_of(operands, 1);
      if (!axes) return axes.status();
      for (std::int64_t axis : *axes) {
        const Result<std::size_t> counted = resolve_axis(axis, x().rank());
        if (!counted) return counted.status();
        if (x()[*counted] != 1)
          return misfit("axis " + std::to_string(axis) + " of " + x().to_string() + " is not 1");
        gone[*counted] = 1;
      }
    } else {
      for (std::size_t i = 0; i < x().rank(); ++i) gone[i] = x()[i] == 1;
    }
    Shape out;
    for (std::size_t i = 0; i < x().rank(); ++i) {
      if (!gone[i]) out.push_back(x()[i]);
    }
    return std::vector<Shape>{out};
  }

  Shapes operator()(const Unsqueeze&) const {
    const auto axes = integers_of(operands, 1);
    if (!axes) return axes.status();
    const std::size_t rank = x().rank() + axes->size();
    if (rank > Shape::kMaxRank) return misfit("more than 8 axes");
    std::vector<char> added(rank, 0);
    for (std::int64_t axis : *axes) {
      const Result<std::size_t> counted = resolve_axis(axis, rank);
      if (!counted) return counted.status();
      if (added[*counted]) return misfit("an axis is named twice");
      added[*counted] = 1;
    }
    Shape out;
    std::size_t next = 0;
    for (std::size_t i = 0; i < rank; ++i) out.push_back(added[i] ? 1 : x()[next++]);
    return std::vector<Shape>{out};
  }

  Shapes operator()(const Expand&) const {
    const auto dims = integers_of(operands, 1);
    if (!dims) return dims.status();
    const Result<Shape> shape = checked(*dims);
    if (!shape) return shape.status();
    return one(broadcast(x(), *shape));
  }

  Shapes operator()(const Tile&) const {
    const auto repeats = integers_of(operands, 1);
    if (!repeats) return repeats.status();
    if (repeats->size() != x().rank()) return misfit("repeats has the wrong number of entries");
    std::vector<std::int64_t> dims;
    for (std::size_t i = 0; i < x().rank(); ++i) {
      if ((*repeats)[i] < 0 || (*repeats)[i] > (std::int64_t{1} << 24))
        return misfit("a repeat is out of range");
      dims.push_back(x()[i] * (*repeats)[i]);
    }
    return one(checked(dims));
  }

  Shapes operator()(const Pad& op) const {
    const auto amounts = resolve(op, operands);
    if (!amounts) return amounts.status();
    if (const Fact* value = operand(operands, 2);
        value != nullptr && value->shape.elements() != 1) {
      return misfit("a value " + value->shape.to_string() + " that is no scalar");
    }
    std::vector<std::int64_t> dims;
    for (std::size_t i = 0; i < x().rank(); ++i) {
      dims.push_back(x()[i] + amounts->before[i] + amounts->after[i]);
    }
    return one(checked(dims));
  }

  Shapes operator()(const Resize& op) const {
    const auto extents = resolve(op, operands);
    if (!extents) return extents.status();
    return std::vector<Shape>{extents->out};
  }

  Shapes operator()(const DepthToSpace& op) const {
    const Shape& in = x();
    const std::int64_t block = op.block;
    if (in.rank() != 4 || block < 1 || block > 4096 || in[1] % (block * block) != 0) {
      return misfit("a block of " + std::to_string(block) + " does not fit an input " +
                    in.to_string());
    }
    const std::int64_t dims[] = {in[0], in[1] / (block * block), in[2] * block, in[3] * block};
    return one(checked(dims));
  }

  Shapes operator()(const SpaceToDepth& op) const {
    const Shape& in = x();
    const std::int64_t block = op.block;
    if (in.rank() != 4 || block < 1 || block > 4096 || in[2] % block != 0 || in[3] % block != 0) {
      return misfit("a block of " + std::to_string(block) + " does not fit an input " +
                    in.to_string());
    }
    const std::int64_t dims[] = {in[0], in[1] * block * block, in[2] / block, in[3] / block};
    return one(checked(dims));
  }

  Shapes operator()(const ShapeOf& op) const {
    const auto rank = static_cast<std::int64_t>(x().rank());
    const auto counted = [&](std::int64_t at) {
      return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
    };
    const std::int64_t count = counted(op.end.value_or(rank)) - counted(op.start);
    return std::vector<Shape>{Shape{std::max<std::int64_t>(0, count)}};
  }

  Shapes operator()(const SizeOf&) const { return std::vector<Shape>{Shape{}}; }

  Shapes operator()(const ConstantOfShape&) const {
    const auto dims = integers_of(operands, 0);
    if (!dims) return dims.status();
    return one(checked(*dims));
  }

  Shapes operator()(const Range&) const {
    for (const Fact* fact : operands) {
      if (!fact->value)
        return unsupported("infer.values", "its shape depends on the values of its inputs");
      if (fact->shape.elements() != 1) return misfit("Range takes scalars");
    }
    const auto number = [&](std::size_t i) -> double {
      const Tensor& value = *operands[i]->value;
      switch (value.dtype()) {
        case DType::kF32:
          return *value.data<float>();
        case DType::kF64:
          return *value.data<double>();
        case DType::kI32:
          return *value.data<std::int32_t>();
        case DType::kI64:
          return static_cast<double>(*value.data<std::int64_t>());
        default:
          return std::nan("");
      }
    };
    const double count = std::ceil((number(1) - number(0)) / number(2));
    if (!(std::abs(count) < 1e10)) return misfit("a range without end");
    const std::int64_t dims[] = {std::max<std::int64_t>(0, static_cast<std::int64_t>(count))};
    return one(checked(dims));
  }
};

// How many operands an operation cannot do without.
struct Required {
  std::size_t operator()(const Where&) const { return 3; }
  std::size_t operator()(const Slice&) const { return 3; }
  std::size_t operator()(const Range&) const { return 3; }
  std::size_t operator()(const BatchNorm&) const { return 5; }
  std::size_t operator()(const InstanceNorm&) const { return 3; }
  std::size_t operator()(const Binary&) const { return 2; }
  std::size_t operator()(const Conv&) const { return 2; }
  std::size_t operator()(const ConvTranspose&) const { return 2; }
  std::size_t operator()(const Gemm&) const { return 2; }
  std::size_t operator()(const MatMul&) const { return 2; }
  std::size_t operator()(const Gather&) const { return 2; }
  std::size_t operator()(const Reshape&) const { return 2; }
  std::size_t operator()(const Unsqueeze&) const { return 2; }
  std::size_t operator()(const Expand&) const { return 2; }
  std::size_t operator()(const Tile&) const { return 2; }
  std::size_t operator()(const Pad&) const { return 2; }
  std::size_t operator()(const TopK&) const { return 2; }
  template <class T>
  std::size_t operator()(const T&) const {
    return 1;
  }
};

}  // namespace

Result<std::vector<Shape>> output_shapes(const Node& node, Operands operands) {
  std::size_t required = std::visit(Required{}, node.operation);
  if (std::holds_alternative<Concat>(node.operation)) required = operands.size();
  for (std::size_t i = 0; i < required; ++i) {
    if (operand(operands, i) == nullptr) {
      return misfit("input " + std::to_string(i) + " is missing").with_context(node.origin);
    }
  }
  Shapes shapes = std::visit(Rule{node, operands}, node.operation);
  if (!shapes) return shapes.status().with_context(node.origin);
  return shapes;
}

}  // namespace sluice::graph
