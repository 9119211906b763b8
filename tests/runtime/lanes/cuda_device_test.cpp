#include "sluice/runtime/lanes/cuda_device.h"

#include "sluice/runtime/lanes/lane_set.h"

#include "tests/runtime/lanes/fake_cuda.h"
#include "tests/runtime/lanes/lane_rig.h"
#include "tests/support/status_matchers.h"
#include "tests/support/tensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <ostream>
#include <string>

namespace sluice {
namespace {

using testing::FailsWith;
using testing::FakeCuda;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::ProgramLog;
using testing::SteppingClock;
using testing::tensor_of;
using testing::TriplingProgram;

constexpr std::size_t kBytes = 64;

class CudaDeviceTest : public ::testing::Test {
 protected:
  BufferRange range(MemoryKind kind) {
    return {*device_->allocate(kind, kBytes, nullptr), 0, kBytes};
  }
  static Kernel kernel(std::function<Status(CUstream_st*)> run) {
    return {"kernel", {}, {}, std::move(run)};
  }

  FakeCuda cuda_;
  std::shared_ptr<CudaDevice> device_ = std::make_shared<CudaDevice>(cuda_.api(), 1);
};

TEST_F(CudaDeviceTest, SaysWhichItIsAndWhatComputesOnIt) {
  EXPECT_EQ(device_->name(), "cuda:1");
  EXPECT_EQ(device_->ordinal(), 1);
  EXPECT_EQ(device_->memory(), MemoryKind::kCuda);
  EXPECT_EQ(device_->operators(), &cuda_.api());
  EXPECT_THAT(device_->failure(), IsOk());
}

TEST_F(CudaDeviceTest, GivesBackWhatItsObjectsHeldOnTheirDevice) {
  {
    const auto stream = device_->new_stream();
    const auto event = device_->new_event();
    const BufferRange memory = range(MemoryKind::kCuda), pinned = range(MemoryKind::kPinned);
    EXPECT_THAT(stream, IsOk());
    EXPECT_THAT(event, IsOk());
    EXPECT_EQ(memory.buffer.kind(), MemoryKind::kCuda);
    EXPECT_EQ(pinned.buffer.kind(), MemoryKind::kPinned);
    EXPECT_EQ(cuda_.left(), 4u);
    EXPECT_EQ(cuda_.pinned_blocks(), 1u);
    device_.reset();  // they may outlive it
  }

  EXPECT_EQ(cuda_.left(), 0u);
  EXPECT_EQ(cuda_.last_device(), 1);
}

TEST_F(CudaDeviceTest, ChargesTheBudgetForAsLongAsABufferLives) {
  const auto budget = std::make_shared<MemoryBudget>(100);
  {
    const auto buffer = device_->allocate(MemoryKind::kCuda, 80, budget);
    ASSERT_THAT(buffer, IsOk());
    EXPECT_EQ(budget->used_bytes(), 80u);
    EXPECT_THAT(device_->allocate(MemoryKind::kPinned, 30, budget),
                FailsWith("memory.limit", "cuda:1"));
  }
  cuda_.answer("allocate", SLUICE_CUDA_OUT_OF_MEMORY);

  EXPECT_THAT(device_->allocate(MemoryKind::kCuda, 80, budget), FailsWith("memory.exhausted"));

  EXPECT_EQ(budget->used_bytes(), 0u);
}

TEST_F(CudaDeviceTest, CopiesThereAndBack) {
  const auto stream = device_->new_stream();
  const BufferRange from = range(MemoryKind::kPinned), memory = range(MemoryKind::kCuda),
                    back = range(MemoryKind::kPinned);
  std::memset(from.data(), 7, kBytes);

  EXPECT_THAT((*stream)->copy(from, memory), IsOk());
  EXPECT_THAT((*stream)->copy(memory, back), IsOk());

  EXPECT_EQ(std::to_integer<int>(back.data()[kBytes - 1]), 7);
}

TEST_F(CudaDeviceTest, UploadsThroughTheTable) {
  const BufferRange memory = range(MemoryKind::kCuda);
  const std::vector<std::byte> bytes(kBytes, std::byte{7});

  EXPECT_THAT(device_->upload(memory, bytes.data()), IsOk());
  EXPECT_THAT(device_->upload({memory.buffer, kBytes, 0}, nullptr), IsOk());

  EXPECT_EQ(cuda_.calls("upload"), 1);
  EXPECT_EQ(memory.data()[kBytes - 1], std::byte{7});
}

TEST_F(CudaDeviceTest, TakesNoPageableMemoryAndNobodyElsesEvents) {
  CudaDevice other(cuda_.api(), 0);
  const auto stream = device_->new_stream();
  const auto host_event = host_device().new_event(), others_event = other.new_event();
  const BufferRange pageable{*Buffer::allocate(kBytes), 0, kBytes};

  EXPECT_THAT((*stream)->copy(pageable, range(MemoryKind::kCuda)), FailsWith("device.memory"));
  EXPECT_THAT((*stream)->copy(range(MemoryKind::kCuda), pageable), FailsWith("device.memory"));
  EXPECT_THAT((*stream)->record(**host_event), FailsWith("device.event"));
  EXPECT_THAT((*stream)->wait(**others_event), FailsWith("device.event"));
}

TEST_F(CudaDeviceTest, RunsAKernelAtOnceOnItsStream) {
  const auto stream = device_->new_stream();
  CUstream_st* given = nullptr;

  EXPECT_THAT((*stream)->launch(kernel([&](CUstream_st* on) {
    given = on;
    return invalid("program.failed", "not this one");
  })),
              FailsWith("program.failed"));

  EXPECT_NE(given, nullptr);
  EXPECT_THAT(device_->failure(), IsOk());
}

TEST_F(CudaDeviceTest, SaysOfAnEventThatItIsNotThereYet) {
  const auto event = device_->new_event();
  cuda_.answer("event_query", SLUICE_CUDA_NOT_READY);

  ASSERT_THAT((*event)->is_done(), IsOk());
  EXPECT_FALSE(*(*event)->is_done());
  cuda_.answer("event_query", SLUICE_CUDA_OK);
  EXPECT_TRUE(*(*event)->is_done());
}

TEST_F(CudaDeviceTest, KeepsWhatItsLossWasAndCallsNothingAnyMore) {
  const auto stream = device_->new_stream();
  const auto event = device_->new_event();
  cuda_.answer("event_query", SLUICE_CUDA_LOST);
  EXPECT_THAT((*event)->is_done(), FailsWith("device.lost", "cuda:1: event_query does not work"));
  cuda_.answer("event_query", SLUICE_CUDA_OK);
  const int calls = cuda_.calls();
  bool has_run = false;

  EXPECT_THAT(device_->failure(), FailsWith("device.lost", "event_query"));
  EXPECT_THAT((*event)->is_done(), FailsWith("device.lost", "event_query"));
  EXPECT_THAT((*stream)->record(**event), FailsWith("device.lost", "event_query"));
  EXPECT_THAT(device_->new_stream(), FailsWith("device.lost", "event_query"));
  EXPECT_THAT(device_->allocate(MemoryKind::kCuda, kBytes, nullptr), FailsWith("device.lost"));
  EXPECT_THAT((*stream)->launch(kernel([&](CUstream_st*) {
    has_run = true;
    return Status::ok();
  })),
              FailsWith("device.lost"));

  EXPECT_EQ(cuda_.calls(), calls);
  EXPECT_FALSE(has_run);
}

TEST_F(CudaDeviceTest, IsLostWhenAProgramSaysSo) {
  const auto stream = device_->new_stream();

  EXPECT_THAT((*stream)->launch(kernel([](CUstream_st*) {
    return Status(Code::kUnavailable, "device.lost", "an illegal address");
  })),
              FailsWith("device.lost"));

  EXPECT_THAT(device_->failure(), FailsWith("device.lost", "an illegal address"));
}

// What a function of the table gives, and what is made of it.
struct Mapping {
  int result;
  std::string reason;
};
std::ostream& operator<<(std::ostream& out, const Mapping& mapping) {
  return out << mapping.result << " is " << mapping.reason;
}

class CudaErrors : public CudaDeviceTest, public ::testing::WithParamInterface<Mapping> {
 protected:
  // The calls of a device, each by the function of the table that it comes to.
  void expect_failure(const std::string& function, const std::function<Status()>& call) {
    cuda_.answer(function, GetParam().result);
    EXPECT_THAT(call(), FailsWith(GetParam().reason, function + " does not work"));
    cuda_.answer(function, SLUICE_CUDA_OK);
  }
};

TEST_P(CudaErrors, AreTold) {
  const auto stream = device_->new_stream();
  const auto event = device_->new_event();
  const BufferRange memory = range(MemoryKind::kCuda), pinned = range(MemoryKind::kPinned);
  const std::map<std::string, std::function<Status()>> calls{
      {"allocate", [&] { return device_->allocate(MemoryKind::kCuda, 1, nullptr).status(); }},
      {"upload", [&] { return device_->upload(memory, pinned.data()); }},
      {"stream_create", [&] { return device_->new_stream().status(); }},
      {"event_create", [&] { return device_->new_event().status(); }},
      {"event_record", [&] { return (*stream)->record(**event); }},
      {"event_query", [&] { return (*event)->is_done().status(); }},
      {"stream_wait", [&] { return (*stream)->wait(**event); }},
      {"copy", [&] { return (*stream)->copy(memory, memory); }},
  };

  for (const auto& [function, call] : calls) expect_failure(function, call);

  EXPECT_THAT(device_->failure(), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Lanes, CudaErrors,
                         ::testing::Values(Mapping{SLUICE_CUDA_UNSUPPORTED, "device.unsupported"},
                                           Mapping{SLUICE_CUDA_OUT_OF_MEMORY, "memory.exhausted"},
                                           Mapping{SLUICE_CUDA_FAILED, "device.failed"},
                                           Mapping{4711, "device.failed"}));

// Lanes on such a device.
class CudaLanes : public CudaDeviceTest {
 protected:
  static constexpr int kElements = 32;

  CudaLanes() {
    std::vector<std::shared_ptr<DeviceProgram>> programs;
    for (int i = 0; i < 2; ++i) {
      programs.push_back(std::make_shared<TriplingProgram>(kElements, TriplingProgram::Items(),
                                                           std::make_shared<ProgramLog>()));
    }
    LaneOptions options;
    options.node = "tripler";
    lanes_ = std::move(*LaneSet::create(device_, poller_, std::move(programs), options));
  }

  void submit(int item) {
    LaneWork work;
    work.inputs.push_back(tensor_of<std::int32_t>({1}, {item}));
    work.done = [this, item](Status status, std::span<Tensor> outputs) {
      if (outputs.size() == 1 && outputs[0].data<std::int32_t>()[2] == 3 * item + 2) ++right_;
      told_.push_back(std::move(status));
    };
    lanes_->submit(std::move(work));
  }
  void settle() {
    while (!poller_->is_idle()) {
      if (poller_->step() == CompletionPoller::Turn::kAsked) clock_->advance(Duration(1000));
    }
  }

  const std::shared_ptr<SteppingClock> clock_ = std::make_shared<SteppingClock>();
  const std::shared_ptr<CompletionPoller> poller_ = std::make_shared<CompletionPoller>(clock_);
  std::unique_ptr<LaneSet> lanes_;
  std::vector<Status> told_;
  int right_ = 0;
};

TEST_F(CudaLanes, GiveEachItemWhatIsIts) {
  for (int item = 0; item < 20; ++item) submit(item);
  settle();

  EXPECT_EQ(right_, 20);
  EXPECT_EQ(lanes_->stats().most_in_flight, 4u);
  lanes_.reset();
  device_.reset();
  EXPECT_EQ(cuda_.left(), 0u);
}

TEST_F(CudaLanes, FailAllThatIsInFlightAndComesLaterWhenTheDeviceIsLost) {
  cuda_.answer("event_query", SLUICE_CUDA_NOT_READY);
  for (int item = 0; item < 6; ++item) submit(item);
  cuda_.answer("event_query", SLUICE_CUDA_LOST);
  settle();
  submit(6);

  ASSERT_EQ(told_.size(), 7u);
  for (const Status& status : told_) {
    EXPECT_THAT(status, FailsWith("device.lost", "event_query does not work"));
    EXPECT_THAT(status.message(), HasSubstr("node `tripler`"));
  }
}

TEST_F(CudaLanes, FailOneItemWhereOneCopyFails) {
  cuda_.answer("copy", SLUICE_CUDA_FAILED);
  submit(0);
  settle();
  cuda_.answer("copy", SLUICE_CUDA_OK);
  submit(1);
  settle();

  ASSERT_EQ(told_.size(), 2u);
  EXPECT_THAT(told_[0], FailsWith("device.failed", "copying in: copy does not work"));
  EXPECT_EQ(right_, 1);
}

}  // namespace
}  // namespace sluice
