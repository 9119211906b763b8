// What goes wrong on purpose (M14); faults.py runs it and holds the time.
//   gpu_faults memory    a program wants more memory than there is; then one that does not works
//   gpu_faults sticky    an operator writes where there is no memory: all fails, nothing hangs
//   gpu_faults load      prints READY once lanes are under load, and goes on until SIGINT
#include "sluice/core/cuda_status.h"

#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/lane_sections.h"
#include "tests/gpu/support/load.h"
#include "tests/gpu/support/report.h"

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <semaphore>
#include <thread>

namespace sluice::gpu_suite {
namespace {

// Takes one f32 and gives one; a fault on the way, if it is told to.
class FaultyProgram final : public DeviceProgram {
 public:
  FaultyProgram(Device& device, std::size_t arena_bytes, const std::atomic<bool>& is_broken)
      : device_(device), arena_bytes_(arena_bytes), is_broken_(is_broken) {}
  ~FaultyProgram() override {
    if (compiled_ != nullptr) api().compiled_destroy(compiled_);
    if (lane_ != nullptr) api().lane_destroy(lane_);
  }

  Status open() {
    const sluice_cuda_lane_options options{};
    Status status = cuda_status(api(), api().lane_create(device_.ordinal(), &options, &lane_));
    if (!status.is_ok()) return status;
    // Every second element, so that it is a kernel that reads, and no copy of CUDA's.
    sluice_cuda_op op{};
    op.kind = SLUICE_CUDA_OP_MAP;
    op.inputs = op.outputs = 1;
    for (sluice_cuda_view* view : {&op.in[0], &op.out[0]}) {
      view->type = SLUICE_CUDA_F32;
      view->rank = 1;
      view->dims[0] = kCount / 2;
      view->strides[0] = 2;
    }
    return cuda_status(api(), api().compile(lane_, &op, &compiled_));
  }

  std::string_view name() const override { return "faulty"; }
  Result<Plan> plan(std::span<const Tensor>) override {
    return Plan{{{DType::kF32, Shape{kCount}}}, arena_bytes_, nullptr};
  }
  Status run(const Run& run) override {
    const void* const nowhere = reinterpret_cast<const void*>(8);
    const void* const input = is_broken_ ? nowhere : run.inputs[0].raw();
    void* const output = run.outputs[0].raw();
    return cuda_status(api(), api().run(compiled_, run.stream, &input, &output));
  }

  static constexpr std::int64_t kCount = 1024;

 private:
  const sluice_cuda_api& api() const { return *device_.operators(); }

