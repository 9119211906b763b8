#include "sluice/graphs/params.h"

#include "sluice/graphs/suggest.h"

#include <algorithm>
#include <array>

namespace sluice {
namespace {

using Type = Parameter::Type;
constexpr std::array kTypes = {Type::kText,   Type::kPath,     Type::kBool,    Type::kInt,
                               Type::kNumber, Type::kDuration, Type::kByteSize};

// What is wrong with a value of this type; nothing where it fits.
std::optional<ValueProblem> check_type(const SourceValue& value, Type type,
                                       const std::string& name) {
  const auto problem_of = [](auto read) -> std::optional<ValueProblem> {
    if (auto* wrong = std::get_if<ValueProblem>(&read)) return std::move(*wrong);
    return std::nullopt;
  };
  switch (type) {
    case Type::kText:
    case Type::kPath:
      return std::nullopt;
    case Type::kBool:
      return problem_of(read_bool(value, name));
    case Type::kInt:
      return problem_of(read_int(value, name));
    case Type::kNumber:
      return problem_of(read_number(value, name));
    case Type::kDuration:
      return problem_of(read_duration(value, name));
    case Type::kByteSize:
      return problem_of(read_byte_size(value, name));
  }
  return std::nullopt;
}

// A default's type. A unit makes no type: a param with a default of `5ms` is text until an option
// reads it.
Type type_of(const SourceValue& value) {
  if (value.is_quoted) return Type::kText;
  for (const Type type : {Type::kBool, Type::kInt, Type::kNumber}) {
    if (!check_type(value, type, "")) return type;
  }
  return Type::kText;
}

class ParamReader {
 public:
  ParamReader(const Environment& environment, Problems& problems)
      : environment_(environment), problems_(problems) {}

  Parameter read(SourceValue::Field& field) {
    Parameter param;
    param.name = field.key;
    param.mark = field.mark;
    if (field.value.is_map()) {
      read_long_form(param, field.value);
    } else {
      read_default(param, field.value);
      if (param.has_value) param.type = type_of(field.value);
    }
    return param;
  }

 private:
  std::string origin(const Parameter& param) const { return "params." + param.name; }

  void read_default(Parameter& param, SourceValue& value) {
    if (!value.is_scalar()) {
      problems_
          .add("SL0217", value.mark ? value.mark : param.mark,
               "param `" + param.name + "` needs a default that is text or a number, found " +
                   value.describe(),
               origin(param))
          .help = "or the long form: " + param.name + ": { type: path, required: true }";
      param.has_value = true;  // so that nothing more is said of it
      return;
    }
    substitute(value, {nullptr, environment_}, problems_);
    param.text = value.text;
    param.base = value.base;
    param.has_value = true;
  }

  void read_long_form(Parameter& param, SourceValue& form) {
    SourceValue::Field* fallback = nullptr;
    bool has_type = false;
    for (SourceValue::Field& field : form.fields) {
      if (field.key == "type") {
        has_type = read_type(param, field.value);
      } else if (field.key == "required") {
        Read<bool> required = read_bool(field.value, "`required`");
        if (auto* wrong = std::get_if<ValueProblem>(&required))
          problems_.add(*wrong, origin(param));
        else
          param.is_required = std::get<bool>(required);
      } else if (field.key == "default") {
        fallback = &field;
      } else if (field.key == "doc") {
        param.doc = field.value.text;
      } else {
        Diagnostic& d = problems_.add("SL0201", field.mark,
                                      "unknown word `" + field.key + "` in a param", origin(param));
        d.suggestion = did_you_mean(field.key, {"type", "required", "default", "doc"});
        d.help = "words: type, required, default, doc";
      }
    }
    if (!fallback) {
      param.is_required = true;
      return;
    }
    read_default(param, fallback->value);
    if (!has_type) {
      param.type = type_of(fallback->value);
    } else if (auto wrong =
                   check_type(fallback->value, param.type, "the default of `" + param.name + "`")) {
      problems_.add(*wrong, origin(param));
    }
  }

  bool read_type(Parameter& param, const SourceValue& value) {
    std::vector<std::string> names;
    for (const Type type : kTypes) {
      names.emplace_back(to_string(type));
      if (value.is_scalar() && value.text == names.back()) {
        param.type = type;
        return true;
      }
    }
    Read<std::string> word = read_word(value, "the type of a param", names);
    if (const auto* wrong = std::get_if<ValueProblem>(&word)) problems_.add(*wrong, origin(param));
    return true;
  }

  const Environment& environment_;
  Problems& problems_;
};

void apply_given(std::vector<Parameter>& params, const std::string& name, const std::string& text,
                 Problems& problems) {
  const std::string origin = "-p " + name + "=" + text;
  const auto param = std::find_if(params.begin(), params.end(),
                                  [&](const Parameter& p) { return p.name == name; });
  if (param == params.end()) {
    std::vector<std::string> valid;
    for (const Parameter& p : params) valid.push_back(p.name);
    Diagnostic& d = problems.add("SL0903", {}, "the graph has no param `" + name + "`", origin);
    d.suggestion = did_you_mean(name, valid);
    d.help = valid.empty() ? "it has no params" : "params: " + join_names(valid);
    return;
  }
  SourceValue value = SourceValue::scalar(text);
  value.origin = origin;
  if (auto wrong = check_type(value, param->type, "param `" + name + "`")) {
    if (param->has_value) wrong->help = "its default is " + param->text;
    wrong->code = "SL0904";
    problems.add(*wrong);
  }
  param->text = text;
  param->has_value = true;
  param->base = PathBase::kWorkingDirectory;
}

}  // namespace

std::vector<Parameter> read_params(SourceValue* params,
                                   const std::vector<std::pair<std::string, std::string>>& given,
                                   const Environment& environment, Problems& problems) {
  std::vector<Parameter> result;
  ParamReader reader(environment, problems);
  if (params && params->is_map()) {
    for (SourceValue::Field& field : params->fields) result.push_back(reader.read(field));
  } else if (params && params->kind != SourceValue::Kind::kNull) {
    problems.add("SL0217", params->mark,
                 "`params` must be a map of names to defaults, found " + params->describe());
  }
  for (const auto& [name, text] : given) apply_given(result, name, text, problems);
  for (const Parameter& param : result) {
    if (param.has_value) continue;
    problems
        .add("SL0905", param.mark, "param `" + param.name + "` has no default and was not given")
        .help = "-p " + param.name + "=..." + (param.doc.empty() ? "" : "   (" + param.doc + ")");
  }
  return result;
}

}  // namespace sluice
