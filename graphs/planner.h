#pragma once

#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/plan.h"
#include "sluice/graphs/problems.h"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace sluice {

class CudaPlugin;

// Turns one GraphSpec into a Plan, in the order of its public functions. Internal to graphs/; the
// functions stand in planner_*.cpp, by phase.
// Lifetime: the spec must outlive it. Threads: one thread at a time.
class Planner {
 public:
  Planner(const GraphSpec& graph, Problems& problems, const CudaPlugin& cuda)
      : graph_(graph), problems_(problems), cuda_(cuda) {}

  // planner_options.cpp
  void find_types();
  void read_options();
  void check_words();
  // planner_devices.cpp
  void choose_devices();
  // planner_wiring.cpp
  void connect();
  void bypass_disabled();
  void put_in_order();
  // planner_types.cpp
  void resolve_nodes();
  // planner_scopes.cpp, called for each node once it is resolved
  void find_scopes(std::size_t node);
  // planner_checks.cpp
  void check_unread_outputs();
  void check_sinks();
  void check_batches();
  // planner.cpp; finds problems of the whole, too
  Plan build();

 private:
  // planner_fusion.cpp
  static void fuse(Plan& plan);
  static void call_back_alone(Plan& plan);
  static void keep_on_devices(Plan& plan);
  void check_held(const Plan& plan);

  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Wire {
    std::string input;         // as written; empty: the first
    std::size_t from = kNone;  // none: its name is wrong
    std::string port;
    Mark mark;
    Mark input_mark;
    std::size_t output = kNone;    // among the writer's ports; none until they are known
    std::size_t to_input = kNone;  // among the node's own ports
  };
  // What is known of a node's ports.
  enum class Known {
    kNothing,   // its type or what it depends on is wrong
    kDeclared,  // it could not be resolved; its spec tells of its ports all the same
    kResolved,
  };
  struct Draft {
    const NodeDecl* decl = nullptr;
    const NodeType* type = nullptr;
    AnyNode node;
    Options options;
    CommonOptions common;  // as declared, with the device that was chosen
    bool options_are_good = true;
    std::vector<Wire> wires;
    Known known = Known::kNothing;
    Ports ports;
    bool is_removed = false;
    int scope = -1;                  // of its inputs together; -1: not known
    std::vector<int> input_scopes;   // per port
    std::vector<bool> renumbers;     // per input
    std::vector<int> output_scopes;  // per port

    const Spec& spec() const { return *type->spec; }
  };

  std::string origin(const Draft& draft, const std::string& word = {}) const;
  std::size_t find_node(const std::string& name) const;
  std::vector<std::string> node_names() const;
  // The index of an output by its name; kNone where there is none of that name.
  static std::size_t find_port(const std::vector<PortDecl>& ports, const std::string& name);
  std::string writer_name(const Wire& wire) const;  // "det" or "det.map"

  void read_node_options(Draft& draft);
  void unknown_option(const Draft& draft, const OptionDecl& option);
  void check_lanes(const Draft& draft);
  void refuse_lane_word(const Draft& draft, const WordMark& at);

  Status choose_freely(Draft& draft);
  void warn_of_cpu(const Draft& draft, const Status& why);
  void refuse_device(Draft& draft, const Status& why);

  std::vector<Wire> pass_through(std::size_t node, int depth) const;
  bool prune_unread(const std::vector<bool>& was_read);
  void report_cycle(const std::vector<std::size_t>& waiting);

  void resolve_node(std::size_t index);
  bool match_outputs(Draft& draft);
  bool match_inputs(Draft& draft, const std::vector<PortDecl>& inputs, bool names_are_final);
  bool check_required(const Draft& draft, const std::vector<PortDecl>& inputs);
  bool ask_node(std::size_t index);
  void report(const Draft& draft, const Problem& problem);
  Mark mark_of(const Draft& draft, const Problem& problem) const;
  bool check_types(const Draft& draft, const std::vector<PortDecl>& inputs,
                   std::vector<bool>& reported);
  void report_mismatch(const Draft& draft, const Wire& wire, const PortDecl& input,
                       const Status& why);

  int new_scope(std::string name, int parent, std::size_t opened_by,
                std::vector<std::size_t> sources);
  bool is_around(int outer, int inner) const;
  int root_of(int scope) const;
  int wire_scope(const Wire& wire) const;
  std::optional<int> merge_scopes(std::size_t node, std::size_t input,
                                  const std::vector<const Wire*>& wires);
  bool is_exclusive(const Wire& a, const Wire& b) const;
  void report_same_item(const Draft& draft, const Wire& a, const Wire& b);
  struct Ranked {
    int scope;
    const Wire* wire;
  };
  std::optional<Ranked> combine(const Draft& draft, const std::vector<Ranked>& inputs, bool report);
  void open_outputs(std::size_t node, int scope);

  const GraphSpec& graph_;
  Problems& problems_;
  const CudaPlugin& cuda_;
  std::vector<Draft> drafts_;
  std::vector<std::size_t> order_;
  std::vector<Scope> scopes_;
  std::vector<std::vector<std::size_t>>
      scope_sources_;  // per scope: the sources its items come from
  std::vector<bool>
      named_wrongly_;  // per node: somebody seems to mean it and misspells it or its port
};

}  // namespace sluice
