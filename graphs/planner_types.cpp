#include "sluice/graphs/planner.h"
#include "sluice/graphs/suggest.h"

#include <algorithm>

namespace sluice {
namespace {

std::string list_ports(const std::vector<PortDecl>& ports) {
  std::vector<std::string> shown;
  for (const PortDecl& port : ports)
    shown.push_back(port.name + " (" + port.type.to_string() + ")");
  return join_names(shown);
}

std::vector<std::string> port_names(const std::vector<PortDecl>& ports) {
  std::vector<std::string> names;
  for (const PortDecl& port : ports) names.push_back(port.name);
  return names;
}

// The node types that turn one payload into the other, those that ask for least first.
std::string find_converters(const PayloadType& from, const PayloadType& to) {
  std::vector<std::string> best;
  std::size_t least = static_cast<std::size_t>(-1);
  for (const NodeType* type : node_types()) {
    const Spec& spec = *type->spec;
    if (spec.kind() != NodeKind::kProcess) continue;
    const auto is_many = [](const PortDecl& port) { return port.many; };
    const auto closes = [](const PortDecl& port) { return port.closes_scope; };
    const bool opens_list =
        from.element == &to && std::any_of(spec.outputs().begin(), spec.outputs().end(), is_many);
    const bool makes_list =
        to.element == &from && std::any_of(spec.inputs().begin(), spec.inputs().end(), closes);
    const auto takes = [&](const PortDecl& port) { return port.type.payload == &from; };
    const auto gives = [&](const PortDecl& port) { return port.type.payload == &to; };
    const bool converts = std::any_of(spec.inputs().begin(), spec.inputs().end(), takes) &&
                          std::any_of(spec.outputs().begin(), spec.outputs().end(), gives);
    if (!opens_list && !makes_list && !converts) continue;
    std::size_t asks = 0;
    for (const PortDecl& input : spec.inputs()) asks += input.optional ? 0 : 1;
    if (asks < least) {
      least = asks;
      best.clear();
    }
    if (asks == least) best.push_back(spec.type());
  }
  constexpr std::size_t kMostNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < best.size() && i < kMostNamed; ++i)
    names += (i > 0 ? " or " : "") + best[i];
  return names;
}

std::string code_of(const Status& mismatch) {
  if (mismatch.reason() == "types.dtype") return "SL0402";
  if (mismatch.reason() == "types.layout") return "SL0404";
  if (mismatch.reason() == "types.payload") return "SL0401";
  return "SL0403";
}

// Two shapes one under the other, and marks under each extent that differs.
std::string compare_dims(const std::vector<Dim>& given, const std::vector<Dim>& wanted) {
  std::string lines[3] = {"given  [", "wanted [", "        "};
  for (std::size_t i = 0; i < std::max(given.size(), wanted.size()); ++i) {
    std::string g = i < given.size() ? given[i].to_string() : "";
    std::string w = i < wanted.size() ? wanted[i].to_string() : "";
    const bool both = i < given.size() && i < wanted.size();
    const bool differs =
        !both || (given[i].is_static() && wanted[i].is_static() && given[i].size != wanted[i].size);
    const std::size_t width = std::max(g.size(), w.size());
    lines[0] += (i > 0 ? "," : "") + std::string(width - g.size(), ' ') + g;
    lines[1] += (i > 0 ? "," : "") + std::string(width - w.size(), ' ') + w;
    lines[2] += (i > 0 ? " " : "") + std::string(width, differs ? '^' : ' ');
  }
  lines[2].erase(lines[2].find_last_not_of(' ') + 1);
  return lines[0] + "]\n" + lines[1] + "]\n" + lines[2];
}

}  // namespace

void Planner::resolve_nodes() {
  for (const std::size_t index : order_) resolve_node(index);
}

void Planner::resolve_node(std::size_t index) {
  Draft& draft = drafts_[index];
  const bool writers_are_known = match_outputs(draft);
  if (!draft.type) return;
  const Spec& spec = draft.spec();
  const bool has_dynamic_inputs = !spec.dynamic_inputs_doc().empty();

  bool is_good = match_inputs(draft, spec.inputs(), !has_dynamic_inputs);
  is_good = check_required(draft, spec.inputs()) && is_good;
  std::vector<bool> reported(draft.wires.size(), false);
  const bool can_resolve =
      is_good && writers_are_known && draft.options_are_good && !draft.decl->is_faulty;
  if (can_resolve && ask_node(index)) {
    draft.known = Known::kResolved;
    is_good = match_inputs(draft, draft.ports.inputs, true);
    is_good = check_required(draft, draft.ports.inputs) && is_good;
    if (!check_types(draft, draft.ports.inputs, reported) || !is_good)
      draft.known = Known::kDeclared;
  } else {
    check_types(draft, spec.inputs(), reported);
    draft.ports = {spec.inputs(), spec.outputs()};
    draft.known = spec.dynamic_outputs_doc().empty() ? Known::kDeclared : Known::kNothing;
  }
  find_scopes(index);
}

