#pragma once

#include "sluice/core/block_pool.h"
#include "sluice/core/clock.h"
#include "sluice/core/status.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace sluice {

// What became of one source item. Rejected beats dropped beats delivered; an item that nobody
// settled is unfinished, never delivered.
enum class Outcome : std::uint8_t { kDelivered, kDropped, kRejected, kUnfinished };

// Why an item was rejected, and where.
struct Rejection {
  std::string node;
  Status status;
  int attempt = 1;
};

// One source item on its way through fan-out, batches and joins: who it is, how many packets still
// stand for it, and what has become of those that do not.
// Threads: thread-safe. Identity does not change after the source made it.
class Token : public Pooled {
 public:
  // Hears of each token once, when the last packet of its item is gone. Called from any thread.
  class Observer {
   public:
    virtual ~Observer() = default;
    virtual void settled(const Token& token) = 0;
  };

  // What the item is called: a path, a line number, a caller's id. Of an item that its source gave
  // no key, "SOURCE#NUMBER".
  const std::string& key() const {
    return has_key_.load(std::memory_order_acquire) ? key_ : make_key();
  }
  bool has_own_key() const { return !key_.empty(); }
  // REQUIRES: called by the source, before it lets the item go.
  void set_key(std::string key) {
    has_key_.store(!key.empty(), std::memory_order_relaxed);
    key_ = std::move(key);
  }

  const std::string* source = nullptr;  // its name; outlives the token
  std::size_t source_index = 0;         // among the sources of its run
  std::uint64_t number = 0;             // counts the items of its source from 0
  std::int64_t position = -1;           // where its source could go on after it; -1 where it cannot
  TimePoint born{};                     // when its source made it; only when the run is measured
  std::optional<TimePoint> deadline;
  void* cookie = nullptr;  // the observer's own

  Outcome outcome() const;
  std::uint32_t rejected_parts() const { return rejected_.load(std::memory_order_relaxed); }
  // The first rejection. REQUIRES: outcome() == kRejected, called by the observer or later.
  const Rejection& rejection() const { return *rejection_; }

  std::atomic<std::size_t> allocated_bytes{0};  // by all nodes on its behalf, over its life

 private:
  friend class TokenRef;
  const std::string& make_key() const;

  mutable std::string key_;
  mutable std::atomic<bool> has_key_{false};
  std::atomic<std::uint32_t> refs_{1};
  std::atomic<bool> dropped_{false};
  std::atomic<bool> unfinished_{false};
  std::atomic<std::uint32_t> rejected_{0};
  mutable std::mutex mutex_;
  std::unique_ptr<Rejection> rejection_;
  Observer* observer_ = nullptr;
};

// One packet's share of a token. Every share ends by deliver, drop or reject; one that is merely
// destroyed marks its item unfinished. Threads: thread-compatible.
class TokenRef {
 public:
  TokenRef() = default;
  // The first share. `observer` outlives the token; null: nobody wants to hear.
  static TokenRef make(Token::Observer* observer);
  TokenRef(TokenRef&& other) noexcept : token_(std::exchange(other.token_, nullptr)) {}
  TokenRef& operator=(TokenRef&& other) noexcept {
    std::swap(token_, other.token_);
    return *this;
  }
  ~TokenRef() {
    if (token_) abandon();
  }

  explicit operator bool() const { return token_ != nullptr; }
  Token* operator->() const { return token_; }
  Token& operator*() const { return *token_; }

  TokenRef share() const;
  void deliver() {
    if (token_) release();
  }
  void drop();
  void reject(Rejection rejection);
  // There was no item after all: ends the token without telling anybody. REQUIRES: the only share.
  void forget();

 private:
  explicit TokenRef(Token* token) : token_(token) {}
  void release();
  void abandon();
  Token* token_ = nullptr;
};

}  // namespace sluice
