#pragma once

#include "sluice/core/token.h"

#include <string>
#include <vector>

namespace sluice::testing {

// Keeps what became of each token. Threads: one thread at a time. Outlives its tokens.
class TokenWatcher final : public Token::Observer {
 public:
  struct Settled {
    std::string key;
    Outcome outcome;
    std::uint32_t rejected_parts;
    std::string reason;  // of the first rejection
    std::string node;    // that rejected it
  };

  TokenRef make(std::string key) {
    TokenRef token = TokenRef::make(this);
    token->set_key(std::move(key));
    return token;
  }

  void settled(const Token& token) override {
    Settled entry{token.key(), token.outcome(), token.rejected_parts(), "", ""};
    if (entry.outcome == Outcome::kRejected) {
      entry.reason = token.rejection().status.reason();
      entry.node = token.rejection().node;
    }
    all.push_back(std::move(entry));
  }

  std::vector<Settled> all;
};

}  // namespace sluice::testing
