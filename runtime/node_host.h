#pragma once

#include "sluice/core/flow_node.h"
#include "sluice/core/node.h"

#include <memory>
#include <span>
#include <vector>

// Calls into nodes. What a node throws stops here and becomes a Status that names it: the one place
// of the engine that catches.
namespace sluice::node_calls {

Status open(Node& node, Context& ctx, std::size_t workers);
Status open(FlowNode& node, FlowContext& ctx);
Status process(Node& node, Context& ctx);
// Calls process for one packet after the other, with `ctx.item()` in front of it, as long as each
// is an item for which the node gives `emissions` values, 0 or 1, and no error: what it gave takes
// the place of its input. Gives the number of those; the next one, if any, is a marker, or an item
// of which the call's status and emissions are in `ctx.item()`.
std::size_t process_plain(Node& node, Context& ctx, std::span<Packet> packets,
                          std::size_t emissions);
// One status an item, whatever the node did.
// Leaves each item its status.
void process_batch(Node& node, Context& ctx, std::span<Item> items);
Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Node& node, Context& ctx,
                                                             Device& device, std::size_t lanes);
Result<std::vector<Tensor>> device_inputs(Node& node, Context& ctx);
Status check_device_input(Node& node, Context& ctx, const Shape& item);
Status device_outputs(Node& node, Context& ctx, std::span<const Shape> inputs,
                      std::span<const Tensor> outputs);
Result<Next> next(Node& node, SourceContext& ctx);
Status on_packet(FlowNode& node, FlowContext& ctx, std::size_t input, Packet packet);
Status on_timer(FlowNode& node, FlowContext& ctx);
Status on_idle(FlowNode& node, FlowContext& ctx);
Status on_end(FlowNode& node, FlowContext& ctx);
Status close(Node& node, Context& ctx);
Status close(FlowNode& node, FlowContext& ctx);

}  // namespace sluice::node_calls
