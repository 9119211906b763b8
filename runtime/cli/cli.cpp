#include "sluice/runtime/cli/cli.h"

#include "sluice/graphs/suggest.h"
#include "sluice/graphs/values.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/output.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace sluice {
namespace {

template <class T>
using Words = std::vector<std::pair<std::string, T>>;

// What the command line says, all commands together; only the parts of the one that was named
// count.
struct Arguments {
  RunArguments run;
  BenchArguments bench;
  CheckArguments check;
  PipelineArguments plan;
  PipelineArguments graph;
  GraphFormat graph_format = GraphFormat::kText;
  ListFormat list_format = ListFormat::kText;
  std::string show_node;
};

// An option that takes one of a few words.
template <class T>
void add_word_option(CLI::App& app, const std::string& flag, T& target, const Words<T>& words,
                     const std::string& doc) {
  std::string names;
  for (const auto& [word, value] : words) names += (names.empty() ? "" : "|") + word;
  app.add_option_function<std::string>(
         flag,
         [&target, words, flag](const std::string& word) {
           const auto found = std::ranges::find(words, word, &std::pair<std::string, T>::first);
           if (found != words.end()) {
             target = found->second;
             return;
           }
           std::vector<std::string> valid;
           for (const auto& [name, value] : words) valid.push_back(name);
           const std::string suggestion = did_you_mean(word, valid);
           throw CLI::ValidationError(flag + " takes " + join_names(valid) + ", found `" + word +
                                      "`" + (suggestion.empty() ? "" : ": " + suggestion));
         },
         doc)
      ->type_name(names);
}

void add_outside_values(CLI::App& app, std::vector<std::string>& params,
                        std::vector<std::string>& sets) {
  app.add_option("-p,--param", params, "gives ${params.name} a value")
      ->type_name("name=value")
      ->allow_extra_args(false);
  app.add_option("--set", sets, "replaces a value of the file, such as nodes.infer.device=cpu")
      ->type_name("path=value")
      ->allow_extra_args(false);
}

void add_pipeline(CLI::App& app, PipelineArguments& arguments) {
  app.add_option("FILE", arguments.file, "the pipeline, in YAML")->required()->type_name("");
  add_outside_values(app, arguments.params, arguments.sets);
}

std::uint64_t read_limit(const std::string& text) {
  const auto read = read_int(SourceValue::scalar(text), "--limit");
  if (const auto* limit = std::get_if<std::int64_t>(&read); limit && *limit > 0) {
    return static_cast<std::uint64_t>(*limit);
  }
  throw CLI::ValidationError("--limit takes a number of items, 1 or more, found `" + text + "`");
}

void add_limit(CLI::App& command, std::optional<std::uint64_t>& limit) {
  command
      .add_option_function<std::string>(
          "--limit", [&limit](const std::string& text) { limit = read_limit(text); },
          "ends each source after so many items")
      ->type_name("N");
}

void add_run(CLI::App& app, RunArguments& run) {
  CLI::App& command =
      *app.add_subcommand("run", "runs a pipeline to the end of its input, or until it is stopped");
  add_pipeline(command, run.pipeline);
  add_limit(command, run.limit);
  command.add_flag("--fail-fast", run.fail_fast, "ends the run at the first rejected item");
  command.add_flag("--overwrite", run.overwrite, "replaces output files that are there");
  add_word_option(command, "--progress", run.progress,
                  Words<ProgressMode>{{"auto", ProgressMode::kAuto},
                                      {"tty", ProgressMode::kTty},
                                      {"plain", ProgressMode::kPlain},
                                      {"json", ProgressMode::kJson},
                                      {"off", ProgressMode::kOff}},
                  "how progress is shown on stderr; auto: on a terminal only");
  command
      .add_option("--drain-timeout", run.drain_timeout,
                  "how long the first SIGINT or SIGTERM waits for what is on its way (30s)")
      ->type_name("TIME");
  add_word_option(command, "--log-level", run.log_level,
                  Words<LogLevel>{{"debug", LogLevel::kDebug},
                                  {"info", LogLevel::kInfo},
                                  {"warning", LogLevel::kWarning},
                                  {"error", LogLevel::kError}},
                  "the least that is logged (info)");
  add_word_option(command, "--log-format", run.log_format,
                  Words<LogFormat>{{"text", LogFormat::kText}, {"json", LogFormat::kJson}},
                  "how it is logged (text)");
}

void add_check(CLI::App& app, CheckArguments& check) {
  CLI::App& command = *app.add_subcommand(
      "check", "finds everything that is wrong with pipelines, without running them");
  command
      .add_option("PATH", check.paths, "files, folders, and Markdown with pipelines in fenced yaml")
      ->required()
      ->type_name("FILE|DIR");
  add_outside_values(command, check.params, check.sets);
  add_word_option(command, "--format", check.format,
                  Words<CheckFormat>{{"text", CheckFormat::kText},
                                     {"json", CheckFormat::kJson},
                                     {"github", CheckFormat::kGithub}},
                  "how problems are written (text)");
}

void add_bench(CLI::App& app, BenchArguments& bench) {
  CLI::App& command = *app.add_subcommand(
      "bench", "runs a pipeline and shows what each node costs, and what the pipeline loses");
  add_pipeline(command, bench.pipeline);
  add_limit(command, bench.limit);
  command.add_flag("--overwrite", bench.overwrite, "replaces output files that are there");
  command
      .add_option("--warm-up", bench.warm_up,
                  "what comes before this time, and before the first item, is not measured (1s)")
      ->type_name("TIME");
  command.add_option("--time", bench.time, "stops the sources after measuring for so long (30s)")
      ->type_name("TIME");
  add_word_option(command, "--format", bench.format,
                  Words<BenchFormat>{{"text", BenchFormat::kText}, {"json", BenchFormat::kJson}},
                  "how the figures are written (text)");
}

void add_commands(CLI::App& app, Arguments& arguments) {
  add_run(app, arguments.run);
  add_bench(app, arguments.bench);
  add_check(app, arguments.check);
  add_pipeline(*app.add_subcommand(
                   "plan", "shows what is decided before a run: types, queues, memory, models"),
               arguments.plan);
  CLI::App& graph = *app.add_subcommand("graph", "draws a pipeline");
  add_pipeline(graph, arguments.graph);
  add_word_option(graph, "--format", arguments.graph_format,
                  Words<GraphFormat>{{"text", GraphFormat::kText},
                                     {"dot", GraphFormat::kDot},
                                     {"mermaid", GraphFormat::kMermaid},
                                     {"svg", GraphFormat::kSvg}},
                  "what to draw it as (text)");
  CLI::App& list = *app.add_subcommand("list", "lists the node types");
  add_word_option(
      list, "--format", arguments.list_format,
      Words<ListFormat>{{"text", ListFormat::kText}, {"markdown", ListFormat::kMarkdown}},
      "markdown: all that is known of each (text)");
  CLI::App& show =
      *app.add_subcommand("show", "shows a node type: ports, options, errors, an example");
  show.add_option("NODE", arguments.show_node, "a node type, such as image.decode")
      ->required()
      ->type_name("");
  app.add_subcommand("doctor", "shows what this machine and this program have");
  app.add_subcommand("version", "shows the version");
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

std::vector<std::string> flag_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
  }
  return names;
}

