#include "sluice/core/options.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t size;
};

// In the largest unit that gives a whole number; the last one always does.
std::string in_units(std::uint64_t amount, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (amount % unit.size == 0) return std::to_string(amount / unit.size) + std::string(unit.name);
  }
  return std::to_string(amount);
}

std::string duration_text(Duration duration) {
  constexpr std::array<Unit, 6> kUnits{{{"h", 3'600'000'000'000},
                                        {"min", 60'000'000'000},
                                        {"s", 1'000'000'000},
                                        {"ms", 1'000'000},
                                        {"us", 1'000},
                                        {"ns", 1}}};
  const auto count = duration.count();
  if (count == 0) return "0s";
  const auto amount = static_cast<std::uint64_t>(count < 0 ? -count : count);
  return (count < 0 ? "-" : "") + in_units(amount, kUnits);
}

std::string size_text(ByteSize size) {
  constexpr std::array<Unit, 5> kUnits{{{"TiB", 1ull << 40},
                                        {"GiB", 1ull << 30},
                                        {"MiB", 1ull << 20},
                                        {"KiB", 1ull << 10},
                                        {"B", 1}}};
  return size.bytes == 0 ? "0B" : in_units(size.bytes, kUnits);
}

// Whether YAML would read the text as itself when it stands without quotes.
bool is_plain(std::string_view text) {
  constexpr std::string_view kWords[] = {"true", "false", "null", "~"};
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (std::ranges::find(kWords, text) != std::end(kWords)) return false;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`0123456789+.").find(text.front()) !=
      std::string_view::npos) {
    return text.size() > 1 && text.front() == '.' && text[1] == '/';
  }
  return text.find_first_of(":#,[]{}\n\t\"") == std::string_view::npos;
}

std::string quoted(const std::string& text) {
  return is_plain(text) ? text : Value(text).to_json();
}

template <class Range, class Print>
std::string list_text(const Range& range, std::string_view brackets, Print print) {
  std::string text(1, brackets[0]);
  for (const auto& element : range) {
    if (text.size() > 1) text += ", ";
    text += print(element);
  }
  return text + brackets[1];
}

struct Printer {
  std::string operator()(std::monostate) const { return {}; }
  std::string operator()(bool v) const { return v ? "true" : "false"; }
  std::string operator()(std::int64_t v) const { return std::to_string(v); }
  std::string operator()(double v) const { return Value(v).to_text(); }
  std::string operator()(const std::string& v) const { return quoted(v); }
  std::string operator()(const Path& v) const { return quoted(v.text); }
  std::string operator()(ByteSize v) const { return size_text(v); }
  std::string operator()(Duration v) const { return duration_text(v); }
  std::string operator()(const Choice& v) const { return v.word; }
  std::string operator()(const NumberList& v) const {
    if (v.size() == 1) return (*this)(v.front());
    return list_text(v, "[]", [](double number) { return Value(number).to_text(); });
  }
  std::string operator()(const TextList& v) const { return list_text(v, "[]", quoted); }
  std::string operator()(const Template& v) const { return quoted(v.text()); }
  std::string operator()(const Expression& v) const { return v.text(); }
  std::string operator()(const ExpressionMap& v) const {
    return list_text(v, "{}",
                     [](const auto& entry) { return entry.first + ": " + entry.second.text(); });
  }
  std::string operator()(const TextMap& v) const {
    return list_text(v, "{}",
                     [](const auto& entry) { return entry.first + ": " + quoted(entry.second); });
  }
};

}  // namespace

std::string_view to_string(OptionKind kind) {
  switch (kind) {
    case OptionKind::kNone:
      return "nothing";
    case OptionKind::kBool:
      return "true or false";
    case OptionKind::kInt:
      return "integer";
    case OptionKind::kNumber:
      return "number";
    case OptionKind::kText:
      return "text";
    case OptionKind::kPath:
      return "path";
    case OptionKind::kByteSize:
      return "size";
    case OptionKind::kDuration:
      return "duration";
    case OptionKind::kChoice:
      return "word";
    case OptionKind::kNumberList:
      return "list of numbers";
    case OptionKind::kTextList:
      return "list of texts";
    case OptionKind::kTemplate:
      return "template";
    case OptionKind::kExpression:
      return "expression";
    case OptionKind::kExpressionMap:
      return "map of expressions";
    case OptionKind::kTextMap:
      return "map of texts";
  }
  return "nothing";
}

std::string to_string(const OptionValue& v) { return std::visit(Printer{}, v); }

std::optional<std::int64_t> PadRule::bucket(std::int64_t size) const {
  if (!sizes.empty()) {
    std::optional<std::int64_t> smallest;
    for (const std::int64_t candidate : sizes) {
      if (candidate >= size && (!smallest || candidate < *smallest)) smallest = candidate;
    }
    return smallest;
  }
  if (max > 0 && size > max) return std::nullopt;
  if (step <= 1) return size;
  const std::int64_t rounded = (size + step - 1) / step * step;
  return max > 0 ? std::min(rounded, max) : rounded;
}

}  // namespace sluice
