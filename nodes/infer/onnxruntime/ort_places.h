#pragma once

#include <cstddef>
#include <cstdint>

// Where the functions that the plugin calls stand in ONNX Runtime's table OrtApi. The table is a
// binary interface: new functions are appended, and none moves. ort_places_check.cpp compares the
// places with the official header in a build that finds it (-DSLUICE_ONNXRUNTIME_INCLUDE_DIR=...).
namespace sluice::onnxruntime {

// The first version of the table that has all of them, that of ONNX Runtime 1.8.
inline constexpr std::uint32_t kApiVersion = 8;

enum Place : std::size_t {
  kGetErrorCode = 1,
  kGetErrorMessage = 2,
  kCreateEnv = 3,
  kCreateSession = 7,
  kRun = 9,
  kCreateSessionOptions = 10,
  kSetSessionLogSeverityLevel = 22,
  kSetSessionGraphOptimizationLevel = 23,
  kSetIntraOpNumThreads = 24,
  kSetInterOpNumThreads = 25,
  kSessionGetOutputCount = 31,
  kSessionGetOutputTypeInfo = 34,
  kSessionGetOutputName = 37,
  kCreateTensorWithDataAsOrtValue = 49,
  kIsTensor = 50,
  kGetTensorMutableData = 51,
  kCastTypeInfoToTensorInfo = 55,
  kGetTensorElementType = 60,
  kGetDimensionsCount = 61,
  kGetDimensions = 62,
  kGetSymbolicDimensions = 63,
  kGetTensorTypeAndShape = 65,
  kCreateCpuMemoryInfo = 69,
  kAllocatorFree = 76,
  kGetAllocatorWithDefaultOptions = 78,
  kReleaseStatus = 93,
  kReleaseMemoryInfo = 94,
  kReleaseSession = 95,
  kReleaseValue = 96,
  kReleaseTypeInfo = 98,
  kReleaseTensorTypeAndShapeInfo = 99,
  kReleaseSessionOptions = 100,
};

}  // namespace sluice::onnxruntime
