#pragma once

#include "sluice/graphs/diagnostic.h"
#include "sluice/graphs/source_value.h"
#include "sluice/graphs/values.h"

#include <memory>
#include <string>
#include <string_view>

namespace sluice {

// Collects what is wrong with one graph. Threads: one thread at a time.
class Problems {
 public:
  Problems(std::string file, std::shared_ptr<const std::string> source);

  // Valid until the next is added.
  Diagnostic& add(std::string code, Mark mark, std::string message, std::string origin = {});
  // `origin` is for values that carry none: "nodes.a.width".
  void add(const ValueProblem& problem, const std::string& origin = {});
  void add_all(Diagnostics&& others);

  // The place of `length` bytes at `offset` of a scalar's text; of all of it where escapes or line
  // breaks hide where they stand.
  Mark within(const SourceValue& scalar, std::size_t offset, std::size_t length) const;

  bool has_errors() const { return found_.has_errors(); }
  // All, in the order of the file; those without a place first.
  Diagnostics take();

 private:
  std::string file_;
  Diagnostics found_;
};

}  // namespace sluice
