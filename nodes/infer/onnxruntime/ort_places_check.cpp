#include "sluice/nodes/infer/onnxruntime/ort_places.h"

#include <onnxruntime_c_api.h>

// Compiled only where ONNX Runtime's own header is there; it makes no code.
namespace sluice::onnxruntime {

#define SLUICE_SAME_PLACE(function) \
  static_assert(offsetof(OrtApi, function) == k##function * sizeof(void*))

SLUICE_SAME_PLACE(GetErrorCode);
SLUICE_SAME_PLACE(GetErrorMessage);
SLUICE_SAME_PLACE(CreateEnv);
SLUICE_SAME_PLACE(CreateSession);
SLUICE_SAME_PLACE(Run);
SLUICE_SAME_PLACE(CreateSessionOptions);
SLUICE_SAME_PLACE(SetSessionLogSeverityLevel);
SLUICE_SAME_PLACE(SetSessionGraphOptimizationLevel);
SLUICE_SAME_PLACE(SetIntraOpNumThreads);
SLUICE_SAME_PLACE(SetInterOpNumThreads);
SLUICE_SAME_PLACE(SessionGetOutputCount);
SLUICE_SAME_PLACE(SessionGetOutputTypeInfo);
SLUICE_SAME_PLACE(SessionGetOutputName);
SLUICE_SAME_PLACE(CreateTensorWithDataAsOrtValue);
SLUICE_SAME_PLACE(IsTensor);
SLUICE_SAME_PLACE(GetTensorMutableData);
SLUICE_SAME_PLACE(CastTypeInfoToTensorInfo);
SLUICE_SAME_PLACE(GetTensorElementType);
SLUICE_SAME_PLACE(GetDimensionsCount);
SLUICE_SAME_PLACE(GetDimensions);
SLUICE_SAME_PLACE(GetSymbolicDimensions);
SLUICE_SAME_PLACE(GetTensorTypeAndShape);
SLUICE_SAME_PLACE(CreateCpuMemoryInfo);
SLUICE_SAME_PLACE(AllocatorFree);
SLUICE_SAME_PLACE(GetAllocatorWithDefaultOptions);
SLUICE_SAME_PLACE(ReleaseStatus);
SLUICE_SAME_PLACE(ReleaseMemoryInfo);
SLUICE_SAME_PLACE(ReleaseSession);
SLUICE_SAME_PLACE(ReleaseValue);
SLUICE_SAME_PLACE(ReleaseTypeInfo);
SLUICE_SAME_PLACE(ReleaseTensorTypeAndShapeInfo);
SLUICE_SAME_PLACE(ReleaseSessionOptions);

}  // namespace sluice::onnxruntime
