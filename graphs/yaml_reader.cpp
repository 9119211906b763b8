#include "sluice/graphs/yaml_reader.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <utility>
#include <vector>

namespace sluice {
namespace {

// Unwinds the parser once a problem makes the rest meaningless.
struct Stop {};

std::string_view line_at(const std::string& text, std::size_t offset) {
  if (text.empty()) return {};
  offset = std::min(offset, text.size() - 1);
  std::size_t begin = offset == 0 ? std::string::npos : text.rfind('\n', offset - 1);
  begin = begin == std::string::npos ? 0 : begin + 1;
  const std::size_t end = std::min(text.find('\n', begin), text.size());
  return std::string_view(text).substr(begin, end - begin);
}

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// Offset of the first byte that is not UTF-8 (RFC 3629: no overlong forms, no surrogates), or npos.
std::size_t find_bad_utf8(const std::string& text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    std::size_t length = 1;
    unsigned low = 0x80;
    unsigned high = 0xBF;
    if (lead >= 0x80) {
      if (lead >= 0xC2 && lead <= 0xDF) {
        length = 2;
      } else if (lead >= 0xE0 && lead <= 0xEF) {
        length = 3;
        if (lead == 0xE0) low = 0xA0;
        if (lead == 0xED) high = 0x9F;
      } else if (lead >= 0xF0 && lead <= 0xF4) {
        length = 4;
        if (lead == 0xF0) low = 0x90;
        if (lead == 0xF4) high = 0x8F;
      } else {
        return i;
      }
      if (byte(i + 1) < low || byte(i + 1) > high) return i;
      for (std::size_t k = 2; k < length; ++k) {
        if (byte(i + k) < 0x80 || byte(i + k) > 0xBF) return i;
      }
    }
    i += length;
  }
  return std::string::npos;
}

// Offset after the closing quote of the quoted text that begins at `begin`, or npos.
std::size_t end_of_quoted(const std::string& text, std::size_t begin) {
  const char quote = text[begin];
  for (std::size_t i = begin + 1; i < text.size(); ++i) {
    if (quote == '"' && text[i] == '\\') {
      ++i;
    } else if (text[i] == quote) {
      if (quote == '\'' && i + 1 < text.size() && text[i + 1] == '\'') {
        ++i;
      } else {
        return i + 1;
      }
    }
  }
  return std::string::npos;
}

// `path:/data` as key and value, where a plain text looks like a pair without its space.
struct MissingSpace {
  std::string key;
  std::string value;
};
std::optional<MissingSpace> find_missing_space(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 >= text.size())
    return std::nullopt;
  if (is_blank(text[colon + 1])) return std::nullopt;
  return MissingSpace{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& text, std::string file);

