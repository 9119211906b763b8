#include "sluice/graphs/builder.h"

#include "sluice/graphs/values.h"

namespace sluice {

NodeDecl& NodeBuilder::decl() { return graph_->graph_.nodes[index_]; }

NodeBuilder& NodeBuilder::from(std::string_view writer) { return from({}, writer); }

NodeBuilder& NodeBuilder::from(std::string_view input, std::string_view writer) {
  WireDecl wire;
  wire.input = input;
  const std::size_t dot = writer.find('.');
  wire.node = writer.substr(0, dot);
  if (dot != std::string_view::npos) wire.port = writer.substr(dot + 1);
  decl().wires.push_back(std::move(wire));
  return *this;
}

NodeBuilder& NodeBuilder::add_option(std::string name, SourceValue value) {
  value.base = PathBase::kWorkingDirectory;
  decl().options.push_back({std::move(name), {}, std::move(value)});
  return *this;
}

SourceValue NodeBuilder::number(double value) { return scalar(format_number(value)); }

NodeBuilder& NodeBuilder::option(std::string name, Duration value) {
  return add_option(std::move(name), scalar(std::to_string(value.count()) + "ns"));
}

NodeBuilder& NodeBuilder::option(std::string name, const std::vector<double>& values) {
  SourceValue list;
  list.kind = SourceValue::Kind::kList;
  for (const double value : values) list.items.push_back(number(value));
  return add_option(std::move(name), std::move(list));
}

NodeBuilder& NodeBuilder::option(std::string name, const std::vector<std::string>& values) {
  SourceValue list;
  list.kind = SourceValue::Kind::kList;
  for (const std::string& value : values) list.items.push_back(scalar(value));
  return add_option(std::move(name), std::move(list));
}

NodeBuilder& NodeBuilder::option(std::string name,
                                 const std::vector<std::pair<std::string, std::string>>& fields) {
  SourceValue map;
  map.kind = SourceValue::Kind::kMap;
  for (const auto& [key, value] : fields) map.fields.push_back({key, {}, scalar(value)});
  return add_option(std::move(name), std::move(map));
}

NodeBuilder& NodeBuilder::parallel(int calls) {
  decl().common.parallel = calls;
  return *this;
}

NodeBuilder& NodeBuilder::any_order() {
  decl().common.order = Order::kAny;
  return *this;
}

NodeBuilder& NodeBuilder::queue(std::uint32_t items) {
  decl().common.queue_items = items;
  return *this;
}

NodeBuilder& NodeBuilder::queue(std::uint32_t items, std::uint64_t bytes, WhenFull when_full) {
  decl().common.queue_items = items;
  decl().common.queue_bytes = bytes;
  decl().common.when_full = when_full;
  return *this;
}

NodeBuilder& NodeBuilder::batch(int max, Duration wait) {
  decl().common.batch_given = true;
  decl().common.batch_max = max;
  decl().common.batch_wait = wait;
  return *this;
}

NodeBuilder& NodeBuilder::pad(PadRule rule) {
  decl().common.pad.push_back(std::move(rule));
  return *this;
}

NodeBuilder& NodeBuilder::on_error(OnError what) {
  decl().common.on_error = what;
  return *this;
}

NodeBuilder& NodeBuilder::disabled() {
  decl().enabled = false;
  return *this;
}

NodeBuilder& NodeBuilder::node(std::string name, std::string type) {
  return graph_->node(std::move(name), std::move(type));
}

GraphSpec NodeBuilder::build() const { return graph_->build(); }

NodeBuilder& GraphBuilder::node(std::string name, std::string type) {
  NodeDecl decl;
  decl.name = std::move(name);
  decl.type = std::move(type);
  decl.common.on_error = on_error_;
  current_.index_ = graph_.nodes.size();
  graph_.nodes.push_back(std::move(decl));
  return current_;
}

GraphBuilder& GraphBuilder::rejects(std::string path) {
  graph_.rejects.path = SourceValue::scalar(std::move(path));
  graph_.rejects.path->base = PathBase::kWorkingDirectory;
  return *this;
}

GraphBuilder& GraphBuilder::max_rejected_share(double share) {
  graph_.rejects.max_share = share;
  return *this;
}

GraphBuilder& GraphBuilder::max_rejected_items(std::uint64_t items) {
  graph_.rejects.max_items = items;
  return *this;
}

GraphBuilder& GraphBuilder::memory(std::uint64_t bytes) {
  graph_.memory_bytes = bytes;
  return *this;
}

GraphBuilder& GraphBuilder::in_flight(int items) {
  graph_.max_in_flight = items;
  return *this;
}

GraphBuilder& GraphBuilder::on_error(OnError what) {
  on_error_ = what;
  return *this;
}

}  // namespace sluice
