#include "sluice/graphs/values.h"

#include "sluice/graphs/suggest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>

namespace sluice {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};
constexpr std::array kDurationUnits = {Unit{"ns", 1},     Unit{"us", 1e3},   Unit{"ms", 1e6},
                                       Unit{"s", 1e9},    Unit{"min", 60e9}, Unit{"h", 3600e9},
                                       Unit{"d", 86400e9}};
constexpr std::array kByteUnits = {
    Unit{"B", 1},           Unit{"kB", 1e3},           Unit{"MB", 1e6},
    Unit{"GB", 1e9},        Unit{"TB", 1e12},          Unit{"KiB", 1024.0},
    Unit{"MiB", 1048576.0}, Unit{"GiB", 1073741824.0}, Unit{"TiB", 1099511627776.0}};

std::string ticked(std::string_view text) { return "`" + std::string(text) + "`"; }

// Nothing more is said of a value that could not be filled in.
ValueProblem problem(const SourceValue& value, std::string code, std::string message) {
  if (value.is_broken) code.clear();
  return {std::move(code), std::move(message), {}, {}, value.mark, value.origin};
}

ValueProblem wrong_type(const SourceValue& value, std::string_view name,
                        std::string_view expected) {
  return problem(
      value, "SL0207",
      std::string(name) + " must be " + std::string(expected) + ", found " + value.describe());
}

bool is_digits(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::string_view without_sign(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return text;
}

// What YAML 1.1 readers took for something else, and what to write.
std::optional<std::string> explain_old_yaml(std::string_view text) {
  const std::string_view digits = without_sign(text);
  if (digits.size() > 1 && digits[0] == '0' && is_digits(digits)) {
    std::string decimal(digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1)));
    return "is text in YAML 1.2 (1.1 read it as octal): write " + decimal + ", or 0o" + decimal +
           " for octal";
  }
  const std::size_t colon = digits.find(':');
  if (colon != std::string_view::npos && is_digits(digits.substr(0, colon)) &&
      is_digits(digits.substr(colon + 1))) {
    return std::string("is text in YAML 1.2 (1.1 read it in base 60): write one number");
  }
  return std::nullopt;
}

std::optional<std::string> old_boolean(std::string_view text) {
  static constexpr std::array kTrue = {"yes", "on", "y", "Yes", "YES", "On", "ON", "Y"};
  static constexpr std::array kFalse = {"no", "off", "n", "No", "NO", "Off", "OFF", "N"};
  if (std::find(kTrue.begin(), kTrue.end(), text) != kTrue.end()) return "true";
  if (std::find(kFalse.begin(), kFalse.end(), text) != kFalse.end()) return "false";
  return std::nullopt;
}

