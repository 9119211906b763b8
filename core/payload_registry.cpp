#include "sluice/core/payload.h"
#include "sluice/core/payloads.h"

#include <algorithm>
#include <vector>

namespace sluice {
namespace {

// Built on first use, so that registrations of any file find it.
std::vector<const PayloadType*>& registered() {
  static std::vector<const PayloadType*> types = {
      &payload_type<Bytes>(),    &payload_type<Text>(),     &payload_type<Record>(),
      &payload_type<Image>(),    &payload_type<Tensor>(),   &payload_type<Tensors>(),
      &payload_type<Quad>(),     &payload_type<ImageMap>(), &payload_type<TextLine>(),
      &payload_type<Detection>()};
  return types;
}

}  // namespace

bool register_payload_type(const PayloadType& type) {
  registered().push_back(&type);
  return true;
}

const PayloadType* find_payload_type(std::string_view name) {
  for (const PayloadType* type : registered()) {
    if (type->name == name) return type;
  }
  return nullptr;
}

std::vector<std::string> payload_type_names() {
  std::vector<std::string> names;
  for (const PayloadType* type : registered()) names.push_back(type->name);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace sluice
