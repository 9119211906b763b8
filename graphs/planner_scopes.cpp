#include "sluice/graphs/planner.h"

#include <algorithm>

namespace sluice {

int Planner::new_scope(std::string name, int parent, std::size_t opened_by,
                       std::vector<std::size_t> sources) {
  Scope scope;
  scope.name = std::move(name);
  scope.parent = parent;
  scope.depth = parent < 0 ? 0 : scopes_[static_cast<std::size_t>(parent)].depth + 1;
  scope.opened_by = opened_by;
  scopes_.push_back(std::move(scope));
  scope_sources_.push_back(std::move(sources));
  return static_cast<int>(scopes_.size()) - 1;
}

bool Planner::is_around(int outer, int inner) const {
  for (int scope = inner; scope >= 0; scope = scopes_[static_cast<std::size_t>(scope)].parent) {
    if (scope == outer) return true;
  }
  return false;
}

int Planner::root_of(int scope) const {
  while (scopes_[static_cast<std::size_t>(scope)].parent >= 0)
    scope = scopes_[static_cast<std::size_t>(scope)].parent;
  return scope;
}

int Planner::wire_scope(const Wire& wire) const {
  if (wire.from == kNone || wire.output == kNone) return -1;
  const auto& scopes = drafts_[wire.from].output_scopes;
  return wire.output < scopes.size() ? scopes[wire.output] : -1;
}

void Planner::find_scopes(std::size_t node) {
  Draft& draft = drafts_[node];
  draft.input_scopes.assign(draft.ports.inputs.size(), -1);
  draft.renumbers.assign(draft.ports.inputs.size(), false);
  draft.output_scopes.assign(draft.ports.outputs.size(), -1);
  if (draft.spec().kind() == NodeKind::kSource) {
    draft.scope = new_scope(draft.decl->name, -1, node, {node});
    open_outputs(node, draft.scope);
    return;
  }
  std::vector<Ranked> around;  // of each input, as the outputs see it
  std::vector<Ranked> inside;
  bool is_known = true;
  for (std::size_t input = 0; input < draft.ports.inputs.size(); ++input) {
    std::vector<const Wire*> wires;
    for (const Wire& wire : draft.wires) {
      if (wire.to_input == input) wires.push_back(&wire);
    }
    if (wires.empty()) continue;
    const std::optional<int> scope = merge_scopes(node, input, wires);
    if (!scope) {
      is_known = false;
      continue;
    }
    draft.input_scopes[input] = *scope;
    inside.push_back({*scope, wires.front()});
    if (!draft.ports.inputs[input].closes_scope) {
      around.push_back({*scope, wires.front()});
    } else if (const int parent = scopes_[static_cast<std::size_t>(*scope)].parent; parent >= 0) {
      around.push_back({parent, wires.front()});
    } else {
      is_known = false;
      problems_
          .add("SL0309", wires.front()->mark,
               "`" + draft.decl->name + "` (" + draft.decl->type +
                   ") gathers what a split took apart, and " + writer_name(*wires.front()) +
                   " is inside of no split",
               origin(draft, "from"))
          .help = "put a split before it, or leave it out";
    }
  }
  const std::optional<Ranked> scope = combine(draft, inside, true);
  const std::optional<Ranked> outer = combine(draft, around, false);
  if (!is_known || !scope || !outer) return;
  draft.scope = scope->scope;
  open_outputs(node, outer->scope);
}

void Planner::open_outputs(std::size_t node, int scope) {
  Draft& draft = drafts_[node];
  const auto& outputs = draft.ports.outputs;
  const auto many =
      std::count_if(outputs.begin(), outputs.end(), [](const PortDecl& port) { return port.many; });
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    draft.output_scopes[i] = scope;
    if (!outputs[i].many) continue;
    const std::string name = scopes_[static_cast<std::size_t>(scope)].name + "/" +
                             draft.decl->name + (many > 1 ? "." + outputs[i].name : "");
    draft.output_scopes[i] =
        new_scope(name, scope, node, scope_sources_[static_cast<std::size_t>(scope)]);
  }
}

// Ports of one node can carry different items of one scope; nothing else can.
bool Planner::is_exclusive(const Wire& a, const Wire& b) const {
  return a.from == b.from && a.output != b.output;
}

