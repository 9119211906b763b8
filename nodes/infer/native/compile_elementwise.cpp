#include "sluice/nodes/infer/native/compile.h"
#include "sluice/nodes/infer/native/kernels/elementwise.h"

#include <limits>

namespace sluice::native {
namespace {

using graph::BinaryKind;
using graph::UnaryKind;

kernels::Unary kernel_of(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
      return kernels::Unary::kRelu;
    case UnaryKind::kClip:
      return kernels::Unary::kClip;
    case UnaryKind::kLeakyRelu:
      return kernels::Unary::kLeakyRelu;
    case UnaryKind::kSigmoid:
      return kernels::Unary::kSigmoid;
    case UnaryKind::kSilu:
      return kernels::Unary::kSilu;
    case UnaryKind::kHardSigmoid:
      return kernels::Unary::kHardSigmoid;
    case UnaryKind::kHardSwish:
      return kernels::Unary::kHardSwish;
    case UnaryKind::kGelu:
      return kernels::Unary::kGelu;
    case UnaryKind::kGeluTanh:
      return kernels::Unary::kGeluTanh;
    case UnaryKind::kTanh:
      return kernels::Unary::kTanh;
    case UnaryKind::kExp:
      return kernels::Unary::kExp;
    case UnaryKind::kLog:
      return kernels::Unary::kLog;
    case UnaryKind::kSqrt:
      return kernels::Unary::kSqrt;
    case UnaryKind::kReciprocal:
      return kernels::Unary::kReciprocal;
    case UnaryKind::kErf:
      return kernels::Unary::kErf;
    case UnaryKind::kNeg:
      return kernels::Unary::kNeg;
    case UnaryKind::kAbs:
      return kernels::Unary::kAbs;
    case UnaryKind::kFloor:
      return kernels::Unary::kFloor;
    case UnaryKind::kCeil:
      return kernels::Unary::kCeil;
    case UnaryKind::kRound:
      return kernels::Unary::kRound;
    case UnaryKind::kSign:
      return kernels::Unary::kSign;
    case UnaryKind::kElu:
      return kernels::Unary::kElu;
    case UnaryKind::kSelu:
      return kernels::Unary::kSelu;
    case UnaryKind::kCelu:
      return kernels::Unary::kCelu;
    case UnaryKind::kSoftplus:
      return kernels::Unary::kSoftplus;
    case UnaryKind::kSoftsign:
      return kernels::Unary::kSoftsign;
    case UnaryKind::kThresholdedRelu:
      return kernels::Unary::kThresholdedRelu;
    case UnaryKind::kMish:
      return kernels::Unary::kMish;
    case UnaryKind::kSin:
      return kernels::Unary::kSin;
    case UnaryKind::kCos:
      return kernels::Unary::kCos;
    case UnaryKind::kTan:
      return kernels::Unary::kTan;
    case UnaryKind::kAsin:
      return kernels::Unary::kAsin;
    case UnaryKind::kAcos:
      return kernels::Unary::kAcos;
    case UnaryKind::kAtan:
      return kernels::Unary::kAtan;
    case UnaryKind::kSinh:
      return kernels::Unary::kSinh;
    case UnaryKind::kCosh:
      return kernels::Unary::kCosh;
    case UnaryKind::kNot:
      break;  // over bool: logical_not
  }
  return kernels::Unary::kIdentity;
}

kernels::Binary arithmetic_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kSub:
      return kernels::Binary::kSub;
    case BinaryKind::kMul:
      return kernels::Binary::kMul;
    case BinaryKind::kDiv:
      return kernels::Binary::kDiv;
    case BinaryKind::kPow:
      return kernels::Binary::kPow;
    case BinaryKind::kMin:
      return kernels::Binary::kMin;
    case BinaryKind::kMax:
      return kernels::Binary::kMax;
    case BinaryKind::kMod:
      return kernels::Binary::kMod;
    case BinaryKind::kFmod:
      return kernels::Binary::kFmod;
    case BinaryKind::kPRelu:
      return kernels::Binary::kPRelu;
    default:
      return kernels::Binary::kAdd;
  }
}

std::optional<kernels::Compare> comparison_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kEqual:
      return kernels::Compare::kEqual;
    case BinaryKind::kLess:
      return kernels::Compare::kLess;
    case BinaryKind::kLessOrEqual:
      return kernels::Compare::kLessOrEqual;
    case BinaryKind::kGreater:
      return kernels::Compare::kGreater;
    case BinaryKind::kGreaterOrEqual:
      return kernels::Compare::kGreaterOrEqual;
    default:
      return std::nullopt;
  }
}

std::optional<kernels::Logical> logical_of(BinaryKind kind) {
  switch (kind) {
    case BinaryKind::kAnd:
      return kernels::Logical::kAnd;
    case BinaryKind::kOr:
      return kernels::Logical::kOr;
    case BinaryKind::kXor:
      return kernels::Logical::kXor;
    default:
      return std::nullopt;
  }
}

CompiledNode compile_unary(const graph::Unary& op, DType dtype, std::int64_t count) {
  const kernels::Unary fn = kernel_of(op.kind);
  switch (dtype) {
    case DType::kI64:
      return {[=](const Call& call) {
        kernels::unary_i64(fn, 0, 0, count, call.in<std::int64_t>(0), call.out<std::int64_t>(0));
        return Status::ok();
      }};
    case DType::kI32:
      return {[=](const Call& call) {
        kernels::unary_i32(fn, 0, 0, count, call.in<std::int32_t>(0), call.out<std::int32_t>(0));
        return Status::ok();
      }};
    case DType::kBool:
      return {[=](const Call& call) {
        kernels::logical_not(count, call.in<bool>(0), call.out<bool>(0));
        return Status::ok();
      }};
    default:
      return {[=, alpha = op.alpha, beta = op.beta](const Call& call) {
        kernels::unary(fn, alpha, beta, count, call.in<float>(0), call.out<float>(0));
        return Status::ok();
      }};
  }
}

