#pragma once

#include "sluice/core/status.h"
#include "sluice/core/tensor.h"

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// One extent of a shape that may not be known before data arrives: a number, or a symbol.
struct Dim {
  std::int64_t size = -1;  // -1: not known before the run
  std::string symbol;      // its name then; may be empty

  bool is_static() const { return size >= 0; }
  std::string to_string() const;  // "48", "W", "?"
  friend bool operator==(const Dim&, const Dim&) = default;
};

// An input or output of a model as its file declares it, batch axis included.
struct ModelPort {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<Dim> dims;
};

enum class Precision { kFp32, kBf16, kBf16IfAvailable };

struct ModelOptions {
  Precision precision = Precision::kFp32;
  // Whether a backend that has several algorithms for a layer times them on this machine, rather
  // than to go by rule.
  bool tune = false;
  // Names of the outputs that somebody reads; all when empty. The rest need not be computed.
  std::vector<std::string> outputs;
};

// Runs one model on one thread.
// Lifetime: keeps its Model alive. Threads: one thread at a time; a model may have many sessions.
// Blocks: never waits for anything but its own computation, unless the model says that it may.
class Session {
 public:
  virtual ~Session() = default;

  // Computes the outputs the model was loaded for, in that order, from inputs in the model's order,
  // each with its batch axis. Outputs come from `budget`; they are the caller's to move from, and
  // what he leaves stays in the session, charged, until the next run.
  // Errors: infer.shape when the inputs do not fit; memory.limit; infer.failed.
  virtual Result<std::span<Tensor>> run(std::span<const Tensor> inputs,
                                        const std::shared_ptr<MemoryBudget>& budget) = 0;
};

// A loaded model: immutable, shared by everybody who runs it. Threads: thread-safe.
class Model : public std::enable_shared_from_this<Model> {
 public:
  virtual ~Model() = default;

  virtual const std::vector<ModelPort>& inputs() const = 0;
  virtual const std::vector<ModelPort>& outputs() const = 0;  // those it was loaded for
  virtual const std::map<std::string, std::string>& metadata() const = 0;
  virtual std::string_view backend() const = 0;
  virtual std::size_t weight_bytes() const = 0;
  // Whether a run may wait for something that is not ours to see, such as a lock or a thread of
  // another engine's. Its sessions are then run on threads of their own.
  virtual bool may_wait() const { return false; }

  // The outputs' shapes for inputs of these shapes, without computing anything.
  // Errors: infer.shape; unsupported where a shape depends on the inputs' values.
  virtual Result<std::vector<Shape>> output_shapes(std::span<const Shape> inputs) const = 0;

  virtual Result<std::unique_ptr<Session>> new_session() const = 0;
};

// Something worth knowing about a backend on this machine: {"OpenBLAS", "Haswell kernels"}.
struct BackendFact {
  std::string name;
  std::string value;
};

// Makes models out of files. One object a backend, registered before main. Threads: thread-safe.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const = 0;
  // Why this backend cannot be used on this machine; ok where it can.
  virtual Status available() const = 0;
  // For `sluice doctor`.
  virtual std::vector<BackendFact> facts() const { return {}; }
  // Errors: model.missing, model.truncated, model.invalid, model.output (one that is asked for and
  // not there), model.precision (one that this backend does not compute in), model.unsupported
  // (which names every operator that is missing and where it stands in the model).
  virtual Result<std::shared_ptr<const Model>> load(const std::string& path,
                                                    const ModelOptions& options) const = 0;
};

// The registry of backends. Registering is done during static initialisation only.
bool register_backend(std::unique_ptr<Backend> backend);
std::span<const std::unique_ptr<Backend>> backends();
const Backend* find_backend(std::string_view name);

}  // namespace sluice
