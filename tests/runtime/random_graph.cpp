#include "tests/runtime/random_graph.h"

#include "tests/runtime/test_nodes.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace sluice::testing {
namespace {

constexpr std::size_t kDeepest = 3;  // splits within each other
constexpr int kAllocated = 1024;     // bytes a `test.allocate` node takes

}  // namespace

int RandomGraph::below(int bound) {
  return static_cast<int>(random_() % static_cast<std::uint64_t>(bound));
}

std::size_t RandomGraph::scope_of(const Writer& writer) const {
  return nodes_[writer.node].output_scopes[writer.output];
}

bool RandomGraph::is_around(std::size_t outer, std::size_t inner) const {
  for (int scope = static_cast<int>(inner); scope >= 0;
       scope = scopes_[static_cast<std::size_t>(scope)].parent) {
    if (static_cast<std::size_t>(scope) == outer) return true;
  }
  return false;
}

std::size_t RandomGraph::add_scope(int parent, std::uint64_t sources) {
  const std::size_t depth = parent < 0 ? 0 : scopes_[static_cast<std::size_t>(parent)].depth + 1;
  scopes_.push_back({parent, depth, sources});
  return scopes_.size() - 1;
}

std::size_t RandomGraph::add(Node node) {
  node.name = (node.type == Type::kSource ? "s" : "n") + std::to_string(nodes_.size());
  for (const Input& input : node.inputs) {
    for (const Writer& writer : input.writers) {
      ++readers_[writer];
      node.in_order = node.in_order && nodes_[writer.node].in_order;
    }
  }
  nodes_.push_back(std::move(node));
  for (std::size_t i = 0; i < nodes_.back().output_scopes.size(); ++i)
    readers_[{nodes_.size() - 1, i}] = 0;
  return nodes_.size() - 1;
}

// An output to read next: mostly one that nobody reads yet.
RandomGraph::Writer RandomGraph::pick() {
  std::vector<Writer> all;
  std::vector<Writer> unread;
  for (const auto& [writer, readers] : readers_) {
    all.push_back(writer);
    if (readers == 0) unread.push_back(writer);
  }
  const auto& from = unread.empty() || one_in(3) ? all : unread;
  return from[static_cast<std::size_t>(below(static_cast<int>(from.size())))];
}

// The words any node may have: its queue, how many calls at once, whether order matters.
std::string RandomGraph::common_words(bool stateless, std::optional<std::size_t> batch_scope) {
  std::string words = ", queue: { items: " + std::to_string(1 + below(5));
  if (one_in(4)) words += ", bytes: " + std::to_string(1 + below(64)) + "B";
  if (may_drop_ && one_in(6)) {
    words += one_in(2) ? ", when_full: drop_oldest" : ", when_full: drop_newest";
    drops_ = true;
  }
  words += " }";
  if (stateless && !one_in(3)) words += ", parallel: " + std::to_string(1 + below(3));
  if (batch_scope) {
    // A batch larger than what can be on its way is refused.
    const int sources = std::popcount(scopes_[*batch_scope].sources);
    const int most = std::min(8, in_flight_ * sources);
    words += ", batch: { max: " + std::to_string(1 + below(most)) +
             ", wait: " + (frozen_ ? "1h" : "2ms") + " }";
  }
  return words;
}

void RandomGraph::add_source() {
  Node node;
  node.type = Type::kSource;
  node.yaml_type = one_in(3) ? "test.count_on_thread" : "test.count";
  node.payload = "Text";
  node.items = one_in(8) ? below(2) : 1 + below(60);
  if (one_in(4)) node.reject_one_in = 2 + below(10);
  node.scope = add_scope(-1, std::uint64_t{1} << source_count_++);
  node.output_scopes = {node.scope};
  node.options = ", prefix: \"s" + std::to_string(nodes_.size()) +
                 ".\", items: " + std::to_string(node.items) +
                 ", reject_one_in: " + std::to_string(node.reject_one_in);
  add(std::move(node));
}