// The scope of one input after all its writers are merged; none where it is not known, or wrong.
std::optional<int> Planner::merge_scopes(std::size_t node, std::size_t input,
                                         const std::vector<const Wire*>& wires) {
  Draft& draft = drafts_[node];
  for (const Wire* wire : wires) {
    if (wire_scope(*wire) < 0) return std::nullopt;
  }
  const int first = wire_scope(*wires.front());
  bool one_scope = true;
  std::vector<std::size_t> sources;
  std::string name;
  for (std::size_t i = 0; i < wires.size(); ++i) {
    const int scope = wire_scope(*wires[i]);
    one_scope = one_scope && scope == first;
    const auto& own = scope_sources_[static_cast<std::size_t>(scope)];
    for (std::size_t k = 0; k < i; ++k) {
      const int other = wire_scope(*wires[k]);
      const auto& theirs = scope_sources_[static_cast<std::size_t>(other)];
      const bool shares = std::any_of(own.begin(), own.end(), [&](std::size_t source) {
        return std::find(theirs.begin(), theirs.end(), source) != theirs.end();
      });
      if (shares && !(scope == other && is_exclusive(*wires[i], *wires[k]))) {
        report_same_item(draft, *wires[k], *wires[i]);
        return std::nullopt;
      }
      if (!shares && (scopes_[static_cast<std::size_t>(scope)].depth > 0 ||
                      scopes_[static_cast<std::size_t>(other)].depth > 0)) {
        Diagnostic& d = problems_.add(
            "SL0312", wires[i]->mark,
            "`" + draft.decl->name + "` merges " + writer_name(*wires[k]) + ", per " +
                scopes_[static_cast<std::size_t>(other)].name + ", and " + writer_name(*wires[i]) +
                ", per " + scopes_[static_cast<std::size_t>(scope)].name,
            origin(draft, "from"));
        d.help =
            "different sources can be merged outside of splits only: merge before the split, or "
            "gather first";
        return std::nullopt;
      }
    }
    for (const std::size_t source : own) {
      if (std::find(sources.begin(), sources.end(), source) == sources.end())
        sources.push_back(source);
    }
    const std::string& own_name = scopes_[static_cast<std::size_t>(scope)].name;
    if (name.empty())
      name = own_name;
    else if (scope != first)
      name += "+" + own_name;
  }
  if (one_scope) return first;
  draft.renumbers[input] = true;
  return new_scope(name, -1, node, std::move(sources));
}

void Planner::report_same_item(const Draft& draft, const Wire& a, const Wire& b) {
  const int scope = wire_scope(b);
  const std::string root = scopes_[static_cast<std::size_t>(root_of(scope))].name;
  const std::string twice = writer_name(a) == writer_name(b)
                                ? writer_name(a) + " twice"
                                : writer_name(a) + " and " + writer_name(b);
  Diagnostic& d = problems_.add("SL0307", b.mark,
                                "`" + draft.decl->name + "` merges " + twice +
                                    ", which can carry the same item: both come from " + root,
                                origin(draft, "from"));
  d.help =
      "a merge takes different sources, or different ports of one node; to use both for each item, "
      "name the "
      "inputs: from: { INPUT: " +
      writer_name(a) + ", INPUT: " + writer_name(b) + " }";
  if (a.mark.line != b.mark.line) d.notes.push_back({"the other one", a.mark});
}

// The innermost of scopes that lie within each other; none where two do not.
std::optional<Planner::Ranked> Planner::combine(const Draft& draft,
                                                const std::vector<Ranked>& inputs, bool report) {
  if (inputs.empty()) return std::nullopt;
  Ranked inner = inputs.front();
  for (const Ranked& input : inputs) {
    if (is_around(input.scope, inner.scope)) continue;
    if (is_around(inner.scope, input.scope)) {
      inner = input;
      continue;
    }
    if (!report) return std::nullopt;
    const auto name = [&](const Ranked& r) {
      return scopes_[static_cast<std::size_t>(r.scope)].name;
    };
    const auto port = [&](const Ranked& r) { return draft.ports.inputs[r.wire->to_input].name; };
    const bool siblings = root_of(inner.scope) == root_of(input.scope);
    Diagnostic& d =
        siblings ? problems_.add("SL0308", input.wire->mark,
                                 "`" + draft.decl->name + "`: " + port(inner) + " is per " +
                                     name(inner) + ", " + port(input) + " is per " + name(input) +
                                     ": gather one")
                 : problems_.add("SL0311", input.wire->mark,
                                 "`" + draft.decl->name + "`: " + port(inner) + " comes from " +
                                     name(inner) + ", " + port(input) + " from " + name(input) +
                                     ": they have no item in common");
    d.origin = origin(draft, "from");
    d.notes.push_back({"`" + port(inner) + "` is wired here", inner.wire->mark});
    d.help =
        siblings
            ? "inputs are paired by item, and the children of one split are not those of another"
            : "inputs are paired by item; from: [a, b] takes whichever comes";
    return std::nullopt;
  }
  return inner;
}

}  // namespace sluice
