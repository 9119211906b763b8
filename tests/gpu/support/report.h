#pragma once

#include "sluice/core/status.h"

#include <string>
#include <string_view>

// What the programs of the GPU suite print: a line for each figure, with tabs between its parts,
// written at once, so that nothing is lost when a program is stopped. report.py reads them.
namespace sluice::gpu_suite {

// "m4.resnet50.fp16.n64	41230	images/s"
void report(const std::string& name, double value, std::string_view unit);

// Figures whose names match `pattern`, in which * stands for any text, are not there, and why.
void unmeasured(const std::string& pattern, std::string_view why);

// The same where the status is a failure; whether it is ok.
bool measured(const std::string& pattern, const Status& status);

}  // namespace sluice::gpu_suite
