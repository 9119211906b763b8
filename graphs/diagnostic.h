#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace sluice {

// A place in a file, both counted from 1; line 0 says that there is none.
struct Mark {
  int line = 0;
  int column = 0;  // in bytes
  int length = 1;  // bytes to underline
  explicit operator bool() const { return line > 0; }
};

// One thing wrong with a pipeline, with everything that is shown of it.
struct Diagnostic {
  struct Note {
    std::string message;
    Mark mark;  // may be none
  };

  std::string code;     // "SL0204"
  std::string message;  // without code and place
  std::string file;     // as the user named it; empty for a graph built in C++
  Mark mark;
  std::string origin;      // where the mark is none: "--set nodes.a.width=3", "nodes.a.width"
  std::string suggestion;  // beside the underline: "did you mean `height`?"
  std::string help;        // after "= "
  std::vector<Note> notes;
  bool is_warning = false;

  // The error form of the command line, excerpt included; `source` is the text of the file.
  std::string render(const std::string& source) const;
};

// Problems in the order of the file, and the text they point into.
struct Diagnostics {
  std::vector<Diagnostic> items;
  std::shared_ptr<const std::string> source;  // may be null

  bool has_errors() const;
  std::string render() const;  // all, an empty line between
};

// What a loading step gives: a value where nothing was wrong, and every problem that was found.
template <class T>
struct Checked {
  std::optional<T> value;
  Diagnostics diagnostics;
};

}  // namespace sluice
