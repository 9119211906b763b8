#include "sluice/runtime/lanes/sim_device.h"

#include "sluice/core/cuda_abi.h"

#include "tests/support/status_matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

namespace sluice {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using testing::FailsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;

constexpr std::size_t kBytes = 1'000;

// A device on which a copy of kBytes takes 10 us, a kernel 30, and nothing else anything.
SimOptions plain_options() {
  SimOptions options;
  options.issue_latency = 0us;
  options.copy_latency = 9us;
  options.bytes_per_ns = 1;
  options.cost = [](const Kernel&) { return SimCost{30us, 1.0}; };
  return options;
}

class SimDeviceTest : public ::testing::Test {
 protected:
  void open(const SimOptions& options) {
    device_ = std::make_unique<SimDevice>(clock_, options);
    pinned_ = range(MemoryKind::kPinned);
    memory_ = range(MemoryKind::kCuda);
  }
  BufferRange range(MemoryKind kind) {
    return {*device_->allocate(kind, kBytes, nullptr), 0, kBytes};
  }
  std::unique_ptr<Stream> stream() { return std::move(*device_->new_stream()); }
  std::unique_ptr<Event> recorded(Stream& stream) {
    std::unique_ptr<Event> event = std::move(*device_->new_event());
    EXPECT_THAT(stream.record(*event), IsOk());
    return event;
  }
  static Kernel kernel(std::function<Status()> run = [] { return Status::ok(); }) {
    return {"kernel", {}, {}, [run = std::move(run)](CUstream_st*) { return run(); }};
  }
  static bool is_done(Event& event) {
    const Result<bool> done = event.is_done();
    return done.is_ok() && *done;
  }
  // When the event will have come, from now on.
  Duration time_until(Event& event) {
    const TimePoint start = clock_->now();
    while (!is_done(event) && clock_->advance_to_next()) {
    }
    EXPECT_TRUE(is_done(event));
    return clock_->now() - start;
  }

