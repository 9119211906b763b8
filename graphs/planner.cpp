#include "sluice/graphs/planner.h"

#include "sluice/core/cuda_plugin.h"
#include "sluice/graphs/make_plan.h"

#include <utility>

namespace sluice {

std::string Planner::origin(const Draft& draft, const std::string& word) const {
  return "nodes." + draft.decl->name + (word.empty() ? "" : "." + word);
}

std::size_t Planner::find_node(const std::string& name) const {
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    if (drafts_[i].decl->name == name) return i;
  }
  return kNone;
}

std::vector<std::string> Planner::node_names() const {
  std::vector<std::string> names;
  for (const Draft& draft : drafts_) names.push_back(draft.decl->name);
  return names;
}

std::size_t Planner::find_port(const std::vector<PortDecl>& ports, const std::string& name) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return i;
  }
  return kNone;
}

std::string Planner::writer_name(const Wire& wire) const {
  return drafts_[wire.from].decl->name + (wire.port.empty() ? "" : "." + wire.port);
}

// REQUIRES: no problem was found.
Plan Planner::build() {
  Plan plan;
  plan.name = graph_.name;
  plan.file = graph_.file;
  plan.memory_bytes = graph_.memory_bytes;
  plan.max_in_flight = graph_.max_in_flight;
  plan.rejects.max_items = graph_.rejects.max_items;
  plan.rejects.max_share = graph_.rejects.max_share;
  if (graph_.rejects.path) {
    plan.rejects.path =
        resolve_path(graph_.rejects.path->text, graph_.rejects.path->base, {graph_.directory});
  }
  std::vector<std::size_t> place(drafts_.size(), kNone);
  for (std::size_t i = 0; i < order_.size(); ++i) place[order_[i]] = i;
  for (const std::size_t index : order_) {
    Draft& draft = drafts_[index];
    PlanNode node;
    node.name = draft.decl->name;
    node.type = draft.type;
    node.node = std::move(draft.node);
    node.options = std::move(draft.options);
    node.common = draft.common;
    node.scope = draft.scope;
    node.inputs.resize(draft.ports.inputs.size());
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      node.inputs[i].scope = draft.input_scopes[i];
      node.inputs[i].renumbers = draft.renumbers[i];
    }
    node.wanted.assign(draft.ports.outputs.size(), false);
    node.output_scopes = draft.output_scopes;
    for (const Wire& wire : draft.wires) {
      PlanNode& writer = plan.nodes[place[wire.from]];
      writer.wanted[wire.output] = true;
      node.inputs[wire.to_input].edges.push_back(plan.edges.size());
      plan.edges.push_back({place[wire.from], wire.output, plan.nodes.size(), wire.to_input,
                            wire_scope(wire), writer.ports.outputs[wire.output].type});
    }
    node.ports = draft.ports;
    plan.nodes.push_back(std::move(node));
  }
  plan.scopes = scopes_;
  for (Scope& scope : plan.scopes) scope.opened_by = place[scope.opened_by];
  fuse(plan);
  call_back_alone(plan);
  keep_on_devices(plan);
  check_held(plan);
  return plan;
}

namespace {

Checked<Plan> plan_with(const GraphSpec& graph, Problems& problems, const CudaPlugin* cuda) {
  Planner planner(graph, problems, cuda == nullptr ? cuda_plugin() : *cuda);
  planner.find_types();
  planner.read_options();
  planner.check_words();
  planner.choose_devices();
  planner.connect();
  planner.bypass_disabled();
  planner.put_in_order();
  planner.resolve_nodes();
  planner.check_unread_outputs();
  planner.check_sinks();
  planner.check_batches();
  Checked<Plan> result;
  if (!problems.has_errors()) result.value = planner.build();
  if (problems.has_errors()) result.value.reset();
  result.diagnostics = problems.take();
  return result;
}

Checked<Plan> plan_loaded(Checked<GraphSpec> loaded, const CudaPlugin* cuda) {
  if (!loaded.value) return {std::nullopt, std::move(loaded.diagnostics)};
  Problems problems(loaded.value->file, loaded.value->source);
  problems.add_all(std::move(loaded.diagnostics));
  return plan_with(*loaded.value, problems, cuda);
}

}  // namespace

Checked<Plan> make_plan(const GraphSpec& graph) {
  Problems problems(graph.file, graph.source);
  return plan_with(graph, problems, nullptr);
}

Checked<Plan> plan_file(const std::string& path, const LoadOptions& options) {
  return plan_loaded(load_file_leniently(path, options), options.cuda);
}

Checked<Plan> plan_text(const std::string& text, const std::string& file,
                        const LoadOptions& options) {
  return plan_loaded(load_text_leniently(text, file, options), options.cuda);
}

}  // namespace sluice
