#pragma once

#include "sluice/core/tensor.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

// What the nodes of a graph compute. One struct an operation, holding its attributes; operands are
// values of the graph and are listed here in order, optional ones with a "?". The meaning is that
// of the newest ONNX operator set unless a comment says otherwise: the importer translates older
// ones.
namespace sluice::graph {

enum class UnaryKind : std::uint8_t {
  kRelu,
  kClip,       // min(max(x, alpha), beta)
  kLeakyRelu,  // alpha
  kSigmoid,
  kSilu,         // x * sigmoid(x)
  kHardSigmoid,  // clip(alpha * x + beta, 0, 1)
  kHardSwish,    // x * clip(x / 6 + 1 / 2, 0, 1)
  kGelu,         // the exact form, by erf
  kGeluTanh,
  kTanh,
  kExp,
  kLog,
  kSqrt,
  kReciprocal,
  kErf,
  kNeg,
  kAbs,
  kFloor,
  kCeil,
  kRound,
  kSign,
  kElu,   // alpha
  kSelu,  // alpha, beta is gamma
  kCelu,  // alpha
  kSoftplus,
  kSoftsign,
  kThresholdedRelu,  // alpha
  kMish,
  kSin,
  kCos,
  kTan,
  kAsin,
  kAcos,
  kAtan,
  kSinh,
  kCosh,
  kNot,
};

enum class BinaryKind : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kPow,
  kMin,
  kMax,
  kMod,
  kFmod,
  kPRelu,
  kAnd,
  kOr,
  kXor,
  kEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
};

// x
struct Unary {
  UnaryKind kind = UnaryKind::kRelu;
  float alpha = 0.0f;
  float beta = 0.0f;
  // Where it is a layer's activation: y = scale * f(x) + shift. Else 1 and 0.
  float scale = 1.0f;
  float shift = 0.0f;
};

// a, b; numpy broadcasting
struct Binary {
  BinaryKind kind = BinaryKind::kAdd;
};

// condition, a, b; numpy broadcasting
struct Where {};

enum class AutoPad : std::uint8_t { kExplicit, kSameUpper, kSameLower, kValid };

// A sliding window over the spatial axes. Empty vectors mean: kernel from the weights, strides and
// dilations 1, pads 0. Pads are all begins, then all ends.
struct Window {
  std::vector<std::int64_t> kernel, strides, dilations, pads;
  AutoPad auto_pad = AutoPad::kExplicit;
};

// How the images of a layer lie: as ONNX has them, [N,C,...], or with the channels innermost,
// [N,...,C]. Ours: an engine that computes better in the other order turns its layers over.
enum class Layout : std::uint8_t { kPlanar, kChannelsLast };

// x [N,C,...], weights [M,C/group,...], bias? [M], residual?
// The last is ours, as are the activations: what follows a convolution is computed along with it,
//   y = after(activation(conv(x) + bias) + residual), the sum broadcast like an Add.
struct Conv {
  Window window;
  std::int64_t group = 1;
  std::optional<Unary> activation;
  std::optional<Unary> after;             // only with a residual
  Layout layout = Layout::kPlanar;        // of the result and the residual
  Layout input_layout = Layout::kPlanar;  // of x
  bool adds_depthwise = false;            // the residual is the depthwise result it starts from
};

// x [N,C,...], weights [C,M/group,...], bias? [M]
struct ConvTranspose {
  Window window;
  std::int64_t group = 1;
  std::vector<std::int64_t> output_padding;
  std::vector<std::int64_t> output_shape;  // spatial extents asked for; empty: from the pads
  std::optional<Unary> activation;
  Layout layout = Layout::kPlanar;
};

// a, b, c?
struct Gemm {
  float alpha = 1.0f;
  float beta = 1.0f;
  bool transpose_a = false;
  bool transpose_b = false;
  std::optional<Unary> activation;
};

// a, b, bias? [N] (the bias is ours: it is what a following Add becomes)
struct MatMul {
  std::optional<Unary> activation;
};

// x [N,C,...], scale, shift, mean, variance [C]; at inference
struct BatchNorm {
  float epsilon = 1e-5f;
  std::optional<Unary> activation;  // ours
  Layout layout = Layout::kPlanar;
};

// x, scale?, shift?
struct LayerNorm {
  std::int64_t axis = -1;
  float epsilon = 1e-5f;
};

// x [N,C,...], scale, shift [C]
struct InstanceNorm {
  float epsilon = 1e-5f;
};

// x [N,C,...]
struct Lrn {
  std::int64_t size = 1;
  float alpha = 1e-4f;
  float beta = 0.75f;
  float bias = 1.0f;
  Layout layout = Layout::kPlanar;
};

