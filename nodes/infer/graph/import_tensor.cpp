#include "sluice/nodes/infer/graph/import_node.h"

#include <cstring>

namespace sluice::graph {
namespace {

std::vector<ValueId> operands(const NodeImport& node) {
  return {node.inputs().begin(), node.inputs().end()};
}

DType dtype_of_x(const NodeImport& node) { return node.dtype(node.input(0)); }

// An operand that older operator sets had as an attribute.
ValueId list_operand(NodeImport& node, std::size_t index, std::string_view attribute,
                     std::int64_t operand_since) {
  if (node.opset() >= operand_since) return node.input(index);
  return node.has(attribute) ? node.constant_integers(node.integers(attribute)) : kNoValue;
}

void identity(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Identity{}, {node.input(0)}, {dtype_of_x(node)});
}

void concat(NodeImport& node) {
  if (!node.require(std::max<std::size_t>(1, node.input_count()))) return;
  if (!node.has("axis") && node.opset() >= 4) return node.fail("has no 'axis'");
  for (ValueId id : node.inputs()) {
    if (node.dtype(id) != dtype_of_x(node))
      return node.fail("has inputs of different element types");
  }
  node.finish(Concat{node.integer("axis", 1)}, operands(node), {dtype_of_x(node)});
}

void split(NodeImport& node) {
  if (!node.require(1)) return;
  // One value an output, whoever reads it: how many there are decides the sizes.
  const ValueId sizes = list_operand(node, 1, "split", 13);
  const DType dtype = dtype_of_x(node);
  const Split op{node.integer("axis", 0)};
  std::vector<ValueId> inputs{node.input(0), sizes};
  if (node.output_count() == 0) return node.fail("has no outputs");
  node.finish(op, std::move(inputs), std::vector<DType>(node.output_count(), dtype));
}

void slice(NodeImport& node) {
  if (!node.require(1)) return;
  const ValueId starts = list_operand(node, 1, "starts", 10);
  const ValueId ends = list_operand(node, 2, "ends", 10);
  const ValueId axes = list_operand(node, 3, "axes", 10);
  const ValueId steps = node.opset() < 10 ? kNoValue : node.input(4);
  if (starts == kNoValue || ends == kNoValue) return node.fail("has no starts or no ends");
  node.finish(Slice{}, {node.input(0), starts, ends, axes, steps}, {dtype_of_x(node)});
}

void gather(NodeImport& node) {
  if (!node.require(2)) return;
  node.finish(Gather{node.integer("axis", 0)}, {node.input(0), node.input(1)}, {dtype_of_x(node)});
}

void reshape(NodeImport& node) {
  if (!node.require(1)) return;
  const ValueId shape = list_operand(node, 1, "shape", 5);
  if (shape == kNoValue) return node.fail("has no shape");
  node.finish(Reshape{node.integer("allowzero", 0) != 0}, {node.input(0), shape},
              {dtype_of_x(node)});
}

void flatten(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Flatten{node.integer("axis", 1)}, {node.input(0)}, {dtype_of_x(node)});
}

void transpose(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Transpose{node.integers("perm")}, {node.input(0)}, {dtype_of_x(node)});
}

void squeeze(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Squeeze{}, {node.input(0), list_operand(node, 1, "axes", 13)}, {dtype_of_x(node)});
}

void unsqueeze(NodeImport& node) {
  if (!node.require(1)) return;
  const ValueId axes = list_operand(node, 1, "axes", 13);
  if (axes == kNoValue) return node.fail("has no axes");
  node.finish(Unsqueeze{}, {node.input(0), axes}, {dtype_of_x(node)});
}

void expand(NodeImport& node) {
  if (!node.require(2)) return;
  node.finish(Expand{}, {node.input(0), node.input(1)}, {dtype_of_x(node)});
}

void tile(NodeImport& node) {
  if (!node.require(2)) return;
  if (node.opset() < 6) return node.refuse("its form before operator set 6");
  node.finish(Tile{}, {node.input(0), node.input(1)}, {dtype_of_x(node)});
}

void pad(NodeImport& node) {
  if (!node.require(1)) return;
  Pad pad;
  const std::string_view mode = node.text("mode", "constant");
  if (mode == "reflect") {
    pad.mode = Pad::Mode::kReflect;
  } else if (mode == "edge") {
    pad.mode = Pad::Mode::kEdge;
  } else if (mode == "wrap") {
    pad.mode = Pad::Mode::kWrap;
  } else if (mode != "constant") {
    return node.fail("has an unknown mode");
  }
  if (node.opset() < 11) {
    const std::string_view name = node.has("pads") ? "pads" : "paddings";
    const ValueId pads = node.constant_integers(node.integers(name));
    const ValueId value = node.constant_scalar(node.number("value", 0.0f));
    if (dtype_of_x(node) != DType::kF32) return node.refuse("elements that are not f32");
    return node.finish(pad, {node.input(0), pads, value}, {DType::kF32});
  }
  if (!node.require(2)) return;
  if (node.input(2) != kNoValue && node.dtype(node.input(2)) != dtype_of_x(node)) {
    return node.fail("has a value of another element type");
  }
  node.finish(pad, operands(node), {dtype_of_x(node)});
}

