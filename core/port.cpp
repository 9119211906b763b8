#include "sluice/core/port.h"

#include "sluice/core/payloads.h"

namespace sluice {
namespace {

bool payload_fits(const PayloadType& from, const PayloadType& to) {
  if (&to == &payload_type<Any>() || &from == &to) return true;
  return from.element && to.element && payload_fits(*from.element, *to.element);
}

std::string dims_to_string(const std::vector<Dim>& dims) {
  std::string text = "[";
  for (const Dim& dim : dims) {
    if (text.size() > 1) text += ',';
    text += dim.to_string();
  }
  return text + ']';
}

// "dimension 1 (h)", by the layout where one is said.
std::string axis_name(std::size_t axis, const std::string& layout) {
  std::string name = "dimension " + std::to_string(axis);
  if (axis < layout.size()) name += std::string(" (") + layout[axis] + ")";
  return name;
}

Status check_dims(const TensorType& from, const TensorType& to) {
  if (!from.dims || !to.dims) return Status::ok();
  if (from.dims->size() != to.dims->size()) {
    return invalid("types.rank", std::to_string(from.dims->size()) + " dimensions " +
                                     dims_to_string(*from.dims) + " given, " +
                                     std::to_string(to.dims->size()) + " dimensions " +
                                     dims_to_string(*to.dims) + " wanted");
  }
  const std::string& layout = to.layout.empty() ? from.layout : to.layout;
  std::string differing;
  for (std::size_t axis = 0; axis < to.dims->size(); ++axis) {
    const Dim& given = (*from.dims)[axis];
    const Dim& wanted = (*to.dims)[axis];
    if (!given.is_static() || !wanted.is_static() || given.size == wanted.size) continue;
    if (!differing.empty()) differing += "; ";
    differing += axis_name(axis, layout) + " is " + given.to_string() + ", " + wanted.to_string() +
                 " wanted";
  }
  if (differing.empty()) return Status::ok();
  return invalid("types.dimension", std::move(differing));
}

}  // namespace

std::string TensorType::to_string() const {
  std::string text;
  const auto add = [&](std::string_view part) {
    if (!text.empty()) text += ' ';
    text += part;
  };
  if (dtype) add(sluice::to_string(*dtype));
  if (dims) add(dims_to_string(*dims));
  if (!layout.empty()) add(layout);
  return text;
}

bool PortType::is_any() const { return payload == &payload_type<Any>(); }

std::string PortType::to_string() const {
  std::string text = payload ? payload->name : "?";
  if (tensor) {
    const std::string known = tensor->to_string();
    if (!known.empty()) text += ' ' + known;
  }
  return text;
}

Status check_fits(const PortType& from, const PortType& to) {
  if (!payload_fits(*from.payload, *to.payload)) {
    return invalid("types.payload", from.payload->name + " given, " + to.payload->name + " wanted");
  }
  if (!from.tensor || !to.tensor) return Status::ok();

  const TensorType& given = *from.tensor;
  const TensorType& wanted = *to.tensor;
  if (given.dtype && wanted.dtype && *given.dtype != *wanted.dtype) {
    return invalid("types.dtype", "elements are " + std::string(to_string(*given.dtype)) + ", " +
                                      std::string(to_string(*wanted.dtype)) + " wanted");
  }
  if (!given.layout.empty() && !wanted.layout.empty() && given.layout != wanted.layout) {
    return invalid("types.layout", "layout is " + given.layout + ", " + wanted.layout + " wanted");
  }
  return check_dims(given, wanted);
}

}  // namespace sluice
