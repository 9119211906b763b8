#include "onnx_writer.h"

#include "tests/support/temp_folder.h"

#include <protozero/pbf_writer.hpp>

#include <filesystem>

namespace sluice::testing {
namespace {

using protozero::pbf_writer;

std::int32_t onnx_type(DType dtype) {
  switch (dtype) {
    case DType::kI64:
      return 7;
    case DType::kI32:
      return 6;
    case DType::kBool:
      return 9;
    default:
      return 1;
  }
}

OnnxAttribute encode(const std::string& name, std::int32_t type, const auto& add_value) {
  OnnxAttribute attribute{name, {}};
  pbf_writer writer(attribute.encoded);
  writer.add_string(1, name);
  add_value(writer);
  writer.add_int32(20, type);
  return attribute;
}

std::string value_info(const std::string& name, const std::vector<OnnxDim>* dims, DType dtype) {
  std::string info;
  pbf_writer writer(info);
  writer.add_string(1, name);
  pbf_writer type(writer, 2);
  pbf_writer tensor(type, 1);
  tensor.add_int32(1, onnx_type(dtype));
  if (dims != nullptr) {
    pbf_writer shape(tensor, 2);
    for (const OnnxDim& dim : *dims) {
      pbf_writer entry(shape, 1);
      if (dim.size >= 0) entry.add_int64(1, dim.size);
      if (!dim.symbol.empty()) entry.add_string(2, dim.symbol);
    }
  }
  return info;
}

}  // namespace

OnnxAttribute attribute(const std::string& name, std::int64_t value) {
  return encode(name, 2, [&](pbf_writer& writer) { writer.add_int64(3, value); });
}
OnnxAttribute attribute(const std::string& name, float value) {
  return encode(name, 1, [&](pbf_writer& writer) { writer.add_float(2, value); });
}
OnnxAttribute attribute(const std::string& name, const char* value) {
  return encode(name, 3, [&](pbf_writer& writer) { writer.add_bytes(4, value); });
}
OnnxAttribute attribute(const std::string& name, const std::vector<std::int64_t>& values) {
  return encode(name, 7, [&](pbf_writer& writer) {
    for (std::int64_t value : values) writer.add_int64(8, value);
  });
}

OnnxWriter& OnnxWriter::input(const std::string& name, const std::vector<OnnxDim>& dims,
                              DType dtype) {
  pbf_writer(graph_).add_message(11, value_info(name, &dims, dtype));
  return *this;
}

OnnxWriter& OnnxWriter::output(const std::string& name, DType dtype) {
  pbf_writer(graph_).add_message(12, value_info(name, nullptr, dtype));
  return *this;
}

OnnxWriter& OnnxWriter::constant(const std::string& name, const Tensor& tensor) {
  pbf_writer graph(graph_);
  pbf_writer writer(graph, 5);
  for (std::int64_t dim : tensor.shape()) writer.add_int64(1, dim);
  writer.add_int32(2, onnx_type(tensor.dtype()));
  writer.add_string(8, name);
  writer.add_bytes(9, reinterpret_cast<const char*>(tensor.raw()), tensor.size_bytes());
  return *this;
}

OnnxWriter& OnnxWriter::external(const std::string& name, const Shape& shape,
                                 const std::string& location) {
  pbf_writer graph(graph_);
  pbf_writer writer(graph, 5);
  for (std::int64_t dim : shape) writer.add_int64(1, dim);
  writer.add_int32(2, 1);
  writer.add_string(8, name);
  {
    pbf_writer entry(writer, 13);
    entry.add_string(1, "location");
    entry.add_string(2, location);
  }
  writer.add_int32(14, 1);
  return *this;
}

OnnxWriter& OnnxWriter::node(const std::string& op_type, const std::vector<std::string>& inputs,
                             const std::vector<std::string>& outputs,
                             const std::vector<OnnxAttribute>& attributes) {
  pbf_writer graph(graph_);
  pbf_writer writer(graph, 1);
  for (const std::string& name : inputs) writer.add_string(1, name);
  for (const std::string& name : outputs) writer.add_string(2, name);
  writer.add_string(4, op_type);
  for (const OnnxAttribute& attribute : attributes) writer.add_message(5, attribute.encoded);
  return *this;
}

OnnxWriter& OnnxWriter::metadata(const std::string& key, const std::string& value) {
  pbf_writer model(metadata_);
  pbf_writer entry(model, 14);
  entry.add_string(1, key);
  entry.add_string(2, value);
  return *this;
}

std::string OnnxWriter::bytes() const {
  std::string model;
  pbf_writer writer(model);
  writer.add_int64(1, 8);
  writer.add_message(7, graph_);
  {
    pbf_writer set(writer, 8);
    set.add_int64(2, opset_);
  }
  return model + metadata_;
}

std::string OnnxWriter::save(const std::string& name) const { return save_bytes(name, bytes()); }

std::string save_bytes(const std::string& name, const std::string& bytes) {
  // One a process: tests run side by side, and shortening a file faults whoever has it mapped.
  static const TempFolder kFolder;
  // A new file, for the same reason: a model of this process may still live in the old one.
  std::filesystem::remove(kFolder.path(name));
  return kFolder.write(name, bytes);
}

}  // namespace sluice::testing
