#include "sluice/core/dlpack.h"

#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::tensor_of;
using testing::values_of;

// A tensor of another library: three floats, and a count of how often it was given back.
struct Foreign {
  float values[3] = {1, 2, 3};
  std::int64_t shape[1] = {3};
  int deleted = 0;
  DLManagedTensor managed{
      {values, {1, 0}, 1, {2, 32, 1}, shape, nullptr, 0}, this, [](DLManagedTensor* self) {
        ++static_cast<Foreign*>(self->manager_ctx)->deleted;
      }};
};

TEST(DLPack, PassesATensorThereAndBackWithoutACopy) {
  const Tensor tensor = tensor_of<std::int32_t>({2, 2}, {1, 2, 3, 4});

  const Tensor back = *from_dlpack(to_dlpack(tensor));

  EXPECT_EQ(back.raw(), tensor.raw());
  EXPECT_EQ(back.dtype(), DType::kI32);
  EXPECT_EQ(back.shape(), tensor.shape());
  EXPECT_TRUE(back.is_contiguous());
}

TEST(DLPack, KeepsTheBytesWhileAnExportLives) {
  auto tensor = std::make_unique<Tensor>(tensor_of<float>({2}, {5, 6}));
  DLManagedTensor* exported = to_dlpack(*tensor);
  tensor.reset();

  EXPECT_EQ(static_cast<float*>(exported->dl_tensor.data)[1], 6);
  exported->deleter(exported);
}

TEST(DLPack, GivesAForeignTensorBackAfterTheLastUser) {
  Foreign foreign;
  {
    const Tensor tensor = *from_dlpack(&foreign.managed);
    const Tensor copy = tensor;
    EXPECT_EQ(values_of<float>(copy), (std::vector<float>{1, 2, 3}));
    EXPECT_EQ(foreign.deleted, 0);
  }

  EXPECT_EQ(foreign.deleted, 1);
}

TEST(DLPack, RefusesWhatItCannotReadAndGivesItBackAtOnce) {
  Foreign on_gpu;
  on_gpu.managed.dl_tensor.device.device_type = 4;  // OpenCL
  Foreign vectors;
  vectors.managed.dl_tensor.dtype.lanes = 4;
  Foreign negative;
  negative.shape[0] = -1;

  EXPECT_THAT(from_dlpack(&on_gpu.managed), FailsWith("dlpack.device"));
  EXPECT_THAT(from_dlpack(&vectors.managed), FailsWith("dlpack.dtype"));
  EXPECT_THAT(from_dlpack(&negative.managed), FailsWith("dlpack.shape"));

  EXPECT_EQ(on_gpu.deleted + vectors.deleted + negative.deleted, 3);
}

}  // namespace
}  // namespace sluice