  Checked<SourceValue> read();

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ < 2) return;
    Diagnostic& d =
        add("SL0109", offset(mark), "a second document begins here; a file holds one graph");
    d.mark.length = 3;
    d.help = "put the other graph into a file of its own";
    throw Stop{};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_anchor(mark, anchor);
    if (expects_key()) refuse_key(mark, "nothing");
    SourceValue value;
    value.mark = mark_at(offset(mark));
    attach(std::move(value));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse_alias(offset(mark));
    throw Stop{};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, style, SourceValue::Kind::kList);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, tag, anchor, style, SourceValue::Kind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  // A list or map whose end has not been read yet.
  struct Open {
    SourceValue value;
    std::size_t offset = 0;
    bool is_flow = false;
    bool has_key = false;
    bool is_duplicate = false;
    std::string key;
    std::unordered_map<std::string, Mark> keys;  // so far
    Mark key_mark;
    std::size_t key_end = 0;  // offset after the key
    bool is_key_plain = false;
  };

  Mark mark_at(std::size_t offset) const {
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    return {static_cast<int>(after - line_starts_.begin()),
            static_cast<int>(offset - *(after - 1)) + 1, 1};
  }
  std::size_t offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? 0
                        : std::min<std::size_t>(static_cast<std::size_t>(mark.pos), text_.size());
  }
  Diagnostic& add(std::string code, std::size_t offset, std::string message) {
    Diagnostic diagnostic;
    diagnostic.code = std::move(code);
    diagnostic.file = file_;
    diagnostic.message = std::move(message);
    diagnostic.mark = mark_at(offset);
    return problems_.items.emplace_back(std::move(diagnostic));
  }
  bool expects_key() const {
    return !open_.empty() && open_.back().value.is_map() && !open_.back().has_key;
  }
  [[noreturn]] void refuse_key(const YAML::Mark& mark, std::string_view what) {
    add("SL0118", offset(mark), "a key must be text, found " + std::string(what));
    throw Stop{};
  }
  void refuse_alias(std::size_t at) {
    Diagnostic& d = add("SL0113", at, "aliases are not part of the language");
    d.help = "write the value out, or put it under `params:` and use ${params.NAME}";
  }
  void refuse_anchor(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor == 0) return;
    Diagnostic& d = add("SL0113", offset(mark), "anchors are not part of the language");
    d.help =
        "write the value out where it is used, or put it under `params:` and use ${params.NAME}";
  }
  // yaml-cpp gives "?" for plain and "!" for quoted values without a tag.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    const std::size_t at = offset(mark);
    if (tag.empty() || tag == "?" || (tag == "!" && (at >= text_.size() || text_[at] != '!')))
      return;
    Diagnostic& d =
        add("SL0114", at, "tags (`" + tag_text(at, tag) + "`) are not part of the language");
    d.help = "leave it out: the node's spec says what type a value has";
  }
  std::string tag_text(std::size_t at, const std::string& tag) const {
    if (at >= text_.size() || text_[at] != '!') return tag;
    const std::size_t end = std::min(text_.find_first_of(" \t\n,]}", at), text_.size());
    return text_.substr(at, end - at);
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            YAML::EmitterStyle::value style, SourceValue::Kind kind);
  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    attach(std::move(done.value));
  }
  void attach(SourceValue value);
  void take_key(const std::string& key, Mark mark, std::size_t end, bool plain);
  void check_key_has_value(const Open& map, const SourceValue& value);
  void explain(const YAML::Exception& exception);
  bool explain_tab(std::size_t at);
  bool explain_open_flow(std::size_t at, const std::string& message);
  void note_long_quote(Diagnostic& diagnostic) const;
  bool check_bytes();
  void check_top_level();

  const std::string& text_;
  std::string file_;
  std::vector<std::size_t> line_starts_{0};
  Diagnostics problems_;
  std::vector<Open> open_;
  std::optional<SourceValue> root_;
  int documents_ = 0;
  std::optional<std::size_t> long_quote_;  // where the last quoted text of several lines began
};

TreeBuilder::TreeBuilder(const std::string& text, std::string file)
    : text_(text), file_(std::move(file)) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(i + 1);
  }
}

void TreeBuilder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                           const std::string& text) {
  refuse_anchor(mark, anchor);
  refuse_tag(mark, tag);
  const std::size_t begin = offset(mark);
  const char first = begin < text_.size() ? text_[begin] : '\0';
  const bool quoted = first == '"' || first == '\'';
  const std::size_t line_end = std::min(text_.find('\n', begin), text_.size());
  std::size_t end = begin + text.size();
  if (quoted) {
    end = end_of_quoted(text_, begin);
    if (end == std::string::npos) {
      Diagnostic& d = add("SL0106", begin, "the quote that begins here is never closed");
      d.mark.length = static_cast<int>(line_end - begin);
      d.notes.push_back({"the file ends here, and the quote is still open",
                         mark_at(text_.find_last_not_of(" \t\r\n"))});
      throw Stop{};
    }
    if (end > line_end) long_quote_ = begin;
  } else if (text_.compare(begin, text.size(), text) != 0) {
    end = line_end;  // several lines, or `|`
    while (end > begin && is_blank(text_[end - 1])) --end;
  }
  Mark place = mark_at(begin);
  place.length = std::max(1, static_cast<int>(std::min(end, line_end) - begin));
  if (expects_key()) {
    take_key(text, place, end, !quoted);
    return;
  }
  SourceValue value = SourceValue::scalar(text);
  value.is_quoted = quoted;
  value.mark = place;
  attach(std::move(value));
}

void TreeBuilder::open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style, SourceValue::Kind kind) {
  refuse_anchor(mark, anchor);
  refuse_tag(mark, tag);
  const bool is_list = kind == SourceValue::Kind::kList;
  if (expects_key()) refuse_key(mark, is_list ? "a list" : "a map");
  if (open_.size() >= kMaxYamlDepth) {
    add("SL0115", offset(mark),
        "nested more than " + std::to_string(kMaxYamlDepth) + " levels deep");
    throw Stop{};
  }
  Open next;
  next.offset = offset(mark);
  next.is_flow = style == YAML::EmitterStyle::Flow;
  next.value.kind = kind;
  next.value.mark = mark_at(next.offset);
  open_.push_back(std::move(next));
}

