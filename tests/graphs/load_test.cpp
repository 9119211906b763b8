#include "sluice/graphs/load.h"

#include "sluice/graphs/make_plan.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>

namespace sluice {
namespace {

std::string path_of(const Plan& plan, std::size_t node, std::size_t option) {
  return std::get<Path>(plan.nodes[node].options.values[option]).text;
}

TEST(Load, SaysWhyAFileCannotBeRead) {
  EXPECT_EQ(plan_file("no/such.yaml").diagnostics.render(),
            "error[SL0101]: cannot read no/such.yaml: No such file or directory\n");
  EXPECT_EQ(plan_file(SLUICE_SOURCE_DIR).diagnostics.render(),
            std::string("error[SL0101]: cannot read ") + SLUICE_SOURCE_DIR + ": Is a directory\n");
}

TEST(Load, RefusesFilesOverOneMebibyte) {
  const Checked<GraphSpec> graph = load_text(std::string((1 << 20) + 1, ' '), "big.yaml");

  ASSERT_EQ(graph.diagnostics.items.size(), 1u);
  EXPECT_EQ(graph.diagnostics.items[0].code, "SL0116");
}

TEST(Load, RefusesMoreNodesThanItCanPlan) {
  std::string text = "nodes:\n";
  for (int i = 0; i < 5000; ++i)
    text +=
        "  n" + std::to_string(i) + ": {type: test.both, from: n" + std::to_string(i + 1) + "}\n";

  EXPECT_EQ(load_text(text, "many.yaml").diagnostics.items.at(0).code, "SL0220");
}

TEST(Load, PlansALongCycleWithoutRunningOutOfStack) {
  std::string text = "nodes:\n";
  for (int i = 0; i < 4000; ++i)
    text += "  n" + std::to_string(i) + ": {type: test.both, from: n" +
            std::to_string((i + 1) % 4000) + "}\n";

  const Checked<Plan> plan = plan_text(text, "long.yaml");

  ASSERT_EQ(plan.diagnostics.items.size(), 1u);
  EXPECT_EQ(plan.diagnostics.items[0].code, "SL0310");
}

TEST(Load, MakesPathsRelativeToTheFileAndGivenOnesToTheWorkingDirectory) {
  const std::string text =
      "params: { in: scans, out: out }\n"
      "nodes:\n"
      "  files: { type: test.source, glob: \"${params.in}/*.jpg\" }\n"
      "  a: { type: test.write, from: files, path: \"${params.out}/a.jsonl\" }\n"
      "  b: { type: test.write, from: files, path: /abs/b.jsonl }\n";

  const Checked<Plan> plan = plan_text(text, "jobs/ocr/ocr.yaml", {{{"out", "here"}}, {}, {}});

  ASSERT_TRUE(plan.value) << plan.diagnostics.render();
  EXPECT_EQ(path_of(*plan.value, 0, 0), "jobs/ocr/scans/*.jpg");
  EXPECT_EQ(path_of(*plan.value, 1, 0), "here/a.jsonl");
  EXPECT_EQ(path_of(*plan.value, 2, 0), "/abs/b.jsonl");
}

TEST(Load, KeepsGivenValuesFromBecomingHolesOrStructure) {
  const std::string text =
      "params: { name: x }\n"
      "nodes:\n"
      "  values: { type: test.values, text: \"${params.name}\", label: "
      "\"${params.name}-${item.index}-$$\" }\n"
      "  out: { type: test.discard, from: values }\n";

  const Checked<Plan> plan =
      plan_text(text, "a.yaml", {{{"name", "${item.key}, flag: true }"}}, {}, {}});

  ASSERT_TRUE(plan.value) << plan.diagnostics.render();
  const Options& options = plan.value->nodes[0].options;
  EXPECT_EQ(std::get<std::string>(options.values[3]), "${item.key}, flag: true }");
  EXPECT_EQ(std::get<Template>(options.values[10]).expand({"k", 0, 7}),
            "${item.key}, flag: true }-7-$");
}

TEST(Load, ReadsYamlBehindAByteOrderMarkAndCarriageReturns) {
  const std::string text =
      "\xEF\xBB\xBFnodes:\r\n  v: { type: test.values }\r\n  out: { type: test.discard, from: v, "
      "width: 3 }\r\n";

  const Checked<Plan> plan = plan_text(text, "crlf.yaml");

  ASSERT_EQ(plan.diagnostics.items.size(), 1u);
  EXPECT_EQ(plan.diagnostics.items[0].code, "SL0204");
  EXPECT_EQ(plan.diagnostics.items[0].mark.line, 3);
  EXPECT_EQ(plan.diagnostics.items[0].mark.column, 39);
}

// Bytes that are cut, swapped and repeated must give problems, never a crash or a hang.
TEST(Load, SurvivesDamagedFiles) {
  std::ifstream stream(std::filesystem::path(SLUICE_SOURCE_DIR) /
                       "tests/cases/graphs/good_ocr.yaml");
  const std::string good((std::istreambuf_iterator<char>(stream)), {});
  ASSERT_FALSE(good.empty());
  std::uint32_t state = 12345;
  const auto random = [&](std::size_t below) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % below;
  };
  constexpr std::string_view kSpecial = "{}[]:,'\"\n\t#&*!|>$%@- ?\\\xff";
  for (int round = 0; round < 1500; ++round) {
    std::string text = good;
    for (std::size_t i = 0; i < 1 + random(4); ++i) {
      const std::size_t at = random(text.size());
      switch (random(4)) {
        case 0:
          text[at] = kSpecial[random(kSpecial.size())];
          break;
        case 1:
          text.erase(at, 1 + random(20));
          break;
        case 2:
          text.insert(at, 1, kSpecial[random(kSpecial.size())]);
          break;
        default:
          text.insert(at, text.substr(random(text.size()), random(40)));
          break;
      }
    }
    const Checked<Plan> plan = plan_text(text, "damaged.yaml");
    EXPECT_NE(plan.value.has_value(), plan.diagnostics.has_errors()) << text;
    plan.diagnostics.render();
  }
}

TEST(Load, IsQuickOnManyKeys) {
  std::string text = "params:\n";
  for (int i = 0; text.size() < 1'000'000; ++i) text += "  k" + std::to_string(i) + ": 1\n";
  text += "nodes: { v: { type: test.values }, out: { type: test.discard, from: v } }\n";

  EXPECT_TRUE(plan_text(text, "keys.yaml").value);
}

}  // namespace
}  // namespace sluice
