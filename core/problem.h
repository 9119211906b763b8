#pragma once

#include <string>

namespace sluice {

// Something wrong with a pipeline, found before it runs. Codes are listed in docs/errors.md and are
// never reused: SL01xx file and YAML, SL02xx options, SL03xx wiring and scopes, SL04xx types and shapes,
// SL05xx models, SL06xx devices, SL07xx sources and sinks, SL08xx common words, SL09xx values from outside.
struct Problem {
  // What of the node it is about; the loader knows where that stands in the file.
  enum class Place { kNode, kOption, kInput, kOutput };

  std::string code;     // "SL0501"
  std::string message;  // one line: what was found, what was expected
  std::string help;     // what to do; may be empty
  Place place = Place::kNode;
  std::string name;  // of the option or port
};

}  // namespace sluice
