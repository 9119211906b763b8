#include "sluice/runtime/cuda/error.h"

#include <array>
#include <cstdio>
#include <utility>

namespace sluice::cuda {
namespace {

thread_local std::string last_message;

int code_of(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return SLUICE_CUDA_OK;
    case cudaErrorNotReady:
      return SLUICE_CUDA_NOT_READY;
    case cudaErrorMemoryAllocation:
      return SLUICE_CUDA_OUT_OF_MEMORY;
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorJitCompilationDisabled:
    case cudaErrorNotSupported:
      return SLUICE_CUDA_UNSUPPORTED;
    // After these "the process is in an inconsistent state and any further CUDA work will return
    // the same error" (driver_types.h),
    case cudaErrorContained:
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorAssert:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorTensorMemoryLeak:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    // and after these nothing is left to work with.
    case cudaErrorCudartUnloading:
    case cudaErrorDevicesUnavailable:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorMpsConnectionFailed:
    case cudaErrorMpsRpcFailure:
    case cudaErrorUnknown:
      return SLUICE_CUDA_LOST;
    default:
      return SLUICE_CUDA_FAILED;
  }
}

}  // namespace

Outcome outcome_of(cudaError_t error, std::string_view call) {
  if (error == cudaSuccess) return Outcome::ok();
  // The runtime keeps the last error of a thread, where the check of a launch would find it.
  static_cast<void>(cudaGetLastError());
  if (error == cudaErrorNotReady) return {SLUICE_CUDA_NOT_READY, {}};
  return {code_of(error), std::string(call) + ": " + cudaGetErrorString(error) + " (" +
                              std::to_string(static_cast<int>(error)) + ": " +
                              cudaGetErrorName(error) + ")"};
}

std::string size_text(std::size_t bytes) {
  constexpr std::array kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  double amount = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < kUnits.size(); ++unit) amount /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", amount, kUnits[unit]);
  return text.data();
}

int report(Outcome outcome) {
  last_message = std::move(outcome.message);
  return outcome.code;
}

const char* last_error() { return last_message.c_str(); }

}  // namespace sluice::cuda
