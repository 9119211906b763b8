#include "sluice/core/device.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <cstring>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

TEST(HostDevice, CopiesBetweenItsBuffers) {
  const Buffer from = *host_device().allocate(8, nullptr);
  Buffer to = *host_device().allocate(8, nullptr);
  std::memcpy(from.data(), "abcdefg", 8);

  const auto stream = *host_device().new_stream();
  EXPECT_THAT(stream->copy(from, 2, to, 0, 6), IsOk());

  EXPECT_STREQ(reinterpret_cast<const char*>(to.data()), "cdefg");
}

TEST(HostDevice, HasDoneItsWorkWhenTheCallReturns) {
  const auto stream = *host_device().new_stream();
  bool ran = false;

  EXPECT_THAT(stream->launch([&] { return ran = true, Status::ok(); }), IsOk());

  EXPECT_TRUE(ran);
  EXPECT_TRUE((*stream->record())->is_done());
  EXPECT_THAT(stream->wait(**stream->record()), IsOk());
}

TEST(HostDevice, ReportsAFailureToWhoeverWaits) {
  const auto stream = *host_device().new_stream();
  Status heard;

  EXPECT_FALSE(stream->launch([] { return internal("kernel.failed", "no"); }));
  stream->notify([&](Status status) { heard = status; });

  EXPECT_THAT(heard, FailsWith("kernel.failed"));
}

}  // namespace
}  // namespace sluice
