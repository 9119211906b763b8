#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sluice/core/buffer.h"
#include "sluice/core/status.h"

namespace sluice {

// A point in a stream's work. Threads: thread-safe.
class Event {
 public:
  virtual ~Event() = default;
  // Whether the work before it has been done. Never blocks.
  virtual bool is_done() const = 0;
};

// A queue of work on a device, done in order. Threads: one thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<std::shared_ptr<Event>> record() = 0;
  // Work queued after this call starts once `event` is done. Does not block the caller.
  virtual Status wait(const Event& event) = 0;
  // REQUIRES: both buffers hold `size_bytes` from their offsets on and live until the copy is done.
  virtual Status copy(const Buffer& from, std::size_t from_offset, Buffer& to, std::size_t to_offset,
                      std::size_t size_bytes) = 0;
  virtual Status launch(std::function<Status()> work) = 0;
  // Calls `done` once the work before it has been done or has failed; never loses the call.
  virtual void notify(std::function<void(Status)> done) = 0;
};

// Something that computes and holds memory. Threads: thread-safe.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda:0"
  virtual MemoryKind memory() const = 0;
  virtual Result<Buffer> allocate(std::size_t size_bytes, const std::shared_ptr<MemoryBudget>& budget) = 0;
  virtual Result<std::unique_ptr<Stream>> new_stream() = 0;
};

// The machine's processors and memory: its streams do their work in the calling thread, at once.
Device& host_device();

}  // namespace sluice
