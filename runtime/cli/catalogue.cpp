#include "sluice/runtime/cli/catalogue.h"

#include "sluice/core/registry.h"
#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/suggest.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace sluice {
namespace {

std::string kind_words(const Spec& spec) {
  std::string words = spec.kind() == NodeKind::kSource ? "source"
                      : spec.kind() == NodeKind::kSink ? "sink"
                                                       : "node";
  words += spec.execution() == ExecutionClass::kBlocking ? ", runs on threads of its own"
                                                         : ", runs on the shared pool";
  words += spec.concurrency() == Concurrency::kStateless ? ", several items at once"
                                                         : ", one item at a time";
  if (spec.takes_batches()) words += ", takes batches";
  if (spec.takes_devices()) words += ", may run on a device";
  return words;
}

std::string bound_text(const OptionConstant& option, double bound) {
  if (option.kind() == OptionKind::kByteSize)
    return to_string(OptionValue(ByteSize{static_cast<std::uint64_t>(bound)}));
  return bound == std::floor(bound) && std::abs(bound) < 1e15 ? fmt::format("{:.0f}", bound)
                                                              : fmt::format("{}", bound);
}

// "integer, 1..65535, default 736"
std::string option_words(const OptionConstant& option) {
  std::string words;
  if (!option.choices().empty()) {
    for (const std::string& choice : option.choices())
      words += (words.empty() ? "" : " | ") + choice;
  } else {
    words = to_string(option.kind());
  }
  const bool from = std::isfinite(option.min());
  const bool to = std::isfinite(option.max());
  if (from && to) {
    words +=
        fmt::format(", {}..{}", bound_text(option, option.min()), bound_text(option, option.max()));
  } else if (from) {
    words += fmt::format(", at least {}", bound_text(option, option.min()));
  } else if (to) {
    words += fmt::format(", at most {}", bound_text(option, option.max()));
  }
  if (option.is_required()) return words + ", required";
  const std::string value = to_string(option.default_value());
  return value.empty() ? words + ", may be absent" : words + ", default " + value;
}

std::string port_words(const PortDecl& port) {
  std::string words = port.type.to_string();
  if (port.many) words += ", any number for each item";
  if (port.closes_scope) words += ", gathers";
  if (port.optional) words += ", optional";
  return words;
}

// A name, what it is, and its doc, in columns.
struct Row {
  std::string name;
  std::string words;
  std::string doc;
};

std::vector<Row> port_rows(const std::vector<PortDecl>& ports, const std::string& dynamic) {
  std::vector<Row> rows;
  for (const PortDecl& port : ports) rows.push_back({port.name, port_words(port), port.doc});
  if (!dynamic.empty()) rows.push_back({"...", "", dynamic});
  return rows;
}

std::vector<Row> option_rows(const Spec& spec) {
  std::vector<Row> rows;
  for (const OptionConstant* option : spec.options()) {
    std::string doc = option->doc();
    if (option->is_required() && !option->example().empty())
      doc += " (such as " + option->example() + ")";
    rows.push_back({option->name(), option_words(*option), std::move(doc)});
  }
  return rows;
}

std::vector<Row> reject_rows(const Spec& spec) {
  std::vector<Row> rows;
  for (const RejectCode& code : spec.reject_codes()) rows.push_back({code.reason, "", code.doc});
  return rows;
}

struct Section {
  std::string title;
  std::vector<Row> rows;
};

std::vector<Section> sections_of(const Spec& spec) {
  return {{"Inputs", port_rows(spec.inputs(), spec.dynamic_inputs_doc())},
          {"Outputs", port_rows(spec.outputs(), spec.dynamic_outputs_doc())},
          {"Options", option_rows(spec)},
          {"Rejects items with", reject_rows(spec)}};
}

std::string lower(std::string text) {
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

// Words put on lines of at most 96 columns, the first one not indented.
std::string wrapped(std::string_view text, std::size_t indent) {
  std::string out;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const std::string_view word = text.substr(0, end);
    if (!word.empty()) {
      if (column > indent && column + 1 + word.size() > 96) {
        out += "\n" + std::string(indent, ' ');
        column = indent;
      } else if (column > indent) {
        out += ' ';
        ++column;
      }
      out += word;
      column += word.size();
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string indented(std::string_view text, std::size_t indent) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out += std::string(indent, ' ') + std::string(text.substr(0, end));
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string section_text(const Section& section) {
  std::size_t width = 0;
  for (const Row& row : section.rows) width = std::max(width, row.name.size());
  std::string text = "\n" + lower(section.title) + "\n";
  for (const Row& row : section.rows) {
    const std::string lead = fmt::format("  {:<{}}  ", row.name, width);
    const bool both = !row.words.empty() && !row.doc.empty();
    text += lead +
            (row.words.empty() ? wrapped(row.doc, lead.size()) : wrapped(row.words, lead.size())) +
            "\n";
    if (both) text += std::string(lead.size(), ' ') + wrapped(row.doc, lead.size()) + "\n";
  }
  return text;
}

// In a table a bar would end the cell.
std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string section_markdown(const Section& section) {
  std::string text = fmt::format("\n{}\n\n", section.title);
  const bool has_words =
      std::ranges::any_of(section.rows, [](const Row& row) { return !row.words.empty(); });
  text +=
      has_words ? "| name | type | meaning |\n|---|---|---|\n" : "| code | meaning |\n|---|---|\n";
  for (const Row& row : section.rows) {
    const std::string name = row.name == "..." ? row.name : "`" + row.name + "`";
    text += has_words ? fmt::format("| {} | {} | {} |\n", name, cell(row.words), cell(row.doc))
                      : fmt::format("| {} | {} |\n", name, cell(row.doc));
  }
  return text;
}

std::string first_words() {
  std::string words;
  for (const std::string& word : common_words()) {
    if (is_later_word(word) || word == "type" || word == "from") continue;
    words += (words.empty() ? "" : ", ") + word;
  }
  return words;
}

std::vector<std::string> type_names() {
  std::vector<std::string> names;
  for (const NodeType* type : node_types()) names.push_back(type->spec->type());
  return names;
}

}  // namespace

std::string describe_text(const Spec& spec) {
  std::string text = spec.type() + ": " + spec.summary() + "\n" + kind_words(spec) + "\n";
  for (const Section& section : sections_of(spec)) {
    if (!section.rows.empty()) text += section_text(section);
  }
  text += "\nevery node also understands\n  " + wrapped(first_words(), 2) + "\n";
  if (!spec.notes_text().empty()) text += "\nnotes\n  " + wrapped(spec.notes_text(), 2) + "\n";
  if (!spec.example_yaml().empty()) text += "\nexample\n" + indented(spec.example_yaml(), 2);
  return text;
}

std::string describe_markdown(const Spec& spec) {
  std::string text =
      fmt::format("## {}\n\n{} A {}.\n", spec.type(), spec.summary(), kind_words(spec));
  for (const Section& section : sections_of(spec)) {
    if (!section.rows.empty()) text += section_markdown(section);
  }
  if (!spec.notes_text().empty()) text += "\n" + spec.notes_text() + "\n";
  if (!spec.example_yaml().empty()) {
    text += "\n```yaml\n" + indented(spec.example_yaml(), 0) + "```\n";
  }
  return text;
}

std::string catalogue_text() {
  std::size_t width = 0;
  for (const NodeType* type : node_types()) width = std::max(width, type->spec->type().size());
  std::string text;
  for (const NodeType* type : node_types()) {
    text += fmt::format("{:<{}}  {}\n", type->spec->type(), width, type->spec->summary());
  }
  return text;
}

std::string catalogue_markdown() {
  std::string text =
      "# Nodes\n\nThe built-in nodes, as `sluice list --format markdown` prints them from their "
      "specs; "
      "`sluice show NODE` gives one.\n"
      "Every node also understands the common words: " +
      first_words() + ".\n\n| node | |\n|---|---|\n";
  for (const NodeType* type : node_types()) {
    std::string anchor = type->spec->type();
    std::erase(anchor, '.');
    text += fmt::format("| [`{}`](#{}) | {} |\n", type->spec->type(), anchor,
                        cell(type->spec->summary()));
  }
  for (const NodeType* type : node_types()) text += "\n" + describe_markdown(*type->spec);
  return text;
}

int list_command(ListFormat format) {
  return write_data(format == ListFormat::kMarkdown ? catalogue_markdown() : catalogue_text());
}

int show_command(const std::string& node) {
  if (const NodeType* type = find_node_type(node)) return write_data(describe_text(*type->spec));
  std::string message = "unknown node type `" + node + "`";
  const std::string suggestion = did_you_mean(node, type_names());
  return usage_error(message + (suggestion.empty() ? "; there are " + join_names(type_names())
                                                   : ": " + suggestion));
}

}  // namespace sluice
