#include "sluice/graphs/planner.h"
#include "sluice/graphs/suggest.h"

#include <algorithm>
#include <functional>
#include <queue>

namespace sluice {

void Planner::connect() {
  const std::vector<std::string> names = node_names();
  for (Draft& draft : drafts_) {
    if (draft.type && draft.spec().kind() == NodeKind::kSource && !draft.decl->wires.empty()) {
      problems_
          .add("SL0314", draft.decl->from_mark,
               "`" + draft.decl->name + "` (" + draft.decl->type +
                   ") is a source and reads from nobody",
               origin(draft, "from"))
          .help = "leave `from:` out";
      continue;
    }
    for (const WireDecl& decl : draft.decl->wires) {
      Wire wire;
      wire.input = decl.input;
      wire.port = decl.port;
      wire.mark = decl.mark;
      wire.input_mark = decl.input_mark;
      wire.from = find_node(decl.node);
      if (wire.from == kNone) {
        Diagnostic& d = problems_.add(
            "SL0301", decl.mark,
            "`" + draft.decl->name + "` reads from `" + decl.node + "`, and no node is called so",
            origin(draft, "from"));
        const std::string nearest = nearest_name(decl.node, names);
        if (!nearest.empty()) {
          d.suggestion = "did you mean `" + nearest + "`?";
          named_wrongly_[find_node(nearest)] = true;
        }
        d.help = "nodes: " + join_names(names);
      }
      draft.wires.push_back(std::move(wire));
    }
  }
}

// What reads of a disabled node's first output read instead: the writers of its first input.
std::vector<Planner::Wire> Planner::pass_through(std::size_t node, int depth) const {
  const Draft& draft = drafts_[node];
  if (draft.wires.empty() || depth > static_cast<int>(drafts_.size())) return {};
  std::string first = draft.wires.front().input;
  if (draft.type && !draft.spec().inputs().empty()) {
    const std::string& declared = draft.spec().inputs().front().name;
    const auto names_it = [&](const Wire& wire) { return wire.input == declared; };
    if (std::any_of(draft.wires.begin(), draft.wires.end(), names_it)) first = declared;
  }
  std::vector<Wire> through;
  for (const Wire& wire : draft.wires) {
    if (wire.input != first || wire.from == kNone) continue;
    if (drafts_[wire.from].decl->enabled) {
      through.push_back(wire);
    } else {
      const std::vector<Wire> further = pass_through(wire.from, depth + 1);
      through.insert(through.end(), further.begin(), further.end());
    }
  }
  return through;
}

void Planner::bypass_disabled() {
  std::vector<bool> was_read(drafts_.size(), false);
  for (const Draft& draft : drafts_) {
    for (const Wire& wire : draft.wires) {
      if (wire.from != kNone) was_read[wire.from] = true;
    }
  }
  for (Draft& draft : drafts_) {
    if (!draft.decl->enabled) continue;
    std::vector<Wire> wires;
    for (const Wire& wire : draft.wires) {
      if (wire.from == kNone || drafts_[wire.from].decl->enabled) {
        wires.push_back(wire);
        continue;
      }
      const Draft& disabled = drafts_[wire.from];
      const auto same_input = [&](const Wire& w) { return w.input == wire.input; };
      const bool is_merge = std::count_if(draft.wires.begin(), draft.wires.end(), same_input) > 1;
      const bool reads_first = wire.port.empty() || !disabled.type ||
                               disabled.spec().outputs().empty() ||
                               disabled.spec().outputs().front().name == wire.port;
      const std::vector<Wire> through =
          reads_first ? pass_through(wire.from, 0) : std::vector<Wire>();
      for (Wire passed : through) {
        passed.input = wire.input;
        passed.input_mark = wire.input_mark;
        passed.mark = wire.mark;
        wires.push_back(std::move(passed));
      }
      if (!through.empty() || is_merge) continue;
      Diagnostic& d = problems_.add("SL0315", wire.mark,
                                    "`" + draft.decl->name + "` reads " + writer_name(wire) +
                                        ", and `" + disabled.decl->name + "` is disabled",
                                    origin(draft, "from"));
      d.help =
          reads_first
              ? "a source that is disabled has nothing to pass on; disable its readers too"
              : "a disabled node passes its first input to the readers of its first output only";
      d.notes.push_back({"disabled here", disabled.decl->mark});
      Wire unknown = wire;
      unknown.from = kNone;
      wires.push_back(std::move(unknown));
    }
    draft.wires = std::move(wires);
  }
  for (Draft& draft : drafts_) draft.is_removed = !draft.decl->enabled;
  while (prune_unread(was_read)) {
  }
}

// Takes out nodes that were read by removed nodes only.
bool Planner::prune_unread(const std::vector<bool>& was_read) {
  std::vector<bool> is_read(drafts_.size(), false);
  for (const Draft& draft : drafts_) {
    for (const Wire& wire : draft.wires) {
      if (!draft.is_removed && wire.from != kNone) is_read[wire.from] = true;
    }
  }
  bool changed = false;
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    if (drafts_[i].is_removed || is_read[i] || !was_read[i]) continue;
    drafts_[i].is_removed = true;
    changed = true;
  }
  return changed;
}

