// What the device and its libraries can do at most (M1), without anything of Sluice: products,
// copies, launches, and the ways to hear that work is done. The other sections are held against it.
//   gpu_ceilings [--quick]
#include "tests/gpu/ceilings_products.h"
#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/empty_kernel.h"
#include "tests/gpu/support/raw_cuda.h"
#include "tests/gpu/support/report.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <vector>

namespace sluice::gpu_suite {
namespace {

using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void measure_copies(bool is_quick) {
  constexpr std::size_t kBytes = std::size_t{1} << 28;
  Timer timer;
  const DeviceMemory one(4 * kBytes), other(4 * kBytes);
  const PinnedMemory pinned(kBytes);
  std::vector<char> pageable(kBytes, 1);
  const int rounds = is_quick ? 3 : 8;
  check(cudaMemset(one.get(), 1, 4 * kBytes), "cudaMemset");
  const auto rate = [&](void* to, const void* from, std::size_t bytes) {
    return static_cast<double>(bytes) / timer.seconds(rounds, 4, [&] {
      check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, timer.stream()), "cudaMemcpyAsync");
    });
  };
  report("m1.copy.device", 2 * rate(other.get(), one.get(), 4 * kBytes) / 1e12,
         "TB/s, read and written");
  report("m1.copy.in.pinned", rate(one.get(), pinned.get(), kBytes) / 1e9, "GB/s");
  report("m1.copy.out.pinned", rate(pinned.get(), one.get(), kBytes) / 1e9, "GB/s");
  report("m1.copy.in.pageable", rate(one.get(), pageable.data(), kBytes) / 1e9, "GB/s");
  report("m1.copy.out.pageable", rate(pageable.data(), one.get(), kBytes) / 1e9, "GB/s");
}

constexpr int kLaunches = 500;

void measure_launches() {
  Timer timer;
  const auto time_of = [&](const std::function<void()>& launch) {
    launch();
    check(cudaStreamSynchronize(timer.stream()), "cudaStreamSynchronize");
    const auto begin = Clock::now();
    for (int i = 0; i < kLaunches; ++i) launch();
    const double submitted = us_since(begin) / kLaunches;
    check(cudaStreamSynchronize(timer.stream()), "cudaStreamSynchronize");
    return std::pair(submitted, us_since(begin) / kLaunches);
  };
  const auto kernel = time_of([&] { check(launch_empty_kernel(timer.stream()), "a launch"); });
  report("m1.launch.submit", kernel.first, "us");
  report("m1.launch.done", kernel.second, "us");

  constexpr int kKernels = 50;
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t recorded = nullptr;
  check(cudaStreamBeginCapture(timer.stream(), cudaStreamCaptureModeThreadLocal), "a capture");
  for (int i = 0; i < kKernels; ++i) check(launch_empty_kernel(timer.stream()), "a launch");
  check(cudaStreamEndCapture(timer.stream(), &graph), "cudaStreamEndCapture");
  check(cudaGraphInstantiate(&recorded, graph, 0), "cudaGraphInstantiate");
  const auto whole =
      time_of([&] { check(cudaGraphLaunch(recorded, timer.stream()), "cudaGraphLaunch"); });
  report("m1.graph.submit", whole.first, "us, 50 kernels");
  report("m1.graph.done", whole.second, "us, 50 kernels");
  cudaGraphExecDestroy(recorded);
  cudaGraphDestroy(graph);
}

// From the launch of an empty kernel until the host knows that it is done.
void measure_notice(const char* name, unsigned flags,
                    const std::function<void(cudaEvent_t)>& wait) {
  Timer timer;
  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | flags), "cudaEventCreate");
  std::vector<double> times;
  for (int i = 0; i < kLaunches; ++i) {
    const auto begin = Clock::now();
    check(launch_empty_kernel(timer.stream()), "a launch");
    check(cudaEventRecord(event, timer.stream()), "cudaEventRecord");
    wait(event);
    times.push_back(us_since(begin));
  }
  cudaEventDestroy(event);
  std::ranges::sort(times);
  report(std::string("m1.notice.") + name + ".p50", times[times.size() / 2], "us");
  report(std::string("m1.notice.") + name + ".p99", times[times.size() * 99 / 100], "us");
}

void measure_notices() {
  measure_notice("query", 0, [](cudaEvent_t event) {
    cudaError_t error = cudaErrorNotReady;
    while ((error = cudaEventQuery(event)) == cudaErrorNotReady) {
    }
    check(error, "cudaEventQuery");
  });
  const auto synchronize = [](cudaEvent_t event) {
    check(cudaEventSynchronize(event), "cudaEventSynchronize");
  };
  measure_notice("synchronize", 0, synchronize);
  measure_notice("blocking", cudaEventBlockingSync, synchronize);

  Timer timer;
  std::atomic<bool> is_told{false};
  std::vector<double> times;
  for (int i = 0; i < kLaunches; ++i) {
    is_told = false;
    const auto begin = Clock::now();
    check(launch_empty_kernel(timer.stream()), "a launch");
    check(cudaLaunchHostFunc(
              timer.stream(),
              [](void* told) { static_cast<std::atomic<bool>*>(told)->store(true); }, &is_told),
          "cudaLaunchHostFunc");
    while (!is_told.load(std::memory_order_acquire)) {
    }
    times.push_back(us_since(begin));
  }
  report("m1.notice.host_function.p50", median_of(times), "us");
  check(cudaStreamSynchronize(timer.stream()), "cudaStreamSynchronize");

  cudaEvent_t event = nullptr;
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  check(cudaEventRecord(event, timer.stream()), "cudaEventRecord");
  check(cudaEventSynchronize(event), "cudaEventSynchronize");
  const auto begin = Clock::now();
  for (int i = 0; i < kLaunches; ++i) check(cudaEventQuery(event), "cudaEventQuery");
  report("m1.query", us_since(begin) / kLaunches, "us, of an event that is done");
  cudaEventDestroy(event);
}

template <class F>
void section(const char* pattern, const F& measure) {
  try {
    measure();
  } catch (const std::exception& problem) {
    unmeasured(pattern, problem.what());
  }
}

int run(const Arguments& arguments) {
  int devices = 0;
  const cudaError_t error = cudaGetDeviceCount(&devices);
  if (error != cudaSuccess || devices == 0) {
    unmeasured("m1.*", error == cudaSuccess ? "no GPU" : cudaGetErrorString(error));
    return kNoDevice;
  }
  section("m1.launch*", measure_launches);
  section("m1.notice*", measure_notices);
  section("m1.copy*", [&] { measure_copies(arguments.is_quick); });
  measure_products(arguments.is_quick);
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
