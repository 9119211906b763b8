#include "sluice/runtime/lanes/devices.h"

#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::IsOk;

const std::string kFakes = SLUICE_FAKE_CUDA;

// Devices of a machine with two GPUs, the second of which runs no kernel.
class DevicesTest : public ::testing::Test {
 protected:
  const CudaPlugin cuda_{{kFakes + "/driver/libcuda.so.1", {{kFakes + "/plugin"}, false, false}}};
  Devices devices_{Clock::system(), cuda_};
};

TEST_F(DevicesTest, AreMadeOnceEach) {
  const auto sim = devices_.open("sim"), gpu = devices_.open("cuda:0");
  ASSERT_THAT(sim, IsOk());
  ASSERT_THAT(gpu, IsOk());

  EXPECT_EQ(sim->device->name(), "sim");
  EXPECT_EQ(gpu->device->name(), "cuda:0");
  EXPECT_EQ(gpu->device->operators(), *cuda_.api(0));
  EXPECT_EQ(devices_.open("cuda:0")->device, gpu->device);
  EXPECT_EQ(devices_.open("cuda")->device, gpu->device);
}

TEST_F(DevicesTest, SayWhyAGpuCannotBeUsed) {
  EXPECT_THAT(devices_.open("cuda:1"), FailsWith("device.unavailable", "none runs on cuda:1"));
  EXPECT_THAT(devices_.open("cuda:2"), FailsWith("device.unavailable", "there is no cuda:2"));
}

TEST_F(DevicesTest, KnowNoOthers) {
  for (const char* name : {"cpu", "cuda:", "cuda:x", "cuda:0x", "gpu"}) {
    EXPECT_THAT(devices_.open(name), FailsWith("device.unknown", name)) << name;
  }
}

}  // namespace
}  // namespace sluice
