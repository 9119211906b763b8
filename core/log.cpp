#include "sluice/core/log.h"

#include <memory>
#include <mutex>
#include <utility>

namespace sluice {
namespace {

struct SinkSlot {
  std::mutex mutex;
  std::shared_ptr<const Log::Sink> sink;
};

// Never destroyed: nodes may log while static objects go.
SinkSlot& slot() {
  static SinkSlot& slot = *new SinkSlot;
  return slot;
}

}  // namespace

Log::Sink Log::set_sink(Sink sink) {
  auto next = sink ? std::make_shared<const Sink>(std::move(sink)) : nullptr;
  const std::scoped_lock lock(slot().mutex);
  std::swap(slot().sink, next);
  return next ? *next : Sink();
}

void Log::write(LogLevel level, std::string_view source, std::string_view message) {
  std::shared_ptr<const Sink> sink;
  {
    const std::scoped_lock lock(slot().mutex);
    sink = slot().sink;
  }
  if (sink) (*sink)(level, source, message);
}

}  // namespace sluice
