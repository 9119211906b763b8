#include "sluice/core/device.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <cstring>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

class NobodysEvent final : public Event {
 public:
  Result<bool> is_done() override { return true; }
};

TEST(HostDevice, CopiesBetweenItsBuffers) {
  const Buffer from = *host_device().allocate(MemoryKind::kHost, 8, nullptr);
  const Buffer to = *host_device().allocate(MemoryKind::kPinned, 8, nullptr);
  std::memcpy(from.data(), "abcdefg", 8);

  const auto stream = *host_device().new_stream();
  EXPECT_THAT(stream->copy({from, 2, 6}, {to, 0, 6}), IsOk());

  EXPECT_STREQ(reinterpret_cast<const char*>(to.data()), "cdefg");
}

TEST(HostDevice, HasDoneItsWorkWhenTheCallReturns) {
  const auto stream = *host_device().new_stream();
  const auto event = *host_device().new_event();
  bool ran = false;

  EXPECT_THAT(
      stream->launch({"set", {}, {}, [&](CUstream_st*) { return ran = true, Status::ok(); }}),
      IsOk());

  EXPECT_TRUE(ran);
  EXPECT_THAT(stream->record(*event), IsOk());
  EXPECT_TRUE(*event->is_done());
  EXPECT_THAT(stream->wait(*event), IsOk());
}

TEST(HostDevice, ReportsAFailureByTheNextEventOnly) {
  const auto stream = *host_device().new_stream();
  const auto first = *host_device().new_event();
  const auto second = *host_device().new_event();
  const auto fail = [](CUstream_st*) { return internal("kernel.failed", "no"); };

  EXPECT_THAT(stream->launch({"fail", {}, {}, fail}), FailsWith("kernel.failed"));
  EXPECT_THAT(stream->record(*first), IsOk());
  EXPECT_THAT(stream->record(*second), IsOk());

  EXPECT_THAT(first->is_done(), FailsWith("kernel.failed"));
  EXPECT_THAT(second->is_done(), IsOk());
  EXPECT_THAT(host_device().failure(), IsOk());
}

TEST(HostDevice, RefusesWhatIsAnotherDevices) {
  const auto stream = *host_device().new_stream();
  NobodysEvent event;

  EXPECT_THAT(stream->wait(event), FailsWith("device.event"));
  EXPECT_THAT(stream->record(event), FailsWith("device.event"));
  EXPECT_THAT(host_device().allocate(MemoryKind::kCuda, 8, nullptr), FailsWith("device.memory"));
}

TEST(HostDevice, ChargesWhatItAllocates) {
  const auto budget = std::make_shared<MemoryBudget>(10);

  EXPECT_THAT(host_device().allocate(MemoryKind::kHost, 11, budget), FailsWith("memory.limit"));
  const Buffer buffer = *host_device().allocate(MemoryKind::kHost, 10, budget);

  EXPECT_EQ(budget->used_bytes(), 10u);
}

}  // namespace
}  // namespace sluice
