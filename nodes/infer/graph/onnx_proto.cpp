#include "sluice/nodes/infer/graph/onnx_proto.h"

#include <protozero/pbf_reader.hpp>

#include <string>

namespace sluice::graph::proto {
namespace {

using protozero::pbf_reader;
using protozero::pbf_wire_type;

// Keys of fields: number and wire type together. A field of the right number and the wrong type is
// skipped like an unknown one, as protobuf itself does.
constexpr std::uint32_t varint(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::varint);
}
constexpr std::uint32_t bytes(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::length_delimited);
}
constexpr std::uint32_t fixed32(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::fixed32);
}
constexpr std::uint32_t fixed64(std::uint32_t field) {
  return protozero::tag_and_type(field, pbf_wire_type::fixed64);
}

std::string_view view(pbf_reader& reader) {
  const protozero::data_view data = reader.get_view();
  return {data.data(), data.size()};
}

template <class Range, class T>
void append(const Range& range, std::vector<T>& out) {
  for (const auto item : range) out.push_back(static_cast<T>(item));
}

Entry decode_entry(pbf_reader reader) {
  Entry entry;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        entry.key = view(reader);
        break;
      case bytes(2):
        entry.value = view(reader);
        break;
      default:
        reader.skip();
    }
  }
  return entry;
}

Tensor decode_tensor_message(pbf_reader reader) {
  Tensor tensor;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1):
        tensor.dims.push_back(reader.get_int64());
        break;
      case bytes(1):
        append(reader.get_packed_int64(), tensor.dims);
        break;
      case varint(2):
        tensor.data_type = static_cast<DataType>(reader.get_int32());
        break;
      case fixed32(4):
        tensor.floats.push_back(reader.get_float());
        break;
      case bytes(4):
        append(reader.get_packed_float(), tensor.floats);
        break;
      case varint(5):
        tensor.integers.push_back(reader.get_int32());
        break;
      case bytes(5):
        append(reader.get_packed_int32(), tensor.integers);
        break;
      case varint(7):
        tensor.integers.push_back(reader.get_int64());
        break;
      case bytes(7):
        append(reader.get_packed_int64(), tensor.integers);
        break;
      case bytes(8):
        tensor.name = view(reader);
        break;
      case bytes(9):
        tensor.raw = view(reader);
        break;
      case fixed64(10):
        tensor.doubles.push_back(reader.get_double());
        break;
      case bytes(10):
        append(reader.get_packed_double(), tensor.doubles);
        break;
      case varint(11):
        tensor.integers.push_back(static_cast<std::int64_t>(reader.get_uint64()));
        break;
      case bytes(11):
        append(reader.get_packed_uint64(), tensor.integers);
        break;
      case bytes(13):
        tensor.external.push_back(decode_entry(reader.get_message()));
        break;
      case varint(14):
        tensor.is_external = reader.get_int32() == 1;
        break;
      default:
        reader.skip();
    }
  }
  return tensor;
}

Attribute decode_attribute(pbf_reader reader) {
  Attribute attribute;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        attribute.name = view(reader);
        break;
      case fixed32(2):
        attribute.f = reader.get_float();
        break;
      case varint(3):
        attribute.i = reader.get_int64();
        break;
      case bytes(4):
        attribute.s = view(reader);
        break;
      case bytes(5):
        attribute.t = decode_tensor_message(reader.get_message());
        break;
      case fixed32(7):
        attribute.floats.push_back(reader.get_float());
        break;
      case bytes(7):
        append(reader.get_packed_float(), attribute.floats);
        break;
      case varint(8):
        attribute.ints.push_back(reader.get_int64());
        break;
      case bytes(8):
        append(reader.get_packed_int64(), attribute.ints);
        break;
      case bytes(9):
        attribute.strings.push_back(view(reader));
        break;
      case varint(20):
        attribute.type = static_cast<Attribute::Type>(reader.get_int32());
        break;
      default:
        reader.skip();
    }
  }
  return attribute;
}

Node decode_node(pbf_reader reader) {
  Node node;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        node.inputs.push_back(view(reader));
        break;
      case bytes(2):
        node.outputs.push_back(view(reader));
        break;
      case bytes(3):
        node.name = view(reader);
        break;
      case bytes(4):
        node.op_type = view(reader);
        break;
      case bytes(5):
        node.attributes.push_back(decode_attribute(reader.get_message()));
        break;
      case bytes(7):
        node.domain = view(reader);
        break;
      default:
        reader.skip();
    }
  }
  return node;
}

