#include "sluice/graphs/graph_spec.h"

#include <algorithm>
#include <array>

namespace sluice {

const WordMark* NodeDecl::find_word(std::string_view word) const {
  const auto found =
      std::find_if(words.begin(), words.end(), [&](const WordMark& w) { return w.word == word; });
  return found == words.end() ? nullptr : &*found;
}

std::string_view to_string(Parameter::Type type) {
  switch (type) {
    case Parameter::Type::kText:
      return "text";
    case Parameter::Type::kPath:
      return "path";
    case Parameter::Type::kBool:
      return "bool";
    case Parameter::Type::kInt:
      return "int";
    case Parameter::Type::kNumber:
      return "number";
    case Parameter::Type::kDuration:
      return "duration";
    case Parameter::Type::kByteSize:
      return "size";
  }
  return "text";
}

const std::vector<std::string>& common_words() {
  static const std::vector<std::string> kWords = {
      "type",    "from",        "parallel", "order",    "queue",    "device",
      "streams", "gpu_timeout", "batch",    "deadline", "on_error", "enabled",
      "join",    "key",         "time",     "live",     "breaker",  "run"};
  return kWords;
}

bool is_later_word(std::string_view word) {
  static constexpr std::array<std::string_view, 7> kLater = {"deadline", "join",    "key", "time",
                                                             "live",     "breaker", "run"};
  return std::find(kLater.begin(), kLater.end(), word) != kLater.end();
}

}  // namespace sluice
