#include "sluice/core/cuda_ready.h"

#include "sluice/core/dlpack.h"
#include "sluice/runtime/lanes/cuda_device.h"

#include "tests/runtime/lanes/fake_cuda.h"
#include "tests/support/status_matchers.h"

#include <gtest/gtest.h>

#include <array>
#include <utility>

// Tensors of other libraries that are still being written on a stream of theirs.

namespace sluice {
namespace {

using testing::FailsWith;
using testing::FakeCuda;
using testing::IsOk;

// Three floats in a GPU's memory, and a count of how often they were given back.
struct Foreign {
  std::array<float, 3> values{1, 2, 3};
  std::int64_t shape[1] = {3};
  int deleted = 0;
  DLManagedTensor managed{
      {values.data(), {2, 1}, 1, {2, 32, 1}, shape, nullptr, 0}, this, [](DLManagedTensor* self) {
        ++static_cast<Foreign*>(self->manager_ctx)->deleted;
      }};
};

CUstream_st* some_stream() {
  static int stream;
  return reinterpret_cast<CUstream_st*>(&stream);
}

TEST(CudaReady, StandsForWhatTheStreamWasGiven) {
  FakeCuda cuda;
  {
    const auto ready = CudaReady::record(cuda.api(), 1, some_stream());

    ASSERT_THAT(ready, IsOk());
    EXPECT_EQ(cuda.calls("event_record"), 1);
    EXPECT_EQ(cuda.last_device(), 1);
    EXPECT_THAT((*ready)->hold_back(some_stream()), IsOk());
    EXPECT_EQ(cuda.calls("stream_wait"), 1);
  }
  EXPECT_EQ(cuda.left(), 0u);
}

TEST(CudaReady, TellsOfFailures) {
  FakeCuda cuda;
  cuda.answer("event_create", SLUICE_CUDA_OUT_OF_MEMORY);
  EXPECT_THAT(CudaReady::record(cuda.api(), 0, nullptr), FailsWith("memory.exhausted"));
  cuda.answer("event_create", SLUICE_CUDA_OK);
  cuda.answer("event_record", SLUICE_CUDA_LOST);
  EXPECT_THAT(CudaReady::record(cuda.api(), 0, nullptr), FailsWith("device.lost"));
  EXPECT_EQ(cuda.left(), 0u);
}

TEST(CudaReady, HoldsAGpusStreamsBack) {
  FakeCuda cuda;
  const auto device = std::make_shared<CudaDevice>(cuda.api(), 0);
  const auto stream = *device->new_stream();
  const auto ready = *CudaReady::record(cuda.api(), 1, some_stream());

  EXPECT_THAT(stream->wait(*ready), IsOk());
  EXPECT_EQ(cuda.calls("stream_wait"), 1);
}

TEST(DLPackOnADevice, IsReadAfterItsWriter) {
  FakeCuda cuda;
  Foreign foreign;
  {
    const Tensor tensor = *from_dlpack(&foreign.managed, some_stream(), cuda.api());
    EXPECT_EQ(tensor.buffer().kind(), MemoryKind::kCuda);
    EXPECT_EQ(tensor.buffer().ordinal(), 1);
    ASSERT_NE(tensor.buffer().ready(), nullptr);
    EXPECT_EQ(cuda.calls("event_record"), 1);

    DLManagedTensor* const exported = *to_dlpack(tensor, some_stream());
    EXPECT_EQ(cuda.calls("stream_wait"), 1);
    EXPECT_EQ(exported->dl_tensor.device.device_type, 2);
    EXPECT_EQ(exported->dl_tensor.device.device_id, 1);
    EXPECT_EQ(exported->dl_tensor.data, foreign.values.data());
    exported->deleter(exported);
    EXPECT_EQ(foreign.deleted, 0);
  }
  EXPECT_EQ(foreign.deleted, 1);
  EXPECT_EQ(cuda.left(), 0u);
}

TEST(DLPackOnADevice, IsThereWithoutAStream) {
  Foreign foreign;
  const Tensor tensor = *from_dlpack(&foreign.managed);

  EXPECT_EQ(tensor.buffer().kind(), MemoryKind::kCuda);
  EXPECT_EQ(tensor.buffer().ready(), nullptr);
}

TEST(DLPackOnADevice, IsGivenBackWhereTheDeviceFails) {
  FakeCuda cuda;
  cuda.answer("event_record", SLUICE_CUDA_FAILED);
  Foreign foreign;

  EXPECT_FALSE(from_dlpack(&foreign.managed, some_stream(), cuda.api()));
  EXPECT_EQ(foreign.deleted, 1);
}

}  // namespace
}  // namespace sluice