template <class T>
CompiledNode compile_arithmetic(kernels::Binary fn, const Shape& a, const Shape& b) {
  return {[=](const Call& call) {
    kernels::binary<T>(fn, a.dims(), call.in<T>(0), b.dims(), call.in<T>(1), call.out<T>(0));
    return Status::ok();
  }};
}

template <class T>
CompiledNode compile_comparison(kernels::Compare fn, const Shape& a, const Shape& b) {
  return {[=](const Call& call) {
    kernels::compare<T>(fn, a.dims(), call.in<T>(0), b.dims(), call.in<T>(1), call.out<bool>(0));
    return Status::ok();
  }};
}

CompiledNode compile_binary(BinaryKind kind, DType dtype, const Shape& a, const Shape& b) {
  if (const auto fn = logical_of(kind)) {
    return {[=, fn = *fn](const Call& call) {
      kernels::logical(fn, a.dims(), call.in<bool>(0), b.dims(), call.in<bool>(1),
                       call.out<bool>(0));
      return Status::ok();
    }};
  }
  if (const auto fn = comparison_of(kind)) {
    switch (dtype) {
      case DType::kF64:
        return compile_comparison<double>(*fn, a, b);
      case DType::kI64:
        return compile_comparison<std::int64_t>(*fn, a, b);
      case DType::kI32:
        return compile_comparison<std::int32_t>(*fn, a, b);
      case DType::kBool:
        return compile_comparison<bool>(*fn, a, b);
      default:
        return compile_comparison<float>(*fn, a, b);
    }
  }
  const kernels::Binary fn = arithmetic_of(kind);
  switch (dtype) {
    case DType::kF64:
      return compile_arithmetic<double>(fn, a, b);
    case DType::kI64:
      return compile_arithmetic<std::int64_t>(fn, a, b);
    case DType::kI32:
      return compile_arithmetic<std::int32_t>(fn, a, b);
    default:
      return compile_arithmetic<float>(fn, a, b);
  }
}

CompiledNode compile_where(const NodeToCompile& what) {
  const Shape out = what.outputs[0].shape;
  const Shape condition = what.operands[0]->shape;
  const Shape a = what.operands[1]->shape;
  const Shape b = what.operands[2]->shape;
  const std::size_t element_bytes = size_of(what.outputs[0].dtype);
  return {[=](const Call& call) {
    kernels::where({out.dims(), condition.dims(), a.dims(), b.dims(), element_bytes},
                   call.in<bool>(0), call.in<std::byte>(1), call.in<std::byte>(2),
                   call.out<std::byte>(0));
    return Status::ok();
  }};
}

template <class T>
CompiledNode compile_range(std::int64_t count) {
  return {[=](const Call& call) {
    const T start = *call.in<T>(0);
    const T delta = *call.in<T>(2);
    for (std::int64_t i = 0; i < count; ++i) {
      call.out<T>(0)[i] = static_cast<T>(start + static_cast<T>(i) * delta);
    }
    return Status::ok();
  }};
}

}  // namespace

kernels::Activation activation_of(const std::optional<graph::Unary>& unary) {
  if (!unary) return {};
  const auto with = [&](kernels::ActivationKind kind) {
    return kernels::Activation{kind, unary->alpha, unary->beta, unary->scale, unary->shift};
  };
  switch (unary->kind) {
    case UnaryKind::kRelu:
      return with(kernels::ActivationKind::kRelu);
    case UnaryKind::kClip:
      return with(kernels::ActivationKind::kClip);
    case UnaryKind::kLeakyRelu:
      return with(kernels::ActivationKind::kLeakyRelu);
    case UnaryKind::kSigmoid:
      return with(kernels::ActivationKind::kSigmoid);
    case UnaryKind::kSilu:
      return with(kernels::ActivationKind::kSilu);
    case UnaryKind::kHardSigmoid:
      return with(kernels::ActivationKind::kHardSigmoid);
    case UnaryKind::kHardSwish:
      return with(kernels::ActivationKind::kHardSwish);
    case UnaryKind::kGelu:
      return with(kernels::ActivationKind::kGelu);
    case UnaryKind::kTanh:
      return with(kernels::ActivationKind::kTanh);
    default:
      break;
  }
  assert(false && "the passes fuse no other activation");
  return {};
}

Result<CompiledNode> compile_elementwise(const NodeToCompile& what) {
  const std::int64_t count = what.outputs[0].shape.elements();
  const DType dtype = what.operands[0]->dtype;
  if (const auto* op = std::get_if<graph::Unary>(&what.node.operation)) {
    return compile_unary(*op, dtype, count);
  }
  if (const auto* op = std::get_if<graph::Binary>(&what.node.operation)) {
    return compile_binary(op->kind, dtype, what.operands[0]->shape, what.operands[1]->shape);
  }
  if (std::holds_alternative<graph::Where>(what.node.operation)) return compile_where(what);
  if (const auto* op = std::get_if<graph::Cast>(&what.node.operation)) {
    return CompiledNode{[=, to = op->to](const Call& call) {
      kernels::cast(dtype, to, count, call.in<std::byte>(0), call.out<std::byte>(0));
      return Status::ok();
    }};
  }
  switch (dtype) {  // Range
    case DType::kF64:
      return compile_range<double>(count);
    case DType::kI64:
      return compile_range<std::int64_t>(count);
    case DType::kI32:
      return compile_range<std::int32_t>(count);
    default:
      return compile_range<float>(count);
  }
}

}  // namespace sluice::native
