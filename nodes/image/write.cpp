// image.write: writes each picture to a file of its own.
//   images: { type: image.write, from: drawn, path: "./out/annotated/${item.stem}.png" }
// The ending of the path says the format. A file appears whole or not at all. Raise `parallel`
// where compressing is what the pipeline waits for, or lower `compression`. Related: image.decode,
// image.annotate, jsonl.write.
#include "sluice/core/registry.h"
#include "sluice/nodes/image/atomic_file.h"
#include "sluice/nodes/image/codec.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <unordered_set>

namespace sluice {
namespace {

namespace fs = std::filesystem;

ImageFormat format_of(std::string_view path) {
  std::string ending(extension_of(path));
  std::ranges::transform(ending, ending.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; });
  if (ending == "png") return ImageFormat::kPng;
  return ending == "jpg" || ending == "jpeg" ? ImageFormat::kJpeg : ImageFormat::kOther;
}

// A template's literal text on both sides of its holes; without holes both are the whole.
struct LiteralEnds {
  std::string before;
  std::string after;
  std::string last_hole;  // "item.stem"; empty: no hole
};

LiteralEnds literal_ends(const Template& path) {
  const std::string& text = path.text();
  std::size_t before = text.size();
  std::size_t after = 0;
  LiteralEnds ends;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text.compare(at, 2, "$$") == 0) {
      ++at;
    } else if (text.compare(at, 2, "${") == 0) {
      before = std::min(before, at);
      const std::size_t close = text.find('}', at);
      ends.last_hole = text.substr(at + 2, close - at - 2);
      at = close;
      after = close + 1;
    }
  }
  // Text without a hole is always a good template.
  ends.before = Template::parse(text.substr(0, before)).value().expand({});
  ends.after = Template::parse(text.substr(after)).value().expand({});
  return ends;
}

// The folder that every item's path lies in, as far as the template says; empty: the working one.
fs::path folder_of(const Template& path) {
  return fs::path(literal_ends(path).before).parent_path();
}

class Write final : public Node {
 public:
  inline static const In<Image> image{"image", "the picture"};
  inline static const Option<Template> path =
      Option<Template>("path",
                       "the file for an item; .png, .jpg or .jpeg; folders are made; relative to "
                       "the pipeline's file")
          .required("./out/${item.stem}.png");
  inline static const Option<int> quality =
      Option<int>("quality", "of JPEG: more is larger and truer").range(1, 100).or_default(90);
  inline static const Option<int> compression =
      Option<int>("compression", "of PNG: 0 none, 1 fast, 9 small; the picture is always exact")
          .range(0, 9)
          .or_default(3);
  inline static const Option<bool> overwrite =
      Option<bool>("overwrite", "true: replace files that are there; false: reject the item")
          .or_default(false);
  inline static const Spec kSpec =
      Spec("image.write", "Writes each picture to a file of its own.")
          .ports(image)
          .options(path, quality, compression, overwrite)
          .sink()
          .stateless()
          .blocking()
          .notes(
              "A file is written under a hidden name beside its own, flushed to the disk and then "
              "renamed, so that nobody ever reads half a picture. When the disk is full the run "
              "ends and no part of a picture stays behind. What an item puts into the path may "
              "name folders, and can never lead out of the folder that stands before the first "
              "`${item...}`. Paths are compared as text: two that reach one file through links are "
              "not noticed when `overwrite: true`. JPEG has no alpha channel; it is left out. "
              "Takes about 100 bytes an item to know the paths again. "
              "Related: image.decode, image.annotate, jsonl.write.")
          .rejects("sink.exists", "the file is there, and overwrite is false")
          .rejects("sink.duplicate_path", "another item of this run has the same path")
          .rejects("sink.path",
                   "the path has a `..`, leaves its folder, or cannot be written: no permission, "
                   "too long, a folder of this name")
          .rejects("sink.format", "the path ends in none of .png, .jpg, .jpeg")
          .rejects("image.encode", "the format cannot hold it: JPEG ends at 65500 pixels a side")
          .example(R"(version: 1
nodes:
  files:  { type: files, glob: "./photos/*.jpg", allow_empty: true }
  photo:  { type: image.decode, from: files, channels: grey }
  images: { type: image.write, from: photo, path: "./grey/${item.stem}.png" }
)");

