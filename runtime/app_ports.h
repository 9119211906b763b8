#pragma once

#include "sluice/core/payload.h"
#include "sluice/core/token.h"
#include "sluice/runtime/fifo.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

namespace sluice {

// What became of one item that a host program pushed.
class TicketState {
 public:
  // Called by the engine when the item of a token with a cookie has come to its end.
  static void settle(const Token& token);
  // The cookie of a token whose item `ticket` follows; `settle` takes it back.
  static void* cookie_of(std::shared_ptr<TicketState> ticket);
  static TicketState& of(void* cookie);

  void reply(PayloadRef payload);
  // The item was never let in.
  void refuse();
  // Until it is settled. Blocks; for a while it only looks again and again, which is shorter than
  // falling asleep and being woken.
  Outcome wait() const;
  // After wait: why it was rejected, and the last value that an app_out got for it.
  const Status& status() const { return status_; }
  const PayloadRef& replied() const { return replied_; }

 private:
  static constexpr int kOpen = -1;
  void end(Outcome outcome);

  std::atomic<int> outcome_{kOpen};  // what follows does not change once it is set
  std::mutex mutex_;                 // several app_outs may reply
  Status status_;
  PayloadRef replied_;
};

// The queue behind an `app_in`: the program pushes, the pipeline pulls. Bounded.
// Threads: thread-safe.
class AppInput {
 public:
  // Who pulls. It hears that something was pushed, or that nothing more will be, on the thread that
  // did so.
  class Puller {
   public:
    virtual ~Puller() = default;
    virtual void input_came() = 0;
  };
  struct Entry {
    PayloadRef payload;
    std::string key;
    std::shared_ptr<TicketState> ticket;
  };
  explicit AppInput(std::size_t capacity) : capacity_(capacity) {}

  // From when the pipeline starts; it outlives the pushing.
  void set_puller(Puller& puller);
  // Waits for room. False when the input was closed.
  bool push(Entry entry);
  // Takes `entry` only when there is room for it and the input is open.
  bool try_push(Entry& entry);
  // No more will come; what is queued is still pulled.
  void close();
  // The next entry; none when it is empty. Never waits.
  std::optional<Entry> pull();
  // Whether it is empty and was closed, so that nothing more will come.
  bool has_ended() const;
  // Closes it and tells those who pushed what is queued that nothing will come of it.
  void refuse_rest();

 private:
  void tell_puller();

  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable room_came_;
  std::size_t waiting_for_room_ = 0;
  Fifo<Entry> entries_;
  bool closed_ = false;
  std::atomic<Puller*> puller_{nullptr};
};

// What is behind an `app_out`: a callback of the program, or a bounded queue that it pulls from.
// Threads: thread-safe; the callback is called by one thread at a time.
class AppOutput {
 public:
  explicit AppOutput(std::size_t capacity) : capacity_(capacity) {}
  // Before the run.
  void set_callback(std::function<void(const PayloadRef&)> callback) {
    callback_ = std::move(callback);
  }

  // Pipeline's side. Waits for room, or until `stop`; false then, and the value was not taken.
  bool put(const PayloadRef& payload, std::stop_token stop);
  void end();
  // Program's side. The next value; none at the end. Blocks.
  std::optional<PayloadRef> pull();
  // The program does not want any more: what comes is let go.
  void abandon();

 private:
  const std::size_t capacity_;
  std::function<void(const PayloadRef&)> callback_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<PayloadRef> values_;
  bool ended_ = false;
  bool abandoned_ = false;
};

// The nodes that have such an end implement these.
class HasAppInput {
 public:
  virtual ~HasAppInput() = default;
  virtual AppInput& app_input() = 0;
};
class HasAppOutput {
 public:
  virtual ~HasAppOutput() = default;
  virtual AppOutput& app_output() = 0;
};

}  // namespace sluice