// x [N,C,...]; a second output of a maximum is the indices
struct Pool {
  enum class Kind : std::uint8_t { kMax, kAverage };
  Kind kind = Kind::kMax;
  Window window;
  bool ceil_mode = false;
  bool count_include_pad = false;
  Layout layout = Layout::kPlanar;
};

// x. Over `axis` alone, or, as before operator set 13, over all axes from `axis` on.
struct Softmax {
  enum class Extent : std::uint8_t { kAxis, kFromAxis };
  std::int64_t axis = -1;
  Extent extent = Extent::kAxis;
  bool logarithm = false;
};

enum class ReduceKind : std::uint8_t {
  kSum,
  kMean,
  kMax,
  kMin,
  kProd,
  kL1,
  kL2,
  kSumSquare,
  kLogSum,
  kLogSumExp,
};

// x, axes?
struct Reduce {
  // What no axes, or an empty list of them, means.
  enum class NoAxes : std::uint8_t { kAll, kNone, kSpatial };
  ReduceKind kind = ReduceKind::kSum;
  bool keep_dims = true;
  NoAxes no_axes = NoAxes::kAll;
};

// x
struct ArgReduce {
  enum class Kind : std::uint8_t { kMax, kMin };
  Kind kind = Kind::kMax;
  std::int64_t axis = 0;
  bool keep_dims = true;
  bool select_last = false;
};

// x, k; outputs values, indices
struct TopK {
  std::int64_t axis = -1;
  bool largest = true;
};

// one or more
struct Concat {
  std::int64_t axis = 0;
};

// x, sizes?; without sizes, equal parts, the last one smaller
struct Split {
  std::int64_t axis = 0;
};

// x, starts, ends, axes?, steps?
struct Slice {};

// x, indices
struct Gather {
  std::int64_t axis = 0;
};

// x, shape
struct Reshape {
  bool allow_zero = false;
};

// x
struct Flatten {
  std::int64_t axis = 1;
};

// x; an empty permutation reverses the axes
struct Transpose {
  std::vector<std::int64_t> permutation;
};

// x, axes?
struct Squeeze {};

// x, axes
struct Unsqueeze {};

// x, shape
struct Expand {};

// x, repeats
struct Tile {};

// x, pads, value?, axes?
struct Pad {
  enum class Mode : std::uint8_t { kConstant, kReflect, kEdge, kWrap };
  Mode mode = Mode::kConstant;
};

// x, roi?, scales?, sizes?; one of the last two is there
struct Resize {
  enum class Mode : std::uint8_t { kNearest, kLinear, kCubic };
  enum class Coordinates : std::uint8_t {
    kHalfPixel,
    kHalfPixelSymmetric,
    kPytorchHalfPixel,
    kAlignCorners,
    kAsymmetric,
    kTfHalfPixelForNearest,
    kTfCropAndResize,
  };
  enum class Rounding : std::uint8_t { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
  Mode mode = Mode::kNearest;
  Coordinates coordinates = Coordinates::kHalfPixel;
  Rounding rounding = Rounding::kRoundPreferFloor;
  float cubic_a = -0.75f;
  bool exclude_outside = false;
  float extrapolation = 0.0f;
};

// x [N,C,H,W]
struct DepthToSpace {
  enum class Mode : std::uint8_t { kDepthColumnRow, kColumnRowDepth };
  std::int64_t block = 1;
  Mode mode = Mode::kDepthColumnRow;
};

// x [N,C,H,W]
struct SpaceToDepth {
  std::int64_t block = 1;
};

// x; extents start..end of its shape, as i64
struct ShapeOf {
  std::int64_t start = 0;
  std::optional<std::int64_t> end;
};

// x; the number of its elements, as i64
struct SizeOf {};

// shape
struct ConstantOfShape {
  Tensor value;  // one element
};

// start, limit, delta; scalars
struct Range {};

// x
struct Cast {
  DType to = DType::kF32;
};

// x
struct Identity {};

using Operation = std::variant<Unary, Binary, Where, Conv, ConvTranspose, Gemm, MatMul, BatchNorm,
                               LayerNorm, InstanceNorm, Lrn, Pool, Softmax, Reduce, ArgReduce, TopK,
                               Concat, Split, Slice, Gather, Reshape, Flatten, Transpose, Squeeze,
                               Unsqueeze, Expand, Tile, Pad, Resize, DepthToSpace, SpaceToDepth,
                               ShapeOf, SizeOf, ConstantOfShape, Range, Cast, Identity>;

// "Conv", "Add", "ReduceMean": ONNX's word for the operation where it has one.
std::string_view name_of(const Operation& operation);

}  // namespace sluice::graph
