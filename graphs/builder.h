#pragma once

#include "sluice/graphs/graph_spec.h"

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace sluice {

class GraphBuilder;

// What is said of one node after GraphBuilder::node. Borrowed from its builder; each call gives the
// same node back, and `node` goes on to the next.
class NodeBuilder {
 public:
  // Wires the first input to a writer, "page" or "det_in.map"; called again, merges.
  NodeBuilder& from(std::string_view writer);
  // Wires a named input.
  NodeBuilder& from(std::string_view input, std::string_view writer);

  // Options take C++ values, or text as it would be written in YAML ("5ms",
  // "out/${item.stem}.png").
  template <class T>
  requires std::is_arithmetic_v<T> NodeBuilder& option(std::string name, T value) {
    if constexpr (std::same_as<T, bool>)
      return add_option(std::move(name), scalar(value ? "true" : "false"));
    else if constexpr (std::is_integral_v<T>)
      return add_option(std::move(name), scalar(std::to_string(value)));
    else
      return add_option(std::move(name), number(static_cast<double>(value)));
  }
  NodeBuilder& option(std::string name, std::string value) {
    return add_option(std::move(name), scalar(std::move(value)));
  }
  NodeBuilder& option(std::string name, const char* value) {
    return option(std::move(name), std::string(value));
  }
  NodeBuilder& option(std::string name, Duration value);
  NodeBuilder& option(std::string name, const std::vector<double>& values);
  NodeBuilder& option(std::string name, const std::vector<std::string>& values);
  // A map, in the order given: {{"file", "item.key"}, {"width", "page.width"}}.
  NodeBuilder& option(std::string name,
                      const std::vector<std::pair<std::string, std::string>>& fields);

  NodeBuilder& parallel(int calls);
  NodeBuilder& any_order();
  NodeBuilder& queue(std::uint32_t items);
  NodeBuilder& queue(std::uint32_t items, std::uint64_t bytes,
                     WhenFull when_full = WhenFull::kBlock);
  NodeBuilder& batch(int max, Duration wait = std::chrono::milliseconds(5));
  NodeBuilder& pad(PadRule rule);
  NodeBuilder& on_error(OnError what);
  NodeBuilder& disabled();

  // The next node of the same graph.
  NodeBuilder& node(std::string name, std::string type);
  // The whole graph.
  GraphSpec build() const;

 private:
  friend class GraphBuilder;
  NodeBuilder(GraphBuilder& graph, std::size_t index) : graph_(&graph), index_(index) {}
  NodeDecl& decl();
  NodeBuilder& add_option(std::string name, SourceValue value);
  static SourceValue scalar(std::string text) { return SourceValue::scalar(std::move(text)); }
  static SourceValue number(double value);

  GraphBuilder* graph_;
  std::size_t index_;
};

// Declares a graph in C++; gives the same GraphSpec as a file that says the same.
//
//   GraphSpec graph = GraphBuilder("thumbnails")
//       .node("files", "files").option("glob", "pages/*.jpg")
//       .node("page", "image.decode").from("files")
//       .node("out", "image.write").from("page").option("path", "out/${item.stem}.png")
//       .build();
//
// Relative paths are relative to the working directory.
// Lifetime: node() returns a reference into the builder; keep the builder until build().
// Errors: none here; make_plan finds everything that is wrong.
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name = "graph") : current_(*this, 0) {
    graph_.name = std::move(name);
  }
  GraphBuilder(const GraphBuilder&) = delete;
  GraphBuilder& operator=(const GraphBuilder&) = delete;

  NodeBuilder& node(std::string name, std::string type);
  GraphBuilder& rejects(std::string path);
  GraphBuilder& max_rejected_share(double share);  // 0..1
  GraphBuilder& max_rejected_items(std::uint64_t items);
  GraphBuilder& memory(std::uint64_t bytes);
  GraphBuilder& in_flight(int items);
  // For nodes that say nothing of their own; say it before them.
  GraphBuilder& on_error(OnError what);
  GraphSpec build() const { return graph_; }

 private:
  friend class NodeBuilder;
  GraphSpec graph_;
  OnError on_error_ = OnError::kReject;
  NodeBuilder current_;
};

}  // namespace sluice