// Kahn's algorithm; among nodes that could come next, the one that stands first in the file.
void Planner::put_in_order() {
  std::vector<std::size_t> waits_for(drafts_.size(), 0);
  std::vector<std::vector<std::size_t>> readers(drafts_.size());
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    for (const Wire& wire : drafts_[i].wires) {
      if (drafts_[i].is_removed || wire.from == kNone) continue;
      readers[wire.from].push_back(i);
      ++waits_for[i];
    }
  }
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    if (!drafts_[i].is_removed && waits_for[i] == 0) ready.push(i);
  }
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order_.push_back(next);
    for (const std::size_t reader : readers[next]) {
      if (--waits_for[reader] == 0) ready.push(reader);
    }
  }
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    if (!drafts_[i].is_removed && waits_for[i] > 0) waiting.push_back(i);
  }
  if (!waiting.empty()) report_cycle(waiting);
}

// Every node that waits reads, directly or not, from a cycle. Following one unfinished writer from
// each of them walks into every cycle that such walks can reach; each is reported once.
void Planner::report_cycle(const std::vector<std::size_t>& waiting) {
  enum class Seen { kNo, kOnPath, kDone };
  std::vector<Seen> seen(drafts_.size(), Seen::kDone);
  for (const std::size_t node : waiting) seen[node] = Seen::kNo;
  std::vector<std::pair<std::size_t, const Wire*>> path;  // a node, and the wire it was reached by

  const auto report = [&](const Wire* closing) {
    const std::size_t first = closing->from;
    auto start = std::find_if(path.begin(), path.end(),
                              [&](const auto& step) { return step.first == first; });
    const std::string name = drafts_[first].decl->name;
    std::string text = name;
    for (auto step = path.end(); step-- != start;) text += " -> " + drafts_[step->first].decl->name;
    Diagnostic& d = problems_.add("SL0310", closing->mark, "the nodes feed themselves: " + text);
    d.origin = "nodes." + name;
    d.help = "data flows one way; take one of these wires out";
    for (auto step = start; step + 1 != path.end(); ++step) {
      d.notes.push_back({"`" + drafts_[step->first].decl->name + "` reads from `" +
                             drafts_[(step + 1)->first].decl->name + "`",
                         (step + 1)->second->mark});
    }
    d.suggestion = "`" + drafts_[path.back().first].decl->name + "` reads from `" + name + "`";
  };
  std::function<void(std::size_t)> visit = [&](std::size_t node) {
    seen[node] = Seen::kOnPath;
    for (const Wire& wire : drafts_[node].wires) {
      if (wire.from == kNone || seen[wire.from] == Seen::kDone) continue;
      if (seen[wire.from] == Seen::kOnPath) {
        report(&wire);
      } else {
        path.emplace_back(wire.from, &wire);
        visit(wire.from);
        path.pop_back();
      }
    }
    seen[node] = Seen::kDone;
  };
  for (const std::size_t node : waiting) {
    if (seen[node] != Seen::kNo) continue;
    path.assign(1, {node, nullptr});
    visit(node);
  }
}

}  // namespace sluice