std::optional<std::int64_t> parse_int(std::string_view text) {
  int base = 10;
  const bool negative = text.starts_with('-');
  std::string digits(without_sign(text));
  if (digits.starts_with("0x")) base = 16;
  if (digits.starts_with("0o")) base = 8;
  if (base != 10) {
    digits.erase(0, 2);
  } else if (digits.size() > 1 && digits[0] == '0') {
    return std::nullopt;
  }
  if (digits.empty() || digits[0] == '-') return std::nullopt;
  if (negative) digits.insert(0, "-");
  std::int64_t number = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

// Takes the number off the front of `text`.
std::optional<double> take_number(std::string_view& text) {
  const std::string_view digits = without_sign(text);
  if (digits.size() > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9')
    return std::nullopt;
  if (digits.empty() || !((digits[0] >= '0' && digits[0] <= '9') || digits[0] == '.'))
    return std::nullopt;
  const char* begin = text.data() + (text[0] == '+' ? 1 : 0);
  double number = 0;
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

template <std::size_t N>
std::string unit_names(const std::array<Unit, N>& units) {
  std::vector<std::string> names;
  for (const Unit& unit : units) names.emplace_back(unit.name);
  return join_names(names);
}

// What somebody who wrote `unit` most likely means; empty where nothing is near.
template <std::size_t N>
std::string explain_unit(std::string_view number, std::string_view unit,
                         const std::array<Unit, N>& units) {
  const std::string n(number);
  if (units[0].name == "ns") {
    if (unit == "m") return "minutes are `" + n + "min`, milliseconds `" + n + "ms`";
    if (unit == "sec" || unit == "second" || unit == "seconds") return "did you mean `" + n + "s`?";
    if (unit == "hr" || unit == "hour" || unit == "hours") return "did you mean `" + n + "h`?";
    if (unit == "minutes" || unit == "minute" || unit == "mins")
      return "did you mean `" + n + "min`?";
  } else if (unit == "K" || unit == "M" || unit == "G" || unit == "T" || unit == "k") {
    const std::string prefix = unit == "k" ? "K" : std::string(unit);
    return "did you mean `" + n + prefix + "iB`?";
  }
  for (const Unit& known : units) {
    const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
    if (std::equal(known.name.begin(), known.name.end(), unit.begin(), unit.end(), same)) {
      return "did you mean `" + n + std::string(known.name) + "`?";
    }
  }
  return {};
}

template <std::size_t N>
Read<double> read_with_unit(const SourceValue& value, std::string_view name, std::string_view kind,
                            const std::array<Unit, N>& units, std::string_view example) {
  const std::string expected = std::string(kind) + " such as " + ticked(example);
  if (!value.is_scalar()) return wrong_type(value, name, expected);
  std::string_view rest = value.text;
  const std::optional<double> number = take_number(rest);
  if (!number) {
    if (const auto old = explain_old_yaml(value.text)) {
      return problem(value, "SL0211", ticked(value.text) + " " + *old + ", with its unit");
    }
    return wrong_type(value, name, expected);
  }
  const std::string_view digits =
      std::string_view(value.text).substr(0, value.text.size() - rest.size());
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  for (const Unit& unit : units) {
    if (unit.name != rest) continue;
    const double scaled = *number * unit.factor;
    if (scaled < 0 || scaled > 9.2e18) {
      return problem(value, "SL0209",
                     std::string(name) + " is out of range: " + ticked(value.text));
    }
    return scaled;
  }
  ValueProblem wrong = rest.empty()
                           ? problem(value, "SL0210",
                                     std::string(name) + " needs a unit: " + ticked(value.text) +
                                         " is a bare number")
                           : problem(value, "SL0210",
                                     std::string(name) + ": unknown unit " + ticked(rest) + " in " +
                                         ticked(value.text));
  wrong.suggestion = explain_unit(digits, rest, units);
  wrong.help = "units: " + unit_names(units);
  return wrong;
}

std::string range_text(const OptionConstant& option) {
  const bool low = std::isfinite(option.min());
  const bool high = std::isfinite(option.max());
  if (low && high) return format_number(option.min()) + " to " + format_number(option.max());
  if (low) return "at least " + format_number(option.min());
  return "at most " + format_number(option.max());
}

std::optional<ValueProblem> check_range(const SourceValue& value, double number,
                                        const OptionConstant& option) {
  if (number >= option.min() && number <= option.max()) return std::nullopt;
  ValueProblem wrong =
      problem(value, "SL0209",
              ticked(option.name()) + " is out of range: " + value.text + " is not " +
                  (std::isfinite(option.min()) && std::isfinite(option.max()) ? "in " : "") +
                  range_text(option));
  if (!option.doc().empty()) wrong.help = option.name() + ": " + option.doc();
  return wrong;
}

template <class T>
Read<OptionValue> widen(Read<T> read) {
  if (auto* wrong = std::get_if<ValueProblem>(&read)) return std::move(*wrong);
  return OptionValue(std::get<T>(std::move(read)));
}

Read<OptionValue> read_number_list(const SourceValue& value, const OptionConstant& option) {
  NumberList numbers;
  std::vector<const SourceValue*> parts;
  if (value.is_list()) {
    for (const SourceValue& item : value.items) parts.push_back(&item);
  } else if (value.is_scalar()) {
    parts.push_back(&value);
  } else {
    return wrong_type(value, ticked(option.name()), "a number or a list of numbers");
  }
  for (const SourceValue* part : parts) {
    Read<double> number = read_number(*part, ticked(option.name()));
    if (auto* wrong = std::get_if<ValueProblem>(&number)) return std::move(*wrong);
    if (auto wrong = check_range(*part, std::get<double>(number), option)) return std::move(*wrong);
    numbers.push_back(std::get<double>(number));
  }
  return OptionValue(std::move(numbers));
}

std::optional<ValueProblem> check_no_item(const SourceValue& value, std::string_view name) {
  if (!value.names_item) return std::nullopt;
  ValueProblem wrong = problem(
      value, "SL0214",
      std::string(name) + " has one value for the whole run; ${item...} differs from item to item");
  wrong.help = "${item...} stands only in options of kind template";
  return wrong;
}

Read<std::string> read_text(const SourceValue& value, std::string_view name) {
  if (!value.is_scalar()) return wrong_type(value, name, "text");
  if (auto wrong = check_no_item(value, name)) return std::move(*wrong);
  return value.text;
}

Read<OptionValue> read_text_list(const SourceValue& value, const OptionConstant& option) {
  TextList texts;
  if (value.is_list()) {
    for (const SourceValue& item : value.items) {
      Read<std::string> text = read_text(item, "each of " + ticked(option.name()));
      if (auto* wrong = std::get_if<ValueProblem>(&text)) return std::move(*wrong);
      texts.push_back(std::get<std::string>(std::move(text)));
    }
    return OptionValue(std::move(texts));
  }
  Read<std::string> text = read_text(value, ticked(option.name()));
  if (auto* wrong = std::get_if<ValueProblem>(&text)) return std::move(*wrong);
  texts.push_back(std::get<std::string>(std::move(text)));
  return OptionValue(std::move(texts));
}

Read<Expression> read_expression(const SourceValue& value, const std::string& name) {
  Read<std::string> text = read_text(value, ticked(name));
  if (auto* wrong = std::get_if<ValueProblem>(&text)) return std::move(*wrong);
  Result<Expression> parsed = Expression::parse(std::get<std::string>(text));
  if (parsed) return *std::move(parsed);
  return problem(value, "SL0213", ticked(name) + ": " + parsed.status().message());
}

Read<OptionValue> read_expression_map(const SourceValue& value, const OptionConstant& option) {
  if (!value.is_map()) {
    return wrong_type(value, ticked(option.name()),
                      "a map of names to expressions, such as { file: item.key }");
  }
  ExpressionMap map;
  for (const SourceValue::Field& field : value.fields) {
    Read<Expression> expression = read_expression(field.value, option.name() + "." + field.key);
    if (auto* wrong = std::get_if<ValueProblem>(&expression)) return std::move(*wrong);
    map.emplace_back(field.key, std::get<Expression>(std::move(expression)));
  }
  return OptionValue(std::move(map));
}

Read<OptionValue> read_text_map(const SourceValue& value, const OptionConstant& option) {
  if (!value.is_map()) return wrong_type(value, ticked(option.name()), "a map of names to texts");
  TextMap map;
  for (const SourceValue::Field& field : value.fields) {
    Read<std::string> text = read_text(field.value, ticked(option.name() + "." + field.key));
    if (auto* wrong = std::get_if<ValueProblem>(&text)) return std::move(*wrong);
    map.emplace_back(field.key, std::get<std::string>(std::move(text)));
  }
  return OptionValue(std::move(map));
}

bool is_broken(const SourceValue& value) {
  return value.is_broken || std::any_of(value.items.begin(), value.items.end(), is_broken) ||
         std::any_of(value.fields.begin(), value.fields.end(),
                     [](const SourceValue::Field& field) { return is_broken(field.value); });
}

// A template that names a file is relative like a path; the folder's own dollar signs are no holes.
std::string resolve_template_path(const SourceValue& value, const PathContext& paths) {
  PathContext escaped;
  for (const char c : paths.file_directory)
    escaped.file_directory += c == '$' ? "$$" : std::string(1, c);
  if (value.template_text.starts_with("${item.")) {
    return value.base == PathBase::kWorkingDirectory || escaped.file_directory.empty()
               ? value.template_text
               : escaped.file_directory + "/" + value.template_text;
  }
  return resolve_path(value.template_text, value.base, escaped);
}

Read<OptionValue> read_template(const SourceValue& value, const OptionConstant& option,
                                const PathContext& paths) {
  if (!value.is_scalar()) return wrong_type(value, ticked(option.name()), "text");
  const std::string text =
      option.name() == "path" ? resolve_template_path(value, paths) : value.template_text;
  Result<Template> parsed = Template::parse(text);
  if (parsed) return OptionValue(*std::move(parsed));
  ValueProblem wrong =
      problem(value, "SL0212", ticked(option.name()) + ": " + parsed.status().message());
  wrong.help =
      "${item.key}, ${item.stem}, ${item.ext}, ${item.index}, ${item.seq}; `$$` is a dollar sign";
  return wrong;
}

}  // namespace

std::string format_number(double number) {
  if (number == std::floor(number) && std::abs(number) < 1e15) {
    return std::to_string(static_cast<std::int64_t>(number));
  }
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  return {buffer.data(), end.ptr};
}

std::string format_bytes(double bytes) {
  static constexpr std::array kNames = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  while (bytes >= 1024 && unit + 1 < kNames.size()) {
    bytes /= 1024;
    ++unit;
  }
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), bytes == std::floor(bytes) ? "%.0f %s" : "%.1f %s",
                bytes, kNames[unit]);
  return buffer.data();
}