// Finds the output each wire reads. False where a writer's outputs are not all known.
bool Planner::match_outputs(Draft& draft) {
  bool all_known = true;
  for (Wire& wire : draft.wires) {
    if (wire.from == kNone || drafts_[wire.from].known == Known::kNothing) {
      all_known = false;
      continue;
    }
    const Draft& writer = drafts_[wire.from];
    all_known = all_known && writer.known == Known::kResolved;
    wire.output = wire.port.empty() ? (writer.ports.outputs.empty() ? kNone : 0)
                                    : find_port(writer.ports.outputs, wire.port);
    if (wire.output != kNone) continue;
    all_known = false;
    named_wrongly_[wire.from] = true;
    const std::string name = "`" + writer.decl->name + "` (" + writer.decl->type + ")";
    if (writer.ports.outputs.empty()) {
      problems_.add("SL0302", wire.mark, name + " has no outputs to read", origin(draft, "from"))
          .notes.push_back({"`" + writer.decl->name + "` is declared here", writer.decl->mark});
      continue;
    }
    Diagnostic& d = problems_.add("SL0302", wire.mark, name + " has no output `" + wire.port + "`",
                                  origin(draft, "from"));
    d.suggestion = did_you_mean(wire.port, port_names(writer.ports.outputs));
    d.help = "outputs: " + list_ports(writer.ports.outputs);
  }
  return all_known;
}

// Finds the input each wire feeds. With final names, one that is none of them is wrong.
bool Planner::match_inputs(Draft& draft, const std::vector<PortDecl>& inputs,
                           bool names_are_final) {
  bool all_good = true;
  for (Wire& wire : draft.wires) {
    wire.to_input =
        wire.input.empty() ? (inputs.empty() ? kNone : 0) : find_port(inputs, wire.input);
    if (wire.to_input != kNone || !names_are_final) continue;
    all_good = false;
    const std::string name = "`" + draft.decl->name + "` (" + draft.decl->type + ")";
    if (inputs.empty()) {
      problems_.add("SL0303", draft.decl->from_mark, name + " has no inputs",
                    origin(draft, "from"));
      return false;
    }
    Diagnostic& d =
        problems_.add("SL0303", wire.input_mark, name + " has no input `" + wire.input + "`",
                      origin(draft, "from"));
    d.suggestion = did_you_mean(wire.input, port_names(inputs));
    d.help = "inputs: " + list_ports(inputs);
  }
  return all_good;
}

bool Planner::check_required(const Draft& draft, const std::vector<PortDecl>& inputs) {
  if (draft.decl->is_faulty && draft.decl->wires.empty()) return false;
  bool all_wired = true;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const PortDecl& input = inputs[i];
    const auto feeds = [&](const Wire& wire) { return wire.to_input == i; };
    // A misspelt name most likely means this input.
    const auto means = [&](const Wire& wire) {
      return wire.to_input == kNone && nearest_name(wire.input, port_names(inputs)) == input.name;
    };
    if (input.optional || std::any_of(draft.wires.begin(), draft.wires.end(), feeds)) continue;
    all_wired = false;
    if (std::any_of(draft.wires.begin(), draft.wires.end(), means)) continue;
    Diagnostic& d =
        problems_.add("SL0304", draft.decl->from_mark ? draft.decl->from_mark : draft.decl->mark,
                      "nothing is wired to input `" + input.name + "` of `" + draft.decl->name +
                          "` (" + draft.decl->type + "): " + input.doc,
                      origin(draft, "from"));
    d.help = inputs.size() == 1 ? "for instance from: NODE" : "inputs: " + list_ports(inputs);
  }
  return all_wired;
}

