#include "sluice/runtime/cuda/lane.h"

#include "sluice/runtime/cuda/error.h"

#include <cublasLt.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <sstream>

namespace sluice::cuda {
namespace {

constexpr std::uint64_t kDefaultWorkspaceBytes = std::uint64_t{32} << 20;

// "NVIDIA H100 80GB HBM3" as a part of a file's name.
std::string as_file_name(std::string name) {
  const auto is_plain = [](char letter) {
    return (letter >= '0' && letter <= '9') || (letter >= 'a' && letter <= 'z') ||
           (letter >= 'A' && letter <= 'Z') || letter == '.';
  };
  std::ranges::replace_if(
      name, [&](char letter) { return !is_plain(letter); }, '-');
  return name;
}

// One for each file, or for each device where there is none; lives to the end of the process.
PlanCache& shared_plan_cache(int device, const std::string& file, const std::string& header) {
  static std::mutex& mutex = *new std::mutex;
  static auto& caches = *new std::map<std::pair<int, std::string>, std::unique_ptr<PlanCache>>;
  const std::scoped_lock lock(mutex);
  std::unique_ptr<PlanCache>& cache = caches[{file.empty() ? device : -1, file}];
  if (!cache) cache = std::make_unique<PlanCache>(file, header);
  return *cache;
}

}  // namespace

Outcome use_device(int device) { return outcome_of(cudaSetDevice(device), "cudaSetDevice"); }

Lane::Lane(int device, const sluice_cuda_lane_options& options)
    : device_(device), options_(options) {
  if (options_.workspace_bytes == 0) options_.workspace_bytes = kDefaultWorkspaceBytes;
  resources_.cudnn.workspace_bytes = options_.workspace_bytes;
  resources_.cudnn.allow_tf32 = options_.allow_tf32 != 0;
}

Lane::Opened Lane::open(int device, const sluice_cuda_lane_options& options) {
  std::unique_ptr<Lane> lane(new Lane(device, options));
  Outcome outcome = lane->open();
  lane->options_.cache_folder = nullptr;  // the caller's string, which need not live on
  if (!outcome.is_ok()) return {std::move(outcome), nullptr};
  return {Outcome::ok(), std::move(lane)};
}

Outcome Lane::open() {
  if (Outcome failed = use_device(device_); !failed.is_ok()) return failed;
  if (Outcome failed =
          outcome_of(cudaMalloc(&resources_.workspace, options_.workspace_bytes),
                     "cudaMalloc of a workspace of " +
                         size_text(static_cast<std::size_t>(options_.workspace_bytes)));
      !failed.is_ok()) {
    return failed;
  }
  constexpr std::size_t kZeroBytes = LaneResources::kZeroBytes;
  if (Outcome failed = outcome_of(cudaMalloc(&resources_.zeros, kZeroBytes), "cudaMalloc of zeros");
      !failed.is_ok()) {
    return failed;
  }
  if (Outcome failed = outcome_of(cudaStreamCreateWithFlags(&timing_stream_, cudaStreamNonBlocking),
                                  "cudaStreamCreateWithFlags");
      !failed.is_ok()) {
    return failed;
  }
  // Waits, so that no stream of the lane can be earlier than the zeros.
  if (Outcome failed = outcome_of(cudaMemsetAsync(resources_.zeros, 0, kZeroBytes, timing_stream_),
                                  "cudaMemsetAsync");
      !failed.is_ok()) {
    return failed;
  }
  if (Outcome failed = outcome_of(cudaStreamSynchronize(timing_stream_), "cudaStreamSynchronize");
      !failed.is_ok()) {
    return failed;
  }
  if (Outcome failed = open_libraries(); !failed.is_ok()) return failed;
  return open_plan_cache();
}

Outcome Lane::open_libraries() {
  // cuDNN loads its libraries in the first call, and does not like two of them at once.
  static std::mutex& one_at_a_time = *new std::mutex;
  const std::scoped_lock lock(one_at_a_time);
  const cudnnStatus_t dnn = cudnnCreate(&resources_.cudnn.handle);
  if (dnn != CUDNN_STATUS_SUCCESS) {
    return Outcome::failed(std::string("cudnnCreate: ") + cudnnGetErrorString(dnn));
  }
  const cublasStatus_t lt = cublasLtCreate(&resources_.cublaslt);
  if (lt != CUBLAS_STATUS_SUCCESS) {
    return Outcome::failed(std::string("cublasLtCreate: ") + cublasLtGetStatusString(lt));
  }
  return Outcome::ok();
}

// A file a device, so that one folder does for a machine with several kinds, and for a home folder
// that several machines share.
Outcome Lane::open_plan_cache() {
  cudaDeviceProp properties = {};
  if (Outcome failed =
          outcome_of(cudaGetDeviceProperties(&properties, device_), "cudaGetDeviceProperties");
      !failed.is_ok()) {
    return failed;
  }
  std::ostringstream header;
  header << "sluice plans 1, " << properties.name << ", compute capability " << properties.major
         << '.' << properties.minor << ", cudnn " << cudnnGetVersion() << " by its front end "
         << cudnn_front_end_version() << ", cublaslt " << cublasLtGetVersion();
  std::string file;
  if (options_.cache_folder != nullptr && *options_.cache_folder != '\0') {
    const std::string name = as_file_name(properties.name) + ".plans";
    file = (std::filesystem::path(options_.cache_folder) / name).string();
  }
  plan_cache_ = &shared_plan_cache(device_, file, header.str());
  return Outcome::ok();
}

// What fails here can only be a lost device, of which the caller has heard already.
Lane::~Lane() {
  cudaSetDevice(device_);
  if (resources_.cublaslt != nullptr) cublasLtDestroy(resources_.cublaslt);
  if (resources_.cudnn.handle != nullptr) cudnnDestroy(resources_.cudnn.handle);
  if (timing_stream_ != nullptr) cudaStreamDestroy(timing_stream_);
  cudaFree(resources_.zeros);
  cudaFree(resources_.workspace);
  cudaGetLastError();
}

}  // namespace sluice::cuda