Read<bool> read_bool(const SourceValue& value, std::string_view name) {
  if (value.is_scalar() && value.text == "true") return true;
  if (value.is_scalar() && value.text == "false") return false;
  if (const auto meant = value.is_scalar() ? old_boolean(value.text) : std::nullopt) {
    ValueProblem wrong =
        problem(value, "SL0211",
                std::string(name) + " must be true or false; " + ticked(value.text) +
                    " is text in YAML 1.2 (1.1 read it as " + *meant + ")");
    wrong.suggestion = "write " + *meant;
    return wrong;
  }
  return wrong_type(value, name, "true or false");
}

Read<std::int64_t> read_int(const SourceValue& value, std::string_view name) {
  if (!value.is_scalar()) return wrong_type(value, name, "an integer");
  if (const auto number = parse_int(value.text)) return *number;
  if (const auto old = explain_old_yaml(value.text)) {
    return problem(value, "SL0211",
                   std::string(name) + " must be an integer; " + ticked(value.text) + " " + *old);
  }
  return wrong_type(value, name, "an integer");
}

Read<double> read_number(const SourceValue& value, std::string_view name) {
  if (!value.is_scalar()) return wrong_type(value, name, "a number");
  if (const auto integer = parse_int(value.text)) return static_cast<double>(*integer);
  std::string_view rest = value.text;
  if (const auto number = take_number(rest)) {
    if (rest.empty()) return *number;
    if (rest == "%") return *number / 100;
  }
  if (const auto old = explain_old_yaml(value.text)) {
    return problem(value, "SL0211",
                   std::string(name) + " must be a number; " + ticked(value.text) + " " + *old);
  }
  return wrong_type(value, name, "a number");
}

