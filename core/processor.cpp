#include "sluice/core/processor.h"

#include <fstream>
#include <string_view>

namespace sluice {

std::string processor_name() {
  constexpr std::string_view kLabel = "model name\t: ";
  std::ifstream file("/proc/cpuinfo");
  for (std::string text; std::getline(file, text);) {
    if (text.starts_with(kLabel)) return text.substr(kLabel.size());
  }
  return {};
}

}  // namespace sluice
