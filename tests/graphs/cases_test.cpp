#include "sluice/core/cuda_plugin.h"
#include "sluice/graphs/make_plan.h"
#include "sluice/graphs/render.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

// tests/cases/graphs/NAME.yaml is what a user wrote, NAME.txt beside it the whole answer: every
// problem as it is printed, or the plan. Comment lines of the form `# -p a=b`, `# --set a.b=c`, `#
// env A=b` at the top are what comes from outside the file, and `# cuda DRIVER PLUGIN` which of the
// libraries of tests/support/plugins are there; without it there is no GPU. SLUICE_UPDATE_CASES=1
// writes the answers anew.
namespace sluice {
namespace {

const std::filesystem::path kFolder =
    std::filesystem::path(SLUICE_SOURCE_DIR) / "tests/cases/graphs";

const std::string kFakes = SLUICE_FAKE_CUDA;

std::string read_file(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

LoadOptions options_in(const std::string& text) {
  LoadOptions options;
  std::map<std::string, std::string> environment;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with("# ");) {
    const std::size_t equals = line.find('=');
    if (line.starts_with("# -p ")) {
      options.params.emplace_back(line.substr(5, equals - 5), line.substr(equals + 1));
    } else if (line.starts_with("# --set ")) {
      options.sets.push_back(line.substr(8));
    } else if (line.starts_with("# env ")) {
      environment[line.substr(6, equals - 6)] = line.substr(equals + 1);
    }
  }
  options.environment = [environment](const std::string& name) {
    const auto found = environment.find(name);
    return found == environment.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
  return options;
}

// The way to a GPU that the text asks for.
CudaPlugin cuda_in(const std::string& text) {
  std::string driver = "nowhere", plugin = "nowhere";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && line.starts_with("# ");) {
    std::istringstream words(line.substr(2));
    std::string word;
    if (words >> word; word == "cuda") words >> driver >> plugin;
  }
  return CudaPlugin(
      {kFakes + "/" + driver + "/libcuda.so.1", {{kFakes + "/" + plugin}, false, false}});
}

std::string without_folder_of_fakes(std::string answer) {
  for (std::size_t at; (at = answer.find(kFakes)) != std::string::npos;)
    answer.replace(at, kFakes.size(), "FAKES");
  return answer;
}

// The program's own node types, which any new one would change, out of a list of all types.
std::string without_other_types(std::string answer) {
  for (const char* other : {"app_in, ", "app_out, "}) {
    for (std::size_t at; (at = answer.find(other)) != std::string::npos;)
      answer.erase(at, std::string(other).size());
  }
  return answer;
}

std::string answer_to(const std::filesystem::path& yaml) {
  const std::string text = read_file(yaml);
  const CudaPlugin cuda = cuda_in(text);
  LoadOptions options = options_in(text);
  options.cuda = &cuda;
  const Checked<Plan> plan = plan_text(text, yaml.filename().string(), options);
  EXPECT_NE(plan.value.has_value(), plan.diagnostics.has_errors());
  const std::string problems =
      without_folder_of_fakes(without_other_types(plan.diagnostics.render()));
  return plan.value ? problems + render_plan(*plan.value) : problems;
}

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

class GraphCase : public ::testing::TestWithParam<std::string> {};

TEST_P(GraphCase, IsAnsweredAsWritten) {
  const std::string answer = answer_to(kFolder / (GetParam() + ".yaml"));
  const std::filesystem::path expected = kFolder / (GetParam() + ".txt");
  if (std::getenv("SLUICE_UPDATE_CASES")) std::ofstream(expected, std::ios::binary) << answer;

  EXPECT_EQ(answer, read_file(expected));
}

INSTANTIATE_TEST_SUITE_P(Cases, GraphCase, ::testing::ValuesIn(case_names()),
                         [](const ::testing::TestParamInfo<std::string>& info) {
                           return info.param;
                         });

}  // namespace
}  // namespace sluice