void TreeBuilder::take_key(const std::string& key, Mark mark, std::size_t end, bool plain) {
  Open& map = open_.back();
  map.has_key = true;
  map.key = key;
  map.key_mark = mark;
  map.key_end = end;
  map.is_key_plain = plain;
  const auto [first, is_new] = map.keys.try_emplace(key, mark);
  map.is_duplicate = !is_new;
  if (is_new) return;
  Diagnostic d;
  d.code = "SL0108";
  d.file = file_;
  d.message = "`" + key + "` is given twice";
  d.mark = mark;
  d.notes.push_back({"first given here", first->second});
  problems_.items.push_back(std::move(d));
}

void TreeBuilder::attach(SourceValue value) {
  if (open_.empty()) {
    root_ = std::move(value);
    return;
  }
  Open& parent = open_.back();
  if (parent.value.is_list()) {
    parent.value.items.push_back(std::move(value));
    return;
  }
  check_key_has_value(parent, value);
  parent.has_key = false;
  if (parent.is_duplicate) return;
  parent.value.fields.push_back({std::move(parent.key), parent.key_mark, std::move(value)});
}

// yaml-cpp takes a lone word among the pairs of a map for a key without a value.
void TreeBuilder::check_key_has_value(const Open& map, const SourceValue& value) {
  if (value.kind != SourceValue::Kind::kNull || !map.is_key_plain) return;
  std::size_t next = map.key_end;
  while (next < text_.size() && is_blank(text_[next])) ++next;
  if (next < text_.size() && text_[next] == ':') return;
  const auto missing = find_missing_space(map.key);
  Diagnostic d;
  d.file = file_;
  d.mark = map.key_mark;
  if (missing) {
    d.code = "SL0105";
    d.message = "`" + map.key + "` is one word to YAML";
    d.suggestion =
        "is a space missing after the colon: `" + missing->key + ": " + missing->value + "`?";
  } else {
    d.code = "SL0119";
    d.message = "`" + map.key + "` stands among `key: value` pairs without a value";
    d.suggestion = "is a colon missing?";
  }
  problems_.items.push_back(std::move(d));
  throw Stop{};
}

bool TreeBuilder::explain_tab(std::size_t at) {
  const std::string_view line = line_at(text_, at);
  const std::size_t content = line.find_first_not_of(" \t");
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos || (content != std::string_view::npos && tab > content))
    return false;
  Diagnostic& d = add("SL0104", static_cast<std::size_t>(line.data() - text_.data()) + tab,
                      "tab used for indentation; YAML allows only spaces");
  d.mark.length = 1;
  return true;
}

bool TreeBuilder::explain_open_flow(std::size_t at, const std::string& message) {
  const bool is_open = !open_.empty() && open_.back().is_flow;
  const bool is_about_flow = message.find("flow not found") != std::string::npos ||
                             (message == "illegal flow end" && is_open);
  if (!is_about_flow || open_.empty()) return false;
  const Open& innermost = open_.back();
  const bool is_list = innermost.value.is_list();
  const std::string close = is_list ? "]" : "}";
  Diagnostic& d =
      add("SL0107", innermost.offset,
          std::string(is_list ? "the list" : "the map") + " that begins here is not closed");
  d.suggestion = "a `" + close + "` is missing";
  const std::size_t last = text_.find_last_not_of(" \t\r\n");
  const bool ended = last == std::string::npos || at > last;
  d.notes.push_back(
      {ended ? "the file ends without it" : "`,` or `" + close + "` was expected before this",
       mark_at(ended && last != std::string::npos ? last : at)});
  note_long_quote(d);
  return true;
}

// A missing closing quote takes everything up to the next quote for text.
void TreeBuilder::note_long_quote(Diagnostic& d) const {
  if (!long_quote_) return;
  d.notes.push_back(
      {"the last quoted text began here and runs over several lines: is its closing quote missing?",
       mark_at(*long_quote_)});
}

