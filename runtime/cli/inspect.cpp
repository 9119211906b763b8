#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/render.h"
#include "sluice/runtime/cli/commands.h"
#include "sluice/runtime/cli/output.h"

#include <optional>

namespace sluice {
namespace {

// The plan of a file; says what is wrong with it on stderr.
std::optional<Plan> planned(const PipelineArguments& arguments) {
  std::optional<LoadOptions> options = load_options(arguments.params, arguments.sets);
  if (!options) return std::nullopt;
  Checked<Plan> plan = plan_file_overwriting(arguments.file, *options);
  write_message(plan.diagnostics.render());
  return std::move(plan.value);
}

std::string rendered(const Plan& plan, GraphFormat format) {
  switch (format) {
    case GraphFormat::kText:
      return render_text(plan);
    case GraphFormat::kDot:
      return render_dot(plan);
    case GraphFormat::kMermaid:
      return render_mermaid(plan);
    case GraphFormat::kSvg:
      return render_svg(plan);
  }
  return {};
}

}  // namespace

int plan_command(const PipelineArguments& arguments) {
  const std::optional<Plan> plan = planned(arguments);
  return plan ? write_data(render_plan(*plan)) : kExitUsage;
}

int graph_command(const PipelineArguments& arguments, GraphFormat format) {
  const std::optional<Plan> plan = planned(arguments);
  return plan ? write_data(rendered(*plan, format)) : kExitUsage;
}

std::optional<LoadOptions> load_options(const std::vector<std::string>& params,
                                        const std::vector<std::string>& sets) {
  LoadOptions options;
  options.sets = sets;
  for (const std::string& param : params) {
    const std::size_t equals = param.find('=');
    if (equals == std::string::npos || equals == 0) {
      usage_error("-p wants name=value, found `" + param + "`");
      return std::nullopt;
    }
    options.params.emplace_back(param.substr(0, equals), param.substr(equals + 1));
  }
  return options;
}

Checked<Plan> plan_file_overwriting(const std::string& path, const LoadOptions& options) {
  Checked<std::string> text = read_graph_text(path);
  if (!text.value) return {std::nullopt, std::move(text.diagnostics)};
  return plan_text_overwriting(*text.value, path, options);
}

Checked<Plan> plan_text_overwriting(const std::string& text, const std::string& file,
                                    LoadOptions options) {
  const Checked<GraphSpec> graph = load_text_leniently(text, file, options);
  if (graph.value) {
    for (const NodeDecl& node : graph.value->nodes) {
      const NodeType* type = find_node_type(node.type);
      if (type && type->spec->find_option("overwrite"))
        options.sets.push_back("nodes." + node.name + ".overwrite=true");
    }
  }
  return plan_text(text, file, options);
}

}  // namespace sluice
