#include "sluice/core/token.h"

namespace sluice {

Outcome Token::outcome() const {
  if (rejected_.load(std::memory_order_relaxed) > 0) return Outcome::kRejected;
  if (unfinished_.load(std::memory_order_relaxed)) return Outcome::kUnfinished;
  if (dropped_.load(std::memory_order_relaxed)) return Outcome::kDropped;
  return Outcome::kDelivered;
}

TokenRef TokenRef::make(Token::Observer* observer) {
  auto* token = new Token;
  token->observer_ = observer;
  return TokenRef(token);
}

TokenRef::~TokenRef() {
  if (!token_) return;
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
    token_->rejection_ = std::move(rejection);
  }
  release();
}

void TokenRef::forget() { delete std::exchange(token_, nullptr); }

void TokenRef::release() {
  Token* token = std::exchange(token_, nullptr);
  // The last share sees what every other one has stored: each left with a release on the count.
  if (!token || token->refs_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (token->observer_) token->observer_->settled(*token);
  delete token;
}

}  // namespace sluice
