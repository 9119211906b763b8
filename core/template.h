#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/status.h"

namespace sluice {

// What `${item...}` can name.
struct ItemNames {
  std::string_view key;
  std::uint64_t number = 0;  // of its source, from 0: `item.seq`
  std::uint64_t index = 0;   // among the children of its split, from 0
};

// A text with holes that each item fills: "${item.stem}.png".
// Holes: item.key, item.stem, item.ext, item.index, item.seq; `$$` is a dollar sign.
// Threads: thread-compatible.
class Template {
 public:
  Template() = default;
  // Errors: template.syntax, with the byte offset in the message; template.name.
  static Result<Template> parse(std::string_view text);

  std::string expand(const ItemNames& item) const;
  const std::string& text() const { return text_; }
  // Whether it holds `${item.NAME}`.
  bool mentions(std::string_view name) const;

  friend bool operator==(const Template& a, const Template& b) { return a.text_ == b.text_; }

 private:
  struct Part {
    std::string text;  // the literal, or the hole's name
    bool hole = false;
  };
  std::string text_;
  std::vector<Part> parts_;
};

// "a/b/page.tar.gz": stem "page.tar", ext "gz".
std::string_view stem_of(std::string_view key);
std::string_view extension_of(std::string_view key);

}  // namespace sluice
