#include "sluice/graphs/load.h"

#include "sluice/core/read_file.h"
#include "sluice/core/registry.h"
#include "sluice/graphs/node_reader.h"
#include "sluice/graphs/overrides.h"
#include "sluice/graphs/params.h"
#include "sluice/graphs/problems.h"
#include "sluice/graphs/suggest.h"
#include "sluice/graphs/yaml_reader.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <memory>

namespace sluice {
namespace {

const std::vector<std::string>& top_level_words() {
  static const std::vector<std::string> kWords = {"version",  "name",    "params", "nodes",
                                                  "on_error", "rejects", "run"};
  return kWords;
}

bool is_later_section(std::string_view word) {
  return word == "include" || word == "subgraphs" || word == "tests" || word == "secrets";
}

std::optional<std::string> process_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? std::optional<std::string>(value) : std::nullopt;
}

class GraphReader {
 public:
  GraphReader(SourceValue tree, const std::string& file, const LoadOptions& options,
              Diagnostics found)
      : tree_(std::move(tree)), options_(options), problems_(file, found.source) {
    spec_.file = file;
    spec_.directory = std::filesystem::path(file).parent_path().string();
    spec_.source = found.source;
    problems_.add_all(std::move(found));
  }

  Checked<GraphSpec> read();

 private:
  using Field = SourceValue::Field;

  void fill_in();
  void read_section(const Field& field);
  void read_version(const SourceValue& value);
  void read_rejects(const Field& field);
  void read_run(const Field& field);
  void read_nodes(const Field& field);
  void unknown_section(const Field& field);
  std::string node_with_option(const std::string& option) const;
  void unknown_word(const Field& field, const std::string& parent,
                    const std::vector<std::string>& valid);
  bool expect_map(const Field& field, const std::string& example);

