#pragma once

#include <cassert>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sluice {

// What kind of failure a Status reports. Few on purpose: the reason string says the rest.
enum class Code {
  kOk,
  kInvalidInput,       // the data, option or file is wrong
  kNotFound,           // it is not there
  kUnsupported,        // it is there, and right, and we cannot do it
  kResourceExhausted,  // memory limit, disk full
  kUnavailable,        // device lost, peer gone
  kCancelled,          // the run was stopped
  kDeadlineExceeded,   // too late
  kInternal,           // a fault of ours or of a library
};

std::string_view to_string(Code code);

// The outcome of an operation that a user, file, device or model can make fail.
//
// `reason` is a stable, dotted word ("image.truncated") that reports count by;
// `message` is one sentence for a person: what was found, what was expected.
// A moved-from Status is ok. Threads: thread-compatible. An ok Status costs one pointer.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string reason, std::string message)
      : rep_(std::make_shared<const Rep>(Rep{code, std::move(reason), std::move(message)})) {
    assert(code != Code::kOk);
  }

  static Status ok() { return {}; }

  bool is_ok() const { return rep_ == nullptr; }
  explicit operator bool() const { return is_ok(); }
  Code code() const { return rep_ ? rep_->code : Code::kOk; }
  const std::string& reason() const { return rep_ ? rep_->reason : empty(); }
  const std::string& message() const { return rep_ ? rep_->message : empty(); }

  // The same failure with `where` in front of its message.
  Status with_context(std::string_view where) const;

 private:
  struct Rep {
    Code code;
    std::string reason;
    std::string message;
  };
  static const std::string& empty();

  std::shared_ptr<const Rep> rep_;
};

// The usual ways to fail, shortest first.
inline Status invalid(std::string reason, std::string message) {
  return {Code::kInvalidInput, std::move(reason), std::move(message)};
}
inline Status not_found(std::string reason, std::string message) {
  return {Code::kNotFound, std::move(reason), std::move(message)};
}
inline Status unsupported(std::string reason, std::string message) {
  return {Code::kUnsupported, std::move(reason), std::move(message)};
}
inline Status internal(std::string reason, std::string message) {
  return {Code::kInternal, std::move(reason), std::move(message)};
}

// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
  Result(Status status) : state_(std::move(status)) {  // NOLINT(google-explicit-constructor)
    assert(!std::get<Status>(state_).is_ok());
  }

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  explicit operator bool() const { return is_ok(); }

  // REQUIRES: is_ok()
  T& value() & { return get(); }
  const T& value() const& { return const_cast<Result*>(this)->get(); }
  T&& value() && { return std::move(get()); }
  T& operator*() & { return get(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(get()); }
  T* operator->() { return &get(); }
  const T* operator->() const { return &value(); }

  // The failure, or ok.
  Status status() const { return is_ok() ? Status::ok() : std::get<Status>(state_); }

 private:
  T& get() {
    assert(is_ok());
    return std::get<T>(state_);
  }
  std::variant<T, Status> state_;
};

}  // namespace sluice
