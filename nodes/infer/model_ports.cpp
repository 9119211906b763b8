#include "sluice/nodes/infer/model_ports.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace sluice {

bool is_named(const WiredInput& wired, const ModelPort& port) {
  return wired.name.empty() || wired.name == port.name;
}

TensorType item_type(const ModelPort& port) {
  std::vector<Dim> dims = port.dims;
  if (!dims.empty()) dims.erase(dims.begin());
  return {port.dtype, std::move(dims), ""};
}

std::string port_name(const std::string& output) {
  std::string name = output;
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_') c = '_';
  }
  return name;
}

std::string joined_names(const std::vector<ModelPort>& ports) {
  std::string names;
  for (const ModelPort& port : ports) names += (names.empty() ? "" : ", ") + port.name;
  return names;
}

bool takes_any_batch(const Model& model) {
  const auto is_open = [](const ModelPort& port) {
    return !port.dims.empty() && !port.dims[0].is_static();
  };
  return std::ranges::all_of(model.inputs(), is_open) &&
         std::ranges::all_of(model.outputs(), is_open);
}

bool keeps_batch(const Model& model) {
  const std::vector<Dim>& dims = model.inputs()[0].dims;
  return !dims.empty() && std::ranges::all_of(model.outputs(), [&](const ModelPort& output) {
    if (output.dims.empty()) return false;
    const Dim &in = dims[0], &out = output.dims[0];
    return in.is_static() == out.is_static() && (!in.is_static() || in.size == out.size);
  });
}

}  // namespace sluice
