#pragma once

#include "sluice/nodes/infer/graph/graph.h"

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

}  // namespace sluice::graph
