#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/core/status.h"
#include "sluice/core/template.h"
#include "sluice/core/value.h"

namespace sluice {

class PayloadRef;
struct PortDecl;

// What an expression reads: a path from an input, the item, or nothing but a literal.
// `page.width`, `lines`, `item.key`, `"text"`, `3`. `value` names the only input.
// Threads: thread-compatible.
class Expression {
 public:
  Expression() = default;
  // Errors: expression.syntax.
  static Result<Expression> parse(std::string_view text);
  static Expression literal(Value value);

  // Finds the inputs it names and checks its fields against their types.
  // Errors: expression.name, expression.field; the message lists what there is.
  Result<Expression> bind(std::span<const PortDecl> inputs) const;

  // REQUIRES: it is bound; `inputs` are in the order it was bound to.
  Value evaluate(std::span<const PayloadRef> inputs, const ItemNames& item) const;

  const std::string& text() const { return text_; }
  const std::vector<std::string>& path() const { return path_; }  // empty for a literal

  friend bool operator==(const Expression& a, const Expression& b) { return a.text_ == b.text_; }

 private:
  std::string text_;
  std::vector<std::string> path_;
  Value literal_;
  int input_ = -1;  // after bind: which input; -1 for the item or a literal
};

}  // namespace sluice
