#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/expression.h"
#include "sluice/core/template.h"

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sluice {

// Option types that are not plain C++ ones.
struct Path {  // of a file or folder; relative ones are made relative to the YAML file at load
  std::string text;
  friend bool operator==(const Path&, const Path&) = default;
};
struct ByteSize {  // "512MiB"
  std::uint64_t bytes = 0;
  friend bool operator==(const ByteSize&, const ByteSize&) = default;
};
struct Choice {  // one word out of a list
  std::string word;
  friend bool operator==(const Choice&, const Choice&) = default;
};
using NumberList = std::vector<double>;  // one number may stand for a list of one
using TextList = std::vector<std::string>;
using ExpressionMap = std::vector<std::pair<std::string, Expression>>;  // in the order of the file
using TextMap = std::vector<std::pair<std::string, std::string>>;       // the same

using OptionValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, Path, ByteSize, Duration,
                 Choice, NumberList, TextList, Template, Expression, ExpressionMap, TextMap>;

// What an OptionValue holds, in the order of the variant.
enum class OptionKind : std::uint8_t {
  kNone,
  kBool,
  kInt,
  kNumber,
  kText,
  kPath,
  kByteSize,
  kDuration,
  kChoice,
  kNumberList,
  kTextList,
  kTemplate,
  kExpression,
  kExpressionMap,
  kTextMap
};
std::string_view to_string(OptionKind kind);  // "integer", "duration", ... for messages and docs
std::string to_string(const OptionValue& v);  // as it would be written in YAML; "" for none

// An option as a node class declares it, without its C++ type: what loading, `show` and docs read.
class OptionConstant {
 public:
  const std::string& name() const { return name_; }
  const std::string& doc() const { return doc_; }
  OptionKind kind() const { return kind_; }
  bool is_required() const { return required_; }
  const OptionValue& default_value() const { return default_; }  // none: no default
  double min() const { return min_; }  // of numbers, and of each number in a list
  double max() const { return max_; }
  const std::vector<std::string>& choices() const { return choices_; }
  const std::string& example() const { return example_; }
  std::size_t index() const { return index_; }

 protected:
  OptionConstant(std::string name, std::string doc, OptionKind kind)
      : name_(std::move(name)), doc_(std::move(doc)), kind_(kind) {}
  friend class Spec;
  std::string name_;
  std::string doc_;
  OptionKind kind_;
  bool required_ = false;
  OptionValue default_;
  double min_ = -std::numeric_limits<double>::infinity();
  double max_ = std::numeric_limits<double>::infinity();
  std::vector<std::string> choices_;
  std::string example_;
  mutable std::size_t index_ = 0;
};

template <class T>
struct OptionStorage {
  using Type = T;
};
template <>
struct OptionStorage<int> {
  using Type = std::int64_t;
};

// An option of type T: `inline static const Option<int> width = Option<int>("width",
// "pixels").range(1, 65535).or_default(640);` Without `or_default` and `required` it may be absent,
// and `ctx.has_option(option)` tells.
template <class T>
class Option : public OptionConstant {
 public:
  using Stored = typename OptionStorage<T>::Type;

  Option(std::string name, std::string doc)
      : OptionConstant(std::move(name), std::move(doc),
                       static_cast<OptionKind>(OptionValue(Stored{}).index())) {}
  Option or_default(Stored value) const {
    Option copy = *this;
    copy.default_ = std::move(value);
    return copy;
  }
  Option required(std::string example) const {
    Option copy = *this;
    copy.required_ = true;
    copy.example_ = std::move(example);
    return copy;
  }
  Option range(double min, double max) const {
    Option copy = *this;
    copy.min_ = min;
    copy.max_ = max;
    return copy;
  }
  Option one_of(std::vector<std::string> words) const {
    Option copy = *this;
    copy.choices_ = std::move(words);
    return copy;
  }
};

// The values of one node's options, in the order of its spec: given ones, defaults, or none.
struct Options {
  std::vector<OptionValue> values;
  std::vector<bool> given;
};

// `batch.pad` of one axis: multiples of `step` up to `max`, or the listed sizes.
struct PadRule {
  std::string axis;  // a letter of the layout
  std::int64_t step = 0;
  std::int64_t max = 0;
  std::vector<std::int64_t> sizes;
  // The bucket that `size` is padded to; none where it is larger than the largest.
  std::optional<std::int64_t> bucket(std::int64_t size) const;
};

enum class WhenFull : std::uint8_t { kBlock, kDropOldest, kDropNewest };
enum class Order : std::uint8_t { kKeep, kAny };
enum class OnError : std::uint8_t { kReject, kFail };

// The words every node understands.
struct CommonOptions {
  int parallel = 0;  // 0: auto
  Order order = Order::kKeep;
  std::uint32_t queue_items = 64;
  std::uint64_t queue_bytes = 256ull << 20;
  WhenFull when_full = WhenFull::kBlock;
  int batch_max = 1;
  Duration batch_wait = std::chrono::milliseconds(5);
  bool batch_given = false;
  std::vector<PadRule> pad;
  // Of a planned node: what it runs on. "cpu" and "auto" are the CPU, "sim" and "cuda:0" have
  // lanes.
  std::string device = "auto";
  // The plan chose a device with lanes for `device: auto`; a node that cannot use it may say so by
  // resolving to the CPU.
  bool device_is_chosen = false;
  int streams = 0;                                  // 0: as `lanes` says
  Duration gpu_timeout = std::chrono::seconds(30);  // for one batch on the device
  OnError on_error = OnError::kReject;

  bool has_lanes() const { return device != "auto" && device != "cpu"; }
  // Lanes on a device that has them. Small batches leave room on it for more of them.
  int lanes() const { return streams > 0 ? streams : batch_max <= 8 ? 4 : 2; }
};

}  // namespace sluice
