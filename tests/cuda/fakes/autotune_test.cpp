#include "sluice/runtime/cuda/autotune.h"

#include "tests/cuda/fakes/fake_runtime.h"
#include "tests/cuda/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace sluice::cuda {
namespace {

using ::testing::Eq;
using testing::fake_runtime;
using testing::FakeRuntime;
using ::testing::Optional;

// What runs of the fake operators did.
struct Runs {
  int count = 0;
  std::vector<const void*> workspaces;
};

// One whose ways take the times given; a negative one cannot be selected, 0 fails when it is run.
class TimedOperator final : public LibraryOperator {
 public:
  TimedOperator(std::string library, std::vector<float> ways, const LaneResources& lane, Runs& runs)
      : library_(std::move(library)), ways_(std::move(ways)), lane_(lane), runs_(runs) {}

  const char* name() const override { return library_.c_str(); }
  std::size_t ways() const override { return ways_.size(); }
  Outcome select(std::size_t way) override {
    if (ways_[way] < 0) return Outcome::unsupported("none");
    selected_ = way;
    return Outcome::ok();
  }
  std::string way() const override { return library_ + " " + std::to_string(selected_); }
  Outcome select(const std::string& way) override {
    for (std::size_t i = 0; i < ways_.size(); ++i) {
      if (way == library_ + " " + std::to_string(i)) return select(i);
    }
    return Outcome::unsupported("not mine");
  }
  Outcome run(CUstream_st*, const void* const* inputs, void* const* outputs) override {
    ++runs_.count;
    runs_.workspaces.push_back(lane_.workspace);
    // Writes all of its output, and reads its inputs' ends: they are there.
    static_cast<char*>(outputs[0])[2 * 64 * 16 - 1] = static_cast<const char*>(inputs[1])[0];
    fake_runtime().now_ms += ways_[selected_];
    return ways_[selected_] == 0 ? failure : Outcome::ok();
  }

  Outcome failure = Outcome::failed("cannot");

 private:
  const std::string library_;
  const std::vector<float> ways_;
  const LaneResources& lane_;
  Runs& runs_;
  std::size_t selected_ = 0;
};

class Autotune : public ::testing::Test {
 protected:
  Autotune() {
    fake_runtime() = FakeRuntime();
    lane_ = Lane::open(0, {4096, 1, 1, nullptr}).lane;
    // The cache is the device's: each test asks another question.
    question_ = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  ~Autotune() override {
    lane_.reset();
    EXPECT_TRUE(fake_runtime().is_clean());
  }

  using Candidates = std::vector<std::unique_ptr<LibraryOperator>>;
  std::unique_ptr<TimedOperator> timed(std::string library, std::vector<float> ways) {
    return std::make_unique<TimedOperator>(std::move(library), std::move(ways), lane_->resources(),
                                           runs_);
  }
  // The way that is chosen of these, or why none is.
  std::string chosen(const std::vector<float>& first, const std::vector<float>& second = {}) {
    Candidates candidates;
    candidates.push_back(timed("first", first));
    if (!second.empty()) candidates.push_back(timed("second", second));
    const Made made = fastest(op_, question_, candidates, *lane_);
    return made.outcome.is_ok() ? static_cast<LibraryOperator&>(*made.made).way()
                                : made.outcome.message;
  }

  std::unique_ptr<Lane> lane_;
  std::string question_;
  Runs runs_;
  const sluice_cuda_op op_ = testing::matmul(SLUICE_CUDA_F16, 1, 64, 8, 16);
};

TEST_F(Autotune, ChoosesTheFastestOfAll) {
  EXPECT_EQ(chosen({5, 3, 4}, {9, 2}), "second 1");
  EXPECT_EQ(runs_.count, 5 * 6);
}

TEST_F(Autotune, AsksTheCacheTheSecondTime) {
  chosen({5, 3, 4});
  runs_.count = 0;
  EXPECT_EQ(chosen({5, 3, 4}), "first 1");
  EXPECT_EQ(runs_.count, 0);
  EXPECT_THAT(lane_->plan_cache().find(question_), Optional(Eq("first 1")));
}

TEST_F(Autotune, TimesAgainWhatTheCacheKnowsWrongly) {
  lane_->plan_cache().keep(question_, "other 7");
  EXPECT_EQ(chosen({5, 3}), "first 1");
  EXPECT_THAT(lane_->plan_cache().find(question_), Optional(Eq("first 1")));
}

TEST_F(Autotune, PassesOverWaysThatAreNoneOrFail) {
  EXPECT_EQ(chosen({-1, 0, 4, 3, -1}), "first 3");
}

TEST_F(Autotune, TimesEightWaysOfEach) {
  EXPECT_EQ(chosen({9, 9, 9, -1, 9, 9, 9, 9, 8, 1}), "first 8");
}

TEST_F(Autotune, LeavesTheLanesWorkspaceAlone) {
  const void* own = lane_->resources().workspace;
  chosen({5, 3});
  EXPECT_EQ(std::ranges::count(runs_.workspaces, own), 0);
  EXPECT_EQ(lane_->resources().workspace, own);
}

TEST_F(Autotune, TakesTheFirstWhereItCannotTime) {
  // cudaEventCreate twice, then the memory.
  fake_runtime().failing_call = static_cast<int>(fake_runtime().calls.size()) + 2;
  fake_runtime().failure = cudaErrorMemoryAllocation;

  EXPECT_EQ(chosen({-1, 5, 3}), "first 1");
  EXPECT_EQ(fake_runtime().calls.back(), "cudaMalloc");
  EXPECT_EQ(lane_->plan_cache().find(question_), std::nullopt);
}

TEST_F(Autotune, EndsWithTheDevice) {
  Candidates candidates;
  auto losing = timed("first", {0, 3});
  losing->failure = {SLUICE_CUDA_LOST, "gone"};
  candidates.push_back(std::move(losing));

  const Made made = fastest(op_, question_, candidates, *lane_);

  EXPECT_EQ(made.outcome.code, SLUICE_CUDA_LOST);
  EXPECT_EQ(runs_.count, 1);
}

TEST_F(Autotune, SaysWhyThereIsNoWay) { EXPECT_EQ(chosen({-1, -1}), "none"); }

}  // namespace
}  // namespace sluice::cuda
