#include "sluice/nodes/infer/graph/import_node.h"

#include <limits>

namespace sluice::graph {
namespace {

constexpr float kNoLow = std::numeric_limits<float>::lowest();
constexpr float kNoHigh = std::numeric_limits<float>::max();

bool is_integer(DType dtype) {
  return dtype != DType::kF32 && dtype != DType::kF64 && dtype != DType::kF16 &&
         dtype != DType::kBF16;
}

template <UnaryKind kKind>
void unary(NodeImport& node) {
  if (!node.require(1)) return;
  node.finish(Unary{kKind}, {node.input(0)}, {node.dtype(node.input(0))});
}

struct Parameters {
  float alpha = 0;
  float beta = 0;
};

void unary_with(NodeImport& node, UnaryKind kind, Parameters parameters) {
  if (!node.require(1)) return;
  node.finish(Unary{kind, parameters.alpha, parameters.beta}, {node.input(0)},
              {node.dtype(node.input(0))});
}

void leaky_relu(NodeImport& node) {
  unary_with(node, UnaryKind::kLeakyRelu, {.alpha = node.number("alpha", 0.01f)});
}
void elu(NodeImport& node) {
  unary_with(node, UnaryKind::kElu, {.alpha = node.number("alpha", 1.0f)});
}
void celu(NodeImport& node) {
  unary_with(node, UnaryKind::kCelu, {.alpha = node.number("alpha", 1.0f)});
}
void thresholded_relu(NodeImport& node) {
  unary_with(node, UnaryKind::kThresholdedRelu, {.alpha = node.number("alpha", 1.0f)});
}
void hard_sigmoid(NodeImport& node) {
  unary_with(node, UnaryKind::kHardSigmoid,
             {.alpha = node.number("alpha", 0.2f), .beta = node.number("beta", 0.5f)});
}
void selu(NodeImport& node) {
  unary_with(node, UnaryKind::kSelu,
             {.alpha = node.number("alpha", 1.67326319217681884765625f),
              .beta = node.number("gamma", 1.05070102214813232421875f)});
}
void gelu(NodeImport& node) {
  const std::string_view approximate = node.text("approximate", "none");
  if (approximate != "none" && approximate != "tanh") {
    return node.fail("has an unknown value of 'approximate'");
  }
  unary_with(node, approximate == "none" ? UnaryKind::kGelu : UnaryKind::kGeluTanh, {});
}

// Before operator set 7 broadcasting had to be asked for, and could be aligned at any axis.
bool has_old_broadcast(NodeImport& node) {
  if (node.opset() >= 7 || !node.has("axis")) return false;
  node.refuse("broadcasting by 'axis' (operator set " + std::to_string(node.opset()) + ")");
  return true;
}

bool require_pair(NodeImport& node) {
  if (!node.require(2) || has_old_broadcast(node)) return false;
  if (node.dtype(node.input(0)) != node.dtype(node.input(1))) {
    node.fail("has inputs of different element types");
    return false;
  }
  return true;
}

// Where arithmetic is done for types that have none of their own: one that holds every value. Going
// back wraps around as theirs would.
DType wider(DType dtype) {
  switch (dtype) {
    case DType::kI8:
    case DType::kU8:
    case DType::kI16:
    case DType::kU16:
      return DType::kI32;
    case DType::kU32:
      return DType::kI64;
    case DType::kF16:
    case DType::kBF16:
      return DType::kF32;
    default:
      return dtype;
  }
}

ValueId as(NodeImport& node, ValueId id, DType dtype) {
  return node.dtype(id) == dtype ? id : node.emit(Cast{dtype}, {id}, dtype);
}

ValueId compute(NodeImport& node, BinaryKind kind, ValueId a, ValueId b) {
  const DType dtype = node.dtype(a);
  const DType wide = wider(dtype);
  const ValueId result = node.emit(Binary{kind}, {as(node, a, wide), as(node, b, wide)}, wide);
  return as(node, result, dtype);
}

void finish_with_arithmetic(NodeImport& node, BinaryKind kind, ValueId a, ValueId b) {
  const DType dtype = node.dtype(a);
  if (wider(dtype) == dtype) return node.finish(Binary{kind}, {a, b}, {dtype});
  node.finish(Identity{}, {compute(node, kind, a, b)}, {dtype});
}

template <BinaryKind kKind>
void arithmetic(NodeImport& node) {
  if (!require_pair(node)) return;
  finish_with_arithmetic(node, kKind, node.input(0), node.input(1));
}

template <BinaryKind kKind>
void predicate(NodeImport& node) {
  if (!require_pair(node)) return;
  const DType wide = wider(node.dtype(node.input(0)));
  node.finish(Binary{kKind}, {as(node, node.input(0), wide), as(node, node.input(1), wide)},
              {DType::kBool});
}

// The bounds were attributes before operator set 11. Constant ones of floats become part of the
// operation, which is what the fusions look for; all others are a maximum and a minimum.
void clip(NodeImport& node) {
  if (!node.require(1)) return;
  const ValueId x = node.input(0);
  const DType dtype = node.dtype(x);
  if (node.opset() < 11) {
    return unary_with(node, UnaryKind::kClip,
                      {.alpha = node.number("min", kNoLow), .beta = node.number("max", kNoHigh)});
  }
  const ValueId low = node.input(1);
  const ValueId high = node.input(2);
  const auto known = [&](ValueId id) {
    return id == kNoValue || (node.constant(id) != nullptr && node.constant(id)->elements() == 1 &&
                              node.dtype(id) == DType::kF32);
  };
  if (dtype == DType::kF32 && known(low) && known(high)) {
    return unary_with(node, UnaryKind::kClip,
                      {.alpha = low == kNoValue ? kNoLow : *node.constant(low)->data<float>(),
                       .beta = high == kNoValue ? kNoHigh : *node.constant(high)->data<float>()});
  }
  if (low == kNoValue && high == kNoValue) return node.finish(Identity{}, {x}, {dtype});
  if (low == kNoValue) return finish_with_arithmetic(node, BinaryKind::kMin, x, high);
  if (high == kNoValue) return finish_with_arithmetic(node, BinaryKind::kMax, x, low);
  finish_with_arithmetic(node, BinaryKind::kMin, compute(node, BinaryKind::kMax, x, low), high);
}

void mod(NodeImport& node) {
  if (!require_pair(node)) return;
  const auto kind = node.integer("fmod", 0) != 0 ? BinaryKind::kFmod : BinaryKind::kMod;
  finish_with_arithmetic(node, kind, node.input(0), node.input(1));
}

// The result has the base's type whatever the exponent's is. An integer to a fractional power is
// computed in f64, which holds what i32 can and what NumPy computes in.
void pow(NodeImport& node) {
  if (!node.require(2) || has_old_broadcast(node)) return;
  ValueId base = node.input(0);
  ValueId exponent = node.input(1);
  const DType dtype = node.dtype(base);
  if (dtype == node.dtype(exponent)) {
    return node.finish(Binary{BinaryKind::kPow}, {base, exponent}, {dtype});
  }
  if (!is_integer(dtype) || is_integer(node.dtype(exponent))) {
    exponent = node.emit(Cast{dtype}, {exponent}, dtype);
    return node.finish(Binary{BinaryKind::kPow}, {base, exponent}, {dtype});
  }
  base = node.emit(Cast{DType::kF64}, {base}, DType::kF64);
  exponent = node.emit(Cast{DType::kF64}, {exponent}, DType::kF64);
  const ValueId power = node.emit(Binary{BinaryKind::kPow}, {base, exponent}, DType::kF64);
  node.finish(Cast{dtype}, {power}, {dtype});
}

// Sum, Mean, Min and Max take any number of operands: a chain of two at a time.
ValueId chain(NodeImport& node, BinaryKind kind) {
  ValueId result = node.input(0);
  const DType dtype = node.dtype(result);
  for (std::size_t i = 1; i < node.input_count(); ++i) {
    if (node.dtype(node.input(i)) != dtype) node.fail("has inputs of different element types");
    result = compute(node, kind, result, node.input(i));
  }
  return result;
}

template <BinaryKind kKind>
void variadic(NodeImport& node) {
  if (!node.require(std::max<std::size_t>(1, node.input_count()))) return;
  const ValueId result = chain(node, kKind);
  node.finish(Identity{}, {result}, {node.dtype(result)});
}

void mean(NodeImport& node) {
  if (!node.require(std::max<std::size_t>(1, node.input_count()))) return;
  const ValueId sum = chain(node, BinaryKind::kAdd);
  const ValueId count = node.constant_scalar(static_cast<float>(node.input_count()));
  if (node.dtype(sum) != DType::kF32) return node.refuse("elements that are not f32");
  node.finish(Binary{BinaryKind::kDiv}, {sum, count}, {DType::kF32});
}

void prelu(NodeImport& node) {
  if (!node.require(2)) return;
  const Tensor* slope = node.constant(node.input(1));
  if (node.opset() < 7 && (slope == nullptr || slope->elements() != 1)) {
    return node.refuse("one slope a channel (operator set " + std::to_string(node.opset()) + ")");
  }
  arithmetic<BinaryKind::kPRelu>(node);
}

void where(NodeImport& node) {
  if (!node.require(3)) return;
  if (node.dtype(node.input(0)) != DType::kBool)
    return node.fail("has a condition that is not bool");
  if (node.dtype(node.input(1)) != node.dtype(node.input(2))) {
    return node.fail("has inputs of different element types");
  }
  node.finish(Where{}, {node.input(0), node.input(1), node.input(2)}, {node.dtype(node.input(1))});
}

constexpr OperatorImport kImports[] = {
    {"Relu", unary<UnaryKind::kRelu>},
    {"Sigmoid", unary<UnaryKind::kSigmoid>},
    {"HardSwish", unary<UnaryKind::kHardSwish>},
    {"Tanh", unary<UnaryKind::kTanh>},
    {"Exp", unary<UnaryKind::kExp>},
    {"Log", unary<UnaryKind::kLog>},
    {"Sqrt", unary<UnaryKind::kSqrt>},
    {"Reciprocal", unary<UnaryKind::kReciprocal>},
    {"Erf", unary<UnaryKind::kErf>},
    {"Neg", unary<UnaryKind::kNeg>},
    {"Abs", unary<UnaryKind::kAbs>},
    {"Floor", unary<UnaryKind::kFloor>},
    {"Ceil", unary<UnaryKind::kCeil>},
    {"Round", unary<UnaryKind::kRound>},
    {"Sign", unary<UnaryKind::kSign>},
    {"Softplus", unary<UnaryKind::kSoftplus>},
    {"Softsign", unary<UnaryKind::kSoftsign>},
    {"Mish", unary<UnaryKind::kMish>},
    {"Sin", unary<UnaryKind::kSin>},
    {"Cos", unary<UnaryKind::kCos>},
    {"Tan", unary<UnaryKind::kTan>},
    {"Asin", unary<UnaryKind::kAsin>},
    {"Acos", unary<UnaryKind::kAcos>},
    {"Atan", unary<UnaryKind::kAtan>},
    {"Sinh", unary<UnaryKind::kSinh>},
    {"Cosh", unary<UnaryKind::kCosh>},
    {"Not", unary<UnaryKind::kNot>},
    {"LeakyRelu", leaky_relu},
    {"Elu", elu},
    {"Celu", celu},
    {"Selu", selu},
    {"ThresholdedRelu", thresholded_relu},
    {"HardSigmoid", hard_sigmoid},
    {"Gelu", gelu},
    {"Clip", clip},
    {"Add", arithmetic<BinaryKind::kAdd>},
    {"Sub", arithmetic<BinaryKind::kSub>},
    {"Mul", arithmetic<BinaryKind::kMul>},
    {"Div", arithmetic<BinaryKind::kDiv>},
    {"And", predicate<BinaryKind::kAnd>},
    {"Or", predicate<BinaryKind::kOr>},
    {"Xor", predicate<BinaryKind::kXor>},
    {"Equal", predicate<BinaryKind::kEqual>},
    {"Less", predicate<BinaryKind::kLess>},
    {"LessOrEqual", predicate<BinaryKind::kLessOrEqual>},
    {"Greater", predicate<BinaryKind::kGreater>},
    {"GreaterOrEqual", predicate<BinaryKind::kGreaterOrEqual>},
    {"Mod", mod},
    {"Pow", pow},
    {"Sum", variadic<BinaryKind::kAdd>},
    {"Min", variadic<BinaryKind::kMin>},
    {"Max", variadic<BinaryKind::kMax>},
    {"Mean", mean},
    {"PRelu", prelu},
    {"Where", where},
};

}  // namespace

std::span<const OperatorImport> elementwise_imports() { return kImports; }

}  // namespace sluice::graph