int unknown_argument(const CLI::App& command, const std::string& argument) {
  const std::string name = command.get_name();
  if (!argument.starts_with('-'))
    return usage_error(fmt::format("`sluice {}` does not take `{}`", name, argument));
  const std::string flag = argument.substr(0, argument.find('='));
  const std::string suggestion = did_you_mean(flag, flag_names(command));
  return usage_error(fmt::format(
      "unknown option `{}` for `sluice {}`{}", flag, name,
      suggestion.empty() ? fmt::format("; sluice {} --help lists them", name) : ": " + suggestion));
}

int unknown_command(const CLI::App& app, const std::string& word) {
  const bool is_flag = word.starts_with('-');
  const std::string suggestion = did_you_mean(word, is_flag ? flag_names(app) : command_names(app));
  return usage_error(fmt::format(
      "unknown {} `{}`{}", is_flag ? "option" : "command", word,
      suggestion.empty() ? "; commands: " + join_names(command_names(app)) : ": " + suggestion));
}

// What of a parse that failed a person should read. CLI11's own words are kept where they say
// enough.
int parse_error(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<CLI::App*> chosen = app.get_subcommands();
  const CLI::App& command = chosen.empty() ? app : *chosen.front();
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {
    return write_data(chosen.empty() ? app.help() : command.help("sluice"));
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    const std::vector<std::string> extras = app.remaining(true);
    if (!extras.empty()) return unknown_argument(command, extras.front());
  }
  const std::string_view message = error.what();
  if (message.ends_with('?')) return usage_error(message);
  return usage_error(fmt::format("{}; sluice {} --help tells more", message, command.get_name()));
}

int dispatch(const CLI::App& app, const Arguments& arguments) {
  const std::string name = app.get_subcommands().front()->get_name();
  if (name == "run") return run_command(arguments.run);
  if (name == "bench") return bench_command(arguments.bench);
  if (name == "check") return check_command(arguments.check);
  if (name == "plan") return plan_command(arguments.plan);
  if (name == "graph") return graph_command(arguments.graph, arguments.graph_format);
  if (name == "list") return list_command(arguments.list_format);
  if (name == "show") return show_command(arguments.show_node);
  if (name == "doctor") return doctor_command();
  return version_command();
}

int parse_and_dispatch(int argc, char** argv) {
  CLI::App app("Runs typed AI pipelines, declared in YAML.", "sluice");
  Arguments arguments;
  add_commands(app, arguments);
  app.set_version_flag("--version", "sluice " SLUICE_VERSION, "shows the version");
  app.require_subcommand(1);

  const std::string first = argc > 1 ? argv[1] : "";
  if (first.empty()) {
    return usage_error("no command; there are " + join_names(command_names(app)) +
                       "; sluice --help tells more");
  }
  const std::vector<std::string> commands = command_names(app);
  const bool known = std::find(commands.begin(), commands.end(), first) != commands.end() ||
                     first == "--help" || first == "-h" || first == "--version";
  if (!known) return unknown_command(app, first);

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForVersion& version) {
    return version_command();
  } catch (const CLI::ParseError& error) {
    return parse_error(app, error);
  }
  return dispatch(app, arguments);
}

}  // namespace

int cli_main(int argc, char** argv) {
  hold_closed_descriptors();
  // A reader that goes away is found by the write that fails, not by a signal that ends the
  // program.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return parse_and_dispatch(argc, argv);
  } catch (const std::exception& e) {
    write_message(fmt::format("error: {}\n", e.what()));
    return kExitFailed;
  }
}

}  // namespace sluice