void RandomGraph::add_pass(std::vector<Writer> writers, std::size_t scope) {
  static const struct {
    const char* type;
    bool stateless;
    bool batches;
  } kTypes[] = {{"test.pass", true, false},          {"test.pass_serial", false, false},
                {"test.pass_blocking", true, false}, {"test.pass_blocking_serial", false, false},
                {"test.pass_batch", true, true},     {"test.pass_blocking_batch", true, true}};
  const auto& type = kTypes[below(6)];
  Node node;
  node.yaml_type = type.type;
  node.payload = payload_of(writers[0]);
  node.inputs = {{"in", std::move(writers), scope}};
  node.scope = scope;
  node.output_scopes = {scope};
  if (one_in(4)) node.reject_one_in = 1 + below(20);
  if (one_in(4)) node.filter_one_in = 1 + below(20);
  if (one_in(6)) node.throw_one_in = 1 + below(20);
  node.options = ", reject_one_in: " + std::to_string(node.reject_one_in) +
                 ", filter_one_in: " + std::to_string(node.filter_one_in) +
                 ", throw_one_in: " + std::to_string(node.throw_one_in);
  if (one_in(3)) node.options += ", spin: " + std::to_string(1 << below(13));
  node.options += common_words(type.stateless, type.batches ? std::optional(scope) : std::nullopt);
  if (type.stateless && one_in(4)) {
    node.options += ", order: any";
    node.in_order = false;
  }
  add(std::move(node));
}

void RandomGraph::add_simple(Type type, const Writer& from) {
  Node node;
  node.type = type;
  node.scope = scope_of(from);
  node.inputs = {{"in", {from}, node.scope}};
  if (type == Type::kAllocate) {
    node.yaml_type = "test.allocate";
    node.payload = "Bytes";
    node.output_scopes = {node.scope};
    node.options = ", size: 1KiB" + common_words(true);
  } else {
    node.collects = !one_in(5);
    node.yaml_type = !node.collects ? "discard"
                     : one_in(3)    ? "test.collect_blocking"
                                    : "test.collect";
    node.options = common_words(false);
  }
  add(std::move(node));
}

// A node that makes children of an item, or of a list the ones it holds.
void RandomGraph::add_children(const Writer& from) {
  Node node;
  node.scope = scope_of(from);
  if (scopes_[node.scope].depth == kDeepest) return;
  node.inputs = {{"in", {from}, node.scope}};
  node.output_scopes = {add_scope(static_cast<int>(node.scope), scopes_[node.scope].sources)};
  const std::string& payload = payload_of(from);
  if (payload[0] == '[' && one_in(2)) {
    node.type = Type::kSplit;
    node.yaml_type = "split";
    node.payload = payload.substr(1, payload.size() - 2);
  } else {
    node.type = Type::kChildren;
    node.yaml_type = "test.children";
    node.payload = "Text";
    node.most = below(5);
    node.options = ", most: " + std::to_string(node.most);
  }
  node.options += common_words(true);
  add(std::move(node));
}

void RandomGraph::add_route(const Writer& from) {
  Node node;
  node.type = Type::kRoute;
  node.yaml_type = "test.route";
  node.payload = payload_of(from);
  node.scope = scope_of(from);
  node.inputs = {{"in", {from}, node.scope}};
  node.output_scopes = {node.scope, node.scope};
  node.options = common_words(true);
  const std::size_t place = add(std::move(node));
  if (one_in(3)) return;
  add_pass({{place, 0}, {place, 1}}, nodes_[place].scope);
}

void RandomGraph::add_gather(const Writer& from) {
  Node node;
  node.type = Type::kGather;
  node.yaml_type = "gather";
  node.payload = "[" + payload_of(from) + "]";
  node.scope = scope_of(from);
  if (scopes_[node.scope].depth == 0) return;
  node.inputs = {{"in", {from}, node.scope}};
  node.output_scopes = {static_cast<std::size_t>(scopes_[node.scope].parent)};
  // What chance drops would change the lists, and what comes out could not be told any more.
  node.skips_missing = !may_drop_ && !tight_memory_ && one_in(2);
  node.options = std::string(node.skips_missing ? ", missing: skip" : "") + common_words(false);
  add(std::move(node));
}

