#include "sluice/runtime/lanes/keep_forever.h"

#include <mutex>
#include <utility>
#include <vector>

namespace sluice {

void keep_forever(std::shared_ptr<const void> object) {
  static std::mutex mutex;
  // Never destroyed, so that what it holds outlives whatever static objects there are.
  static auto& kept = *new std::vector<std::shared_ptr<const void>>;
  const std::scoped_lock lock(mutex);
  kept.push_back(std::move(object));
}

}  // namespace sluice