Dimension decode_dimension(pbf_reader reader) {
  Dimension dimension;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1):
        dimension.value = reader.get_int64();
        break;
      case bytes(2):
        dimension.param = view(reader);
        break;
      default:
        reader.skip();
    }
  }
  return dimension;
}

std::vector<Dimension> decode_shape(pbf_reader reader) {
  std::vector<Dimension> dimensions;
  while (reader.next()) {
    if (reader.tag_and_type() == bytes(1)) {
      dimensions.push_back(decode_dimension(reader.get_message()));
    } else {
      reader.skip();
    }
  }
  return dimensions;
}

void decode_tensor_type(pbf_reader reader, ValueInfo& info) {
  info.is_tensor = true;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case varint(1):
        info.elem_type = static_cast<DataType>(reader.get_int32());
        break;
      case bytes(2):
        info.shape = decode_shape(reader.get_message());
        break;
      default:
        reader.skip();
    }
  }
}

ValueInfo decode_value_info(pbf_reader reader) {
  ValueInfo info;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        info.name = view(reader);
        break;
      case bytes(2): {
        pbf_reader type = reader.get_message();
        while (type.next()) {
          if (type.tag_and_type() == bytes(1)) {
            decode_tensor_type(type.get_message(), info);
          } else {
            type.skip();
          }
        }
        break;
      }
      default:
        reader.skip();
    }
  }
  return info;
}

Graph decode_graph(pbf_reader reader) {
  Graph graph;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        graph.nodes.push_back(decode_node(reader.get_message()));
        break;
      case bytes(5):
        graph.initializers.push_back(decode_tensor_message(reader.get_message()));
        break;
      case bytes(11):
        graph.inputs.push_back(decode_value_info(reader.get_message()));
        break;
      case bytes(12):
        graph.outputs.push_back(decode_value_info(reader.get_message()));
        break;
      case bytes(15):
        graph.has_sparse_initializer = true;
        reader.skip();
        break;
      default:
        reader.skip();
    }
  }
  return graph;
}

OperatorSet decode_operator_set(pbf_reader reader) {
  OperatorSet set;
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case bytes(1):
        set.domain = view(reader);
        break;
      case varint(2):
        set.version = reader.get_int64();
        break;
      default:
        reader.skip();
    }
  }
  return set;
}

pbf_reader reader_of(std::span<const std::byte> data) {
  return pbf_reader{reinterpret_cast<const char*>(data.data()), data.size()};
}

Status malformed(const char* what) {
  return invalid("model.invalid", std::string("it is no ONNX file (") + what + ")");
}

// Moves to the next top-level field, and tells a file that ends too early from one that is wrong:
// only the outermost message can run past the end of the file.
Result<bool> next_field(pbf_reader& reader, pbf_reader& body) {
  try {
    if (!reader.next()) return false;
    const bool has_body = reader.wire_type() == pbf_wire_type::length_delimited;
    if (has_body) {
      pbf_reader ahead = reader;
      body = ahead.get_message();
    } else {
      pbf_reader ahead = reader;
      ahead.skip();
    }
    return true;
  } catch (const protozero::end_of_buffer_exception&) {
    return invalid("model.truncated", "the file ends in the middle of a field; it is not complete");
  } catch (const protozero::exception& error) {
    return malformed(error.what());
  }
}

}  // namespace

Result<Model> decode_model(std::span<const std::byte> data) {
  if (data.empty()) return invalid("model.truncated", "the file is empty");
  Model model;
  pbf_reader reader = reader_of(data);
  pbf_reader body;
  for (;;) {
    Result<bool> more = next_field(reader, body);
    if (!more) return more.status();
    if (!*more) break;
    try {
      switch (reader.tag_and_type()) {
        case varint(1):
          model.ir_version = reader.get_int64();
          break;
        case bytes(7):
          model.graph = decode_graph(reader.get_message());
          break;
        case bytes(8):
          model.operator_sets.push_back(decode_operator_set(reader.get_message()));
          break;
        case bytes(14):
          model.metadata.push_back(decode_entry(reader.get_message()));
          break;
        default:
          reader.skip();
      }
    } catch (const protozero::exception& error) {
      return malformed(error.what());
    }
  }
  return model;
}

Result<Tensor> decode_tensor(std::span<const std::byte> data) {
  try {
    return decode_tensor_message(reader_of(data));
  } catch (const protozero::exception& error) {
    return malformed(error.what());
  }
}

}  // namespace sluice::graph::proto
