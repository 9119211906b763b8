#pragma once

#include "sluice/runtime/cuda/lane_resources.h"
#include "sluice/runtime/cuda/plan_cache.h"

#include <memory>
#include <utility>

struct CUstream_st;

namespace sluice::cuda {

// What one line of work on a device needs: handles of cuDNN's and cublasLt's, a workspace, and a
// stream to time things on. Lifetime: outlives what is compiled for it. Threads: one at a time.
class Lane {
 public:
  struct Opened {
    Outcome outcome;
    std::unique_ptr<Lane> lane;  // if it went well
  };
  // A workspace of 0 bytes is one of 32 MiB. Blocks: for the device. Errors: out of memory, failed.
  static Opened open(int device, const sluice_cuda_lane_options& options);
  // REQUIRES: the work of its operators is done, or the device is lost. Blocks: for the device.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  int device() const { return device_; }
  const LaneResources& resources() const { return resources_; }
  const sluice_cuda_lane_options& options() const { return options_; }
  CUstream_st* timing_stream() const { return timing_stream_; }
  PlanCache& plan_cache() const { return *plan_cache_; }

  // Has the lane's operators use another workspace, of the same size, as long as it lives.
  class OtherWorkspace {
   public:
    OtherWorkspace(Lane& lane, void* workspace)
        : lane_(lane), own_(std::exchange(lane.resources_.workspace, workspace)) {}
    ~OtherWorkspace() { lane_.resources_.workspace = own_; }
    OtherWorkspace(const OtherWorkspace&) = delete;
    OtherWorkspace& operator=(const OtherWorkspace&) = delete;

   private:
    Lane& lane_;
    void* const own_;
  };

 private:
  Lane(int device, const sluice_cuda_lane_options& options);
  Outcome open();
  Outcome open_libraries();
  Outcome open_plan_cache();

  const int device_;
  sluice_cuda_lane_options options_;
  LaneResources resources_;
  CUstream_st* timing_stream_ = nullptr;
  PlanCache* plan_cache_ = nullptr;  // shared by the lanes of a device
};

// The calling thread's device from here on.
Outcome use_device(int device);

}  // namespace sluice::cuda
