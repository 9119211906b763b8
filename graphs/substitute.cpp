#include "sluice/graphs/substitute.h"

#include "sluice/graphs/suggest.h"

#include <algorithm>
#include <string_view>

namespace sluice {
namespace {

// What one ${...} stands for.
struct Filling {
  std::string text;
  PathBase base = PathBase::kFile;
};

class Substituter {
 public:
  Substituter(SourceValue& scalar, const Names& names, Problems& problems)
      : scalar_(scalar), names_(names), problems_(problems), written_(scalar.template_text) {}

  void run();

 private:
  void fill(std::size_t at, std::string_view hole);
  Filling fill_param(std::size_t at, std::string_view name);
  Filling fill_env(std::size_t at, std::string_view rest);
  Diagnostic& add(std::string code, std::size_t at, std::size_t length, std::string message) {
    scalar_.is_broken = true;
    return problems_.add(std::move(code), problems_.within(scalar_, at, length), std::move(message),
                         scalar_.origin);
  }

  SourceValue& scalar_;
  const Names& names_;
  Problems& problems_;
  std::string written_;
  std::string text_;
  std::string template_text_;
};

void Substituter::run() {
  for (std::size_t at = 0; at < written_.size();) {
    const std::string_view rest = std::string_view(written_).substr(at);
    if (rest.starts_with("$$")) {
      text_ += '$';
      template_text_ += "$$";
      at += 2;
    } else if (rest.starts_with("${")) {
      const std::size_t end = rest.find('}');
      if (end == std::string_view::npos) {
        add("SL0907", at, rest.size(), "`${` without its `}`").help =
            "a dollar sign of its own is written `$$`";
        return;
      }
      fill(at, rest.substr(2, end - 2));
      at += end + 1;
    } else {
      text_ += written_[at];
      template_text_ += written_[at];
      ++at;
    }
  }
  scalar_.text = std::move(text_);
  scalar_.template_text = std::move(template_text_);
}

void Substituter::fill(std::size_t at, std::string_view hole) {
  const bool is_first = at == 0;
  if (hole.starts_with("item.")) {
    scalar_.names_item = true;
    text_ += "${" + std::string(hole) + "}";
    template_text_ += "${" + std::string(hole) + "}";
    return;
  }
  Filling filling;
  if (hole.starts_with("params.")) {
    filling = fill_param(at, hole.substr(7));
  } else if (hole.starts_with("env.")) {
    filling = fill_env(at, hole.substr(4));
  } else if (hole.starts_with("secret.")) {
    add("SL0216", at, hole.size() + 3, "secrets are not in this version").help =
        "use ${env." + std::string(hole.substr(7)) + "}";
  } else {
    Diagnostic& d =
        add("SL0908", at, hole.size() + 3, "`${" + std::string(hole) + "}` names nothing");
    const auto same = [&](const Parameter& p) { return p.name == hole; };
    if (names_.params && std::any_of(names_.params->begin(), names_.params->end(), same)) {
      d.suggestion = "did you mean `${params." + std::string(hole) + "}`?";
    }
    d.help =
        "${params.NAME}, ${env.NAME}, ${item.NAME} in templates; a dollar sign of its own is `$$`";
  }
  if (is_first && filling.base == PathBase::kWorkingDirectory)
    scalar_.base = PathBase::kWorkingDirectory;
  for (const char c : filling.text) {
    text_ += c;
    template_text_ += c == '$' ? "$$" : std::string(1, c);
  }
}

Filling Substituter::fill_param(std::size_t at, std::string_view name) {
  if (!names_.params) {
    add("SL0902", at, name.size() + 10, "the default of a param cannot use another param").help =
        "${env.NAME} may be used here";
    return {};
  }
  std::vector<std::string> valid;
  for (const Parameter& param : *names_.params) {
    if (param.name == name) return {param.text, param.base};
    valid.push_back(param.name);
  }
  Diagnostic& d =
      add("SL0902", at, name.size() + 10, "no param is called `" + std::string(name) + "`");
  d.suggestion = did_you_mean(name, valid);
  d.help = valid.empty() ? "the file has no `params:`" : "params: " + join_names(valid);
  return {};
}

Filling Substituter::fill_env(std::size_t at, std::string_view rest) {
  const std::size_t colon = rest.find(':');
  const std::string name(rest.substr(0, colon));
  const std::string_view how =
      colon == std::string_view::npos ? std::string_view() : rest.substr(colon);
  const std::size_t length = rest.size() + 7;
  if (!how.empty() && !how.starts_with(":-") && !how.starts_with(":?")) {
    add("SL0907", at, length,
        "after `${env." + name + "` only `:-default` or `:?message` may follow");
    return {};
  }
  const std::optional<std::string> value = names_.environment(name);
  if (value && (how.empty() || !value->empty())) return {*value, PathBase::kWorkingDirectory};
  if (how.starts_with(":-")) return {std::string(how.substr(2)), PathBase::kFile};
  Diagnostic& d = add("SL0901", at, length, "the environment variable `" + name + "` is not set");
  d.help = how.starts_with(":?") ? std::string(how.substr(2))
                                 : "set it, or give a default: ${env." + name + ":-...}";
  return {};
}

}  // namespace

void substitute(SourceValue& tree, const Names& names, Problems& problems) {
  if (tree.is_scalar()) Substituter(tree, names, problems).run();
  for (SourceValue& item : tree.items) substitute(item, names, problems);
  for (SourceValue::Field& field : tree.fields) substitute(field.value, names, problems);
}

}  // namespace sluice
