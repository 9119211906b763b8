#pragma once

#include "sluice/core/status.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

// The messages of onnx.proto as plain structs, as far as running a model needs them.
// Every string_view and span points into the bytes that were decoded.
// Field numbers and meaning: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
namespace sluice::graph::proto {

// TensorProto.DataType
enum class DataType : std::int32_t {
  kUndefined = 0,
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kString = 8,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kComplex64 = 14,
  kComplex128 = 15,
  kBfloat16 = 16,
};

struct Entry {
  std::string_view key;
  std::string_view value;
};

// Holds its elements in exactly one of the data fields, or in another file.
struct Tensor {
  std::string_view name;
  DataType data_type = DataType::kUndefined;
  std::vector<std::int64_t> dims;
  std::optional<std::string_view> raw;
  std::vector<float> floats;
  std::vector<double> doubles;
  std::vector<std::int64_t> integers;  // int32_data, int64_data and uint64_data
  std::vector<Entry> external;
  bool is_external = false;
};

struct Attribute {
  enum class Type : std::int32_t {
    kUndefined = 0,
    kFloat = 1,
    kInt = 2,
    kString = 3,
    kTensor = 4,
    kGraph = 5,
    kFloats = 6,
    kInts = 7,
    kStrings = 8,
  };
  std::string_view name;
  Type type = Type::kUndefined;
  float f = 0;
  std::int64_t i = 0;
  std::string_view s;
  std::optional<Tensor> t;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
  std::vector<std::string_view> strings;
};

struct Node {
  std::string_view name;
  std::string_view op_type;
  std::string_view domain;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<Attribute> attributes;
};

struct Dimension {
  std::optional<std::int64_t> value;
  std::string_view param;
};

struct ValueInfo {
  std::string_view name;
  DataType elem_type = DataType::kUndefined;
  bool is_tensor = false;
  std::optional<std::vector<Dimension>> shape;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  bool has_sparse_initializer = false;
};

struct OperatorSet {
  std::string_view domain;
  std::int64_t version = 0;
};

struct Model {
  std::int64_t ir_version = 0;
  std::vector<OperatorSet> operator_sets;
  std::vector<Entry> metadata;
  std::optional<Graph> graph;
};

// Errors: model.truncated when the bytes end before the message does, model.invalid when they are
// no such message. The messages carry no path; the caller knows it.
// Subgraphs inside attributes are not decoded, so nesting is bounded by the schema.
Result<Model> decode_model(std::span<const std::byte> bytes);

// A TensorProto on its own, the form in which test data is stored.
Result<Tensor> decode_tensor(std::span<const std::byte> bytes);

}  // namespace sluice::graph::proto
