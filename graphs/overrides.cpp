#include "sluice/graphs/overrides.h"

#include "sluice/core/registry.h"
#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/suggest.h"
#include "sluice/graphs/yaml_reader.h"

namespace sluice {
namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (true) {
    const std::size_t dot = path.find('.', begin);
    parts.push_back(path.substr(begin, dot - begin));
    if (dot == std::string::npos) return parts;
    begin = dot + 1;
  }
}

void stamp(SourceValue& value, const std::string& origin) {
  value.mark = {};
  value.origin = origin;
  value.base = PathBase::kWorkingDirectory;
  for (SourceValue& item : value.items) stamp(item, origin);
  for (SourceValue::Field& field : value.fields) {
    field.mark = {};
    stamp(field.value, origin);
  }
}

class Override {
 public:
  Override(const std::string& set, Problems& problems)
      : problems_(problems), origin_("--set " + set) {
    const std::size_t equals = set.find('=');
    has_value_ = equals != std::string::npos;
    path_ = split_path(set.substr(0, equals));
    if (has_value_) text_ = set.substr(equals + 1);
  }

  void apply(SourceValue& tree) {
    if (!has_value_ || path_.size() < 2) {
      refuse("expected a path and a value").help = "for instance --set nodes.infer.device=cpu";
      return;
    }
    SourceValue::Field* top = tree.find(path_[0]);
    if (path_[0] == "params") {
      refuse("params are given with -p").help = "-p " + path_[1] + "=" + text_;
    } else if (path_[0] == "nodes" && top && top->value.is_map()) {
      apply_to_node(top->value);
    } else if (path_[0] == "run" || path_[0] == "rejects") {
      set(tree, 0);
    } else {
      Diagnostic& d = refuse("no path begins with `" + path_[0] + "`");
      d.suggestion = did_you_mean(path_[0], {"nodes", "run", "rejects"});
      d.help = "paths: nodes.NODE.OPTION, run.WORD, rejects.WORD";
    }
  }

 private:
  Diagnostic& refuse(std::string message) {
    return problems_.add("SL0906", {}, std::move(message), origin_);
  }

  void apply_to_node(SourceValue& nodes) {
    SourceValue::Field* node = nodes.find(path_[1]);
    if (!node) {
      std::vector<std::string> names;
      for (const SourceValue::Field& field : nodes.fields) names.push_back(field.key);
      Diagnostic& d = refuse("no node is called `" + path_[1] + "`");
      d.suggestion = did_you_mean(path_[1], names);
      d.help = "nodes: " + join_names(names);
      return;
    }
    if (!node->value.is_map()) return;  // reported when the node is read
    if (path_.size() < 3) {
      refuse("a whole node cannot be set").help =
          "name one of its options: --set nodes." + path_[1] + ".OPTION=VALUE";
      return;
    }
    if (is_known_word(node->value)) set(nodes, 1);
  }

  bool is_known_word(const SourceValue& node) {
    const SourceValue::Field* type = node.find("type");
    const NodeType* known = type ? find_node_type(type->value.text) : nullptr;
    if (!known) return true;  // reported when the node is read
    std::vector<std::string> valid;
    for (const OptionConstant* option : known->spec->options()) valid.push_back(option->name());
    const std::string options = join_names(valid);
    for (const std::string& word : common_words()) {
      if (!is_later_word(word)) valid.push_back(word);
    }
    for (const std::string& word : valid) {
      if (word == path_[2]) return true;
    }
    Diagnostic& d = refuse("node `" + path_[1] + "` (" + known->spec->type() + ") has no option `" +
                           path_[2] + "`");
    d.suggestion = did_you_mean(path_[2], valid);
    d.help = "options: " + options;
    return false;
  }

  // Puts the value at the path's parts from `depth` on, making maps on the way.
  void set(SourceValue& tree, std::size_t depth) {
    SourceValue value;
    if (!read_value(value)) return;
    SourceValue* at = &tree;
    for (; depth < path_.size(); ++depth) {
      if (!at->is_map()) {
        *at = SourceValue();
        at->kind = SourceValue::Kind::kMap;
        at->origin = origin_;
      }
      SourceValue::Field* field = at->find(path_[depth]);
      if (!field) field = &at->fields.emplace_back(SourceValue::Field{path_[depth], {}, {}});
      at = &field->value;
    }
    *at = std::move(value);
  }

  bool read_value(SourceValue& value) {
    if (text_.starts_with('[') || text_.starts_with('{')) {
      Checked<SourceValue> read = read_yaml("value: " + text_, origin_);
      if (read.diagnostics.has_errors() || !read.value || read.value->fields.size() != 1) {
        refuse("the value is not YAML: " +
               (read.diagnostics.items.empty() ? text_ : read.diagnostics.items.front().message));
        return false;
      }
      value = std::move(read.value->fields.front().value);
    } else {
      value = SourceValue::scalar(text_);
    }
    stamp(value, origin_);
    return true;
  }

  Problems& problems_;
  std::string origin_;
  bool has_value_ = false;
  std::vector<std::string> path_;
  std::string text_;
};

}  // namespace

void apply_overrides(SourceValue& tree, const std::vector<std::string>& sets, Problems& problems) {
  for (const std::string& set : sets) Override(set, problems).apply(tree);
}

}  // namespace sluice
