// jsonl.write: writes one line of JSON an item.
//   json: { type: jsonl.write, from: { page: page, lines: lines }, path: ./out/pages.jsonl,
//           fields: { file: item.key, width: page.width, lines: lines } }
// Without `fields:` a line is the input itself, or an object of all inputs by name.
// Each record is one write, so a reader never sees half of one. Related: jsonl.read, image.write.
#include "sluice/core/own_descriptor.h"
#include "sluice/core/registry.h"
#include "sluice/nodes/source/file_handle.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace sluice {
namespace {

// The name of an input that is wired without one.
constexpr const char* kOnlyInput = "value";

class JsonlWrite final : public Node {
 public:
  inline static const Option<Path> path =
      Option<Path>("path", "the file to write; folders are made; relative to the pipeline's file")
          .required("./out/result.jsonl");
  inline static const Option<ExpressionMap> fields = Option<ExpressionMap>(
      "fields",
      "name: expression for each field, in this order; inputs go by their names, `value` is "
      "the only one, `item.key` the item's");
  inline static const Option<bool> overwrite =
      Option<bool>("overwrite", "true: replace a file that is there; false: refuse to start")
          .or_default(false);
  inline static const Spec kSpec =
      Spec("jsonl.write", "Writes one line of JSON an item.")
          .dynamic_inputs("what the fields are taken from, any names; a single input needs none")
          .options(path, fields, overwrite)
          .sink()
          .serial()
          .blocking()
          .notes(
              "Lines come in the order of the items. When the disk is full the file is cut back to "
              "its last whole record and the run ends with how to go on. A path that is no regular "
              "file, such as /dev/stdout or a named pipe, is written to as it is. "
              "Related: jsonl.read, image.write.")
          .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.jpg", allow_empty: true }
  photo: { type: image.decode, from: files }
  sizes: { type: jsonl.write, from: { photo: photo }, path: ./sizes.jsonl,
           fields: { file: item.key, width: photo.width, height: photo.height } }
)");

  Result<Ports> resolve(Resolve& plan) override {
    check_path(plan);
    Ports ports = plan.declared();
    for (const WiredInput& input : plan.inputs()) {
      PortDecl port;
      port.name = input.name.empty() ? kOnlyInput : input.name;
      port.doc = "what a line is made from";
      port.type = input.type;
      ports.inputs.push_back(std::move(port));
    }
    if (ports.inputs.empty()) {
      plan.problem({"SL0304",
                    "jsonl.write has no input",
                    "wire one: `from: NODE`",
                    Problem::Place::kNode,
                    {}});
    }
    if (plan.has(fields)) {
      bind_fields(plan, ports.inputs);
    } else {
      for (const PortDecl& port : ports.inputs) check_has_json(plan, port);
    }
    return ports;
  }

