#include "tests/cuda/plans.h"

#include "sluice/runtime/cuda/libraries/attention.h"
#include "sluice/runtime/cuda/libraries/convolution.h"

#include <dlfcn.h>

#include <fstream>
#include <iterator>

namespace sluice::cuda::testing {

void PrintTo(const Device& device, std::ostream* out) { *out << device.file; }

LaneResources lane_of(const Device& device) {
  std::ifstream file(std::string(SLUICE_SOURCE_DIR "/tests/gpu/devices/") + device.file);
  EXPECT_TRUE(file.is_open()) << device.file;
  LaneResources lane;
  lane.cudnn.device_properties.assign(std::istreambuf_iterator<char>(file), {});
  lane.cudnn.workspace_bytes = std::uint64_t{32} << 20;
  return lane;
}

void PrintTo(const Planned& planned, std::ostream* out) {
  *out << (planned.outcome.is_ok() ? planned.name : planned.outcome.message);
}

Planned planned(const LaneResources& lane, const sluice_cuda_op& op) {
  MadeLibraryOperator made =
      op.kind == SLUICE_CUDA_OP_ATTENTION ? make_attention(lane, op) : make_convolution(lane, op);
  if (!made.outcome.is_ok()) return {std::move(made.outcome), {}};
  Outcome outcome = Outcome::unsupported("no way");
  for (std::size_t way = 0; way < made.made->ways() && !outcome.is_ok(); ++way) {
    outcome = made.made->select(way);
  }
  return {std::move(outcome), made.made->name()};
}

bool has_driver_library() {
  static void* const library = [] {
    void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
#ifdef SLUICE_CUDA_STUB
    // Loaded by its path once, it is found by the name that it says it has.
    if (driver == nullptr) driver = dlopen(SLUICE_CUDA_STUB, RTLD_NOW | RTLD_LOCAL);
#endif
    return driver;
  }();
  return library != nullptr;
}

}  // namespace sluice::cuda::testing
