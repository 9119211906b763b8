#include "sluice/graphs/render.h"

#include "sluice/core/payloads.h"
#include "sluice/graphs/values.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <map>

namespace sluice {
namespace {

std::string port_label(const Plan& plan, const PlanEdge& edge) {
  const PlanNode& writer = plan.nodes[edge.from_node];
  return writer.name +
         (edge.from_output == 0 ? "" : "." + writer.ports.outputs[edge.from_output].name);
}

// "page, quad: box.out" as `from:` would say it.
std::string inputs_of(const Plan& plan, const PlanNode& node) {
  std::string text;
  const bool named = std::count_if(node.inputs.begin(), node.inputs.end(),
                                   [](const PlanInput& input) { return !input.edges.empty(); }) > 1;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const PlanInput& input = node.inputs[i];
    if (input.edges.empty()) continue;
    if (!text.empty()) text += ", ";
    if (named) text += node.ports.inputs[i].name + ": ";
    if (input.edges.size() > 1) text += '[';
    for (std::size_t k = 0; k < input.edges.size(); ++k) {
      text += (k > 0 ? ", " : "") + port_label(plan, plan.edges[input.edges[k]]);
    }
    if (input.edges.size() > 1) text += ']';
  }
  return text;
}

std::string outputs_of(const PlanNode& node) {
  std::string text;
  for (std::size_t i = 0; i < node.ports.outputs.size(); ++i) {
    if (!node.wanted[i]) continue;
    if (!text.empty()) text += ", ";
    if (i > 0) text += node.ports.outputs[i].name + " ";
    text += node.ports.outputs[i].type.to_string();
  }
  return text;
}

std::string padded(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

// Rows whose columns stand under each other.
class Table {
 public:
  explicit Table(std::string indent) : indent_(std::move(indent)) {}
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const {
    std::vector<std::size_t> widths;
    for (const auto& row : rows_) {
      widths.resize(std::max(widths.size(), row.size()));
      for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows_) {
      std::string line = indent_;
      for (std::size_t i = 0; i < row.size(); ++i) line += padded(row[i], widths[i] + 2);
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
    return out;
  }

 private:
  std::string indent_;
  std::vector<std::vector<std::string>> rows_;
};

const std::string& scope_name(const Plan& plan, int scope) {
  return plan.scopes[static_cast<std::size_t>(scope)].name;
}

// `text` between quotes of DOT and SVG attributes alike.
std::string escaped(std::string_view text, bool for_xml) {
  std::string out;
  for (const char c : text) {
    if (for_xml && c == '&')
      out += "&amp;";
    else if (for_xml && c == '<')
      out += "&lt;";
    else if (for_xml && c == '>')
      out += "&gt;";
    else if (for_xml && c == '"')
      out += "&quot;";
    else if (!for_xml && (c == '"' || c == '\\'))
      out += std::string("\\") + c;
    else
      out += c;
  }
  return out;
}

std::string edge_label(const Plan& plan, const PlanEdge& edge) {
  const PlanNode& writer = plan.nodes[edge.from_node];
  const std::string port =
      edge.from_output == 0 ? "" : writer.ports.outputs[edge.from_output].name + ": ";
  return port + edge.type.to_string();
}

std::string duration_text(Duration duration) {
  const double ns = static_cast<double>(duration.count());
  if (ns >= 1e9) return format_number(ns / 1e9) + " s";
  if (ns >= 1e6) return format_number(ns / 1e6) + " ms";
  return format_number(ns / 1e3) + " us";
}

// Bytes of one item of a tensor whose shape is all known; 0 where it is not.
double item_bytes(const PortType& type) {
  if (!type.tensor || !type.tensor->dtype || !type.tensor->dims) return 0;
  double bytes = static_cast<double>(size_of(*type.tensor->dtype));
  for (const Dim& dim : *type.tensor->dims) {
    if (!dim.is_static()) return 0;
    bytes *= static_cast<double>(dim.size);
  }
  return bytes;
}

// The most that may wait on an edge: its items where their size is known, else what its queue
// takes.
double queue_bytes(const PlanEdge& edge, const CommonOptions& reader) {
  const double bytes = item_bytes(edge.type);
  const double limit = static_cast<double>(reader.queue_bytes);
  return bytes > 0 ? std::min(limit, std::max(bytes, bytes * reader.queue_items)) : limit;
}

// "150 kB f32": what an item on the edge is copied as, as far as that is known.
std::string copied_text(const PortType& type) {
  const double bytes = item_bytes(type);
  std::string text = bytes > 0 ? " " + format_bytes(bytes) : "";
  if (type.tensor && type.tensor->dtype) text += " " + std::string(to_string(*type.tensor->dtype));
  if (type.payload == &payload_type<Image>()) text += " u8";
  return text;
}

// Where an item is on an edge, and how it comes from a device and gets to one. What is no tensor a
// device's node makes on the CPU, of what was copied back.
std::string place_text(const Plan& plan, const PlanEdge& edge) {
  const auto has_lanes = [&](std::size_t node) {
    return plan.nodes[node].execution() == ExecutionClass::kLanes;
  };
  const std::string& device = plan.nodes[edge.to_node].common.device;
  if (plan.is_fused(edge)) return "on " + device + ", fused";
  if (plan.is_on_device(edge)) {
    const std::string copied = "d2d" + copied_text(edge.type);
    return "on " + device + (has_lanes(edge.from_node) ? ", after " + copied : "") +
           (has_lanes(edge.to_node) ? ", then " + copied : "");
  }
  std::string text = "on cpu";
  if (has_lanes(edge.from_node)) {
    text += ", after d2h" + (edge.type.tensor ? copied_text(edge.type) : "");
  }
  if (has_lanes(edge.to_node)) text += ", then h2d" + copied_text(edge.type);
  return text;
}

std::string_view when_full_text(WhenFull when_full) {
  switch (when_full) {
    case WhenFull::kBlock:
      return "block";
    case WhenFull::kDropOldest:
      return "drop_oldest";
    case WhenFull::kDropNewest:
      return "drop_newest";
  }
  return "block";
}

std::string pad_text(const std::vector<PadRule>& rules) {
  std::string text;
  for (const PadRule& rule : rules) {
    text += text.empty() ? "pad " : ", ";
    text += rule.axis;
    if (rule.sizes.empty()) {
      text +=
          " to multiples of " + std::to_string(rule.step) + " up to " + std::to_string(rule.max);
      continue;
    }
    text += " to";
    for (const std::int64_t size : rule.sizes) text += " " + std::to_string(size);
  }
  return text;
}

std::string work_text(const PlanNode& node) {
  const CommonOptions& common = node.common;
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (node.execution() == ExecutionClass::kBlocking) add("own thread");
  if (node.spec().concurrency() == Concurrency::kSerial)
    add("one at a time");
  else if (common.parallel > 0)
    add("parallel " + std::to_string(common.parallel));
  else
    add("parallel auto");
  if (common.order == Order::kAny) add("any order");
  if (common.batch_given) {
    add("batch up to " + std::to_string(common.batch_max) + ", wait " +
        duration_text(common.batch_wait));
    if (!common.pad.empty()) add(pad_text(common.pad));
  }
  if (node.execution() == ExecutionClass::kLanes) {
    add("device " + common.device + ", " + std::to_string(common.lanes()) +
        (common.lanes() == 1 ? " stream" : " streams"));
    if (common.gpu_timeout != CommonOptions().gpu_timeout) {
      add("timeout " + duration_text(common.gpu_timeout));
    }
  } else if (common.device != "auto") {
    add("device " + common.device);
  }
  if (common.on_error == OnError::kFail) add("an error ends the run");
  return text;
}

// What the outputs of a node say of the model they came from.
void add_metadata(const PlanNode& node, Table& table) {
  constexpr std::size_t kLongestValue = 60;
  if (!node.ports.model.backend.empty())
    table.add({node.name, "backend", node.ports.model.backend + ": " + node.ports.model.why});
  for (const PortDecl& output : node.ports.outputs) {
    if (!output.type.metadata) continue;
    for (const auto& [key, value] : *output.type.metadata) {
      std::string shown = value.substr(0, kLongestValue);
      std::replace_if(
          shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; },
          ' ');
      // Cut between characters, not within one.
      if (value.size() > kLongestValue) {
        while (!shown.empty() && (static_cast<unsigned char>(value[shown.size()]) & 0xC0) == 0x80)
          shown.pop_back();
        shown += "... (" + std::to_string(value.size()) + " bytes)";
      }
      table.add({node.name, key, shown});
    }
    return;  // the same for all outputs of one model
  }
}

}  // namespace

std::string render_text(const Plan& plan) {
  Table table("  ");
  for (const PlanNode& node : plan.nodes) {
    const std::string inputs = inputs_of(plan, node);
    const std::string outputs = outputs_of(node);
    table.add({node.name, node.spec().type(), inputs.empty() ? "" : "<- " + inputs,
               outputs.empty() ? "" : "-> " + outputs});
  }
  return plan.name + "\n" + table.text();
}

std::string render_dot(const Plan& plan) {
  std::string out =
      "digraph \"" + escaped(plan.name, false) +
      "\" {\n  rankdir=LR;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n"
      "  edge [fontname=\"sans-serif\", fontsize=10];\n";
  for (const PlanNode& node : plan.nodes) {
    out += "  \"" + escaped(node.name, false) + "\" [label=\"" + escaped(node.name, false) + "\\n" +
           escaped(node.spec().type(), false) + "\"];\n";
  }
  for (const PlanEdge& edge : plan.edges) {
    out += "  \"" + escaped(plan.nodes[edge.from_node].name, false) + "\" -> \"" +
           escaped(plan.nodes[edge.to_node].name, false) + "\" [label=\"" +
           escaped(edge_label(plan, edge), false) + "\"];\n";
  }
  return out + "}\n";
}

std::string render_mermaid(const Plan& plan) {
  std::string out = "flowchart LR\n";
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const PlanNode& node = plan.nodes[i];
    out += "  n" + std::to_string(i) + "[\"" + escaped(node.name, true) + "<br/><small>" +
           escaped(node.spec().type(), true) + "</small>\"]\n";
  }
  for (const PlanEdge& edge : plan.edges) {
    out += "  n" + std::to_string(edge.from_node) + " -->|\"" +
           escaped(edge_label(plan, edge), true) + "\"| n" + std::to_string(edge.to_node) + "\n";
  }
  return out;
}

