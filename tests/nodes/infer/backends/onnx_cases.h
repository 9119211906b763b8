#pragma once

#include "sluice/core/model.h"
#include "sluice/core/status.h"

#include <filesystem>
#include <string>
#include <vector>

// The backend test cases of the ONNX project, as Debian's package libonnx-testdata installs them:
// folders with a model.onnx and test_data_set_N/{input,output}_N.pb.
namespace sluice::testing {

// The environment variable SLUICE_ONNX_TESTDATA, else where Debian puts it. Empty when it is not
// installed.
std::filesystem::path onnx_testdata();

// Folders of cases beneath `group` ("node", "simple", ...), sorted.
std::vector<std::filesystem::path> onnx_cases(const std::string& group);

// A TensorProto in a file of its own.
Result<Tensor> load_tensor(const std::filesystem::path& file);

enum class Outcome { kPassed, kUnsupported, kFailed };

struct CaseResult {
  Outcome outcome = Outcome::kPassed;
  std::string detail;  // why, unless it passed
};

// Loads the model, runs every data set, compares: floats within 1e-3 relative or 1e-5 absolute.
CaseResult run_onnx_case(const Backend& backend, const std::filesystem::path& folder);

}  // namespace sluice::testing
