#pragma once

#include "sluice/graphs/graph_spec.h"
#include "sluice/graphs/problems.h"

namespace sluice {

// Reads one entry of `nodes:`: its common words into their types, everything else as options.
NodeDecl read_node(const SourceValue::Field& field, OnError default_on_error, Problems& problems);

// `on_error: reject | fail`, of a node or of the job. `fallback` where it cannot be read.
OnError read_on_error(const SourceValue& value, const std::string& origin, OnError fallback,
                      Problems& problems);

// Whether a node may be called so: letters, digits, `_` and `-`, a letter or `_` first.
bool is_node_name(std::string_view name);

}  // namespace sluice
