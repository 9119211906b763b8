#include "sluice/runtime/app_ports.h"

#include <chrono>
#include <thread>
#include <utility>

namespace sluice {

void* TicketState::cookie_of(std::shared_ptr<TicketState> ticket) {
  return new std::shared_ptr<TicketState>(std::move(ticket));
}

TicketState& TicketState::of(void* cookie) {
  return **static_cast<std::shared_ptr<TicketState>*>(cookie);
}

void TicketState::settle(const Token& token) {
  const std::unique_ptr<std::shared_ptr<TicketState>> ticket(
      static_cast<std::shared_ptr<TicketState>*>(token.cookie));
  TicketState& state = **ticket;
  if (token.outcome() == Outcome::kRejected) state.status_ = token.rejection().status;
  state.end(token.outcome());
}

void TicketState::reply(PayloadRef payload) {
  const std::lock_guard lock(mutex_);
  replied_ = std::move(payload);
}

void TicketState::refuse() { end(Outcome::kUnfinished); }

void TicketState::end(Outcome outcome) {
  outcome_.store(static_cast<int>(outcome), std::memory_order_release);
  outcome_.notify_all();
}

Outcome TicketState::wait() const {
  // About what it takes to wake a thread; each look makes way for whoever else wants the core.
  // Where another program takes it, one look lasts as long as its time slice.
  constexpr auto kSpin = std::chrono::microseconds(50);
  int outcome = outcome_.load(std::memory_order_acquire);
  if (outcome != kOpen) return static_cast<Outcome>(outcome);  // the clock costs more than that
  for (const auto began = std::chrono::steady_clock::now();
       outcome == kOpen && std::chrono::steady_clock::now() - began < kSpin;) {
    std::this_thread::yield();
    outcome = outcome_.load(std::memory_order_acquire);
  }
  for (; outcome == kOpen; outcome = outcome_.load(std::memory_order_acquire)) {
    outcome_.wait(kOpen, std::memory_order_acquire);
  }
  return static_cast<Outcome>(outcome);
}

void AppInput::set_puller(Puller& puller) { puller_.store(&puller, std::memory_order_release); }

void AppInput::tell_puller() {
  if (Puller* puller = puller_.load(std::memory_order_acquire)) puller->input_came();
}

bool AppInput::push(Entry entry) {
  {
    std::unique_lock lock(mutex_);
    ++waiting_for_room_;
    room_came_.wait(lock, [this] { return closed_ || entries_.size() < capacity_; });
    --waiting_for_room_;
    if (closed_) return false;
    entries_.push_back(std::move(entry));
  }
  tell_puller();
  return true;
}

bool AppInput::try_push(Entry& entry) {
  {
    const std::lock_guard lock(mutex_);
    if (closed_ || entries_.size() >= capacity_) return false;
    entries_.push_back(std::move(entry));
  }
  tell_puller();
  return true;
}

void AppInput::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  room_came_.notify_all();
  tell_puller();
}

std::optional<AppInput::Entry> AppInput::pull() {
  std::optional<Entry> entry;
  {
    const std::lock_guard lock(mutex_);
    if (entries_.empty()) return entry;
    entry = std::move(entries_.front());
    entries_.pop_front();
    if (waiting_for_room_ == 0) return entry;
  }
  room_came_.notify_one();
  return entry;
}

bool AppInput::has_ended() const {
  const std::lock_guard lock(mutex_);
  return closed_ && entries_.empty();
}

void AppInput::refuse_rest() {
  Fifo<Entry> rest;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    std::swap(rest, entries_);
  }
  room_came_.notify_all();
  for (; !rest.empty(); rest.pop_front()) rest.front().ticket->refuse();
}

bool AppOutput::put(const PayloadRef& payload, std::stop_token stop) {
  if (callback_) {
    callback_(payload);
    return true;
  }
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return abandoned_ || values_.size() < capacity_; });
  if (abandoned_) return true;
  if (stop.stop_requested()) return false;
  values_.push_back(payload);
  changed_.notify_all();
  return true;
}

void AppOutput::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

std::optional<PayloadRef> AppOutput::pull() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ended_ || !values_.empty(); });
  if (values_.empty()) return std::nullopt;
  PayloadRef value = std::move(values_.front());
  values_.pop_front();
  changed_.notify_all();
  return value;
}

void AppOutput::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  values_.clear();
  changed_.notify_all();
}

}  // namespace sluice
