#pragma once

#include "sluice/core/status.h"

#include <gmock/gmock.h>

namespace sluice {

// How GoogleTest shows them.
inline void PrintTo(const Status& status, std::ostream* out) {
  *out << (status.is_ok() ? std::string("ok") : status.reason() + ": " + status.message());
}
template <class T>
void PrintTo(const Result<T>& result, std::ostream* out) {
  if (result.is_ok()) {
    *out << "a value";
  } else {
    PrintTo(result.status(), out);
  }
}

namespace testing {

inline const Status& status_of(const Status& status) { return status; }
template <class T>
Status status_of(const Result<T>& result) {
  return result.status();
}

// A Status that is ok, or a Result that holds a value.
MATCHER(IsOk, "is ok") { return arg.is_ok(); }

// A Status or Result that failed for `reason`, with a message that holds `part`.
MATCHER_P2(FailsWith, reason, part, "fails with " + ::testing::PrintToString(reason)) {
  const Status status = status_of(arg);
  return status.reason() == reason && status.message().find(part) != std::string::npos;
}
MATCHER_P(FailsWith, reason, "fails with " + ::testing::PrintToString(reason)) {
  return status_of(arg).reason() == reason;
}

}  // namespace testing
}  // namespace sluice
