#include "sluice/graphs/source_value.h"

#include <utility>

namespace sluice {

SourceValue SourceValue::scalar(std::string text) {
  SourceValue value;
  value.kind = Kind::kScalar;
  value.names_item = text.find("${item.") != std::string::npos;
  value.template_text = text;
  value.text = std::move(text);
  return value;
}

const SourceValue::Field* SourceValue::find(std::string_view key) const {
  for (const Field& field : fields) {
    if (field.key == key) return &field;
  }
  return nullptr;
}

SourceValue::Field* SourceValue::find(std::string_view key) {
  return const_cast<Field*>(std::as_const(*this).find(key));
}

std::string SourceValue::describe() const {
  switch (kind) {
    case Kind::kNull:
      return "nothing";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
    case Kind::kScalar:
      break;
  }
  return "`" + text + "`";
}

}  // namespace sluice
