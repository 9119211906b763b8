#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "sluice/core/options.h"
#include "sluice/core/port.h"

namespace sluice {

// How a node's work is run.
enum class ExecutionClass : std::uint8_t {
  kCpu,       // tasks of the shared work-stealing pool; must not wait
  kBlocking,  // threads of its own; may wait for files, sockets, other processes
  kLanes,     // streams of a device; what prepares and ends its runs is tasks of the pool
};

enum class Concurrency : std::uint8_t {
  kStateless,  // `process` may run for several items at once: no state across items
  kSerial,     // one item at a time, in order
};

enum class NodeKind : std::uint8_t { kProcess, kSource, kSink };

// A code that a node rejects items with, and what it means.
struct RejectCode {
  std::string reason;
  std::string doc;
};

// What one node type is: the only source for validation, `show`, docs and schema.
//   inline static const Spec kSpec = Spec("image.resize", "Scales a picture.")
//       .ports(image, out).options(width).stateless().rejects("image.size", "...").example("...");
class Spec {
 public:
  Spec(std::string type, std::string summary) : type_(std::move(type)), summary_(std::move(summary)) {}

  template <class... P>
  Spec ports(const P&... port) const {
    Spec copy = *this;
    (copy.add_port(port), ...);
    return copy;
  }
  template <class... O>
  Spec options(const O&... option) const {
    Spec copy = *this;
    (copy.add_option(option), ...);
    return copy;
  }
  // Inputs beyond the declared ones, named by who wires them, or resolved from a model.
  Spec dynamic_inputs(std::string doc) const;
  // Outputs beyond the declared ones, which `resolve` gives.
  Spec dynamic_outputs(std::string doc) const;
  Spec stateless() const;
  Spec serial() const;  // the default
  Spec blocking() const;
  Spec source() const;
  Spec sink() const;
  // Understands `batch:`; process_batch gets up to `batch.max` items.
  Spec batches() const;
  // Understands `device:` and `streams:`: it may run on the lanes of a device.
  Spec runs_on_devices() const;
  Spec rejects(std::string reason, std::string doc) const;
  // Longer prose: tuning advice, related nodes.
  Spec notes(std::string text) const;
  // A whole pipeline in YAML, or the lines of `nodes:` around this node; tested.
  Spec example(std::string yaml) const;

  const std::string& type() const { return type_; }
  const std::string& summary() const { return summary_; }
  const std::string& notes_text() const { return notes_; }
  const std::string& example_yaml() const { return example_; }
  const std::vector<PortDecl>& inputs() const { return inputs_; }
  const std::vector<PortDecl>& outputs() const { return outputs_; }
  const std::vector<const OptionConstant*>& options() const { return options_; }
  const std::string& dynamic_inputs_doc() const { return dynamic_inputs_; }    // empty: none
  const std::string& dynamic_outputs_doc() const { return dynamic_outputs_; }  // empty: none
  ExecutionClass execution() const { return execution_; }
  Concurrency concurrency() const { return concurrency_; }
  NodeKind kind() const { return kind_; }
  bool takes_batches() const { return batches_; }
  bool takes_devices() const { return devices_; }
  const std::vector<RejectCode>& reject_codes() const { return rejects_; }
  const OptionConstant* find_option(std::string_view name) const;

 private:
  template <class T>
  void add_port(const In<T>& port) {
    port.index_ = inputs_.size();
    inputs_.push_back(port.decl());
  }
  template <class T>
  void add_port(const Out<T>& port) {
    port.index_ = outputs_.size();
    outputs_.push_back(port.decl());
  }
  void add_option(const OptionConstant& option) {
    option.index_ = options_.size();
    options_.push_back(&option);
  }

  std::string type_;
  std::string summary_;
  std::string notes_;
  std::string example_;
  std::vector<PortDecl> inputs_;
  std::vector<PortDecl> outputs_;
  std::vector<const OptionConstant*> options_;
  std::string dynamic_inputs_;
  std::string dynamic_outputs_;
  ExecutionClass execution_ = ExecutionClass::kCpu;
  Concurrency concurrency_ = Concurrency::kSerial;
  NodeKind kind_ = NodeKind::kProcess;
  bool batches_ = false;
  bool devices_ = false;
  std::vector<RejectCode> rejects_;
};

}  // namespace sluice