Resize::Mode resize_mode(NodeImport& node) {
  const std::string_view mode = node.text("mode", "nearest");
  if (mode == "linear" || mode == "bilinear" || mode == "trilinear") return Resize::Mode::kLinear;
  if (mode == "cubic") return Resize::Mode::kCubic;
  if (mode != "nearest") node.fail("has an unknown mode");
  return Resize::Mode::kNearest;
}

Resize::Coordinates resize_coordinates(NodeImport& node) {
  using Coordinates = Resize::Coordinates;
  const std::string_view mode = node.text("coordinate_transformation_mode", "half_pixel");
  if (mode == "half_pixel_symmetric") return Coordinates::kHalfPixelSymmetric;
  if (mode == "pytorch_half_pixel") return Coordinates::kPytorchHalfPixel;
  if (mode == "align_corners") return Coordinates::kAlignCorners;
  if (mode == "asymmetric") return Coordinates::kAsymmetric;
  if (mode == "tf_half_pixel_for_nn") return Coordinates::kTfHalfPixelForNearest;
  if (mode == "tf_crop_and_resize") return Coordinates::kTfCropAndResize;
  if (mode != "half_pixel") node.fail("has an unknown coordinate_transformation_mode");
  return Coordinates::kHalfPixel;
}

Resize::Rounding resize_rounding(NodeImport& node) {
  const std::string_view mode = node.text("nearest_mode", "round_prefer_floor");
  if (mode == "floor") return Resize::Rounding::kFloor;
  if (mode == "ceil") return Resize::Rounding::kCeil;
  if (mode == "round_prefer_ceil") return Resize::Rounding::kRoundPreferCeil;
  if (mode != "round_prefer_floor") node.fail("has an unknown nearest_mode");
  return Resize::Rounding::kRoundPreferFloor;
}

// Upsample, and Resize before operator set 11: coordinates are divided by the scale and cut.
void resize_by_scales(NodeImport& node, ValueId scales) {
  Resize resize;
  resize.mode = resize_mode(node);
  resize.coordinates = Resize::Coordinates::kAsymmetric;
  resize.rounding = Resize::Rounding::kFloor;
  if (scales == kNoValue) return node.fail("has no scales");
  node.finish(resize, {node.input(0), kNoValue, scales, kNoValue}, {dtype_of_x(node)});
}

void upsample(NodeImport& node) {
  if (!node.require(1)) return;
  if (node.opset() >= 9) return resize_by_scales(node, node.input(1));
  if (node.opset() < 7) return node.refuse("its form before operator set 7");
  resize_by_scales(node, node.constant_numbers(node.numbers("scales")));
}

void resize(NodeImport& node) {
  if (!node.require(1)) return;
  if (node.opset() < 11) return resize_by_scales(node, node.input(1));
  if (node.integer("antialias", 0) != 0) return node.refuse("antialias");
  if (node.has("axes")) return node.refuse("axes");
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch") {
    return node.refuse("keep_aspect_ratio_policy");
  }
  Resize resize;
  resize.mode = resize_mode(node);
  resize.coordinates = resize_coordinates(node);
  resize.rounding = resize_rounding(node);
  resize.cubic_a = node.number("cubic_coeff_a", -0.75f);
  resize.exclude_outside = node.integer("exclude_outside", 0) != 0;
  resize.extrapolation = node.number("extrapolation_value", 0.0f);
  // An operand of no elements is how operator set 11 leaves one out.
  const auto operand = [&](std::size_t index) {
    const ValueId id = node.input(index);
    const Tensor* constant = id == kNoValue ? nullptr : node.constant(id);
    return constant != nullptr && constant->elements() == 0 ? kNoValue : id;
  };
  const bool crops = resize.coordinates == Resize::Coordinates::kTfCropAndResize;
  const ValueId sizes = operand(3);
  const ValueId scales = sizes == kNoValue ? operand(2) : kNoValue;
  if (scales == kNoValue && sizes == kNoValue) return node.fail("has neither scales nor sizes");
  if (crops && operand(1) == kNoValue) return node.fail("has no roi");
  node.finish(resize, {node.input(0), crops ? operand(1) : kNoValue, scales, sizes},
              {dtype_of_x(node)});
}

void depth_to_space(NodeImport& node) {
  if (!node.require(1)) return;
  const std::string_view mode = node.text("mode", "DCR");
  if (mode != "DCR" && mode != "CRD") return node.fail("has an unknown mode");
  node.finish(DepthToSpace{node.integer("blocksize", 0), mode == "DCR"
                                                             ? DepthToSpace::Mode::kDepthColumnRow
                                                             : DepthToSpace::Mode::kColumnRowDepth},
              {node.input(0)}, {dtype_of_x(node)});
}