void TreeBuilder::explain(const YAML::Exception& exception) {
  const std::size_t at = offset(exception.mark);
  const std::string message = exception.msg;
  if (message.find("anchor is not defined") != std::string::npos) return refuse_alias(at);
  if (explain_tab(at) || explain_open_flow(at, message)) return;
  std::string_view line = line_at(text_, at);
  const std::size_t content = line.find_first_not_of(" \t-");
  if (content != std::string_view::npos) line.remove_prefix(content);
  if (const auto missing = find_missing_space(line);
      missing && line.find(": ") == std::string_view::npos) {
    Diagnostic& d = add("SL0105", static_cast<std::size_t>(line.data() - text_.data()),
                        "`" + std::string(line) + "` is one word to YAML");
    d.mark.length = static_cast<int>(line.size());
    d.suggestion =
        "is a space missing after the colon: `" + missing->key + ": " + missing->value + "`?";
    return;
  }
  Diagnostic& d = add("SL0117", at, "this is not YAML: " + message);
  if (message == "illegal map value") {
    d.message = "this is not YAML: a `:` where no pair can begin";
    d.help = "a text that holds `: ` must be quoted; pairs of one map must be indented alike";
  } else if (message == "end of map not found" || message == "end of sequence not found") {
    d.message = "this is not YAML: the text does not fit where it stands";
    d.help =
        "entries of one map or list must be indented alike; nothing may follow a closing quote";
  } else if (message == "unknown token") {
    d.message = "this is not YAML: a text cannot begin with this character";
    d.help = "put the text into quotes";
  }
  note_long_quote(d);
}

bool TreeBuilder::check_bytes() {
  const auto byte = [&](std::size_t i) {
    return i < text_.size() ? static_cast<unsigned char>(text_[i]) : 1u;
  };
  if (text_.size() > kMaxYamlBytes) {
    Diagnostic& d = add(
        "SL0116", 0, "the file is larger than " + std::to_string(kMaxYamlBytes) + " bytes (1 MiB)");
    d.mark = {};
    return false;
  }
  const bool marked = (byte(0) == 0xFF && byte(1) == 0xFE) || (byte(0) == 0xFE && byte(1) == 0xFF);
  const bool alternating = (byte(0) == 0 && byte(2) == 0 && byte(1) != 0) ||
                           (byte(1) == 0 && byte(3) == 0 && byte(0) != 0);
  if (marked || alternating) {
    Diagnostic& d = add("SL0111", 0, "the file is UTF-16 (byte offset 0); it must be UTF-8");
    d.mark = {};
    d.help = "convert it: iconv -f UTF-16 -t UTF-8";
    return false;
  }
  if (const std::size_t nul = text_.find('\0'); nul != std::string::npos) {
    add("SL0112", nul,
        "a NUL byte at byte offset " + std::to_string(nul) + "; the file must be text");
    return false;
  }
  if (const std::size_t bad = find_bad_utf8(text_); bad != std::string::npos) {
    constexpr char kHex[] = "0123456789abcdef";
    const std::string hex{kHex[byte(bad) >> 4], kHex[byte(bad) & 15]};
    add("SL0110", bad, "not UTF-8: byte 0x" + hex + " at byte offset " + std::to_string(bad));
    return false;
  }
  return true;
}

void TreeBuilder::check_top_level() {
  if (!root_ || root_->kind == SourceValue::Kind::kNull) {
    Diagnostic& d = add("SL0102", 0, file_ + " is empty");
    d.mark = {};
    d.help =
        "a graph is a map of nodes, as in:\n"
        "nodes:\n"
        "  pages: { type: files, glob: \"pages/*.jpg\" }\n"
        "  out:   { type: discard, from: pages }";
    root_.reset();
    return;
  }
  if (root_->is_map()) return;
  Diagnostic& d = add("SL0103", 0,
                      "expected a map at the top level, found " +
                          std::string(root_->is_list() ? "a list" : "text"));
  d.mark = root_->mark;
  if (const auto missing = root_->is_scalar() ? find_missing_space(root_->text) : std::nullopt) {
    d.suggestion =
        "is a space missing after the colon: `" + missing->key + ": " + missing->value + "`?";
  }
  root_.reset();
}

Checked<SourceValue> TreeBuilder::read() {
  bool complete = false;
  if (check_bytes()) {
    try {
      std::istringstream stream(text_);
      YAML::Parser parser(stream);
      while (parser.HandleNextDocument(*this)) {
      }
      complete = true;
    } catch (const Stop&) {
    } catch (const YAML::Exception& exception) {
      explain(exception);
    }
    if (complete) check_top_level();
  }
  Checked<SourceValue> result;
  if (complete) result.value = std::move(root_);
  result.diagnostics = std::move(problems_);
  return result;
}

}  // namespace

Checked<SourceValue> read_yaml(const std::string& text, const std::string& file) {
  const bool has_byte_order_mark = text.starts_with("\xEF\xBB\xBF");
  auto source = std::make_shared<const std::string>(has_byte_order_mark ? text.substr(3) : text);
  Checked<SourceValue> result = TreeBuilder(*source, file).read();
  result.diagnostics.source = std::move(source);
  return result;
}

}  // namespace sluice
