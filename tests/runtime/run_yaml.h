#pragma once

#include "sluice/runtime/pipeline.h"

#include <string>

namespace sluice::testing {

// Loads a pipeline from text; a problem fails the test and ends the program.
Pipeline load_yaml(const std::string& yaml, RunOptions options = {});

// Loads, starts and waits.
Report run_yaml(const std::string& yaml, RunOptions options = {});

}  // namespace sluice::testing
