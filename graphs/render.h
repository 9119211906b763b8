#pragma once

#include "sluice/graphs/plan.h"

#include <string>

namespace sluice {

// Pictures of a plan. Each ends with a newline.

// A line a node, in the order of the data, with who it reads from and what it gives.
std::string render_text(const Plan& plan);
// Graphviz.
std::string render_dot(const Plan& plan);
// For Markdown.
std::string render_mermaid(const Plan& plan);
// A picture of its own, offline, laid out in layers from left to right.
std::string render_svg(const Plan& plan);

// All that is decided before a run: type, dtype, shape and layout of every edge, queues, parallel
// calls, batches, what nodes say of their models, and the most memory that items can take.
std::string render_plan(const Plan& plan);

}  // namespace sluice
