#pragma once

#include "tests/support/cuda/case.h"

#include <map>
#include <string>

namespace sluice::gpu_suite {

// Where the cases of tests/runtime/cuda run in this program, in place of the host.
// Errors: those of open_rig.
std::string open_case_device(const std::string& device, bool allow_tf32);

// The greatest error so far of products (convolutions, matrices, attention), relative to the
// reference in the Euclidean norm over one output, by the name of the output's type.
const std::map<std::string, double>& case_errors();

}  // namespace sluice::gpu_suite