  Status open(Context& ctx, std::size_t) override {
    const std::string& name = ctx.option(path).text;
    if (leads_to_closed_descriptor(name, FileAccess::kWrite)) {
      return invalid("sink.open", "cannot write " + name + ": it is closed");
    }
    const std::filesystem::path folder = std::filesystem::path(name).parent_path();
    std::error_code error;
    if (!folder.empty()) std::filesystem::create_directories(folder, error);
    if (error) {
      return invalid("sink.open",
                     "cannot make the folder " + folder.string() + ": " + error.message());
    }
    const bool plain_file = std::filesystem::is_regular_file(name, error);
    const int how = !plain_file || ctx.option(overwrite) ? O_TRUNC : O_EXCL;
    file_ = FileHandle(::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666));
    struct stat status {};
    if (!file_.is_open() || ::fstat(file_.get(), &status) != 0) {
      return invalid("sink.open", "cannot write " + name + ": " + std::strerror(errno));
    }
    is_regular_ = S_ISREG(status.st_mode);
    return Status::ok();
  }

  Status process(Context& ctx) override {
    line_ = make_value(ctx).to_json();
    line_ += '\n';
    std::size_t done = 0;
    while (done < line_.size()) {
      const ssize_t wrote = ::write(file_.get(), line_.data() + done, line_.size() - done);
      if (wrote > 0) {
        done += static_cast<std::size_t>(wrote);
      } else if (wrote == 0 || errno != EINTR) {
        return give_up(ctx, wrote == 0 ? ENOSPC : errno);
      }
    }
    size_bytes_ += static_cast<std::int64_t>(line_.size());
    ++records_;
    return Status::ok();
  }

  Status close(Context& ctx) override {
    if (!file_.is_open()) return Status::ok();
    if (is_regular_ && ::fsync(file_.get()) != 0) return write_error(ctx, errno);
    return file_.close() == 0 ? Status::ok() : write_error(ctx, errno);
  }

 private:
  struct Field {
    std::string name;
    Expression value;
  };

  void check_path(Resolve& plan) const {
    const std::string& name = plan.option(path).text;
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(name, error);
    if (std::filesystem::is_directory(status)) {
      plan.option_problem(path, "SL0705", name + " is a folder", "name a file in it");
    } else if (std::filesystem::is_regular_file(status) && !plan.option(overwrite)) {
      plan.option_problem(
          path, "SL0702", name + " is already there",
          "remove it, name another file, or run with --overwrite (option `overwrite: true`)");
    }
  }

  void bind_fields(Resolve& plan, const std::vector<PortDecl>& inputs) {
    for (const auto& [name, expression] : plan.option(fields)) {
      auto bound = expression.bind(inputs);
      if (!bound) {
        plan.option_problem(fields, "SL0222", "field " + name + ": " + bound.status().message());
        continue;
      }
      if (expression.path().size() == 1) {
        const std::string& input = expression.path().front();
        for (const PortDecl& port : inputs) {
          if (port.name == input || (input == kOnlyInput && inputs.size() == 1)) {
            check_has_json(plan, port);
          }
        }
      }
      fields_.push_back({name, std::move(*bound)});
    }
  }

  void check_has_json(Resolve& plan, const PortDecl& port) const {
    if (port.type.is_any() || port.type.payload->to_value) return;
    std::string help = "write its fields instead";
    for (std::size_t i = 0; i < port.type.payload->fields.size(); ++i) {
      help += (i == 0 ? ": " : ", ") + port.name + "." + port.type.payload->fields[i].name;
    }
    plan.input_problem(port.name, "SL0405",
                       port.name + " is " + port.type.to_string() + ", which has no JSON form",
                       help);
  }

  Value make_value(const Context& ctx) const {
    const std::span<const PayloadRef> inputs = ctx.item().inputs();
    if (!ctx.has_option(fields)) {
      if (inputs.size() == 1 && ctx.ports().inputs[0].name == kOnlyInput)
        return inputs[0].to_value();
      Value::Object object;
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        object.emplace_back(ctx.ports().inputs[i].name, inputs[i].to_value());
      }
      return Value(std::move(object));
    }
    Value::Object object;
    object.reserve(fields_.size());
    for (const Field& field : fields_) {
      object.emplace_back(field.name, field.value.evaluate(inputs, ctx.item().names()));
    }
    return Value(std::move(object));
  }

  // Takes back a record that went in half and ends the run: nothing later would fit either. The
  // item itself is not at fault, so it ends unfinished and not rejected.
  Status give_up(Context& ctx, int error) {
    if (is_regular_ && ::ftruncate(file_.get(), size_bytes_) != 0) {
      ctx.log().error("cannot cut " + ctx.option(path).text +
                      " back to its last whole record: " + std::strerror(errno));
    } else if (is_regular_) {
      ::lseek(file_.get(), size_bytes_, SEEK_SET);
    }
    ctx.fail_run(write_error(ctx, error));
    return {Code::kCancelled, "run.aborted", "the run ended before this item was written"};
  }

  Status write_error(const Context& ctx, int error) const {
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    std::string message = "cannot write " + ctx.option(path).text + ": " + std::strerror(error);
    if (is_regular_) {
      message += "; it holds " + std::to_string(records_) + " whole records. " +
                 (full ? "Make room" : "Repair that") +
                 ", then run again with --overwrite, or with another path";
    }
    return {full ? Code::kResourceExhausted : Code::kUnavailable,
            full ? "sink.disk_full" : (error == EPIPE ? "sink.closed" : "sink.write"), message};
  }

  std::vector<Field> fields_;
  FileHandle file_;
  bool is_regular_ = false;
  std::int64_t size_bytes_ = 0;  // of the whole records
  std::uint64_t records_ = 0;
  std::string line_;
};

[[maybe_unused]] const bool kRegistered = register_node<JsonlWrite>();

}  // namespace
}  // namespace sluice
