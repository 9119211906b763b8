#include "sluice/core/value.h"

#include <array>
#include <charconv>
#include <cmath>

namespace sluice {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// The length of the UTF-8 character that `text` begins with; 0 where it begins with none. By table
// 3-7 of the Unicode standard: no overlong forms, no surrogates, nothing past U+10FFFF.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = first == 0xED ? 0x9F : 0xBF;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90 : 0x80;
    const unsigned high = first == 0xF4 ? 0x8F : 0xBF;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

void append_escaped(std::string& out, unsigned char c) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += "\\u00";
  out += kDigits[c >> 4];
  out += kDigits[c & 15];
}

void append_string(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto c = static_cast<unsigned char>(text.front());
    std::size_t length = utf8_length(text);
    if (length == 0) {
      out += kReplacement;
      length = 1;
    } else if (c < 0x20 || c == '"' || c == '\\') {
      append_escaped(out, c);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  out += '"';
}

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  out.append(digits.data(), end.ptr);
}

struct JsonWriter {
  std::string& out;

  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool v) const { out += v ? "true" : "false"; }
  void operator()(std::int64_t v) const { append_number(out, v); }
  void operator()(double v) const {
    if (std::isfinite(v)) {
      append_number(out, v);
    } else {
      out += "null";
    }
  }
  void operator()(const std::string& v) const { append_string(out, v); }
  void operator()(const Value::Array& v) const {
    out += '[';
    for (bool first = true; const Value& element : v) {
      if (!std::exchange(first, false)) out += ',';
      element.visit(*this);
    }
    out += ']';
  }
  void operator()(const Value::Object& v) const {
    out += '{';
    for (bool first = true; const auto& [name, value] : v) {
      if (!std::exchange(first, false)) out += ',';
      append_string(out, name);
      out += ':';
      value.visit(*this);
    }
    out += '}';
  }
};

}  // namespace

Value Value::of_float(float number) {
  if (!std::isfinite(number)) return Value(static_cast<double>(number));
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  double shortest = 0;
  std::from_chars(digits.data(), end.ptr, shortest);
  return Value(shortest);
}

const Value* Value::find(std::string_view name) const {
  const Object* object = as_object();
  if (!object) return nullptr;
  for (const auto& [key, value] : *object) {
    if (key == name) return &value;
  }
  return nullptr;
}

std::string Value::to_text() const {
  if (is_null()) return {};
  if (const std::string* text = as_string()) return *text;
  return to_json();
}

std::string Value::to_json() const {
  std::string out;
  visit(JsonWriter{out});
  return out;
}

std::size_t Value::size_bytes() const {
  std::size_t bytes = 0;
  if (const std::string* text = as_string()) {
    bytes = text->size();
  } else if (const Array* array = as_array()) {
    for (const Value& element : *array) bytes += sizeof(Value) + element.size_bytes();
  } else if (const Object* object = as_object()) {
    for (const auto& [name, value] : *object) {
      bytes += sizeof(Object::value_type) + name.size() + value.size_bytes();
    }
  }
  return bytes;
}

}  // namespace sluice
