// lines: gives a text file line by line.
//   lines: { type: lines, path: ./prompts.txt }
// An item's key is "PATH:LINE". Empty lines are items too. Line ends are LF or CRLF and not part of
// the text. Related: jsonl.read for a record per line, files for whole files.
#include "sluice/core/registry.h"
#include "sluice/nodes/source/line_reader.h"
#include "sluice/nodes/source/utf8.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace sluice {
namespace {

class Lines final : public Node {
 public:
  inline static const Out<Text> out{"out", "one line, without its end"};
  inline static const Option<Path> path =
      Option<Path>("path", "the text file, UTF-8; relative to the pipeline's file")
          .required("./prompts.txt");
  inline static const Option<ByteSize> max_line =
      Option<ByteSize>("max_line", "a longer line is rejected")
          .or_default({1ull << 20})
          .range(1, 1ull << 30);
  inline static const Spec kSpec =
      Spec("lines", "Gives a text file line by line.")
          .ports(out)
          .options(path, max_line)
          .source()
          .blocking()
          .notes(
              "Reads as it goes: a file of any length takes memory for one line. The path may be a "
              "pipe. A byte order mark in front is passed over. Related: jsonl.read, files.")
          .rejects("lines.too_long", "the line has more than max_line bytes")
          .rejects("lines.encoding", "the line is not UTF-8")
          .example(R"(version: 1
nodes:
  lines: { type: lines, path: ./prompts.txt }
  done:  { type: jsonl.write, from: lines, path: ./copy.jsonl, fields: { text: value.text } }
)");

  Result<Ports> resolve(Resolve& plan) override {
    if (::access(plan.option(path).text.c_str(), R_OK) != 0) {
      plan.option_problem(path, "SL0704",
                          "cannot read " + plan.option(path).text + ": " + std::strerror(errno),
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
    const auto got = reader_->next();
    if (!got) return got.status();
    if (*got == LineReader::Got::kEnd) return Next::kEnd;
    const LineReader::Line& line = reader_->line();
    ctx.set_key(reader_->key());
    ctx.set_position(line.end_offset);
    if (line.too_long) {
      return invalid("lines.too_long", "the line has more than max_line = " +
                                           std::to_string(ctx.option(max_line).bytes) + " bytes");
    }
    if (const std::size_t at = find_invalid_utf8(line.text); at != std::string_view::npos) {
      return invalid("lines.encoding", "byte " + std::to_string(at) + " of the line is not UTF-8");
    }
    ctx.emit(out, Text{line.text});
    return Next::kItem;
  }

 private:
  std::optional<LineReader> reader_;
};

[[maybe_unused]] const bool kRegistered = register_node<Lines>();

}  // namespace
}  // namespace sluice
