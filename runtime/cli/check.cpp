#include "sluice/core/value.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/markdown.h"
#include "sluice/runtime/cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace sluice {
namespace {

namespace fs = std::filesystem;

bool has_extension(const fs::path& path, std::initializer_list<std::string_view> extensions) {
  return std::ranges::find(extensions, path.extension().string()) != extensions.end();
}
bool is_markdown(const fs::path& path) { return has_extension(path, {".md", ".markdown"}); }
bool is_yaml(const fs::path& path) { return has_extension(path, {".yaml", ".yml"}); }

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The files of a folder that hold pipelines, in the order of their names.
std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> files;
  std::error_code error;
  for (auto at = fs::recursive_directory_iterator(folder, error);
       at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (at->is_directory(error) && at->path().filename().string().starts_with('.')) {
      at.disable_recursion_pending();
    } else if (at->is_regular_file(error)) {
      const bool wanted =
          is_markdown(at->path()) || (is_yaml(at->path()) && is_pipeline(text_of(at->path())));
      if (wanted) files.push_back(at->path());
    }
    if (error) break;
  }
  std::ranges::sort(files);
  return files;
}

// Checks pipelines one after another and keeps what was found.
class Checker {
 public:
  explicit Checker(LoadOptions options) : options_(std::move(options)) {}

  void check_path(const std::string& path) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      check_file(path);
      return;
    }
    for (const std::string& file : files_below(path)) check_file(file);
  }

  std::size_t pipelines() const { return pipelines_; }
  const std::vector<Diagnostics>& found() const { return found_; }

 private:
  void check_file(const std::string& path) {
    std::error_code error;
    if (!is_markdown(path) || !fs::is_regular_file(path, error)) {
      keep(plan_file_overwriting(path, options_).diagnostics);
      return;
    }
    for (const YamlBlock& block : yaml_blocks(text_of(path))) {
      // The rest of a page's YAML are pieces that only make sense in the text around them.
      if (!is_pipeline(block.text)) continue;
      keep(plan_text_overwriting(block.text, path, options_).diagnostics);
    }
  }

  void keep(Diagnostics diagnostics) {
    ++pipelines_;
    if (!diagnostics.items.empty()) found_.push_back(std::move(diagnostics));
  }

  const LoadOptions options_;
  std::size_t pipelines_ = 0;
  std::vector<Diagnostics> found_;
};

Value json_of(const Diagnostic& problem) {
  Value::Array notes;
  for (const Diagnostic::Note& note : problem.notes) {
    notes.push_back(Value::Object{
        {"message", note.message}, {"line", note.mark.line}, {"column", note.mark.column}});
  }
  return Value::Object{
      {"code", problem.code},          {"severity", problem.is_warning ? "warning" : "error"},
      {"message", problem.message},    {"file", problem.file},
      {"line", problem.mark.line},     {"column", problem.mark.column},
      {"length", problem.mark.length}, {"suggestion", problem.suggestion},
      {"help", problem.help},          {"notes", std::move(notes)}};
}

// In a workflow command's message and properties these have to be escaped.
std::string github_escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '%':
        escaped += "%25";
        break;
      case '\r':
        escaped += "%0D";
        break;
      case '\n':
        escaped += "%0A";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string github_line(const Diagnostic& problem) {
  std::string message = problem.message;
  for (const std::string& more : {problem.suggestion, problem.help}) {
    if (!more.empty()) message += "\n" + more;
  }
  return fmt::format("::{} file={},line={},col={},title={}::{}\n",
                     problem.is_warning ? "warning" : "error", github_escaped(problem.file),
                     std::max(1, problem.mark.line), std::max(1, problem.mark.column), problem.code,
                     github_escaped(message));
}

std::string report_text(const std::vector<Diagnostics>& found, CheckFormat format) {
  std::string text;
  Value::Array problems;
  for (const Diagnostics& diagnostics : found) {
    if (format == CheckFormat::kText) {
      if (!text.empty()) text += '\n';
      text += diagnostics.render();
    }
    for (const Diagnostic& problem : diagnostics.items) {
      if (format == CheckFormat::kGithub) text += github_line(problem);
      if (format == CheckFormat::kJson) problems.push_back(json_of(problem));
    }
  }
  if (format == CheckFormat::kJson)
    text = Value(Value::Object{{"problems", std::move(problems)}}).to_json() + "\n";
  return text;
}

std::string counted(std::size_t number, std::string_view word) {
  return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
}

}  // namespace

int check_command(const CheckArguments& arguments) {
  std::optional<LoadOptions> options = load_options(arguments.params, arguments.sets);
  if (!options) return kExitUsage;
  Checker checker(std::move(*options));
  for (const std::string& path : arguments.paths) checker.check_path(path);

  std::size_t errors = 0;
  std::size_t warnings = 0;
  for (const Diagnostics& diagnostics : checker.found()) {
    for (const Diagnostic& problem : diagnostics.items) ++(problem.is_warning ? warnings : errors);
  }
  if (const int code = write_data(report_text(checker.found(), arguments.format)); code != kExitOk)
    return code;
  std::string summary = fmt::format("Checked {}: {}", counted(checker.pipelines(), "pipeline"),
                                    counted(errors, "error"));
  if (warnings > 0) summary += ", " + counted(warnings, "warning");
  write_message(summary + "\n");
  return errors > 0 ? kExitUsage : kExitOk;
}

}  // namespace sluice
