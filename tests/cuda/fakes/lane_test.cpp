#include "sluice/runtime/cuda/lane.h"

#include "sluice/runtime/cuda/capture.h"

#include "tests/cuda/fakes/fake_runtime.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cuda {
namespace {

using testing::fake_runtime;
using testing::FakeRuntime;

class LaneOnFakes : public ::testing::Test {
 protected:
  LaneOnFakes() { fake_runtime() = FakeRuntime(); }
  ~LaneOnFakes() override { EXPECT_TRUE(fake_runtime().is_clean()); }

  const sluice_cuda_lane_options options_ = {0, 1, 0, nullptr};
};

TEST_F(LaneOnFakes, HasHandlesAWorkspaceAndZeros) {
  const Lane::Opened opened = Lane::open(3, options_);

  ASSERT_TRUE(opened.outcome.is_ok()) << opened.outcome.message;
  const LaneResources& resources = opened.lane->resources();
  EXPECT_TRUE(resources.can_run());
  EXPECT_NE(resources.cublaslt, nullptr);
  EXPECT_EQ(opened.lane->device(), 3);
  EXPECT_EQ(resources.cudnn.workspace_bytes, std::uint64_t{32} << 20);
  EXPECT_TRUE(fake_runtime().blocks.contains(resources.workspace));
  EXPECT_EQ(static_cast<const char*>(resources.zeros)[LaneResources::kZeroBytes - 1], 0);
}

TEST_F(LaneOnFakes, LeavesNothingBehindWhicheverCallFails) {
  ASSERT_TRUE(Lane::open(0, options_).outcome.is_ok());
  const auto calls =
      static_cast<int>(fake_runtime().calls.size()) - 1;  // but for the last one's end
  ASSERT_GE(calls, 9);
  for (int failing = 0; failing < calls; ++failing) {
    fake_runtime() = FakeRuntime();
    fake_runtime().failing_call = failing;
    fake_runtime().failure = cudaErrorMemoryAllocation;

    const Lane::Opened opened = Lane::open(0, options_);

    EXPECT_FALSE(opened.outcome.is_ok()) << failing;
    EXPECT_FALSE(opened.outcome.message.empty());
    EXPECT_EQ(opened.lane, nullptr);
    EXPECT_TRUE(fake_runtime().is_clean())
        << fake_runtime().calls[static_cast<std::size_t>(failing)];
  }
}

TEST_F(LaneOnFakes, SharesThePlanCacheOfItsDevice) {
  const Lane::Opened first = Lane::open(0, options_), second = Lane::open(0, options_);
  const Lane::Opened other = Lane::open(1, options_);
  EXPECT_EQ(&first.lane->plan_cache(), &second.lane->plan_cache());
  EXPECT_NE(&first.lane->plan_cache(), &other.lane->plan_cache());
}

TEST_F(LaneOnFakes, CapturesAndLaunches) {
  ASSERT_TRUE(CapturedGraph::begin(0, nullptr).is_ok());
  const CapturedGraph::Captured captured = CapturedGraph::end(0, nullptr);

  ASSERT_TRUE(captured.outcome.is_ok());
  EXPECT_TRUE(captured.graph->launch(nullptr).is_ok());
  EXPECT_EQ(fake_runtime().calls.back(), "cudaGraphLaunch");
}

TEST_F(LaneOnFakes, LeavesNoCaptureBehindThatFails) {
  for (const char* failing : {"cudaStreamEndCapture", "cudaGraphInstantiate"}) {
    fake_runtime() = FakeRuntime();
    ASSERT_TRUE(CapturedGraph::begin(0, nullptr).is_ok());
    // cudaSetDevice comes first
    fake_runtime().failing_call = static_cast<int>(fake_runtime().calls.size()) +
                                  (std::string(failing) == "cudaStreamEndCapture" ? 1 : 2);
    fake_runtime().failure = cudaErrorStreamCaptureInvalidated;

    const CapturedGraph::Captured captured = CapturedGraph::end(0, nullptr);

    EXPECT_EQ(captured.outcome.code, SLUICE_CUDA_FAILED);
    EXPECT_EQ(captured.graph, nullptr);
    EXPECT_EQ(fake_runtime().calls.back(), failing);
    EXPECT_TRUE(fake_runtime().is_clean());
  }
}

}  // namespace
}  // namespace sluice::cuda
