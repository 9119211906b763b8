#include "sluice/core/template.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

constexpr std::array<std::string_view, 5> kNames{"key", "stem", "ext", "index", "seq"};
constexpr std::string_view kPrefix = "item.";

std::string_view base_name(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? key : key.substr(slash + 1);
}

// Where the extension's dot stands in a base name; npos where there is none. A leading dot hides a
// file and begins no extension.
std::size_t extension_dot(std::string_view base) {
  const std::size_t dot = base.rfind('.');
  return dot == 0 ? std::string_view::npos : dot;
}

std::string value_of(std::string_view name, const ItemNames& item) {
  if (name == "key") return std::string(item.key);
  if (name == "stem") return std::string(stem_of(item.key));
  if (name == "ext") return std::string(extension_of(item.key));
  return std::to_string(name == "index" ? item.index : item.number);
}

}  // namespace

Result<Template> Template::parse(std::string_view text) {
  Template parsed;
  parsed.text_ = text;
  std::string literal;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$$")) {
      literal += '$';
      at += 2;
      continue;
    }
    if (!rest.starts_with("${")) {
      literal += text[at++];
      continue;
    }
    const std::size_t end = rest.find('}');
    if (end == std::string_view::npos) {
      return invalid("template.syntax",
                     "`${` at byte " + std::to_string(at) + " is never closed by `}`");
    }
    const std::string_view hole = rest.substr(2, end - 2);
    const std::string_view name = hole.starts_with(kPrefix) ? hole.substr(kPrefix.size()) : "";
    if (std::ranges::find(kNames, name) == kNames.end()) {
      return invalid("template.name", "`${" + std::string(hole) +
                                          "}` names nothing of an item; there are "
                                          "item.key, item.stem, item.ext, item.index, item.seq");
    }
    if (!literal.empty()) parsed.parts_.push_back({std::exchange(literal, {}), false});
    parsed.parts_.push_back({std::string(name), true});
    at += end + 1;
  }
  if (!literal.empty()) parsed.parts_.push_back({std::move(literal), false});
  return parsed;
}

std::string Template::expand(const ItemNames& item) const {
  std::string text;
  for (const Part& part : parts_) text += part.hole ? value_of(part.text, item) : part.text;
  return text;
}

bool Template::mentions(std::string_view name) const {
  return std::ranges::any_of(parts_,
                             [&](const Part& part) { return part.hole && part.text == name; });
}

std::string_view stem_of(std::string_view key) {
  const std::string_view base = base_name(key);
  return base.substr(0, extension_dot(base));
}

std::string_view extension_of(std::string_view key) {
  const std::string_view base = base_name(key);
  const std::size_t dot = extension_dot(base);
  return dot == std::string_view::npos ? std::string_view() : base.substr(dot + 1);
}

}  // namespace sluice
