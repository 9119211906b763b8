#include "sluice/graphs/diagnostic.h"

#include <algorithm>

namespace sluice {
namespace {

// Lines longer than this are shown in part.
constexpr std::size_t kWidestExcerpt = 200;

std::string_view line_of(const std::string& source, int line) {
  std::size_t begin = 0;
  for (int i = 1; i < line; ++i) {
    begin = source.find('\n', begin);
    if (begin == std::string::npos) return {};
    ++begin;
  }
  std::string_view text = std::string_view(source).substr(begin, source.find('\n', begin) - begin);
  if (text.ends_with('\r')) text.remove_suffix(1);
  return text;
}

// What a terminal can show: control characters and stray bytes become `?`, a tab becomes one space.
std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    std::size_t length = c < 0x80 ? 1 : c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC2 ? 2 : 0;
    bool whole = length > 0 && i + length <= text.size();
    for (std::size_t k = 1; whole && k < length; ++k) {
      whole = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    }
    if (!whole) length = 1;
    if (c == '\t') {
      shown += ' ';
    } else if (!whole || c < 0x20 || c == 0x7F) {
      shown += '?';
    } else {
      shown += text.substr(i, length);
    }
    i += length;
  }
  return shown;
}

// Columns that a printable text takes: one a character.
std::size_t width_of(std::string_view text) {
  const std::string shown = printable(text);
  return static_cast<std::size_t>(std::count_if(shown.begin(), shown.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

void append_place(std::string& out, const std::string& file, const Mark& mark, std::size_t gutter) {
  out += std::string(gutter + 1, ' ') + "--> " + file + ":" + std::to_string(mark.line) + ":" +
         std::to_string(mark.column) + "\n";
}

void append_excerpt(std::string& out, const std::string& source, const Mark& mark,
                    std::size_t gutter, const std::string& beside) {
  std::string_view line = line_of(source, mark.line);
  std::size_t column =
      std::min(static_cast<std::size_t>(std::max(1, mark.column)) - 1, line.size());
  std::string prefix;
  std::string suffix;
  if (line.size() > kWidestExcerpt) {
    const std::size_t begin = column > kWidestExcerpt / 2 ? column - kWidestExcerpt / 2 : 0;
    if (begin > 0) prefix = "...";
    if (begin + kWidestExcerpt < line.size()) suffix = "...";
    line = line.substr(begin, kWidestExcerpt);
    column -= begin;
  }
  const std::size_t length = std::min(static_cast<std::size_t>(std::max(1, mark.length)),
                                      std::max<std::size_t>(1, line.size() - column));
  const std::string number = std::to_string(mark.line);
  const std::string bar = std::string(gutter + 2, ' ') + "|";
  out += bar + "\n";
  out += " " + std::string(gutter - number.size(), ' ') + number + " | " + prefix +
         printable(line) + suffix + "\n";
  out += bar + " " + std::string(prefix.size() + width_of(line.substr(0, column)), ' ') +
         std::string(std::max<std::size_t>(1, width_of(line.substr(column, length))), '^');
  if (!beside.empty()) out += " " + beside;
  out += "\n";
}

// Help of several lines stays aligned under its first.
void append_help(std::string& out, const std::string& help, std::size_t gutter) {
  const std::string indent(gutter + 2, ' ');
  out += indent + "= ";
  for (const char c : help) {
    out += c;
    if (c == '\n') out += indent + "  ";
  }
  out += "\n";
}

}  // namespace

std::string Diagnostic::render(const std::string& source) const {
  int last_line = mark.line;
  for (const Note& note : notes) last_line = std::max(last_line, note.mark.line);
  const std::size_t gutter = std::to_string(last_line).size();

  std::string out = (is_warning ? "warning[" : "error[") + code + "]: " + message + "\n";
  if (mark) {
    append_place(out, file, mark, gutter);
    if (!source.empty()) append_excerpt(out, source, mark, gutter, suggestion);
  } else {
    const std::string& where = origin.empty() ? file : origin;
    if (!where.empty() && message.find(where) == std::string::npos) out += "  --> " + where + "\n";
    if (!suggestion.empty()) out += "   = " + suggestion + "\n";
  }
  for (const Note& note : notes) {
    if (!note.mark) {
      append_help(out, "note: " + note.message, gutter);
      continue;
    }
    out += std::string(gutter + 2, ' ') + "= note: " + note.message + "\n";
    append_place(out, file, note.mark, gutter);
    if (!source.empty()) append_excerpt(out, source, note.mark, gutter, {});
  }
  if (!help.empty()) append_help(out, help, gutter);
  return out;
}

bool Diagnostics::has_errors() const {
  return std::any_of(items.begin(), items.end(), [](const Diagnostic& d) { return !d.is_warning; });
}

std::string Diagnostics::render() const {
  static const std::string kNoSource;
  std::string out;
  for (const Diagnostic& item : items) {
    if (!out.empty()) out += "\n";
    out += item.render(source ? *source : kNoSource);
  }
  return out;
}

}  // namespace sluice