std::string render_plan(const Plan& plan) {
  std::string out = plan.name + (plan.file.empty() ? "" : "   " + plan.file) + "\n\nnodes\n";
  Table nodes("  ");
  for (const PlanNode& node : plan.nodes)
    nodes.add(
        {node.name, node.spec().type(), "per " + scope_name(plan, node.scope), work_text(node)});
  out += nodes.text();

  out += "\nedges\n";
  Table edges("  ");
  double waiting = 0;
  for (const PlanEdge& edge : plan.edges) {
    const PlanNode& reader = plan.nodes[edge.to_node];
    const double bytes = plan.is_fused(edge) ? 0 : queue_bytes(edge, reader.common);
    waiting += bytes;
    const bool is_dropping = reader.common.when_full != WhenFull::kBlock;
    edges.add({port_label(plan, edge), "->",
               reader.name + "." + reader.ports.inputs[edge.to_input].name, edge.type.to_string(),
               "per " + scope_name(plan, edge.scope), place_text(plan, edge),
               plan.is_fused(edge)
                   ? "no queue"
                   : "queue " + std::to_string(reader.common.queue_items) + " items, " +
                         format_bytes(bytes) +
                         (is_dropping ? ", " + std::string(when_full_text(reader.common.when_full))
                                      : "")});
  }
  out += edges.text();

  Table metadata("  ");
  for (const PlanNode& node : plan.nodes) add_metadata(node, metadata);
  if (const std::string text = metadata.text(); !text.empty()) out += "\nmodels\n" + text;

  const double limit = static_cast<double>(plan.memory_bytes);
  out += "\nmemory\n  items on their way take at most " + format_bytes(std::min(waiting, limit)) +
         ": queues " + format_bytes(waiting) + ", limit " + format_bytes(limit) +
         "\n  each source has at most " + std::to_string(plan.max_in_flight) +
         " items on their way\n";
  if (!plan.rejects.path.empty() || plan.rejects.max_items || plan.rejects.max_share) {
    out += "\nrejects\n";
    if (!plan.rejects.path.empty()) out += "  written to " + plan.rejects.path + "\n";
    if (plan.rejects.max_items)
      out += "  the run ends after " + std::to_string(*plan.rejects.max_items) + "\n";
    if (plan.rejects.max_share)
      out += "  the run ends above " + format_number(*plan.rejects.max_share * 100) +
             "%, judged from 1,000 items on\n";
  }
  return out;
}

}  // namespace sluice