// Pairs with one or two others of the same item, or of one around it.
void RandomGraph::add_mix(const Writer& from) {
  Node node;
  node.type = Type::kMix;
  node.yaml_type = "test.mix";
  node.payload = "Text";
  node.scope = scope_of(from);
  std::vector<Writer> partners;
  for (const auto& [writer, readers] : readers_) {
    if (is_around(scope_of(writer), node.scope)) partners.push_back(writer);
  }
  node.inputs = {{"lead", {from}, node.scope}};
  for (const char* port : {"other", "third"}) {
    const Writer with =
        partners[static_cast<std::size_t>(below(static_cast<int>(partners.size())))];
    node.inputs.push_back({port, {with}, scope_of(with)});
    if (one_in(2)) break;
  }
  node.output_scopes = {node.scope};
  node.options = common_words(true);
  add(std::move(node));
}

// Merges with what comes from other sources, where there is such an output.
void RandomGraph::add_merge(const Writer& from) {
  const std::size_t scope = scope_of(from);
  if (scopes_[scope].depth > 0) return;
  std::vector<Writer> writers{from};
  std::uint64_t sources = scopes_[scope].sources;
  for (const auto& [writer, readers] : readers_) {
    const Scope& other = scopes_[scope_of(writer)];
    const bool fits = other.depth == 0 && (other.sources & sources) == 0 &&
                      payload_of(writer) == payload_of(from);
    if (!fits || one_in(2)) continue;
    writers.push_back(writer);
    sources |= other.sources;
  }
  if (writers.size() > 1) add_pass(std::move(writers), add_scope(-1, sources));
}

void RandomGraph::grow() {
  const Writer from = pick();
  switch (below(16)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return add_children(from);
    case 4:
    case 5:
    case 6:
      return add_gather(from);
    case 7:
    case 8:
    case 9:
      return add_mix(from);
    case 10:
      return add_route(from);
    case 11:
      return add_merge(from);
    case 12:
      return add_simple(one_in(2) ? Type::kAllocate : Type::kSink, from);
    default:
      return add_pass({from}, scope_of(from));
  }
}

void RandomGraph::add_sinks() {
  std::vector<Writer> unread;
  for (const auto& [writer, readers] : readers_) {
    if (readers == 0) unread.push_back(writer);
  }
  for (const Writer& writer : unread) add_simple(Type::kSink, writer);
}

