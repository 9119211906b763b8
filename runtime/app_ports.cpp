#include "sluice/runtime/app_ports.h"

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
  {
    const std::lock_guard lock(state.mutex);
    state.outcome = token.outcome();
    if (state.outcome == Outcome::kRejected) state.status = token.rejection().status;
  }
  state.settled_changed.notify_all();
}

void TicketState::reply(PayloadRef payload) {
  const std::lock_guard lock(mutex);
  replied = std::move(payload);
}

void TicketState::refuse() {
  {
    const std::lock_guard lock(mutex);
    outcome = Outcome::kUnfinished;
  }
  settled_changed.notify_all();
}

void TicketState::wait() {
  std::unique_lock lock(mutex);
  settled_changed.wait(lock, [this] { return outcome.has_value(); });
}

bool AppInput::push(Entry entry) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || entries_.size() < capacity_; });
  if (closed_) return false;
  entries_.push_back(std::move(entry));
  changed_.notify_all();
  return true;
}

bool AppInput::try_push(Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (closed_ || entries_.size() >= capacity_) return false;
  entries_.push_back(std::move(entry));
  changed_.notify_all();
  return true;
}

void AppInput::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::optional<AppInput::Entry> AppInput::pull(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return closed_ || !entries_.empty(); });
  if (entries_.empty()) {
    closed_ = true;
    changed_.notify_all();
    return std::nullopt;
  }
  Entry entry = std::move(entries_.front());
  entries_.pop_front();
  changed_.notify_all();
  return entry;
}

void AppInput::refuse_rest() {
  std::deque<Entry> rest;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    rest.swap(entries_);
    changed_.notify_all();
  }
  for (const Entry& entry : rest) entry.ticket->refuse();
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
