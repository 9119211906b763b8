#include "sluice/graphs/problems.h"

#include <algorithm>
#include <iterator>
#include <tuple>

namespace sluice {

Problems::Problems(std::string file, std::shared_ptr<const std::string> source)
    : file_(std::move(file)) {
  found_.source = std::move(source);
}

Diagnostic& Problems::add(std::string code, Mark mark, std::string message, std::string origin) {
  Diagnostic& diagnostic = found_.items.emplace_back();
  diagnostic.code = std::move(code);
  diagnostic.file = file_;
  diagnostic.mark = mark;
  diagnostic.message = std::move(message);
  diagnostic.origin = std::move(origin);
  return diagnostic;
}

void Problems::add(const ValueProblem& problem, const std::string& origin) {
  if (problem.code.empty()) return;
  Diagnostic& diagnostic = add(problem.code, problem.mark, problem.message,
                               problem.origin.empty() ? origin : problem.origin);
  diagnostic.suggestion = problem.suggestion;
  diagnostic.help = problem.help;
}

void Problems::add_all(Diagnostics&& others) {
  std::move(others.items.begin(), others.items.end(), std::back_inserter(found_.items));
  if (!found_.source) found_.source = std::move(others.source);
}

Mark Problems::within(const SourceValue& scalar, std::size_t offset, std::size_t length) const {
  if (!found_.source || !scalar.mark) return scalar.mark;
  const std::string& source = *found_.source;
  std::size_t line_start = 0;
  for (int line = 1; line < scalar.mark.line; ++line)
    line_start = source.find('\n', line_start) + 1;
  const std::size_t begin = line_start + static_cast<std::size_t>(scalar.mark.column) - 1;
  for (const std::size_t quote : {0u, 1u}) {
    if (begin + quote > source.size()) continue;
    if (source.compare(begin + quote, offset + length, scalar.template_text, 0, offset + length) !=
        0)
      continue;
    Mark mark = scalar.mark;
    mark.column += static_cast<int>(quote + offset);
    mark.length = static_cast<int>(length);
    return mark;
  }
  return scalar.mark;
}

Diagnostics Problems::take() {
  std::stable_sort(
      found_.items.begin(), found_.items.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.mark.line, a.mark.column) < std::tie(b.mark.line, b.mark.column);
      });
  return std::move(found_);
}

}  // namespace sluice
