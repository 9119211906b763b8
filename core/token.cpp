#include "sluice/core/token.h"

namespace sluice {

Outcome Token::outcome() const {
  if (rejected_.load(std::memory_order_relaxed) > 0) return Outcome::kRejected;
  if (unfinished_.load(std::memory_order_relaxed)) return Outcome::kUnfinished;
  if (dropped_.load(std::memory_order_relaxed)) return Outcome::kDropped;
  return Outcome::kDelivered;
}

// Most items whose source gave no key are never asked for it.
const std::string& Token::make_key() const {
  const std::scoped_lock lock(mutex_);
  if (key_.empty()) key_ = (source ? *source : std::string()) + "#" + std::to_string(number);
  has_key_.store(true, std::memory_order_release);
  return key_;
}

TokenRef TokenRef::make(Token::Observer* observer) {
  auto* token = new Token;
  token->observer_ = observer;
  return TokenRef(token);
}

void TokenRef::abandon() {
  token_->unfinished_.store(true, std::memory_order_relaxed);
  release();
}

TokenRef TokenRef::share() const {
  if (token_) token_->refs_.fetch_add(1, std::memory_order_relaxed);
  return TokenRef(token_);
}

void TokenRef::drop() {
  if (token_) token_->dropped_.store(true, std::memory_order_relaxed);
  release();
}

void TokenRef::reject(Rejection rejection) {
  if (token_ && token_->rejected_.fetch_add(1, std::memory_order_relaxed) == 0) {
    const std::scoped_lock lock(token_->mutex_);
    token_->rejection_ = std::make_unique<Rejection>(std::move(rejection));
  }
  deliver();
}

void TokenRef::forget() { delete std::exchange(token_, nullptr); }

void TokenRef::release() {
  Token* token = std::exchange(token_, nullptr);
  // The last share sees what every other one has stored: each left with a release on the count. A
  // sole one needs no read-modify-write: nobody else can raise the count.
  if (token->refs_.load(std::memory_order_acquire) != 1 &&
      token->refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) {
    return;
  }
  if (token->observer_) token->observer_->settled(*token);
  delete token;
}

}  // namespace sluice
