#pragma once

#include "sluice/core/model.h"
#include "sluice/core/resolve.h"

#include <string>
#include <vector>

// A model's inputs and outputs as those of a node.
namespace sluice {

// A wired input without a name is the model's only one.
bool is_named(const WiredInput& wired, const ModelPort& port);

// What one item of a model's port looks like: the batch axis is the model's own.
TensorType item_type(const ModelPort& port);

// A port's name from an output's, which may hold what YAML's `node.port` cannot.
std::string port_name(const std::string& output);

// "a, b"
std::string joined_names(const std::vector<ModelPort>& ports);

// Whether items can be stacked: every input and output begins with the batch, which is open.
bool takes_any_batch(const Model& model);

// Whether every output begins with the batch that the first input begins with.
bool keeps_batch(const Model& model);

}  // namespace sluice