  SourceValue tree_;
  const LoadOptions& options_;
  Problems problems_;
  GraphSpec spec_;
  OnError on_error_ = OnError::kReject;
};

// Values go into every section but `params`, which may only use the environment.
void GraphReader::fill_in() {
  const Environment environment = options_.environment ? options_.environment : process_environment;
  Field* params = tree_.find("params");
  spec_.params =
      read_params(params ? &params->value : nullptr, options_.params, environment, problems_);
  apply_overrides(tree_, options_.sets, problems_);
  for (Field& field : tree_.fields) {
    if (field.key != "params" && !is_later_section(field.key)) {
      substitute(field.value, {&spec_.params, environment}, problems_);
    }
  }
}

Checked<GraphSpec> GraphReader::read() {
  fill_in();
  if (const Field* field = tree_.find("on_error")) {
    on_error_ = read_on_error(field->value, "on_error", OnError::kReject, problems_);
  }
  for (const Field& field : tree_.fields) read_section(field);
  if (!tree_.find("nodes")) {
    problems_.add("SL0316", tree_.mark, "the file has no `nodes:`").help =
        "nodes: is a map of named nodes: nodes: { pages: { type: files, glob: \"*.jpg\" } }";
  }
  if (spec_.name.empty()) spec_.name = std::filesystem::path(spec_.file).stem().string();
  return {std::move(spec_), problems_.take()};
}

void GraphReader::read_section(const Field& field) {
  const SourceValue& value = field.value;
  if (field.key == "version") {
    read_version(value);
  } else if (field.key == "name") {
    if (value.is_scalar())
      spec_.name = value.text;
    else
      problems_.add("SL0207", value.mark, "`name` must be text, found " + value.describe());
  } else if (field.key == "nodes") {
    read_nodes(field);
  } else if (field.key == "rejects") {
    read_rejects(field);
  } else if (field.key == "run") {
    read_run(field);
  } else if (field.key != "params" && field.key != "on_error") {
    unknown_section(field);
  }
}

void GraphReader::read_version(const SourceValue& value) {
  if (value.is_scalar() && value.text == "1") return;
  problems_.add("SL0215", value.mark, "`version` must be 1, found " + value.describe()).help =
      "this program reads version 1 of the language";
}

bool GraphReader::expect_map(const Field& field, const std::string& example) {
  if (field.value.is_map()) return true;
  problems_
      .add("SL0217", field.value.mark ? field.value.mark : field.mark,
           "`" + field.key + "` must be a map, found " + field.value.describe())
      .help = "for instance " + field.key + ": { " + example + " }";
  return false;
}

void GraphReader::unknown_word(const Field& field, const std::string& parent,
                               const std::vector<std::string>& valid) {
  const auto& words = top_level_words();
  if (std::find(words.begin(), words.end(), field.key) != words.end()) {
    Diagnostic& d = problems_.add("SL0205", field.mark,
                                  "`" + field.key + "` does not belong under `" + parent + ":`");
    d.suggestion = "it belongs at the top level";
    return;
  }
  Diagnostic& d = problems_.add("SL0801", field.mark,
                                "unknown word `" + field.key + "` under `" + parent + ":`");
  d.suggestion = did_you_mean(field.key, valid);
  d.help = "words: " + join_names(valid);
}

void GraphReader::read_rejects(const Field& section) {
  spec_.rejects.mark = section.mark;
  if (!expect_map(section, "path: rejects.jsonl, max: 5%")) return;
  for (const Field& field : section.value.fields) {
    if (field.key == "path") {
      if (field.value.is_scalar())
        spec_.rejects.path = field.value;
      else
        problems_.add("SL0207", field.value.mark,
                      "`rejects.path` must be text, found " + field.value.describe());
    } else if (field.key == "max") {
      const bool is_share = field.value.is_scalar() && field.value.text.ends_with('%');
      Read<double> number = read_number(field.value, "`rejects.max`");
      if (auto* wrong = std::get_if<ValueProblem>(&number)) {
        problems_.add(*wrong, "rejects.max");
        continue;
      }
      const double max = std::get<double>(number);
      if (max < 0 || (is_share && max > 1) ||
          (!is_share && max != static_cast<double>(static_cast<std::uint64_t>(max)))) {
        problems_.add(
            "SL0209", field.value.mark,
            "`rejects.max` must be a percentage up to 100% or a whole number of items, found " +
                field.value.describe(),
            "rejects.max");
      } else if (is_share) {
        spec_.rejects.max_share = max;
      } else {
        spec_.rejects.max_items = static_cast<std::uint64_t>(max);
      }
    } else {
      unknown_word(field, "rejects", {"path", "max"});
    }
  }
}

void GraphReader::read_run(const Field& section) {
  if (!expect_map(section, "memory: 2GiB, in_flight: 64")) return;
  constexpr std::int64_t kMostInFlight = 1'000'000;
  for (const Field& field : section.value.fields) {
    if (field.key == "memory") {
      Read<ByteSize> memory = read_byte_size(field.value, "`run.memory`");
      if (auto* wrong = std::get_if<ValueProblem>(&memory))
        problems_.add(*wrong, "run.memory");
      else
        spec_.memory_bytes = std::get<ByteSize>(memory).bytes;
    } else if (field.key == "in_flight") {
      Read<std::int64_t> count = read_int(field.value, "`run.in_flight`");
      if (auto* wrong = std::get_if<ValueProblem>(&count)) {
        problems_.add(*wrong, "run.in_flight");
      } else if (std::get<std::int64_t>(count) < 1 ||
                 std::get<std::int64_t>(count) > kMostInFlight) {
        problems_.add("SL0209", field.value.mark,
                      "`run.in_flight` is out of range: " + field.value.text + " is not in 1 to " +
                          std::to_string(kMostInFlight),
                      "run.in_flight");
      } else {
        spec_.max_in_flight = static_cast<int>(std::get<std::int64_t>(count));
      }
    } else {
      unknown_word(field, "run", {"memory", "in_flight"});
    }
  }
}

void GraphReader::read_nodes(const Field& section) {
  if (!expect_map(section, "pages: { type: files, glob: \"*.jpg\" }")) return;
  if (section.value.fields.size() > kMaxNodes) {
    problems_.add("SL0220", section.mark,
                  "the graph has " + std::to_string(section.value.fields.size()) +
                      " nodes; at most " + std::to_string(kMaxNodes) + " are read");
    return;
  }
  for (const Field& field : section.value.fields) {
    spec_.nodes.push_back(read_node(field, on_error_, problems_));
  }
  if (section.value.fields.empty()) problems_.add("SL0316", section.mark, "`nodes` is empty");
}

void GraphReader::unknown_section(const Field& field) {
  if (is_later_section(field.key)) {
    problems_.add("SL0216", field.mark, "`" + field.key + ":` is not in this version");
    return;
  }
  const bool looks_like_node = field.value.is_map() && field.value.find("type");
  const auto& common = common_words();
  if (looks_like_node || std::find(common.begin(), common.end(), field.key) != common.end()) {
    Diagnostic& d =
        problems_.add("SL0205", field.mark, "`" + field.key + "` does not belong at the top level");
    d.suggestion =
        looks_like_node ? "it is a node: move it under `nodes:`" : "it is a word of a node";
    return;
  }
  Diagnostic& d =
      problems_.add("SL0201", field.mark, "unknown key `" + field.key + "` at the top level");
  d.suggestion = did_you_mean(field.key, top_level_words());
  d.help = "keys: " + join_names(top_level_words());
  if (!d.suggestion.empty()) return;
  if (const std::string node = node_with_option(field.key); !node.empty()) {
    d.code = "SL0205";
    d.message = "`" + field.key + "` does not belong at the top level";
    d.suggestion = "it is an option of `" + node + "`";
  }
}

// The first node whose type has this option; empty where none has.
std::string GraphReader::node_with_option(const std::string& option) const {
  const Field* nodes = tree_.find("nodes");
  if (!nodes) return {};
  for (const Field& node : nodes->value.fields) {
    const Field* type = node.value.find("type");
    const NodeType* known = type ? find_node_type(type->value.text) : nullptr;
    if (known && known->spec->find_option(option)) return node.key;
  }
  return {};
}

}  // namespace

