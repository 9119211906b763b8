#pragma once

#include "sluice/nodes/infer/graph/graph.h"

#include <map>
#include <string>
#include <vector>

namespace sluice::graph {

struct ImportOptions {
  // Names of the outputs to compute; all when empty. Nodes that only others need are not looked at.
  std::vector<std::string> outputs;
};

// Reads an ONNX file (operator sets 7 and up, and the parts of older ones that mean the same) into
// a Graph: one meaning an operation, whatever the version it was written for. Constants point into
// the mapped file.
// Errors: model.missing, model.truncated, model.invalid, model.output (an output that it does not
// have), model.unsupported (naming every operator that is missing and where it stands). Messages
// carry the path and the file's size.
Result<Graph> import_onnx(const std::string& path, const ImportOptions& options = {});

// What a file says of its model from outside: all that another engine has to be told.
struct Interface {
  std::vector<ModelPort> inputs;
  std::vector<ModelPort> outputs;          // those asked for, as the file declares them
  std::vector<std::size_t> output_places;  // their places among all of the file's
  std::map<std::string, std::string> metadata;
  std::size_t file_bytes = 0;  // without data in other files
};

// Reads that and looks at no operator. What data the model has in other files is checked to be
// there and beneath its folder, because the engine that reads it may follow any path.
// Errors: as import_onnx, but for operators.
Result<Interface> read_interface(const std::string& path, const ImportOptions& options = {});

}  // namespace sluice::graph
