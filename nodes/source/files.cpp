// files: gives the files that a pattern names, one after the other.
//   files: { type: files, glob: "./pages/**/*.{jpg,jpeg,png}" }
//   page:  { type: image.decode, from: files }
// Sorted by path, each file once; an item's key is its path. Files that cannot be read, or are
// larger than max_size, are rejected and the run goes on. Related: lines, jsonl.read, image.decode.
#include "sluice/core/registry.h"
#include "sluice/nodes/source/glob.h"
#include "sluice/nodes/source/read_file.h"

namespace sluice {
namespace {

class Files final : public Node {
 public:
  inline static const Out<Bytes> out{"out", "the file's bytes, and its path as name"};
  inline static const Option<Path> glob =
      Option<Path>("glob",
                   "which files: * and ? within a name, ** for any folders, [abc], {a,b}; relative "
                   "to the pipeline's file")
          .required("./pages/**/*.{jpg,png}");
  inline static const Option<ByteSize> max_size =
      Option<ByteSize>("max_size", "a larger file is rejected unread").or_default({256ull << 20});
  inline static const Option<bool> allow_empty =
      Option<bool>("allow_empty", "true: no file at all is a run of no items, not a mistake")
          .or_default(false);
  inline static const Spec kSpec =
      Spec("files", "Gives the files that a pattern names.")
          .ports(out)
          .options(glob, max_size, allow_empty)
          .source()
          .blocking()
          .notes(
              "The files are listed when the run starts, sorted by path; files that come later are "
              "not seen. Names that begin with a dot are skipped unless the pattern says the dot, "
              "`**` does not follow links to folders, and pipes, sockets and devices are passed "
              "over. An item's key is its path as found. Related: lines, jsonl.read, image.decode.")
          .rejects("files.unreadable", "the file cannot be opened or read")
          .rejects("files.too_large", "the file has more than max_size bytes")
          .rejects("files.not_a_file", "a folder or device took the file's place")
          .rejects("files.changed", "the file became shorter while it was read")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/**/*.{jpg,png}", max_size: 64MiB, allow_empty: true }
  photo: { type: image.decode, from: files }
  done:  { type: discard, from: photo }
)");

  Result<Ports> resolve(Resolve& plan) override {
    const std::string& pattern = plan.option(glob).text;
    auto parsed = Glob::parse(pattern);
    if (!parsed) {
      plan.option_problem(glob, "SL0703", parsed.status().message());
      return plan.declared();
    }
    if (!plan.option(allow_empty)) {
      const Glob::Matches first = parsed->find(Glob::Want::kFirst);
      if (first.paths.empty()) {
        plan.option_problem(glob, "SL0701",
                            "no file matches " + pattern + ": " + where(*parsed, first),
                            "correct the pattern, or write `allow_empty: true` if that is fine");
      }
    }
    return plan.declared();
  }

  Status open(Context& ctx, std::size_t) override {
    auto parsed = Glob::parse(ctx.option(glob).text);
    if (!parsed) return parsed.status();
    Glob::Matches matches = parsed->find(Glob::Want::kAll);
    for (const std::string& folder : matches.unreadable) {
      ctx.log().warning("cannot look into " + folder);
    }
    for (const std::string& path : matches.skipped) {
      ctx.log().warning("passed over " + path + ": no regular file");
    }
    if (matches.paths.empty() && !ctx.option(allow_empty)) {
      return not_found("files.none", "no file matches " + ctx.option(glob).text + " any more");
    }
    paths_ = std::move(matches.paths);
    return Status::ok();
  }

  Result<Next> next(SourceContext& ctx) override {
    if (next_ == paths_.size()) return Next::kEnd;
    std::string path = paths_[next_++];
    ctx.set_key(path);
    auto data = read_file(path, ctx.option(max_size).bytes, ctx.budget());
    if (!data) return data.status();
    ctx.item().count_allocated(data->size_bytes());
    ctx.emit(out, Bytes{std::move(*data), std::move(path)});
    return Next::kItem;
  }

  std::optional<std::uint64_t> total() const override { return paths_.size(); }

 private:
  static std::string where(const Glob& glob, const Glob::Matches& matches) {
    std::string text = "looked into " + std::to_string(matches.folders) +
                       (matches.folders == 1 ? " folder from " : " folders from ");
    bool first = true;
    for (const std::string& root : glob.roots()) {
      text += (first ? "" : ", ") + root;
      first = false;
    }
    for (const std::string& folder : matches.unreadable) text += "; could not enter " + folder;
    for (const std::string& path : matches.skipped) text += "; " + path + " is no regular file";
    return text;
  }

  std::vector<std::string> paths_;
  std::size_t next_ = 0;
};

[[maybe_unused]] const bool kRegistered = register_node<Files>();

}  // namespace
}  // namespace sluice
