#pragma once

#include "sluice/core/options.h"
#include "sluice/core/port.h"
#include "sluice/core/problem.h"
#include "sluice/core/spec.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// An input as the pipeline wires it.
struct WiredInput {
  std::string name;  // empty: `from: a` or `from: [a, b]`, the node's first input
  PortType type;
};

// What runs a node's model: "native", "it knows all of the model's operators".
struct ModelRun {
  std::string backend;  // empty: the node runs no model
  std::string why;
};

// How a node with lanes puts items together, and whether with others.
struct Stacking {
  std::int64_t most = 1;  // items in one run of its program
  bool is_fixed = false;  // no run has fewer: zeros stand in for those that are missing
  // Whether it leaves alone the numbers of what it takes, so that they may come from a device
  // without having been in the host's memory, and of what it gives, so that they may stay there.
  // The outputs of its program are then those of the node that are tensors, in their order; what
  // the program gives beyond them is the node's own.
  bool takes_unseen = false;
  bool gives_unseen = false;
};

// The ports a node ends up with. Declared ports come first, in the order of the spec.
struct Ports {
  std::vector<PortDecl> inputs;
  std::vector<PortDecl> outputs;
  // Where its calls run, where that depends on its options; else the spec says.
  std::optional<ExecutionClass> execution = std::nullopt;
  ModelRun model = {};     // for `sluice plan` and `sluice bench`
  Stacking stacking = {};  // of a node with lanes
};

// What a node is asked at plan time: its options and what is wired to it, no data.
// Threads: one thread at a time.
class Resolve {
 public:
  Resolve(const Spec& spec, const Options& options, const CommonOptions& common,
          std::vector<WiredInput> inputs, std::vector<std::string> read_outputs)
      : spec_(spec),
        options_(options),
        common_(common),
        inputs_(std::move(inputs)),
        read_outputs_(std::move(read_outputs)) {}

  // REQUIRES: the option is given, required, or has a default.
  template <class T>
  const typename Option<T>::Stored& option(const Option<T>& option) const {
    return std::get<typename Option<T>::Stored>(options_.values[option.index()]);
  }
  // Whether the option has a value, given or default.
  bool has(const OptionConstant& option) const {
    return options_.values[option.index()].index() != 0;
  }
  const CommonOptions& common() const { return common_; }
  std::span<const WiredInput> inputs() const { return inputs_; }
  // The type wired to a declared input; null where nothing is.
  const PortType* wired(const PortConstant& input) const;
  // Names of outputs that somebody reads; "" is the first output.
  std::span<const std::string> read_outputs() const { return read_outputs_; }
  // The ports as the spec declares them: where a resolve starts from.
  Ports declared() const { return {spec_.inputs(), spec_.outputs()}; }

  // Reports something wrong; the plan fails, and loading goes on to find the rest.
  void problem(Problem problem) { problems_.push_back(std::move(problem)); }
  void option_problem(const OptionConstant& option, std::string code, std::string message,
                      std::string help = {});
  void input_problem(std::string_view input, std::string code, std::string message,
                     std::string help = {});
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  const Spec& spec_;
  const Options& options_;
  const CommonOptions& common_;
  std::vector<WiredInput> inputs_;
  std::vector<std::string> read_outputs_;
  std::vector<Problem> problems_;
};

}  // namespace sluice