// Constructs the node and asks it for its ports. False where it finds something wrong.
bool Planner::ask_node(std::size_t index) {
  Draft& draft = drafts_[index];
  std::vector<WiredInput> inputs;
  for (const Wire& wire : draft.wires) {
    const auto same = [&](const WiredInput& input) { return input.name == wire.input; };
    if (std::any_of(inputs.begin(), inputs.end(), same)) continue;  // a merge
    inputs.push_back({wire.input, drafts_[wire.from].ports.outputs[wire.output].type});
  }
  std::vector<std::string> read_outputs;
  for (const Draft& reader : drafts_) {
    for (const Wire& wire : reader.wires) {
      if (reader.is_removed || wire.from != index) continue;
      if (std::find(read_outputs.begin(), read_outputs.end(), wire.port) == read_outputs.end()) {
        read_outputs.push_back(wire.port);
      }
    }
  }
  draft.node = draft.type->make();
  Resolve resolve(draft.spec(), draft.options, draft.common, std::move(inputs),
                  std::move(read_outputs));
  Result<Ports> ports =
      std::visit([&](const auto& node) { return node->resolve(resolve); }, draft.node);
  for (const Problem& problem : resolve.problems()) report(draft, problem);
  if (!ports && resolve.problems().empty()) {
    problems_.add(
        "SL0317", draft.decl->type_mark ? draft.decl->type_mark : draft.decl->mark,
        "`" + draft.decl->name + "` (" + draft.decl->type + "): " + ports.status().message(),
        origin(draft));
  }
  if (!ports || !resolve.problems().empty()) return false;
  draft.ports = *std::move(ports);
  const ExecutionClass execution = draft.ports.execution.value_or(draft.spec().execution());
  if (draft.common.device_is_chosen && execution != ExecutionClass::kLanes) {
    draft.common.device = "auto";
  }
  return true;
}

Mark Planner::mark_of(const Draft& draft, const Problem& problem) const {
  const Mark node = draft.decl->type_mark ? draft.decl->type_mark : draft.decl->mark;
  if (problem.place == Problem::Place::kOption) {
    for (const OptionDecl& option : draft.decl->options) {
      if (option.name == problem.name) return option.value.mark ? option.value.mark : option.mark;
    }
    if (const WordMark* word = draft.decl->find_word(problem.name)) return word->mark;
  }
  if (problem.place == Problem::Place::kInput) {
    for (const Wire& wire : draft.wires) {
      const bool is_first =
          wire.input.empty() &&
          (draft.spec().inputs().empty() || draft.spec().inputs().front().name == problem.name);
      if (wire.input == problem.name || is_first) return wire.mark;
    }
    if (draft.decl->from_mark) return draft.decl->from_mark;
  }
  return node;
}

void Planner::report(const Draft& draft, const Problem& problem) {
  Diagnostic& d = problems_.add(problem.code, mark_of(draft, problem), problem.message,
                                origin(draft, problem.name));
  d.help = problem.help;
  for (const OptionDecl& option : draft.decl->options) {
    if (option.name == problem.name && !option.value.origin.empty()) {
      d.origin = option.value.origin;
      d.mark = {};
    }
  }
}

bool Planner::check_types(const Draft& draft, const std::vector<PortDecl>& inputs,
                          std::vector<bool>& reported) {
  bool all_fit = true;
  for (std::size_t i = 0; i < draft.wires.size(); ++i) {
    const Wire& wire = draft.wires[i];
    if (wire.output == kNone || wire.to_input == kNone || wire.to_input >= inputs.size()) continue;
    const Draft& writer = drafts_[wire.from];
    const PortDecl& output = writer.ports.outputs[wire.output];
    // What an unresolved node would really give is not known where its spec says any.
    const bool is_open = output.type.is_any() || (output.type.payload->element &&
                                                  output.type.payload->element->name == "Any");
    if (writer.known == Known::kDeclared && is_open) continue;
    const Status fits = check_fits(output.type, inputs[wire.to_input].type);
    if (fits) continue;
    all_fit = false;
    if (reported[i]) continue;
    reported[i] = true;
    report_mismatch(draft, wire, inputs[wire.to_input], fits);
  }
  return all_fit;
}

void Planner::report_mismatch(const Draft& draft, const Wire& wire, const PortDecl& input,
                              const Status& why) {
  const Draft& writer = drafts_[wire.from];
  const PortType& given = writer.ports.outputs[wire.output].type;
  std::string message = writer_name(wire) + " gives " + given.to_string() + "; " +
                        draft.decl->name + "." + input.name + " wants " + input.type.to_string();
  std::string help;
  if (why.reason() == "types.payload") {
    const std::string converters = find_converters(*given.payload, *input.type.payload);
    if (!converters.empty()) message += ": put " + converters + " between them";
  } else {
    help = why.message();
    const bool shapes =
        given.tensor && input.type.tensor && given.tensor->dims && input.type.tensor->dims;
    if (code_of(why) == "SL0403" && shapes) {
      help += "\n" + compare_dims(*given.tensor->dims, *input.type.tensor->dims);
    }
    if (!writer.spec().options().empty()) {
      help += "\nthe options of `" + writer.decl->name + "` (" + writer.decl->type +
              ") say what it gives";
    }
  }
  Diagnostic& d = problems_.add(code_of(why), wire.mark, std::move(message), origin(draft, "from"));
  d.help = std::move(help);
  d.notes.push_back({"`" + writer.decl->name + "` is declared here", writer.decl->mark});
}

}  // namespace sluice