RandomGraph::RandomGraph(std::uint64_t seed) : random_(seed) {
  threads_ = 1 + below(2);
  in_flight_ = one_in(2) ? 1 + below(4) : 1 + below(64);
  frozen_ = one_in(2);
  may_drop_ = one_in(5);
  tight_memory_ = !may_drop_ && one_in(8);
  ending_ = one_in(8) ? Ending::kAborted : one_in(8) ? Ending::kStopped : Ending::kItself;
  steps_before_ending_ = below(200'000);
  const int sources = one_in(3) ? 1 + below(3) : 1;
  for (int i = 0; i < sources; ++i) add_source();
  const int steps = 2 + below(16);
  for (int i = 0; i < steps; ++i) grow();
  add_sinks();
  memory_bytes_ = tight_memory_ ? static_cast<std::uint64_t>(kAllocated * (1 + below(16)))
                                : std::uint64_t{1} << 30;
}

std::string RandomGraph::port_name(const Node& node, std::size_t output) {
  if (node.type != Type::kRoute) return node.name;
  return node.name + (output == 0 ? ".left" : ".right");
}

std::string RandomGraph::yaml() const {
  std::string text = "run: { memory: " + std::to_string(memory_bytes_) +
                     "B, in_flight: " + std::to_string(in_flight_) + " }\nnodes:\n";
  for (const Node& node : nodes_) {
    text += "  " + node.name + ": { type: " + node.yaml_type;
    std::string from;
    for (const Input& input : node.inputs) {
      std::string writers;
      for (const Writer& writer : input.writers)
        writers += (writers.empty() ? "" : ", ") + port_name(nodes_[writer.node], writer.output);
      if (input.writers.size() > 1) writers = "[" + writers + "]";
      from += (from.empty() ? "" : ", ") + input.port + ": " + writers;
    }
    if (!from.empty()) text += ", from: { " + from + " }";
    text += node.options + " }\n";
  }
  return text;
}

// One source item on its way through the nodes.
class RandomGraph::Model {
 public:
  Model(const RandomGraph& graph, std::size_t source, std::uint64_t number)
      : graph_(graph),
        source_(source),
        key_(graph.nodes_[source].name + "." + std::to_string(number)),
        groups_(graph.scopes_.size()) {}

  bool is_rejected() const { return rejected_; }

  void run(Expected& expected) {
    for (std::size_t n = 0; n < graph_.nodes_.size(); ++n) {
      const Node& node = graph_.nodes_[n];
      cells_.emplace_back(node.output_scopes.size());
      const std::uint64_t bit = graph_.scopes_[graph_.nodes_[source_].scope].sources;
      if (node.type == Type::kSource ? n != source_ : !(graph_.scopes_[node.scope].sources & bit))
        continue;
      if (node.type == Type::kGather) {
        gather(node);
        continue;
      }
      for (const Path& path : paths_of(node.scope)) step(node, path, expected);
    }
  }

 private:
  // Which child of each split that is open.
  using Path = std::vector<std::size_t>;
  enum class Kind { kItem, kFiltered, kRejected };  // the later beats the earlier
  struct Cell {
    Kind kind = Kind::kItem;
    std::string text;
    std::vector<Cell> items;  // of a list
  };
  struct Group {
    Kind parent = Kind::kItem;
    std::size_t count = 0;
  };

  std::vector<Path> paths_of(std::size_t scope) const {
    const int parent = graph_.scopes_[scope].parent;
    if (parent < 0) return {Path{}};
    std::vector<Path> paths;
    for (const Path& path : paths_of(static_cast<std::size_t>(parent))) {
      for (std::size_t i = 0; i < groups_[scope].at(path).count; ++i) {
        paths.push_back(path);
        paths.back().push_back(i);
      }
    }
    return paths;
  }

  // What stands at an input: of several writers at most one has an item.
  Cell read(const Input& input, const Path& path) const {
    const std::size_t depth = graph_.scopes_[input.scope].depth;
    const Path own(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(depth));
    std::optional<Cell> cell;
    for (const Writer& writer : input.writers) {
      const auto& there = cells_[writer.node][writer.output];
      const auto found = there.find(own);
      if (found == there.end()) continue;  // of another source
      const Cell& next = found->second;
      if (!cell || next.kind == Kind::kItem ||
          (cell->kind != Kind::kItem && next.kind > cell->kind))
        cell = next;
    }
    return *cell;
  }

  void step(const Node& node, const Path& path, Expected& expected) {
    if (node.type == Type::kSource) {
      const bool bad = chosen(node.reject_one_in, node.name, key_);
      rejected_ |= bad;
      cells_.back()[0][path] = {bad ? Kind::kRejected : Kind::kItem, key_, {}};
      return;
    }
    std::vector<Cell> inputs;
    Kind leads = Kind::kItem;
    Kind around = Kind::kItem;
    for (const Input& input : node.inputs) {
      inputs.push_back(read(input, path));
      const bool is_lead = graph_.scopes_[input.scope].depth == path.size();
      Kind& worst = is_lead ? leads : around;
      worst = std::max(worst, inputs.back().kind);
    }
    const Kind kind = leads != Kind::kItem ? leads : around;
    if (kind != Kind::kItem) return pass_marker(node, path, kind);
    process(node, path, inputs, expected);
  }

  void pass_marker(const Node& node, const Path& path, Kind kind) {
    if (node.type == Type::kChildren || node.type == Type::kSplit) {
      groups_[node.output_scopes[0]][path] = {kind, 0};
      return;
    }
    for (auto& output : cells_.back()) output[path] = {kind, {}, {}};
  }

  void process(const Node& node, const Path& path, const std::vector<Cell>& inputs,
               Expected& expected) {
    const Cell& in = inputs[0];
    auto& outputs = cells_.back();
    switch (node.type) {
      case Type::kPass: {
        const std::string where = key_ + "|" + in.text;
        if (chosen(node.throw_one_in, "throw" + node.name, where) ||
            chosen(node.reject_one_in, "reject" + node.name, where)) {
          rejected_ = true;
          return pass_marker(node, path, Kind::kRejected);
        }
        if (chosen(node.filter_one_in, "filter" + node.name, where))
          return pass_marker(node, path, Kind::kFiltered);
        outputs[0][path] = in;
        return;
      }
      case Type::kAllocate:
        outputs[0][path] = {Kind::kItem, in.text, {}};
        return;
      case Type::kRoute: {
        const bool goes_left = chosen(2, node.name, key_ + "|" + in.text);
        outputs[goes_left ? 0 : 1][path] = in;
        outputs[goes_left ? 1 : 0][path] = {Kind::kFiltered, {}, {}};
        return;
      }
      case Type::kMix: {
        std::vector<std::string> others;
        for (std::size_t i = 1; i < inputs.size(); ++i) others.push_back(inputs[i].text);
        outputs[0][path] = {Kind::kItem, mixed(in.text, others), {}};
        return;
      }
      case Type::kChildren:
      case Type::kSplit:
        return open_group(node, path, in);
      case Type::kSink:
        if (node.collects) expected.sinks[node.name].values.push_back({key_, in.text});
        return;
      case Type::kSource:
      case Type::kGather:
        return;  // handled before
    }
  }

  void open_group(const Node& node, const Path& path, const Cell& parent) {
    std::vector<Cell> children = parent.items;
    if (node.type == Type::kChildren) {
      children.clear();
      const std::size_t count = child_count(parent.text, node.name, node.most);
      for (std::size_t i = 0; i < count; ++i)
        children.push_back({Kind::kItem, parent.text + "/" + std::to_string(i), {}});
    }
    groups_[node.output_scopes[0]][path] = {Kind::kItem, children.size()};
    for (std::size_t i = 0; i < children.size(); ++i) {
      Path own = path;
      own.push_back(i);
      cells_.back()[0][own] = children[i];
    }
  }

  void gather(const Node& node) {
    for (const Path& path : paths_of(node.output_scopes[0])) {
      const Group& group = groups_[node.scope].at(path);
      Cell list{group.parent, {}, {}};
      for (std::size_t i = 0; group.parent == Kind::kItem && i < group.count; ++i) {
        Path own = path;
        own.push_back(i);
        const Cell child = read(node.inputs[0], own);
        if (child.kind == Kind::kRejected && !node.skips_missing) list.kind = Kind::kRejected;
        if (child.kind != Kind::kItem) continue;
        list.text += (list.items.empty() ? "" : " ") + child.text;
        list.items.push_back(child);
      }
      list.text = "[" + list.text + "]";
      cells_.back()[0][path] = std::move(list);
    }
  }

  const RandomGraph& graph_;
  const std::size_t source_;
  const std::string key_;
  bool rejected_ = false;
  std::vector<std::vector<std::map<Path, Cell>>> cells_;  // per node, per output
  std::vector<std::map<Path, Group>> groups_;             // per scope, by the parent's path
};

RandomGraph::Expected RandomGraph::expect(std::uint64_t limit) const {
  Expected expected;
  for (const Node& node : nodes_) {
    if (node.type == Type::kSink && node.collects)
      expected.sinks[node.name].in_order = node.in_order;
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (nodes_[n].type != Type::kSource) continue;
    const std::uint64_t items = std::min<std::uint64_t>(limit, nodes_[n].items);
    for (std::uint64_t number = 0; number < items; ++number) {
      Model model(*this, n, number);
      model.run(expected);
      ++expected.in;
      if (model.is_rejected()) ++expected.rejected;
    }
  }
  return expected;
}

}  // namespace sluice::testing