  const std::shared_ptr<VirtualClock> clock_ = std::make_shared<VirtualClock>();
  std::unique_ptr<SimDevice> device_;
  BufferRange pinned_, memory_;
};

TEST_F(SimDeviceTest, GivesTheOperatorsItWasMadeWith) {
  const sluice_cuda_api api{};
  SimOptions options = plain_options();
  open(options);
  EXPECT_EQ(device_->operators(), nullptr);

  options.operators = &api;
  open(options);

  EXPECT_EQ(device_->operators(), &api);
}

TEST_F(SimDeviceTest, CopiesThereAndBackInItsTime) {
  open(plain_options());
  const BufferRange back = range(MemoryKind::kPinned);
  std::memset(pinned_.data(), 7, kBytes);
  const auto s = stream();

  EXPECT_THAT(s->copy(pinned_, memory_), IsOk());
  EXPECT_THAT(s->copy(memory_, back), IsOk());

  EXPECT_NE(std::to_integer<int>(back.data()[kBytes - 1]), 7);
  EXPECT_EQ(time_until(*recorded(*s)), 20us);
  EXPECT_EQ(std::to_integer<int>(back.data()[kBytes - 1]), 7);
  EXPECT_EQ(device_->stats().copying_in, 10us);
  EXPECT_EQ(device_->stats().copying_out, 10us);
}

TEST_F(SimDeviceTest, OverlapsCopiesInBothDirectionsAndKernels) {
  open(plain_options());
  const BufferRange other = range(MemoryKind::kCuda);
  const BufferRange back = range(MemoryKind::kPinned);
  const auto in = stream(), compute = stream(), out = stream();

  EXPECT_THAT(in->copy(pinned_, memory_), IsOk());
  EXPECT_THAT(compute->launch(kernel()), IsOk());
  EXPECT_THAT(out->copy(other, back), IsOk());

  EXPECT_EQ(time_until(*recorded(*in)), 10us);
  EXPECT_EQ(time_until(*recorded(*out)), 0us);
  EXPECT_EQ(time_until(*recorded(*compute)), 20us);
}

TEST_F(SimDeviceTest, CopiesOneAfterTheOtherInOneDirection) {
  open(plain_options());
  const BufferRange other = range(MemoryKind::kCuda);
  const auto a = stream(), b = stream();

  EXPECT_THAT(a->copy(pinned_, memory_), IsOk());
  EXPECT_THAT(b->copy(pinned_, other), IsOk());

  EXPECT_EQ(time_until(*recorded(*b)), 20us);
}

TEST_F(SimDeviceTest, RunsKernelsTogetherThatLeaveRoom) {
  SimOptions options = plain_options();
  options.cost = [](const Kernel&) { return SimCost{30us, 0.5}; };
  open(options);
  const auto a = stream(), b = stream(), c = stream();

  for (Stream* s : {a.get(), b.get(), c.get()}) EXPECT_THAT(s->launch(kernel()), IsOk());

  EXPECT_EQ(time_until(*recorded(*b)), 30us);
  EXPECT_EQ(time_until(*recorded(*c)), 30us);
  EXPECT_EQ(device_->stats().computing, 45us);
}

TEST_F(SimDeviceTest, MakesAStreamWaitForAnothersEvent) {
  open(plain_options());
  const auto a = stream(), b = stream();
  int value = 0, seen = 0;

  EXPECT_THAT(a->launch(kernel([&] { return value = 5, Status::ok(); })), IsOk());
  EXPECT_THAT(b->wait(*recorded(*a)), IsOk());  // an event may go before it has come
  EXPECT_THAT(b->launch(kernel([&] { return seen = value, Status::ok(); })), IsOk());

  EXPECT_EQ(time_until(*recorded(*b)), 60us);
  EXPECT_EQ(seen, 5);
}

TEST_F(SimDeviceTest, StartsNothingBeforeTheCallHasReachedIt) {
  SimOptions options = plain_options();
  options.issue_latency = 4us;
  open(options);
  const auto s = stream();

  EXPECT_THAT(s->launch(kernel()), IsOk());

  EXPECT_EQ(time_until(*recorded(*s)), 34us);
}

TEST_F(SimDeviceTest, DrawsDelaysFromItsSeed) {
  const auto time_with = [&](std::uint64_t seed) {
    SimOptions options = plain_options();
    options.jitter = 1.0;
    options.seed = seed;
    open(options);
    const auto s = stream();
    EXPECT_THAT(s->launch(kernel()), IsOk());
    return time_until(*recorded(*s));
  };

  const Duration first = time_with(1);

  EXPECT_GT(first, 30us);
  EXPECT_LT(first, 60us);
  EXPECT_EQ(time_with(1), first);
  EXPECT_NE(time_with(2), first);
}

TEST_F(SimDeviceTest, FindsAKernelThatDoesNotWaitForItsInput) {
  open(plain_options());
  const auto in = stream(), compute = stream();
  const std::array reads{memory_};

  EXPECT_THAT(in->copy(pinned_, memory_), IsOk());
  EXPECT_THAT(compute->launch({"conv", reads, {}, [](CUstream_st*) { return Status::ok(); }}),
              IsOk());

  EXPECT_THAT(device_->races(),
              ElementsAre("not ordered: `conv` reads device memory 2, which `copy in` writes"));
}

TEST_F(SimDeviceTest, FindsAHostThatReadsBeforeItAsked) {
  open(plain_options());
  const auto out = stream();
  EXPECT_THAT(out->copy(memory_, pinned_), IsOk());
  const auto event = recorded(*out);
  clock_->advance(1ms);

  device_->on_host_access(pinned_, Access::kRead);  // it is there; but nobody said so
  EXPECT_THAT(device_->races(), ElementsAre(HasSubstr("`the host` reads pinned memory")));

  EXPECT_TRUE(is_done(*event));
  device_->on_host_access(pinned_, Access::kRead);
  EXPECT_EQ(device_->races().size(), 1u);
}

TEST_F(SimDeviceTest, FindsMemoryThatGoesWhileItIsUsed) {
  open(plain_options());
  const auto in = stream();
  EXPECT_THAT(in->copy(pinned_, memory_), IsOk());

  pinned_ = {};
  clock_->advance(1ms);  // and the copy harms nobody

  EXPECT_THAT(device_->races(), ElementsAre(HasSubstr("released too early: pinned memory 1")));
}

TEST_F(SimDeviceTest, CopiesNoPageableMemory) {
  open(plain_options());
  const BufferRange pageable{*Buffer::allocate(kBytes), 0, kBytes};

  EXPECT_THAT(stream()->copy(pageable, memory_), FailsWith("device.memory"));
}

TEST_F(SimDeviceTest, RefusesWhatItIsToldTo) {
  SimOptions options = plain_options();
  options.errors.refused_launches = {2};
  options.errors.refused_copies = {1};
  open(options);
  const auto s = stream();

  EXPECT_THAT(s->copy(pinned_, memory_), FailsWith("device.copy"));
  EXPECT_THAT(s->launch(kernel()), IsOk());
  EXPECT_THAT(s->launch(kernel()), FailsWith("device.launch"));
  EXPECT_THAT(s->launch(kernel()), IsOk());

  EXPECT_EQ(time_until(*recorded(*s)), 60us);
}

TEST_F(SimDeviceTest, ReportsWhatFailedByTheNextEventOnly) {
  SimOptions options = plain_options();
  options.errors.failing_launches = {1};
  open(options);
  const auto s = stream();
  bool ran = false;

  EXPECT_THAT(s->launch(kernel([&] { return ran = true, Status::ok(); })), IsOk());
  const auto first = recorded(*s);
  EXPECT_THAT(s->launch(kernel([] { return invalid("mine", "no"); })), IsOk());
  const auto second = recorded(*s);
  const auto third = recorded(*s);
  clock_->advance(1ms);

  EXPECT_THAT(first->is_done(), FailsWith("device.launch"));
  EXPECT_THAT(second->is_done(), FailsWith("mine"));
  EXPECT_TRUE(is_done(*third));
  EXPECT_FALSE(ran);
  EXPECT_THAT(device_->failure(), IsOk());
}

TEST_F(SimDeviceTest, IsLostForGood) {
  SimOptions options = plain_options();
  options.errors.lost_at_launch = 2;
  open(options);
  const auto s = stream();
  int ran = 0;

  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(s->launch(kernel([&] { return ++ran, Status::ok(); })), IsOk());
  }
  const auto event = recorded(*s);
  clock_->advance(1ms);

