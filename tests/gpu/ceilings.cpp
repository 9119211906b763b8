// What the device and its libraries can do at most (M1), without anything of Sluice: products,
// copies, launches, and the ways to hear that work is done. The other sections are held against it.
//   gpu_ceilings [--quick]
#include "tests/gpu/support/arguments.h"
#include "tests/gpu/support/empty_kernel.h"
#include "tests/gpu/support/report.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>

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

double median_of(std::vector<double> values) {
  std::ranges::sort(values);
  return values.at(values.size() / 2);
}

// Ends a section; main reports it.
void check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string(call) + ": " + cudaGetErrorString(error));
  }
}
void check(cublasStatus_t status, const char* call) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw std::runtime_error(std::string(call) + ": " + cublasLtGetStatusString(status));
  }
}

class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) { check(cudaMalloc(&memory_, bytes), "cudaMalloc"); }
  ~DeviceMemory() { cudaFree(memory_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
};

class PinnedMemory {
 public:
  explicit PinnedMemory(std::size_t bytes) {
    check(cudaHostAlloc(&memory_, bytes, cudaHostAllocPortable), "cudaHostAlloc");
  }
  ~PinnedMemory() { cudaFreeHost(memory_); }
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  void* get() const { return memory_; }

 private:
  void* memory_ = nullptr;
};

// A stream, and events that tell the time.
class Timer {
 public:
  Timer() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaEventCreate(&begin_), "cudaEventCreate");
    check(cudaEventCreate(&end_), "cudaEventCreate");
  }
  ~Timer() {
    cudaEventDestroy(begin_);
    cudaEventDestroy(end_);
    cudaStreamDestroy(stream_);
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  cudaStream_t stream() const { return stream_; }

  // Seconds a piece of work, of which several are queued at once: the median of the rounds after
  // the first.
  double seconds(int rounds, int pieces, const std::function<void()>& queue) {
    std::vector<double> times;
    for (int round = 0; round <= rounds; ++round) {
      check(cudaEventRecord(begin_, stream_), "cudaEventRecord");
      for (int i = 0; i < pieces; ++i) queue();
      check(cudaEventRecord(end_, stream_), "cudaEventRecord");
      check(cudaEventSynchronize(end_), "cudaEventSynchronize");
      float ms = 0;
      check(cudaEventElapsedTime(&ms, begin_, end_), "cudaEventElapsedTime");
      if (round > 0) times.push_back(static_cast<double>(ms) / 1e3 / pieces);
    }
    return median_of(times);
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaEvent_t begin_ = nullptr, end_ = nullptr;
};

struct ProductType {
  const char* name;
  cudaDataType_t type;
  cublasComputeType_t compute;
  std::size_t bytes;
};

// Numbers that differ: zeros need less power, and so go faster than any real ones.
void fill(void* memory, std::size_t elements, const ProductType& type) {
  std::vector<std::uint8_t> bytes(elements * type.bytes);
  std::uint32_t seed = 1;
  for (std::size_t i = 0; i < elements; ++i) {
    seed = seed * 1664525 + 1013904223;
    // Of magnitude 0.5 to 1, of either sign: the exponent is set, all else is random.
    const std::uint32_t sign = seed & 0x80000000U, mantissa = seed >> 8 & 0x7FFFFFU;
    const std::uint32_t f32 = sign | 0x3F000000U | mantissa;
    const std::uint32_t f16 = sign >> 16 | 0x3800U | mantissa >> 13;
    const std::uint32_t word = type.type == CUDA_R_32F   ? f32
                               : type.type == CUDA_R_16F ? f16
                                                         : f32 >> 16;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&word), type.bytes,
                bytes.data() + i * type.bytes);
  }
  check(cudaMemcpy(memory, bytes.data(), bytes.size(), cudaMemcpyHostToDevice), "cudaMemcpy");
}

// Of square matrices, in TFLOP/s, with the algorithm that cublasLt would take first.
double product_tflops(const ProductType& type, std::uint64_t n, int rounds) {
  Timer timer;
  const DeviceMemory a(n * n * type.bytes), b(n * n * type.bytes), c(n * n * type.bytes);
  constexpr std::size_t kWorkspace = std::size_t{64} << 20;
  const DeviceMemory workspace(kWorkspace);
  fill(a.get(), n * n, type);
  fill(b.get(), n * n, type);
  cublasLtHandle_t handle = nullptr;
  cublasLtMatmulDesc_t product = nullptr;
  cublasLtMatrixLayout_t layout = nullptr;
  cublasLtMatmulPreference_t preference = nullptr;
  check(cublasLtCreate(&handle), "cublasLtCreate");
  check(cublasLtMatmulDescCreate(&product, type.compute, CUDA_R_32F), "cublasLtMatmulDescCreate");
  const cublasOperation_t transposed = CUBLAS_OP_T;
  check(cublasLtMatmulDescSetAttribute(product, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                       sizeof(transposed)),
        "cublasLtMatmulDescSetAttribute");
  check(cublasLtMatrixLayoutCreate(&layout, type.type, n, n, static_cast<std::int64_t>(n)),
        "cublasLtMatrixLayoutCreate");
  check(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                             &kWorkspace, sizeof(kWorkspace)),
        "cublasLtMatmulPreferenceSetAttribute");
  cublasLtMatmulHeuristicResult_t found{};
  int count = 0;
  check(cublasLtMatmulAlgoGetHeuristic(handle, product, layout, layout, layout, layout, preference,
                                       1, &found, &count),
        "cublasLtMatmulAlgoGetHeuristic");
  if (count == 0) throw std::runtime_error("cublasLt has no algorithm");
  const float one = 1, zero = 0;
  const double seconds = timer.seconds(rounds, 5, [&] {
    check(cublasLtMatmul(handle, product, &one, a.get(), layout, b.get(), layout, &zero, c.get(),
                         layout, c.get(), layout, &found.algo, workspace.get(), kWorkspace,
                         timer.stream()),
          "cublasLtMatmul");
  });
  cublasLtMatmulPreferenceDestroy(preference);
  cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulDescDestroy(product);
  cublasLtDestroy(handle);
  const auto size = static_cast<double>(n);
  return 2 * size * size * size / seconds / 1e12;
}

void measure_products(bool is_quick) {
  const ProductType types[] = {{"fp16", CUDA_R_16F, CUBLAS_COMPUTE_32F, 2},
                               {"bf16", CUDA_R_16BF, CUBLAS_COMPUTE_32F, 2},
                               {"tf32", CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32, 4},
                               {"fp32", CUDA_R_32F, CUBLAS_COMPUTE_32F, 4}};
  for (const ProductType& type : types) {
    const std::string name = std::string("m1.product.") + type.name;
    try {
      report(name, product_tflops(type, 8192, is_quick ? 3 : 10), "TFLOP/s");
    } catch (const std::exception& problem) {
      unmeasured(name, problem.what());
    }
  }
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
  section("m1.product*", [&] { measure_products(arguments.is_quick); });
  return 0;
}

}  // namespace
}  // namespace sluice::gpu_suite

int main(int count, char** words) {
  return sluice::gpu_suite::main_of(count, words, sluice::gpu_suite::run);
}
