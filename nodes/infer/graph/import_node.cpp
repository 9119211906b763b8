#include "sluice/nodes/infer/graph/import_node.h"

#include <algorithm>
#include <cstring>

namespace sluice::graph {

const proto::Attribute* NodeImport::find(std::string_view name) const {
  const auto& attributes = source_.node.attributes;
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const proto::Attribute& a) { return a.name == name; });
  return found == attributes.end() ? nullptr : &*found;
}

const proto::Attribute* NodeImport::find(std::string_view name, proto::Attribute::Type type) {
  const proto::Attribute* attribute = find(name);
  // The oldest writers left the type out.
  if (attribute != nullptr && attribute->type != proto::Attribute::Type::kUndefined &&
      attribute->type != type) {
    fail("attribute '" + std::string(name) + "' has the wrong type");
    return nullptr;
  }
  return attribute;
}

std::int64_t NodeImport::integer(std::string_view name, std::int64_t otherwise) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kInt);
  return attribute ? attribute->i : otherwise;
}

float NodeImport::number(std::string_view name, float otherwise) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kFloat);
  return attribute ? attribute->f : otherwise;
}

std::string_view NodeImport::text(std::string_view name, std::string_view otherwise) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kString);
  return attribute ? attribute->s : otherwise;
}

std::vector<std::int64_t> NodeImport::integers(std::string_view name) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kInts);
  return attribute ? attribute->ints : std::vector<std::int64_t>{};
}

std::vector<float> NodeImport::numbers(std::string_view name) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kFloats);
  return attribute ? attribute->floats : std::vector<float>{};
}

std::optional<Tensor> NodeImport::tensor(std::string_view name) {
  const proto::Attribute* attribute = find(name, proto::Attribute::Type::kTensor);
  if (attribute == nullptr || !attribute->t) return std::nullopt;
  Result<Tensor> loaded = loader_.load(*attribute->t);
  if (!loaded) {
    if (status_.is_ok()) status_ = loaded.status();
    return std::nullopt;
  }
  return std::move(*loaded);
}

ValueId NodeImport::input(std::size_t index) const {
  return index < source_.inputs.size() ? source_.inputs[index] : kNoValue;
}

bool NodeImport::require(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (input(i) == kNoValue) {
      fail("needs " + std::to_string(count) + " inputs; input " + std::to_string(i) +
           " is missing");
      return false;
    }
  }
  return true;
}

DType NodeImport::dtype(ValueId id) const {
  return id == kNoValue ? DType::kF32 : graph_.values[static_cast<std::size_t>(id)].dtype;
}

ValueId NodeImport::constant_of(DType dtype, const Shape& shape, const void* elements) {
  Result<Tensor> made = Tensor::allocate(dtype, shape);
  if (!made) {
    if (status_.is_ok()) status_ = made.status();
    return kNoValue;
  }
  if (made->size_bytes() > 0) std::memcpy(made->raw(), elements, made->size_bytes());
  return graph_.add_constant({}, std::move(*made));
}

ValueId NodeImport::constant_integers(const std::vector<std::int64_t>& numbers) {
  return constant_of(DType::kI64, Shape{static_cast<std::int64_t>(numbers.size())}, numbers.data());
}

ValueId NodeImport::constant_numbers(const std::vector<float>& numbers) {
  return constant_of(DType::kF32, Shape{static_cast<std::int64_t>(numbers.size())}, numbers.data());
}

ValueId NodeImport::constant_scalar(float number) { return constant_of(DType::kF32, {}, &number); }

ValueId NodeImport::constant_scalar(std::int64_t number) {
  return constant_of(DType::kI64, {}, &number);
}

ValueId NodeImport::constant_tensor(Tensor tensor) {
  return graph_.add_constant({}, std::move(tensor));
}

ValueId NodeImport::emit(Operation operation, std::vector<ValueId> inputs, DType dtype) {
  const ValueId out = graph_.add_value({}, dtype);
  graph_.nodes.push_back({std::move(operation), std::move(inputs), {out}, source_.origin});
  return out;
}

void NodeImport::finish(Operation operation, std::vector<ValueId> inputs,
                        std::vector<DType> dtypes) {
  if (!status_.is_ok()) return;
  std::vector<ValueId> outputs;
  std::size_t index = 0;
  for (DType dtype : dtypes) {
    const bool wanted = wants_output(index);
    const bool is_optional = index > 0 && std::holds_alternative<Pool>(operation);
    if (!wanted && is_optional) {
      outputs.push_back(kNoValue);
    } else {
      outputs.push_back(graph_.add_value(
          wanted ? std::string(source_.node.outputs[index]) : std::string(), dtype));
      if (wanted) results_[index] = outputs.back();
    }
    ++index;
  }
  graph_.nodes.push_back(
      {std::move(operation), std::move(inputs), std::move(outputs), source_.origin});
}

void NodeImport::finish_with(std::size_t output, ValueId id) {
  if (output < results_.size()) results_[output] = id;
}

void NodeImport::fail(const std::string& what) {
  if (status_.is_ok()) status_ = invalid("model.invalid", source_.origin + " " + what);
}

void NodeImport::refuse(const std::string& what) {
  if (status_.is_ok()) status_ = unsupported("model.unsupported", source_.origin + " with " + what);
}

}  // namespace sluice::graph