  EXPECT_EQ(ran, 1);
  EXPECT_THAT(event->is_done(), FailsWith("device.lost"));
  EXPECT_THAT(device_->failure(), FailsWith("device.lost"));
  EXPECT_THAT(s->launch(kernel()), FailsWith("device.lost"));
  EXPECT_THAT(s->copy(pinned_, memory_), FailsWith("device.lost"));
  EXPECT_THAT(s->record(*event), FailsWith("device.lost"));
  EXPECT_THAT(device_->new_stream(), FailsWith("device.lost"));
  EXPECT_THAT(device_->allocate(MemoryKind::kCuda, 8, nullptr), FailsWith("device.lost"));
}

TEST_F(SimDeviceTest, SaysWhoIsStuck) {
  SimOptions options = plain_options();
  options.errors.hung_launches = {1};
  open(options);
  const auto a = stream(), b = stream();

  EXPECT_THAT(a->launch(kernel()), IsOk());
  EXPECT_THAT(b->wait(*recorded(*a)), IsOk());
  const auto event = recorded(*b);
  clock_->advance(1s);

  EXPECT_FALSE(is_done(*event));
  EXPECT_THAT(device_->stuck(), ElementsAre("stream 1 hangs in `kernel`",
                                            "stream 2 waits for an event that does not come"));
  device_->end_hung();
  EXPECT_EQ(time_until(*event), 0us);
  EXPECT_THAT(device_->stuck(), IsEmpty());
}

TEST_F(SimDeviceTest, HasAsMuchMemoryAsItIsGiven) {
  SimOptions options = plain_options();
  options.errors.memory_bytes = 3 * kBytes;
  open(options);
  const auto budget = std::make_shared<MemoryBudget>(kBytes / 2);

  EXPECT_THAT(device_->allocate(MemoryKind::kCuda, kBytes + 1, nullptr),
              FailsWith("memory.exhausted"));
  EXPECT_THAT(device_->allocate(MemoryKind::kCuda, kBytes, budget), FailsWith("memory.limit"));
  {
    Result<Buffer> buffer = device_->allocate(MemoryKind::kCuda, kBytes / 2, budget);
    ASSERT_THAT(buffer, IsOk());
    EXPECT_EQ(buffer->kind(), MemoryKind::kCuda);
    EXPECT_EQ(budget->used_bytes(), kBytes / 2);
    EXPECT_EQ(device_->stats().allocated_bytes, 2 * kBytes + kBytes / 2);
  }
  EXPECT_EQ(budget->used_bytes(), 0u);
  EXPECT_EQ(device_->stats().allocated_bytes, 2 * kBytes);
}

TEST_F(SimDeviceTest, MayGoBeforeItsWorkIsDone) {
  open(plain_options());
  const auto s = stream();
  EXPECT_THAT(s->launch(kernel()), IsOk());
  const auto event = recorded(*s);

  device_.reset();

  EXPECT_EQ(time_until(*event), 30us);
}

}  // namespace
}  // namespace sluice
