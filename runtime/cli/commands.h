#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/log.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/runtime/logging.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// The exit codes of every command.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the run failed
inline constexpr int kExitUsage = 2;     // could not start: usage or configuration
inline constexpr int kExitRejects = 3;   // finished with rejected items
inline constexpr int kExitSignal = 128;  // plus the number of the signal

// What a command was asked to do, after parsing. Each command writes its data to stdout, everything
// else to stderr, and gives the exit code.

// A pipeline file and what changes it from outside.
struct PipelineArguments {
  std::string file;
  std::vector<std::string> params;  // "name=value"
  std::vector<std::string> sets;    // "nodes.infer.device=cpu"
};

enum class ProgressMode { kAuto, kTty, kPlain, kJson, kOff };

struct RunArguments {
  PipelineArguments pipeline;
  std::optional<std::uint64_t> limit;
  bool fail_fast = false;
  bool overwrite = false;
  ProgressMode progress = ProgressMode::kAuto;
  std::string drain_timeout = "30s";
  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};
int run_command(const RunArguments& arguments);

enum class BenchFormat { kText, kJson };
struct BenchArguments {
  PipelineArguments pipeline;
  std::optional<std::uint64_t> limit;
  bool overwrite = false;
  std::string warm_up = "1s";
  std::string time = "30s";
  BenchFormat format = BenchFormat::kText;
};
int bench_command(const BenchArguments& arguments);

enum class CheckFormat { kText, kJson, kGithub };
struct CheckArguments {
  std::vector<std::string> paths;  // files and folders
  std::vector<std::string> params;
  std::vector<std::string> sets;
  CheckFormat format = CheckFormat::kText;
};
int check_command(const CheckArguments& arguments);

enum class GraphFormat { kText, kDot, kMermaid, kSvg };
int plan_command(const PipelineArguments& arguments);
int graph_command(const PipelineArguments& arguments, GraphFormat format);

enum class ListFormat { kText, kMarkdown };
int list_command(ListFormat format);
int show_command(const std::string& node);

int doctor_command();
int version_command();

// The values from outside as the loader takes them; says on stderr what is not "name=value" and
// gives none then.
std::optional<LoadOptions> load_options(const std::vector<std::string>& params,
                                        const std::vector<std::string>& sets);

// Plans with the option `overwrite` set in every node that has one: what `--overwrite` means, and
// what the commands do that only look, for which it is no fault that a run has been there before.
// The file is read once: it may be a pipe.
Checked<Plan> plan_file_overwriting(const std::string& path, const LoadOptions& options);
Checked<Plan> plan_text_overwriting(const std::string& text, const std::string& file,
                                    LoadOptions options);

}  // namespace sluice
