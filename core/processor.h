#pragma once

#include <string>

namespace sluice {

// What the system calls this machine's processor, "AMD EPYC 9654"; empty where it does not say.
std::string processor_name();

}  // namespace sluice
