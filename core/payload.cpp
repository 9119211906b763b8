#include "sluice/core/payload.h"

#include "sluice/core/payloads.h"

#include <map>
#include <memory>
#include <mutex>

namespace sluice {
namespace {

using PayloadList = std::vector<PayloadRef>;

// A tensor of at most this many elements shows its values as JSON, a larger one its shape.
constexpr std::int64_t kMaxShownElements = 1024;

template <auto Function>
struct Typed;

// Wraps a function of a payload's C++ type as one of an untyped pointer.
template <class R, class T, R (*Function)(const T&)>
struct Typed<Function> {
  static R call(const void* payload) { return Function(*static_cast<const T*>(payload)); }
};
template <auto Function>
constexpr auto kTyped = &Typed<Function>::call;

template <class Number>
Value integer(Number number) {
  return Value(static_cast<std::int64_t>(number));
}

std::size_t list_bytes(const PayloadList& list) {
  std::size_t bytes = list.capacity() * sizeof(PayloadRef);
  for (const PayloadRef& item : list) bytes += item.size_bytes();
  return bytes;
}

Value list_value(const PayloadList& list) {
  Value::Array array;
  array.reserve(list.size());
  for (const PayloadRef& item : list) array.push_back(item.to_value());
  return array;
}

std::size_t bytes_bytes(const Bytes& bytes) { return bytes.data.size_bytes() + bytes.name.size(); }
Value bytes_name(const Bytes& bytes) { return bytes.name; }
Value bytes_size(const Bytes& bytes) { return integer(bytes.data.size_bytes()); }
Value bytes_value(const Bytes& bytes) {
  return Value::Object{{"name", bytes_name(bytes)}, {"size", bytes_size(bytes)}};
}

std::size_t text_bytes(const Text& text) { return sizeof(Text) + text.text.size(); }
Value text_value(const Text& text) { return text.text; }

std::size_t record_bytes(const Record& record) {
  return sizeof(Record) + record.value.size_bytes();
}
Value record_value(const Record& record) { return record.value; }

std::size_t image_bytes(const Image& image) { return image.size_bytes(); }
Value image_width(const Image& image) { return image.width(); }
Value image_height(const Image& image) { return image.height(); }
Value image_channels(const Image& image) { return image.channels(); }
Value image_value(const Image& image) {
  return Value::Object{
      {"width", image.width()}, {"height", image.height()}, {"channels", image.channels()}};
}

Value element_value(const Tensor& tensor, std::int64_t at) {
  switch (tensor.dtype()) {
    case DType::kF32:
      return Value::of_float(tensor.data<float>()[at]);
    case DType::kF64:
      return tensor.data<double>()[at];
    case DType::kI8:
      return integer(tensor.data<std::int8_t>()[at]);
    case DType::kI16:
      return integer(tensor.data<std::int16_t>()[at]);
    case DType::kI32:
      return integer(tensor.data<std::int32_t>()[at]);
    case DType::kI64:
      return integer(tensor.data<std::int64_t>()[at]);
    case DType::kU8:
      return integer(tensor.data<std::uint8_t>()[at]);
    case DType::kU16:
      return integer(tensor.data<std::uint16_t>()[at]);
    case DType::kU32:
      return integer(tensor.data<std::uint32_t>()[at]);
    case DType::kU64:
      return integer(tensor.data<std::uint64_t>()[at]);
    case DType::kBool:
      return tensor.data<bool>()[at];
    case DType::kF16:
    case DType::kBF16:
      break;
  }
  return {};
}

Value nested_values(const Tensor& tensor, std::size_t axis, std::int64_t offset) {
  if (axis == tensor.shape().rank()) return element_value(tensor, offset);
  Value::Array array;
  for (std::int64_t i = 0; i < tensor.shape()[axis]; ++i) {
    array.push_back(nested_values(tensor, axis + 1, offset + i * tensor.strides()[axis]));
  }
  return array;
}

std::size_t tensor_bytes(const Tensor& tensor) { return tensor.buffer().size_bytes(); }
Value tensor_dtype(const Tensor& tensor) { return to_string(tensor.dtype()); }
Value tensor_shape(const Tensor& tensor) {
  Value::Array shape;
  for (const std::int64_t dim : tensor.shape()) shape.emplace_back(dim);
  return shape;
}
Value tensor_value(const Tensor& tensor) {
  const bool half = tensor.dtype() == DType::kF16 || tensor.dtype() == DType::kBF16;
  const bool host = tensor.buffer().kind() != MemoryKind::kCuda;
  if (!half && host && tensor.elements() <= kMaxShownElements) return nested_values(tensor, 0, 0);
  return Value::Object{{"dtype", tensor_dtype(tensor)}, {"shape", tensor_shape(tensor)}};
}

std::size_t tensors_bytes(const Tensors& tensors) {
  std::size_t bytes = 0;
  for (const auto& [name, tensor] : tensors.tensors) bytes += name.size() + tensor_bytes(tensor);
  return bytes;
}
Value tensors_value(const Tensors& tensors) {
  Value::Object object;
  for (const auto& [name, tensor] : tensors.tensors)
    object.emplace_back(name, tensor_value(tensor));
  return object;
}

std::size_t quad_bytes(const Quad&) { return sizeof(Quad); }
Value quad_score(const Quad& quad) { return Value::of_float(quad.score); }
Value quad_value(const Quad& quad) {
  Value::Array corners;
  for (const Point& corner : quad.corners) {
    corners.push_back(Value::Array{Value::of_float(corner.x), Value::of_float(corner.y)});
  }
  return corners;
}

std::size_t map_bytes(const ImageMap&) { return sizeof(ImageMap); }
Value map_scale_x(const ImageMap& map) { return Value::of_float(map.scale_x); }
Value map_scale_y(const ImageMap& map) { return Value::of_float(map.scale_y); }
Value map_offset_x(const ImageMap& map) { return Value::of_float(map.offset_x); }
Value map_offset_y(const ImageMap& map) { return Value::of_float(map.offset_y); }
Value map_image_width(const ImageMap& map) { return map.image_width; }
Value map_image_height(const ImageMap& map) { return map.image_height; }
Value map_value(const ImageMap& map) {
  return Value::Object{
      {"scale_x", map_scale_x(map)},         {"scale_y", map_scale_y(map)},
      {"offset_x", map_offset_x(map)},       {"offset_y", map_offset_y(map)},
      {"image_width", map_image_width(map)}, {"image_height", map_image_height(map)}};
}

std::size_t line_bytes(const TextLine& line) { return sizeof(TextLine) + line.text.size(); }
Value line_text(const TextLine& line) { return line.text; }
Value line_score(const TextLine& line) { return Value::of_float(line.score); }
Value line_quad(const TextLine& line) { return quad_value(line.quad); }
Value line_value(const TextLine& line) {
  return Value::Object{
      {"text", line_text(line)}, {"score", line_score(line)}, {"quad", line_quad(line)}};
}

std::size_t detection_bytes(const Detection& d) { return sizeof(Detection) + d.label.size(); }
Value detection_class(const Detection& d) { return d.class_id; }
Value detection_score(const Detection& d) { return Value::of_float(d.score); }
Value detection_label(const Detection& d) { return d.label; }
Value detection_value(const Detection& d) {
  Value::Object object{{"class", detection_class(d)}, {"score", detection_score(d)}};
  if (!d.label.empty()) object.emplace_back("label", d.label);
  return object;
}

}  // namespace

const PayloadField* PayloadType::find_field(std::string_view field) const {
  for (const PayloadField& candidate : fields) {
    if (candidate.name == field) return &candidate;
  }
  return nullptr;
}

const PayloadType& list_of(const PayloadType& element) {
  // Never destroyed: payloads may be released while static objects go.
  static std::mutex& mutex = *new std::mutex;
  static auto& lists = *new std::map<const PayloadType*, std::unique_ptr<PayloadType>>;

  const std::scoped_lock lock(mutex);
  std::unique_ptr<PayloadType>& list = lists[&element];
  if (!list) {
    list = std::make_unique<PayloadType>();
    list->name = "[" + element.name + "]";
    list->size_bytes = kTyped<list_bytes>;
    if (element.to_value) list->to_value = kTyped<list_value>;
    list->element = &element;
  }
  return *list;
}

PayloadRef PayloadRef::make_list(const PayloadType& element, std::vector<PayloadRef> items) {
  return PayloadRef(new Holder<PayloadList>(list_of(element), std::move(items)));
}

PayloadType PayloadTraits<Any>::describe() {
  return {"Any", [](const void*) { return std::size_t{0}; }, nullptr, {}, nullptr};
}

PayloadType PayloadTraits<Bytes>::describe() {
  return {"Bytes",
          kTyped<bytes_bytes>,
          kTyped<bytes_value>,
          {{"name", "text", kTyped<bytes_name>}, {"size", "int", kTyped<bytes_size>}},
          nullptr};
}

PayloadType PayloadTraits<Text>::describe() {
  return {"Text",
          kTyped<text_bytes>,
          kTyped<text_value>,
          {{"text", "text", kTyped<text_value>}},
          nullptr};
}

PayloadType PayloadTraits<Record>::describe() {
  return {"Record", kTyped<record_bytes>, kTyped<record_value>, {}, nullptr};
}

PayloadType PayloadTraits<Image>::describe() {
  return {"Image",
          kTyped<image_bytes>,
          kTyped<image_value>,
          {{"width", "int", kTyped<image_width>},
           {"height", "int", kTyped<image_height>},
           {"channels", "int", kTyped<image_channels>}},
          nullptr};
}

PayloadType PayloadTraits<Tensor>::describe() {
  return {"Tensor",
          kTyped<tensor_bytes>,
          kTyped<tensor_value>,
          {{"dtype", "text", kTyped<tensor_dtype>}, {"shape", "list", kTyped<tensor_shape>}},
          nullptr};
}

PayloadType PayloadTraits<Tensors>::describe() {
  return {"Tensors", kTyped<tensors_bytes>, kTyped<tensors_value>, {}, nullptr};
}

PayloadType PayloadTraits<Quad>::describe() {
  return {"Quad",
          kTyped<quad_bytes>,
          kTyped<quad_value>,
          {{"score", "number", kTyped<quad_score>}, {"corners", "list", kTyped<quad_value>}},
          nullptr};
}

PayloadType PayloadTraits<ImageMap>::describe() {
  return {"ImageMap",
          kTyped<map_bytes>,
          kTyped<map_value>,
          {{"scale_x", "number", kTyped<map_scale_x>},
           {"scale_y", "number", kTyped<map_scale_y>},
           {"offset_x", "number", kTyped<map_offset_x>},
           {"offset_y", "number", kTyped<map_offset_y>},
           {"image_width", "int", kTyped<map_image_width>},
           {"image_height", "int", kTyped<map_image_height>}},
          nullptr};
}

PayloadType PayloadTraits<TextLine>::describe() {
  return {"TextLine",
          kTyped<line_bytes>,
          kTyped<line_value>,
          {{"text", "text", kTyped<line_text>},
           {"score", "number", kTyped<line_score>},
           {"quad", "list", kTyped<line_quad>}},
          nullptr};
}

PayloadType PayloadTraits<Detection>::describe() {
  return {"Detection",
          kTyped<detection_bytes>,
          kTyped<detection_value>,
          {{"class", "int", kTyped<detection_class>},
           {"score", "number", kTyped<detection_score>},
           {"label", "text", kTyped<detection_label>}},
          nullptr};
}

}  // namespace sluice
