#pragma once

#include "sluice/core/spec.h"

#include <string>

namespace sluice {

// What a node type's spec says, for a person at a terminal and as a part of docs/nodes.md. Each
// ends with a newline.
std::string describe_text(const Spec& spec);
std::string describe_markdown(const Spec& spec);

// All node types: a line each, and the whole of docs/nodes.md.
std::string catalogue_text();
std::string catalogue_markdown();

}  // namespace sluice
