#pragma once

#include "sluice/core/status.h"

#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// A pattern that names files: "pages/**/*.{jpg,png}".
//   *      any characters within one name        ?   one character        [abc]  one of these
//   **     any number of folders, none included  {a,b}  either, may be nested      \x  x itself
// Names that begin with a dot are matched only by a pattern that begins with one. `**` does not
// enter folders through links, so that a circle of links ends. Only regular files match. Threads:
// thread-compatible.
class Glob {
 public:
  // Errors: files.pattern for an empty pattern, an open brace, or more than 1,024 alternatives.
  static Result<Glob> parse(std::string_view pattern);

  // What a walk over the folders has found.
  struct Matches {
    std::vector<std::string> paths;       // sorted by bytes, each once
    std::vector<std::string> unreadable;  // folders that could not be entered, and why
    std::vector<std::string> skipped;     // names that match and are no regular files
    std::size_t folders = 0;              // looked into
  };

  enum class Want { kAll, kFirst };
  // Blocks: reads folders.
  Matches find(Want want) const;

  // The folders at which the walk begins: the part of each alternative before its first wildcard.
  std::vector<std::string> roots() const;

 private:
  struct Alternative {
    std::string root;                // "" for the working directory; ends without a slash
    std::vector<std::string> names;  // one pattern a level
  };
  struct Walk;

  std::vector<Alternative> alternatives_;
};

}  // namespace sluice
