#include "tests/cli/program.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace sluice {
namespace {

TEST(Bench, SaysWhatEachNodeCostsAndWhatBoundsTheRate) {
  const testing::Workplace folder;

  const testing::Finished finished =
      testing::run("sluice bench lines.yaml --format json", folder.path());

  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const nlohmann::json figures = nlohmann::json::parse(finished.out);
  EXPECT_EQ(figures["pipeline"], "lines");
  EXPECT_EQ(figures["items"], 2);
  EXPECT_EQ(figures["warmed_up"], false);
  EXPECT_GT(figures["rate_over_ideal"], 0);
  EXPECT_GT(figures["end_to_end_p99_ns"], 0);
  ASSERT_EQ(figures["nodes"].size(), 2u);
  for (const nlohmann::json& node : figures["nodes"]) {
    EXPECT_EQ(node["calls"], 2) << node;
    EXPECT_GT(node["ns_per_item"], 0) << node;
    EXPECT_GE(node["call_p99_ns"], node["call_p50_ns"]) << node;
  }
}

TEST(Bench, MeasuresAnEndlessSourceForTheTimeAskedFor) {
  const testing::Workplace folder;

  const testing::Finished finished = testing::run(
      "yes | sluice bench lines.yaml -p input=/dev/stdin --set nodes.json.path=/dev/null "
      "--warm-up 20ms --time 50ms --format json",
      folder.path());

  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const nlohmann::json figures = nlohmann::json::parse(finished.out);
  EXPECT_EQ(figures["warmed_up"], true);
  EXPECT_GT(figures["items"], 0);
  EXPECT_GE(figures["seconds"], 0.05);
}

TEST(Bench, ShowsATable) {
  const testing::Workplace folder;

  const testing::Finished finished = testing::run("sluice bench lines.yaml", folder.path());

  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.err, "");
  for (const char* part : {"lines: 2 items in ", "call p99", "bottleneck ", "rate over ideal "}) {
    EXPECT_NE(finished.out.find(part), std::string::npos) << part << "\n" << finished.out;
  }
}

TEST(Bench, RefusesATimeWithoutUnit) {
  const testing::Workplace folder;

  const testing::Finished finished =
      testing::run("sluice bench lines.yaml --time 5", folder.path());

  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_NE(finished.err.find("--time"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace sluice