  Device& device_;
  const std::size_t arena_bytes_;
  const std::atomic<bool>& is_broken_;
  sluice_cuda_lane* lane_ = nullptr;
  sluice_cuda_compiled* compiled_ = nullptr;
};

Result<std::unique_ptr<LaneSet>> faulty_lanes(const Rig& rig, std::size_t arena_bytes,
                                              const std::atomic<bool>& is_broken) {
  auto program = std::make_shared<FaultyProgram>(*rig.device, arena_bytes, is_broken);
  if (Status status = program->open(); !status.is_ok()) return status;
  return open_lanes(rig, {program}, 1, 2);
}

std::vector<Tensor> one_input() {
  Tensor tensor = *Tensor::allocate(DType::kF32, Shape{FaultyProgram::kCount});
  for (float& value : tensor.span<float>()) value = 1;
  return {tensor};
}

int fail(const std::string& what) {
  std::fprintf(stderr, "gpu_faults: %s\n", what.c_str());
  return 1;
}

// That it failed for this reason, and how long it took.
int report_fault(const std::string& name, const Status& status, std::string_view reason,
                 TimePoint begin) {
  if (status.reason() != reason) {
    return fail(name + ": expected " + std::string(reason) + ", got " +
                (status.is_ok() ? "ok" : std::string(status.reason()) + ": " + status.message()));
  }
  std::fprintf(stderr, "%s\n", status.message().c_str());
  report(name, seconds_since(begin), "s");
  return 0;
}

int out_of_memory(Rig& rig) {
  const std::atomic<bool> is_broken{false};
  constexpr std::size_t kTooMuch = std::size_t{1} << 42;
  const Result<std::unique_ptr<LaneSet>> set = faulty_lanes(rig, kTooMuch, is_broken);
  if (!set) return fail(set.status().message());
  const TimePoint begin = now();
  const Status status = through(**set, one_input())();
  const int outcome = report_fault("m14.out_of_memory", status, "memory.exhausted", begin);
  const Result<std::unique_ptr<LaneSet>> smaller = faulty_lanes(rig, 1024, is_broken);
  if (!smaller) return fail(smaller.status().message());
  const Status after = through(**smaller, one_input())();
  return after.is_ok() ? outcome : fail("after it: " + after.message());
}

int sticky_error(Rig& rig) {
  std::atomic<bool> is_broken{false};
  const Result<std::unique_ptr<LaneSet>> set = faulty_lanes(rig, 1024, is_broken);
  if (!set) return fail(set.status().message());
  if (const Status status = through(**set, one_input())(); !status.is_ok()) {
    return fail("before it: " + status.message());
  }
  is_broken = true;
  const TimePoint begin = now();
  // Several at once: what waits has to fail, too.
  const LoadResult result =
      put_load({8, 0, 10}, [&](std::size_t) { return through(**set, one_input()); });
  const int outcome = report_fault("m14.sticky", result.status, "device.lost", begin);
  is_broken = false;
  const Status after = through(**set, one_input())();
  return after.reason() == "device.lost" ? outcome : fail("the device is not lost for good");
}

// For `load`, which waits for one: before there are other threads, so that none of them takes it.
sigset_t hold_interrupts() {
  sigset_t interrupts;
  sigemptyset(&interrupts);
  sigaddset(&interrupts, SIGINT);
  pthread_sigmask(SIG_BLOCK, &interrupts, nullptr);
  return interrupts;
}

int load(LaneBench& bench, const sigset_t& interrupts) {
  const auto programs = bench.programs(4);
  if (!programs) return fail(programs.status().message());
  const Result<std::vector<Tensor>> inputs = bench.inputs(bench.batch(64));
  if (!inputs) return fail(inputs.status().message());
  const Result<std::unique_ptr<LaneSet>> set = open_lanes(bench.rig(), *programs, 4, 2);
  if (!set) return fail(set.status().message());
  constexpr int kCallers = 64;
  std::counting_semaphore<> came_back(0);
  LoadResult result;
  std::jthread callers([&] {
    result = put_load({kCallers, 0, 60}, [&](std::size_t) -> Call {
      return [&came_back, call = through(**set, *inputs)] {
        Status status = call();
        came_back.release();
        return status;
      };
    });
  });
  for (int i = 0; i < kCallers; ++i) came_back.acquire();
  std::puts("READY");
  std::fflush(stdout);
  int signal = 0;
  sigwait(&interrupts, &signal);
  (*set)->cancel(Status(Code::kCancelled, "run.interrupted", "SIGINT"));
  callers.join();
  return result.status.reason() == "run.interrupted" ? 130 : fail(result.status.message());
}

int run(const Arguments& arguments) {
  const std::string what = arguments.names.empty() ? "" : arguments.names.front();
  const sigset_t interrupts = what == "load" ? hold_interrupts() : sigset_t{};
  Result<Rig> rig = open_rig(arguments.device);
  if (!measured("m14.*", rig.status())) return kNoDevice;
  if (what == "memory") return out_of_memory(*rig);
  if (what == "sticky") return sticky_error(*rig);
  LaneBench bench(*rig, arguments);
  if (what == "load") return load(bench, interrupts);
  fail("which fault? memory, sticky or load");
  return 2;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
