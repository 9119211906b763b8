#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {

// JSON-like data: what expressions give and records hold. Objects keep the order in which their
// fields were added. Threads: thread-compatible.
class Value {
 public:
  using Array = std::vector<Value>;
  using Object = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  Value(std::nullptr_t) {}                                // NOLINT(google-explicit-constructor)
  Value(bool v) : data_(v) {}                             // NOLINT(google-explicit-constructor)
  Value(int v) : data_(std::int64_t{v}) {}                // NOLINT(google-explicit-constructor)
  Value(std::int64_t v) : data_(v) {}                     // NOLINT(google-explicit-constructor)
  Value(double v) : data_(v) {}                           // NOLINT(google-explicit-constructor)
  Value(const char* v) : data_(std::string(v)) {}         // NOLINT(google-explicit-constructor)
  Value(std::string_view v) : data_(std::string(v)) {}    // NOLINT(google-explicit-constructor)
  Value(std::string v) : data_(std::move(v)) {}           // NOLINT(google-explicit-constructor)
  Value(Array v) : data_(std::move(v)) {}                 // NOLINT(google-explicit-constructor)
  Value(Object v) : data_(std::move(v)) {}                // NOLINT(google-explicit-constructor)

  // A number that prints with as few digits as tell the float apart: 0.9, not 0.8999999761581421.
  static Value of_float(float number);

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  const bool* as_bool() const { return std::get_if<bool>(&data_); }
  const std::int64_t* as_int() const { return std::get_if<std::int64_t>(&data_); }
  const double* as_double() const { return std::get_if<double>(&data_); }
  const std::string* as_string() const { return std::get_if<std::string>(&data_); }
  const Array* as_array() const { return std::get_if<Array>(&data_); }
  const Object* as_object() const { return std::get_if<Object>(&data_); }

  // The field `name`, or null where this is no object or has no such field.
  const Value* find(std::string_view name) const;

  // What a template shows: text as it is, numbers in shortest form, null as nothing, the rest as JSON.
  std::string to_text() const;

  // Compact JSON (RFC 8259). Bytes that are not UTF-8 become U+FFFD; NaN and infinities become null.
  std::string to_json() const;

  // Calls `visitor` with what it holds; std::monostate is null.
  template <class Visitor>
  auto visit(Visitor&& visitor) const {
    return std::visit(std::forward<Visitor>(visitor), data_);
  }

  // Heap bytes held, about.
  std::size_t size_bytes() const;

  friend bool operator==(const Value&, const Value&) = default;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, Array, Object> data_;
};

}  // namespace sluice