  Result<Ports> resolve(Resolve& plan) override {
    const LiteralEnds ends = literal_ends(plan.option(path));
    const bool item_ends_it =
        ends.after.empty() && (ends.last_hole == "item.ext" || ends.last_hole == "item.key");
    if (!item_ends_it && format_of("x" + ends.after) == ImageFormat::kOther) {
      const std::string ending(extension_of("x" + ends.after));
      plan.option_problem(path, "SL0707",
                          ending.empty() ? "the path has no ending that says the format"
                                         : "no picture format goes by the ending ." + ending,
                          "end the path in .png, .jpg or .jpeg");
    }
    std::error_code error;
    if (ends.last_hole.empty() && !plan.option(overwrite) && fs::exists(ends.before, error)) {
      plan.option_problem(
          path, "SL0702", ends.before + " is already there",
          "remove it, name another file, or run with --overwrite (option `overwrite: true`)");
    }
    return plan.declared();
  }

  // Fails here, once, and not for each item, where the folder can never be written to.
  Status open(Context& ctx, std::size_t) override {
    folder_ = folder_of(ctx.option(path));
    const std::string name = folder_.empty() ? "." : folder_.string();
    std::error_code error;
    if (!folder_.empty()) fs::create_directories(folder_, error);
    if (error)
      return invalid("sink.open", "cannot make the folder " + name + ": " + error.message());
    if (::access(name.c_str(), W_OK | X_OK) != 0) {
      return invalid("sink.open", "cannot write to " + name + ": " + std::strerror(errno));
    }
    return Status::ok();
  }

  Status process(Context& ctx) override {
    const std::string name = ctx.option(path).expand(ctx.item().names());
    if (Status status = check_path(name); !status) return status;
    const ImageFormat format = format_of(name);
    if (format == ImageFormat::kOther) {
      return invalid("sink.format", name + " ends in none of .png, .jpg, .jpeg");
    }
    if (!claim(fs::path(name).lexically_normal())) {
      return invalid("sink.duplicate_path",
                     "another item of this run has the path " + name +
                         ": put ${item.seq}, or inside of a split ${item.index}, into it");
    }
    const Status status = write(ctx, name, format);
    if (status || status.code() == Code::kInvalidInput) return status;
    ctx.fail_run({status.code(), status.reason(),
                  status.message() + "; the pictures that are there are whole. " +
                      (status.code() == Code::kResourceExhausted ? "Make room" : "Repair that") +
                      ", then run again with --overwrite"});
    return {Code::kCancelled, "run.aborted", "the run ended before this item was written"};
  }

  // The pictures are on the disk; now their names, too.
  Status close(Context&) override {
    for (const std::string& folder : folders_) {
      const FileHandle handle(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (handle.is_open() && ::fsync(handle.get()) != 0 && errno != EINVAL) {
        return {Code::kUnavailable, "sink.write",
                "cannot flush the folder " + folder + ": " + std::strerror(errno)};
      }
    }
    return Status::ok();
  }

 private:
  // What the items' names made of the path, which may be anything.
  Status check_path(const std::string& name) const {
    const auto refuse = [&](const std::string& why) {
      return invalid("sink.path", "the path " + name + " " + why);
    };
    if (name.find('\0') != std::string::npos) return refuse("holds a NUL byte");
    const fs::path full(name);
    const bool inside =
        folder_.empty()
            ? full.is_relative()
            : std::mismatch(folder_.begin(), folder_.end(), full.begin(), full.end()).first ==
                  folder_.end();
    if (!inside) return refuse("leaves the folder " + (folder_.empty() ? "." : folder_.string()));
    auto part = full.begin();
    std::advance(part, std::distance(folder_.begin(), folder_.end()));
    for (; part != full.end(); ++part) {
      if (*part == "..") return refuse("holds `..`");
    }
    return Status::ok();
  }

  // False where an item before has it.
  bool claim(const fs::path& normal) {
    const std::scoped_lock lock(mutex_);
    if (!paths_.insert(normal.string()).second) return false;
    folders_.insert(normal.has_parent_path() ? normal.parent_path().string() : ".");
    return true;
  }

  static Status write(const Context& ctx, const std::string& name, ImageFormat format) {
    auto file = AtomicFile::create(name, ctx.option(overwrite) ? AtomicFile::Existing::kReplace
                                                               : AtomicFile::Existing::kRefuse);
    if (!file) return file.status();
    Status written;
    const ByteSink sink = [&](std::span<const std::uint8_t> bytes) {
      written = file->write(bytes);
      return written.is_ok();
    };
    const Image& picture = ctx.get(image);
    const Status encoded =
        format == ImageFormat::kPng
            ? encode_png(picture, static_cast<int>(ctx.option(compression)), sink)
            : encode_jpeg(picture, static_cast<int>(ctx.option(quality)), sink);
    if (!written) return written;
    return encoded ? file->commit() : encoded;
  }

  fs::path folder_;
  std::mutex mutex_;
  std::unordered_set<std::string> paths_;    // of all items so far
  std::unordered_set<std::string> folders_;  // that hold them
};

[[maybe_unused]] const bool kRegistered = register_node<Write>();

}  // namespace
}  // namespace sluice
