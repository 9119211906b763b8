#pragma once

#include "sluice/core/buffer.h"
#include "sluice/core/status.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct CUstream_st;      // what CUDA's cudaStream_t points to
struct sluice_cuda_api;  // cuda_abi.h

namespace sluice {

// What computes and holds memory, as the lanes of runtime/lanes see it: the host, a GPU behind its
// plugin, or a simulated one. Order is CUDA's. Work of one stream is done in the order in which it
// was queued; between streams, and between a stream and the host, nothing is ordered but by an
// event that one records and the other waits for, or asks about and is told that it is done.
//
// Failures are of two kinds. One that a call returns, or that an event reports, while
// Device::failure() is ok, is a failure of that piece of work: what else was queued is done
// nevertheless. Once failure() is not ok the device is lost: nothing that is queued will be done,
// and every call and every event fails with it.

// A part of a buffer, which it shares.
struct BufferRange {
  Buffer buffer;
  std::size_t offset_bytes = 0;
  std::size_t size_bytes = 0;

  std::byte* data() const { return buffer.data() + offset_bytes; }
};

enum class Access : std::uint8_t { kRead, kWrite };

// A point in the work of a stream. It may be recorded again; then it stands for the last record.
// Lifetime: may go before its work is done. Threads: thread-compatible; is_done may be asked on any
// thread.
class Event {
 public:
  virtual ~Event() = default;
  // Whether the work before it has been done, which it has too when the event was never recorded.
  // What that work wrote may be read by who was told so. Never blocks.
  // Errors: that of work which the stream did since the record before this one; the device's own.
  virtual Result<bool> is_done() = 0;
};

// Work that computes. Borrows for the call what it names; `run` is copied.
struct Kernel {
  std::string_view name;  // of the operator, for messages
  std::span<const BufferRange> reads;
  std::span<const BufferRange> writes;
  // On a CUDA device `launch` calls it at once, and it queues its work on the stream it is given.
  // Elsewhere the stream is null, and it is called when the kernel's turn has come, on a thread of
  // the device's, and computes there.
  std::function<Status(CUstream_st* stream)> run;
};

// A queue of work. Lifetime: may go before its work is done. Threads: one thread at a time.
// Blocks: never waits for the work. Errors: those above.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Status record(Event& event) = 0;
  // Work that is queued from here on starts once the last record of `event` is done. It goes on
  // where the work before the event has failed.
  virtual Status wait(const Event& event) = 0;
  // The memory kinds say in which direction.
  // REQUIRES: ranges of one size; both live until the copy is done; host memory that is not pinned
  // is not used by a device that does its work later.
  virtual Status copy(const BufferRange& from, const BufferRange& to) = 0;
  // REQUIRES: what it names lives until it is done.
  virtual Status launch(const Kernel& kernel) = 0;
};

// Threads: thread-safe. Lifetime: outlives its streams, events and buffers.
class Device : public std::enable_shared_from_this<Device> {
 public:
  virtual ~Device() = default;
  virtual std::string name() const = 0;  // "cpu", "cuda:0", "sim"
  virtual MemoryKind memory() const = 0;
  // Memory of the device's own kind, or pinned. It goes back with the last copy of the buffer.
  // REQUIRES: all work that uses it is done by then, or the device is lost.
  // Errors: memory.limit, memory.exhausted. Blocks: may wait for the device, as cudaMalloc does.
  virtual Result<Buffer> allocate(MemoryKind kind, std::size_t size_bytes,
                                  const std::shared_ptr<MemoryBudget>& budget) = 0;
  // Copies from the host's memory and waits until that is done: for what is made once, as weights
  // are. Errors: the device's own.
  virtual Status upload(const BufferRange& to, const std::byte* from);
  virtual Result<std::unique_ptr<Stream>> new_stream() = 0;
  virtual Result<std::unique_ptr<Event>> new_event() = 0;
  // What computes operators on it; null where programs compute by themselves.
  virtual const sluice_cuda_api* operators() const { return nullptr; }
  // Which of several it is, for those.
  virtual std::int32_t ordinal() const { return 0; }
  // Why the device is lost; ok while it is not.
  virtual Status failure() const = 0;
  // The calling thread is about to read or write, by itself, bytes that work of a stream uses as
  // well. Tells a device that checks the order of accesses; nothing on others.
  virtual void on_host_access(const BufferRange& range, Access access) {
    static_cast<void>(range);
    static_cast<void>(access);
  }
};

// The machine's processors and memory: its streams do their work in the calling thread, at once.
// What it calls pinned is plain memory.
Device& host_device();

}  // namespace sluice
