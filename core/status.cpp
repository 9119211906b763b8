#include "sluice/core/status.h"

namespace sluice {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidInput:
      return "invalid input";
    case Code::kNotFound:
      return "not found";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kResourceExhausted:
      return "resource exhausted";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kCancelled:
      return "cancelled";
    case Code::kDeadlineExceeded:
      return "deadline exceeded";
    case Code::kInternal:
      return "internal";
  }
  return "internal";
}

const std::string& Status::empty() {
  static const std::string kEmpty;
  return kEmpty;
}

Status Status::with_context(std::string_view where) const {
  if (is_ok()) return *this;
  return {code(), reason(), std::string(where) + ": " + message()};
}

}  // namespace sluice
