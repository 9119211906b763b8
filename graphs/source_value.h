#pragma once

#include "sluice/graphs/diagnostic.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// What a relative path is relative to.
enum class PathBase { kFile, kWorkingDirectory };

// A value as somebody wrote it, in a file or in C++, before any node's spec gave it a type: text, a
// list, or a map in the order of the file, with the place of every part.
// Threads: thread-compatible.
struct SourceValue {
  enum class Kind { kNull, kScalar, kList, kMap };
  struct Field;

  Kind kind = Kind::kNull;
  Mark mark;
  // Of a scalar, with ${params.x} and ${env.X} filled in and `$$` read as `$`.
  std::string text;
  // The same for an option of kind template: `$$` stays, and so do dollar signs of filled-in
  // values, so that a value can never become a hole.
  std::string template_text;
  bool is_quoted = false;
  bool is_broken = false;   // a ${...} in it could not be filled in, which has been reported
  bool names_item = false;  // holds ${item...}, which only templates may
  PathBase base = PathBase::kFile;
  std::string origin;  // "--set nodes.a.width=3"; empty where it stands in the file
  std::vector<SourceValue> items;
  std::vector<Field> fields;

  // A text as it stands, ${...} included.
  static SourceValue scalar(std::string text);

  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_map() const { return kind == Kind::kMap; }
  bool is_list() const { return kind == Kind::kList; }
  const Field* find(std::string_view key) const;
  Field* find(std::string_view key);
  // "a list", "a map", "nothing", or the text in backquotes.
  std::string describe() const;
};

struct SourceValue::Field {
  std::string key;
  Mark mark;
  SourceValue value;
};

}  // namespace sluice
