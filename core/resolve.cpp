#include "sluice/core/resolve.h"

namespace sluice {

const PortType* Resolve::wired(const PortConstant& input) const {
  const bool is_first = !spec_.inputs().empty() && spec_.inputs().front().name == input.name();
  for (const WiredInput& wired : inputs_) {
    if (wired.name == input.name() || (wired.name.empty() && is_first)) return &wired.type;
  }
  return nullptr;
}

void Resolve::option_problem(const OptionConstant& option, std::string code, std::string message,
                             std::string help) {
  problem({std::move(code), std::move(message), std::move(help), Problem::Place::kOption,
           option.name()});
}

void Resolve::input_problem(std::string_view input, std::string code, std::string message,
                            std::string help) {
  problem({std::move(code), std::move(message), std::move(help), Problem::Place::kInput,
           std::string(input)});
}

}  // namespace sluice