void space_to_depth(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(SpaceToDepth{node.integer("blocksize", 0)}, {node.input(0)}, {dtype_of_x(node)});
}

void shape(NodeImport& node) {
  if (!node.require(1)) return;
  ShapeOf op{node.integer("start", 0), std::nullopt};
  if (node.has("end")) op.end = node.integer("end", 0);
  node.finish(op, {node.input(0)}, {DType::kI64});
}

void size(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(SizeOf{}, {node.input(0)}, {DType::kI64});
}

void constant(NodeImport& node) {
  if (std::optional<Tensor> value = node.tensor("value")) {
    return node.finish_with(0, node.constant_tensor(std::move(*value)));
  }
  if (node.has("value_int")) {
    return node.finish_with(0, node.constant_scalar(node.integer("value_int", 0)));
  }
  if (node.has("value_ints"))
    return node.finish_with(0, node.constant_integers(node.integers("value_ints")));
  if (node.has("value_float"))
    return node.finish_with(0, node.constant_scalar(node.number("value_float", 0)));
  if (node.has("value_floats"))
    return node.finish_with(0, node.constant_numbers(node.numbers("value_floats")));
  if (node.status().is_ok()) node.refuse("a value that is no dense tensor of numbers");
}

void constant_of_shape(NodeImport& node) {
  if (!node.require(1)) return;
  std::optional<Tensor> value = node.tensor("value");
  if (!value) {
    Result<Tensor> zero = Tensor::allocate(DType::kF32, Shape{1});
    if (!zero) return node.fail("finds no memory");
    *zero->data<float>() = 0.0f;
    value = std::move(*zero);
  }
  if (value->elements() != 1) return node.fail("has a value of more than one element");
  const DType dtype = value->dtype();
  node.finish(ConstantOfShape{std::move(*value)}, {node.input(0)}, {dtype});
}

void range(NodeImport& node) {
  if (!node.require(3)) return;
  for (ValueId id : node.inputs()) {
    if (node.dtype(id) != dtype_of_x(node))
      return node.fail("has inputs of different element types");
  }
  node.finish(Range{}, operands(node), {dtype_of_x(node)});
}

void cast(NodeImport& node) {
  if (!node.require(1)) return;
  const auto to = dtype_of(static_cast<proto::DataType>(node.integer("to", 0)));
  if (!to) return node.refuse("an element type that is not supported");
  node.finish(Cast{*to}, {node.input(0)}, {*to});
}

void cast_like(NodeImport& node) {
  if (!node.require(2)) return;
  const DType to = node.dtype(node.input(1));
  node.finish(Cast{to}, {node.input(0)}, {to});
}

// At inference nothing is dropped; the mask is all true.
void dropout(NodeImport& node) {
  if (!node.require(1)) return;
  const ValueId training = node.opset() >= 12 ? node.input(2) : kNoValue;
  if (training != kNoValue) {
    const Tensor* flag = node.constant(training);
    if (flag == nullptr || flag->dtype() != DType::kBool || flag->elements() != 1 ||
        *flag->data<bool>()) {
      return node.refuse("training_mode");
    }
  }
  if (node.wants_output(1)) {
    Result<Tensor> yes = Tensor::allocate(DType::kBool, Shape{1});
    if (!yes) return node.fail("finds no memory");
    *yes->data<bool>() = true;
    const ValueId shape = node.emit(ShapeOf{}, {node.input(0)}, DType::kI64);
    node.finish_with(1, node.emit(ConstantOfShape{std::move(*yes)}, {shape}, DType::kBool));
  }
  node.finish(Identity{}, {node.input(0)}, {dtype_of_x(node)});
}

constexpr OperatorImport kImports[] = {
    {"Identity", identity},
    {"Dropout", dropout},
    {"Concat", concat},
    {"Split", split},
    {"Slice", slice},
    {"Gather", gather},
    {"Reshape", reshape},
    {"Flatten", flatten},
    {"Transpose", transpose},
    {"Squeeze", squeeze},
    {"Unsqueeze", unsqueeze},
    {"Expand", expand},
    {"Tile", tile},
    {"Pad", pad},
    {"Resize", resize},
    {"Upsample", upsample},
    {"DepthToSpace", depth_to_space},
    {"SpaceToDepth", space_to_depth},
    {"Shape", shape},
    {"Size", size},
    {"Constant", constant},
    {"ConstantOfShape", constant_of_shape},
    {"Range", range},
    {"Cast", cast},
    {"CastLike", cast_like},
};

}  // namespace

std::span<const OperatorImport> tensor_imports() { return kImports; }

}  // namespace sluice::graph