Read<Duration> read_duration(const SourceValue& value, std::string_view name) {
  Read<double> read = read_with_unit(value, name, "a duration", kDurationUnits, "5ms");
  if (auto* wrong = std::get_if<ValueProblem>(&read)) return std::move(*wrong);
  return Duration(static_cast<std::int64_t>(std::llround(std::get<double>(read))));
}

Read<ByteSize> read_byte_size(const SourceValue& value, std::string_view name) {
  Read<double> read = read_with_unit(value, name, "a size", kByteUnits, "512MiB");
  if (auto* wrong = std::get_if<ValueProblem>(&read)) return std::move(*wrong);
  return ByteSize{static_cast<std::uint64_t>(std::llround(std::get<double>(read)))};
}

Read<std::string> read_word(const SourceValue& value, std::string_view name,
                            const std::vector<std::string>& choices) {
  const std::string expected = "one of " + join_names(choices);
  if (!value.is_scalar()) return wrong_type(value, name, expected);
  if (auto wrong = check_no_item(value, name)) return std::move(*wrong);
  if (std::find(choices.begin(), choices.end(), value.text) != choices.end()) return value.text;
  ValueProblem wrong =
      problem(value, "SL0208",
              std::string(name) + " must be " + expected + ", found " + ticked(value.text));
  wrong.suggestion = did_you_mean(value.text, choices);
  return wrong;
}

