#pragma once

#include "sluice/core/tensor.h"
#include "sluice/nodes/infer/graph/graph.h"
#include "sluice/nodes/infer/graph/resolve.h"

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

namespace sluice::graph {

// What a plan was made for: shapes, and the bytes of inputs that shapes depend on.
struct PlanKey {
  std::vector<Shape> shapes;
  std::vector<Tensor> values;  // one an input; empty where shapes do not depend on it

  bool fits(std::span<const Tensor> inputs) const;
  // What is known of the inputs. REQUIRES: it fits them.
  std::vector<Fact> facts(std::span<const Tensor> inputs) const;
};

// What a graph's plans depend on. Threads: thread-safe.
class PlanInputs {
 public:
  explicit PlanInputs(const Graph& graph);

  // One flag an input: whether anybody reads it. Of one that nothing reads, any shape will do.
  const std::vector<char>& is_read() const { return is_read_; }
  // Errors: infer.shape; infer.values where a shape depends on too many of an input's values.
  Result<PlanKey> key_of(std::span<const Tensor> inputs) const;

 private:
  const Graph& graph_;
  std::vector<char> shapes_by_value_;  // inputs_that_shape
  std::vector<char> is_read_;
};

// The latest plans that were made. Threads: thread-safe.
template <class Plan>
class PlanCache {
 public:
  // A plan is some hundred kB and takes about a millisecond to make.
  static constexpr std::size_t kMaxPlans = 16;

  std::shared_ptr<const Plan> find(std::span<const Tensor> inputs) {
    const std::scoped_lock lock(mutex_);
    return find_locked(inputs);
  }
  // The plan to use: another may have been made meanwhile.
  std::shared_ptr<const Plan> add(PlanKey key, std::span<const Tensor> inputs,
                                  std::shared_ptr<const Plan> made) {
    const std::scoped_lock lock(mutex_);
    if (auto plan = find_locked(inputs)) return plan;
    plans_.push_front({std::move(key), made});
    if (plans_.size() > kMaxPlans) plans_.pop_back();
    return made;
  }

 private:
  struct Entry {
    PlanKey key;
    std::shared_ptr<const Plan> plan;
  };

  std::shared_ptr<const Plan> find_locked(std::span<const Tensor> inputs) {
    for (auto entry = plans_.begin(); entry != plans_.end(); ++entry) {
      if (!entry->key.fits(inputs)) continue;
      plans_.splice(plans_.begin(), plans_, entry);
      return plans_.front().plan;
    }
    return nullptr;
  }

  std::mutex mutex_;
  std::list<Entry> plans_;  // latest first
};

}  // namespace sluice::graph
