#pragma once

#include "sluice/graphs/diagnostic.h"
#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/substitute.h"

#include <string>
#include <utility>
#include <vector>

namespace sluice {

class CudaPlugin;

// What comes from outside the file.
struct LoadOptions {
  std::vector<std::pair<std::string, std::string>> params;  // -p name=value
  std::vector<std::string> sets;                            // --set nodes.a.width=3
  Environment environment;                                  // empty: the process' own
  const CudaPlugin* cuda = nullptr;                         // likewise
};

// The text of a pipeline file; a pipe is read to its end. Blocks: reads, and waits for a pipe's
// writer where there is one.
Checked<std::string> read_graph_text(const std::string& path);
// Reads a graph: YAML, then values from outside, then the words of the language. Options get their
// types when it is planned. The value is there where nothing was wrong. Blocks: reads the file.
Checked<GraphSpec> load_file(const std::string& path, const LoadOptions& options = {});
// `file` is the name to show; relative paths are relative to its folder.
Checked<GraphSpec> load_text(const std::string& text, const std::string& file,
                             const LoadOptions& options = {});

// The same, with a value as far as one could be read, so that planning can find what else is wrong.
Checked<GraphSpec> load_file_leniently(const std::string& path, const LoadOptions& options);
Checked<GraphSpec> load_text_leniently(const std::string& text, const std::string& file,
                                       const LoadOptions& options);

}  // namespace sluice
