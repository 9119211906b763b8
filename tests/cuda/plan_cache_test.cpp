#include "sluice/runtime/cuda/plan_cache.h"

#include "tests/support/temp_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace sluice::cuda {
namespace {

using sluice::testing::TempFolder;
using ::testing::Eq;
using ::testing::Optional;
using ::testing::StartsWith;

std::string read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(PlanCache, FindsInAnotherProcessWhatWasKept) {
  const TempFolder folder;
  const std::string file = folder.path("a/b/device.plans");
  PlanCache first(file, "device 1");
  EXPECT_EQ(first.find("conv"), std::nullopt);
  first.keep("conv", "cudnn 58");
  first.keep("matmul", "cublaslt 00ff");

  PlanCache second(file, "device 1");

  EXPECT_THAT(second.find("conv"), Optional(Eq("cudnn 58")));
  EXPECT_THAT(second.find("matmul"), Optional(Eq("cublaslt 00ff")));
  EXPECT_EQ(second.find("attention"), std::nullopt);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path("a/b")), {}), 1);
}

TEST(PlanCache, TakesTheLastOfTwoAnswers) {
  const TempFolder folder;
  const std::string file = folder.write("plans", "device 1\nconv\told\n\nconv\tnew\n");
  EXPECT_THAT(PlanCache(file, "device 1").find("conv"), Optional(Eq("new")));
}

TEST(PlanCache, PassesOverDamagedLines) {
  const TempFolder folder;
  const std::string file = folder.write(
      "plans", "device 1\nno tab\n\tno question\nno answer\t\n\n\nconv\tcudnn 58\nmatmul\tcut of");
  PlanCache cache(file, "device 1");

  EXPECT_THAT(cache.find("conv"), Optional(Eq("cudnn 58")));
  EXPECT_EQ(cache.find("no answer"), std::nullopt);
  EXPECT_EQ(cache.find(""), std::nullopt);
  EXPECT_EQ(cache.find("matmul"), std::nullopt);
}

// What a killed process left is not joined with what comes after it.
TEST(PlanCache, AddsAfterALineThatWasCutOff) {
  const TempFolder folder;
  const std::string file = folder.write("plans", "device 1\nmatmul\tcut of");
  PlanCache(file, "device 1").keep("conv", "cudnn 58");

  PlanCache cache(file, "device 1");

  EXPECT_THAT(cache.find("conv"), Optional(Eq("cudnn 58")));
  EXPECT_THAT(cache.find("matmul"), Optional(Eq("cut of")));  // a way that no library knows
}

TEST(PlanCache, DropsWhatOtherLibrariesWroteAndReplacesItThen) {
  const TempFolder folder;
  const std::string file = folder.write("plans", "device 1, cudnn 91800\nconv\tcudnn 1\n");
  PlanCache cache(file, "device 1, cudnn 91900");
  EXPECT_EQ(cache.find("conv"), std::nullopt);
  EXPECT_THAT(read(file), StartsWith("device 1, cudnn 91800\n"));

  cache.keep("conv", "cudnn 58");

  EXPECT_EQ(read(file), "device 1, cudnn 91900\nconv\tcudnn 58\n");
}

TEST(PlanCache, ReplacesWhatIsNoCache) {
  const TempFolder folder;
  for (const std::string_view text : {"", "\n", "device 1", "\x7f\x45\x4c\x46\n\n"}) {
    const std::string file = folder.write("plans", text);
    PlanCache cache(file, "device 1");
    EXPECT_EQ(cache.find("conv"), std::nullopt);
    cache.keep("conv", "cudnn 58");
    EXPECT_EQ(read(file), "device 1\nconv\tcudnn 58\n");
  }
}

TEST(PlanCache, KeepsForTheProcessWhereNothingCanBeWritten) {
  const TempFolder folder;
  const std::string in_the_way = folder.write("file", "");
  for (const std::string& file : {std::string(), in_the_way + "/plans", folder.path()}) {
    PlanCache cache(file, "device 1");
    cache.keep("conv", "cudnn 58");
    cache.keep("matmul", "cublaslt 0");
    EXPECT_THAT(cache.find("conv"), Optional(Eq("cudnn 58"))) << file;
  }
}

TEST(PlanCache, IsAddedToByManyAtOnce) {
  const TempFolder folder;
  const std::string file = folder.path("plans");
  PlanCache(file, "device 1").keep("first", "way");
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      PlanCache mine(file, "device 1");
      for (int k = 0; k < 50; ++k) mine.keep(std::to_string(i) + "." + std::to_string(k), "way");
    });
  }
  for (std::thread& thread : threads) thread.join();

  PlanCache cache(file, "device 1");
  for (int i = 0; i < 8; ++i) {
    for (int k = 0; k < 50; ++k) {
      EXPECT_TRUE(cache.find(std::to_string(i) + "." + std::to_string(k)));
    }
  }
}

}  // namespace
}  // namespace sluice::cuda