std::string resolve_path(const std::string& text, PathBase base, const PathContext& paths) {
  if (text.empty() || text == "-" || text.starts_with('/')) return text;
  const bool from_file = base == PathBase::kFile && !paths.file_directory.empty();
  std::filesystem::path path =
      from_file ? std::filesystem::path(paths.file_directory) / text : std::filesystem::path(text);
  const std::string normal = path.lexically_normal().string();
  return normal;
}

Read<OptionValue> read_option(const SourceValue& value, const OptionConstant& option,
                              const PathContext& paths) {
  const std::string name = ticked(option.name());
  if (is_broken(value)) {
    ValueProblem silent;
    return silent;
  }
  switch (option.kind()) {
    case OptionKind::kNone:
      break;
    case OptionKind::kBool:
      return widen(read_bool(value, name));
    case OptionKind::kInt: {
      Read<std::int64_t> number = read_int(value, name);
      if (const auto* n = std::get_if<std::int64_t>(&number)) {
        if (auto wrong = check_range(value, static_cast<double>(*n), option))
          return std::move(*wrong);
      }
      return widen(std::move(number));
    }
    case OptionKind::kNumber: {
      Read<double> number = read_number(value, name);
      if (const auto* n = std::get_if<double>(&number)) {
        if (auto wrong = check_range(value, *n, option)) return std::move(*wrong);
      }
      return widen(std::move(number));
    }
    case OptionKind::kText:
      if (!option.choices().empty()) return widen(read_word(value, name, option.choices()));
      return widen(read_text(value, name));
    case OptionKind::kPath: {
      Read<std::string> text = read_text(value, name);
      if (auto* wrong = std::get_if<ValueProblem>(&text)) return std::move(*wrong);
      return OptionValue(Path{resolve_path(std::get<std::string>(text), value.base, paths)});
    }
    case OptionKind::kByteSize:
      return widen(read_byte_size(value, name));
    case OptionKind::kDuration:
      return widen(read_duration(value, name));
    case OptionKind::kChoice: {
      Read<std::string> word = read_word(value, name, option.choices());
      if (auto* wrong = std::get_if<ValueProblem>(&word)) return std::move(*wrong);
      return OptionValue(Choice{std::get<std::string>(std::move(word))});
    }
    case OptionKind::kNumberList:
      return read_number_list(value, option);
    case OptionKind::kTextList:
      return read_text_list(value, option);
    case OptionKind::kTemplate:
      return read_template(value, option, paths);
    case OptionKind::kExpression:
      return widen(read_expression(value, option.name()));
    case OptionKind::kExpressionMap:
      return read_expression_map(value, option);
    case OptionKind::kTextMap:
      return read_text_map(value, option);
  }
  return problem(value, "SL0207", name + " takes no value");
}

}  // namespace sluice