Checked<GraphSpec> load_text_leniently(const std::string& text, const std::string& file,
                                       const LoadOptions& options) {
  Checked<SourceValue> tree = read_yaml(text, file);
  if (!tree.value) return {std::nullopt, std::move(tree.diagnostics)};
  return GraphReader(std::move(*tree.value), file, options, std::move(tree.diagnostics)).read();
}

Checked<std::string> read_graph_text(const std::string& path) {
  Result<std::string> text = read_file(path);
  if (text) return {std::move(*text), {}};
  Problems problems(path, nullptr);
  problems.add("SL0101", {}, "cannot read " + path + ": " + text.status().message());
  return {std::nullopt, problems.take()};
}

Checked<GraphSpec> load_file_leniently(const std::string& path, const LoadOptions& options) {
  Checked<std::string> text = read_graph_text(path);
  if (!text.value) return {std::nullopt, std::move(text.diagnostics)};
  return load_text_leniently(*text.value, path, options);
}

Checked<GraphSpec> load_file(const std::string& path, const LoadOptions& options) {
  Checked<GraphSpec> loaded = load_file_leniently(path, options);
  if (loaded.diagnostics.has_errors()) loaded.value.reset();
  return loaded;
}

Checked<GraphSpec> load_text(const std::string& text, const std::string& file,
                             const LoadOptions& options) {
  Checked<GraphSpec> loaded = load_text_leniently(text, file, options);
  if (loaded.diagnostics.has_errors()) loaded.value.reset();
  return loaded;
}

}  // namespace sluice
