// jsonl.read: gives the records of a JSON Lines file.
//   rows: { type: jsonl.read, path: ./questions.jsonl }
// One JSON value a line; blank lines are passed over. A line that is no JSON is rejected by its
// number and the rest goes on. Related: jsonl.write, lines.
#include "sluice/core/registry.h"
#include "sluice/nodes/source/line_reader.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

constexpr std::size_t kMaxDepth = 256;

// Builds a Value while nlohmann's parser reads: no second tree, and a bound on the depth.
class ValueBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  bool null() override { return add(Value()); }
  bool boolean(bool v) override { return add(Value(v)); }
  bool number_integer(number_integer_t v) override { return add(Value(std::int64_t{v})); }
  bool number_unsigned(number_unsigned_t v) override {
    if (v > static_cast<number_unsigned_t>(INT64_MAX)) return add(Value(static_cast<double>(v)));
    return add(Value(static_cast<std::int64_t>(v)));
  }
  bool number_float(number_float_t v, const string_t&) override { return add(Value(v)); }
  bool string(string_t& v) override { return add(Value(std::move(v))); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Open::kObject); }
  bool key(string_t& v) override {
    open_.back().key = std::move(v);
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Open::kArray); }
  bool end_array() override { return close(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) override {
    // The library's text begins with its own number and place, "[json.exception...] parse error at
    // ...: ", and ends with all that it read of a string, however long.
    std::string text = error.what();
    const std::size_t begin = text.find(": ");
    if (begin != std::string::npos) text.erase(0, begin + 2);
    if (const std::size_t end = text.find("; last read: "); end != std::string::npos) {
      text.erase(end);
    }
    message_ = "at byte " + std::to_string(position) + ": " + text;
    return false;
  }

  Value take() { return std::move(root_); }
  const std::string& message() const { return message_; }

 private:
  struct Open {
    enum Kind { kObject, kArray } kind;
    Value::Object object;
    Value::Array array;
    std::string key;
  };

  bool add(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().kind == Open::kArray) {
      open_.back().array.push_back(std::move(value));
    } else {
      open_.back().object.emplace_back(std::move(open_.back().key), std::move(value));
    }
    return true;
  }
  bool open(Open::Kind kind) {
    if (open_.size() == kMaxDepth) {
      message_ = "it is nested more than " + std::to_string(kMaxDepth) + " deep";
      return false;
    }
    open_.push_back({kind, {}, {}, {}});
    return true;
  }
  bool close() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    return closed.kind == Open::kObject ? add(Value(std::move(closed.object)))
                                        : add(Value(std::move(closed.array)));
  }

  std::vector<Open> open_;
  Value root_;
  std::string message_;
};

Result<Value> parse_json(const std::string& text) {
  ValueBuilder builder;
  if (!nlohmann::json::sax_parse(text, &builder)) return invalid("jsonl.syntax", builder.message());
  return builder.take();
}

class JsonlRead final : public Node {
 public:
  inline static const Out<Record> out{"out", "one line's value"};
  inline static const Option<Path> path =
      Option<Path>("path", "the file, one JSON value a line; relative to the pipeline's file")
          .required("./questions.jsonl");
  inline static const Option<ByteSize> max_line =
      Option<ByteSize>("max_line", "a longer line is rejected")
          .or_default({16ull << 20})
          .range(1, 1ull << 30);
  inline static const Spec kSpec =
      Spec("jsonl.read", "Gives the records of a JSON Lines file.")
          .ports(out)
          .options(path, max_line)
          .source()
          .blocking()
          .notes(
              "An item's key is \"PATH:LINE\", lines counted from 1. Whole numbers beyond 64 bits "
              "become floating point. Of a field that a record names twice, expressions see the "
              "first. Reads as it goes; the path may be a pipe. Related: jsonl.write, lines.")
          .rejects("jsonl.syntax", "the line is no JSON value, or is nested more than 256 deep")
          .rejects("lines.too_long", "the line has more than max_line bytes")
          .example(R"(version: 1
nodes:
  rows: { type: jsonl.read, path: ./questions.jsonl }
  copy: { type: jsonl.write, from: rows, path: ./answers.jsonl }
)");

  Result<Ports> resolve(Resolve& plan) override {
    const std::string& file = plan.option(path).text;
    if (::access(file.c_str(), R_OK) != 0) {
      plan.option_problem(path, "SL0704", "cannot read " + file + ": " + std::strerror(errno),
                          "correct the path");
    }
    return plan.declared();
  }

  Status open(Context& ctx, std::size_t) override {
    auto reader = LineReader::open(ctx.option(path).text, ctx.option(max_line).bytes);
    if (!reader) return reader.status();
    reader_ = std::move(*reader);
    return Status::ok();
  }

  Result<Next> next(SourceContext& ctx) override {
    do {
      const auto got = reader_->next();
      if (!got) return got.status();
      if (*got == LineReader::Got::kEnd) return Next::kEnd;
    } while (is_blank(reader_->line().text));
    const LineReader::Line& line = reader_->line();
    ctx.set_key(reader_->key());
    ctx.set_position(line.end_offset);
    if (line.too_long) {
      return invalid("lines.too_long", "the line has more than max_line = " +
                                           std::to_string(ctx.option(max_line).bytes) + " bytes");
    }
    auto value = parse_json(line.text);
    if (!value)
      return value.status().with_context("line " + std::to_string(line.number) + " is no JSON");
    ctx.emit(out, Record{std::move(*value)});
    return Next::kItem;
  }

 private:
  static bool is_blank(const std::string& text) {
    return text.find_first_not_of(" \t\r") == std::string::npos;
  }

  std::optional<LineReader> reader_;
};

[[maybe_unused]] const bool kRegistered = register_node<JsonlRead>();

}  // namespace
}  // namespace sluice
