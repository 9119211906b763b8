#include "sluice/core/expression.h"

#include "sluice/core/payloads.h"
#include "sluice/core/port.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> kItemFields{"key", "stem", "ext", "index", "seq"};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_part(char c) { return is_name_start(c) || (c >= '0' && c <= '9'); }

// The value of a literal; none where `text` is none, as far as its first character tells.
std::optional<Result<Value>> parse_literal(std::string_view text) {
  if (text == "true" || text == "false") return Value(text == "true");
  if (text == "null") return Value();
  const char first = text.front();
  if (first == '"' || first == '\'') {
    if (text.size() < 2 || text.back() != first || text.find(first, 1) != text.size() - 1) {
      return invalid("expression.syntax", "the text that begins with " + std::string(1, first) +
                                              " must end with it, once: " + std::string(text));
    }
    return Value(text.substr(1, text.size() - 2));
  }
  if (first != '-' && !(first >= '0' && first <= '9')) return std::nullopt;

  const char* const end = text.data() + text.size();
  std::int64_t whole = 0;
  if (const auto read = std::from_chars(text.data(), end, whole);
      read.ec == std::errc() && read.ptr == end) {
    return Value(whole);
  }
  double number = 0;
  if (const auto read = std::from_chars(text.data(), end, number);
      read.ec == std::errc() && read.ptr == end) {
    return Value(number);
  }
  return invalid("expression.syntax", "`" + std::string(text) + "` is no number");
}

Result<std::vector<std::string>> parse_path(std::string_view text) {
  std::vector<std::string> path;
  std::size_t at = 0;
  while (true) {
    const std::size_t start = at;
    while (at < text.size() && (at == start ? is_name_start(text[at]) : is_name_part(text[at])))
      ++at;
    if (at == start) break;
    path.emplace_back(text.substr(start, at - start));
    if (at == text.size()) return path;
    if (text[at] != '.') break;
    ++at;
  }
  const std::string found = at < text.size() ? "`" + std::string(1, text[at]) + "`" : "the end";
  return invalid("expression.syntax", "a path such as page.width is expected, `" +
                                          std::string(text) + "` has " + found + " at byte " +
                                          std::to_string(at));
}

Value item_value(std::string_view field, const ItemNames& item) {
  if (field == "key") return item.key;
  if (field == "stem") return stem_of(item.key);
  if (field == "ext") return extension_of(item.key);
  return static_cast<std::int64_t>(field == "index" ? item.index : item.number);
}

template <class Range, class Name>
std::string joined(const Range& range, Name name) {
  std::string text;
  for (const auto& element : range) {
    if (!text.empty()) text += ", ";
    text += name(element);
  }
  return text.empty() ? "none" : text;
}

// Checks the fields behind an input: the first by its type, deeper ones only where that is open
// data.
Status check_fields(std::span<const std::string> path, const PayloadType& type) {
  const bool open = &type == &payload_type<Any>() || &type == &payload_type<Record>();
  if (path.size() < 2 || open) return Status::ok();
  const PayloadField* field = type.find_field(path[1]);
  if (!field) {
    return invalid(
        "expression.field",
        "`" + path[0] + "` is " + type.name + " and has no field `" + path[1] +
            "`; its fields: " + joined(type.fields, [](const PayloadField& f) { return f.name; }));
  }
  if (path.size() > 2 && field->type != "record") {
    return invalid("expression.field", "`" + path[0] + "." + path[1] + "` is of type " +
                                           field->type + " and has no field `" + path[2] + "`");
  }
  return Status::ok();
}

Value descend(Value value, std::span<const std::string> path) {
  for (const std::string& name : path) {
    const Value* field = value.find(name);
    if (!field) return {};
    Value inner = *field;
    value = std::move(inner);
  }
  return value;
}

}  // namespace

Result<Expression> Expression::parse(std::string_view text) {
  const std::string_view source = trimmed(text);
  if (source.empty()) return invalid("expression.syntax", "an expression is empty");

  Expression parsed;
  parsed.text_ = source;
  if (auto literal = parse_literal(source)) {
    if (!*literal) return literal->status();
    parsed.literal_ = std::move(**literal);
    return parsed;
  }
  Result<std::vector<std::string>> path = parse_path(source);
  if (!path) return path.status();
  parsed.path_ = std::move(*path);
  return parsed;
}

Expression Expression::literal(Value value) {
  Expression expression;
  expression.text_ = value.to_json();
  expression.literal_ = std::move(value);
  return expression;
}

Result<Expression> Expression::bind(std::span<const PortDecl> inputs) const {
  Expression bound = *this;
  bound.input_ = -1;
  if (path_.empty()) return bound;
  if (path_[0] == "item" && path_.size() == 2 &&
      std::ranges::find(kItemFields, path_[1]) != kItemFields.end()) {
    return bound;
  }

  auto input = std::ranges::find(inputs, path_[0], &PortDecl::name);
  if (input == inputs.end() && path_[0] == "value" && inputs.size() == 1) input = inputs.begin();
  if (input == inputs.end()) {
    if (path_[0] == "item") {
      return invalid("expression.field",
                     "an item has key, stem, ext, index and seq, and not `" + text_ + "`");
    }
    return invalid("expression.name", "`" + path_[0] + "` is no input; there are " +
                                          joined(inputs, [](const PortDecl& d) { return d.name; }) +
                                          ", item");
  }
  if (Status status = check_fields(path_, *input->type.payload); !status) return status;
  bound.input_ = static_cast<int>(input - inputs.begin());
  return bound;
}

Value Expression::evaluate(std::span<const PayloadRef> inputs, const ItemNames& item) const {
  if (path_.empty()) return literal_;
  if (input_ < 0) return item_value(path_[1], item);

  const PayloadRef& payload = inputs[static_cast<std::size_t>(input_)];
  if (!payload) return {};
  const std::span<const std::string> path(path_);
  if (path.size() == 1) return payload.to_value();
  if (const PayloadField* field = payload.type().find_field(path[1])) {
    return descend(field->get(payload.data()), path.subspan(2));
  }
  return descend(payload.to_value(), path.subspan(1));
}

}  // namespace sluice
