#pragma once

#include "sluice/core/flow_node.h"
#include "sluice/core/node.h"

#include <span>
#include <vector>

// Calls into nodes. What a node throws stops here and becomes a Status that names it: the one place
// of the engine that catches.
namespace sluice::node_calls {

Status open(Node& node, Context& ctx, std::size_t workers);
Status open(FlowNode& node, FlowContext& ctx);
Status process(Node& node, Context& ctx);
// One status an item, whatever the node did.
// Leaves each item its status.
void process_batch(Node& node, Context& ctx, std::span<Item> items);
Result<Next> next(Node& node, SourceContext& ctx);
Status on_packet(FlowNode& node, FlowContext& ctx, std::size_t input, Packet packet);
Status on_timer(FlowNode& node, FlowContext& ctx);
Status on_idle(FlowNode& node, FlowContext& ctx);
Status on_end(FlowNode& node, FlowContext& ctx);
Status close(Node& node, Context& ctx);
Status close(FlowNode& node, FlowContext& ctx);

}  // namespace sluice::node_calls
