#include "sluice/runtime/node_host.h"

#include <exception>
#include <new>
#include <type_traits>
#include <utility>

namespace sluice::node_calls {
namespace {

// The catch boundary. Errors are values on this side of it.
template <class Call>
[[gnu::always_inline]] inline auto guarded(Call&& call) -> std::invoke_result_t<Call> {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return Status(Code::kResourceExhausted, "memory.exhausted", "the machine has no more memory");
  } catch (const std::exception& error) {
    return internal("node.exception", std::string("the node threw: ") + error.what());
  } catch (...) {
    return internal("node.exception", "the node threw something that is no std::exception");
  }
}

}  // namespace

Status open(Node& node, Context& ctx, std::size_t workers) {
  return guarded([&] { return node.open(ctx, workers); });
}

Status open(FlowNode& node, FlowContext& ctx) {
  return guarded([&] { return node.open(ctx); });
}

Status process(Node& node, Context& ctx) {
  return guarded([&] { return node.process(ctx); });
}

std::size_t process_plain(Node& node, Context& ctx, std::span<Packet> packets,
                          std::size_t emissions) {
  Item& item = ctx.item();
  std::vector<Emission>& emitted = item.emissions();
  for (std::size_t i = 0; i < packets.size(); ++i) {
    Packet& packet = packets[i];
    if (!packet.is_item()) return i;
    item.turn_to(packet);
    Status status = guarded([&] { return node.process(ctx); });
    if (!status.is_ok() || emitted.size() != emissions) {
      item.set_status(std::move(status));
      return i;
    }
    if (emissions == 0) {
      packet.payload.reset();
    } else {
      packet.payload = std::move(emitted.front().payload);
      emitted.clear();
    }
  }
  return packets.size();
}

void process_batch(Node& node, Context& ctx, std::span<Item> items) {
  bool threw = true;
  const Status call = guarded([&] {
    Status status = node.process_batch(ctx, items);
    threw = false;
    return status;
  });
  if (call.is_ok()) return;
  for (Item& item : items) {
    item.emissions().clear();
    item.set_status(call);
    if (!threw || items.size() == 1) continue;
    // It does not say which item it threw at: the others come through when each is alone.
    item.set_status(Status::ok());
    Context alone = ctx.with(item);
    process_batch(node, alone, std::span(&item, 1));
  }
}

Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Node& node, Context& ctx,
                                                             Device& device, std::size_t lanes) {
  return guarded([&] { return node.programs(ctx, device, lanes); });
}

Result<std::vector<Tensor>> device_inputs(Node& node, Context& ctx) {
  return guarded([&] { return node.device_inputs(ctx); });
}

Status check_device_input(Node& node, Context& ctx, const Shape& item) {
  return guarded([&] { return node.check_device_input(ctx, item); });
}

Status device_outputs(Node& node, Context& ctx, std::span<const Shape> inputs,
                      std::span<const Tensor> outputs) {
  return guarded([&] { return node.device_outputs(ctx, inputs, outputs); });
}

Result<Next> next(Node& node, SourceContext& ctx) {
  return guarded([&] { return node.next(ctx); });
}

Status on_packet(FlowNode& node, FlowContext& ctx, std::size_t input, Packet packet) {
  return guarded([&] {
    node.on_packet(ctx, input, std::move(packet));
    return Status::ok();
  });
}

Status on_timer(FlowNode& node, FlowContext& ctx) {
  return guarded([&] {
    node.on_timer(ctx);
    return Status::ok();
  });
}

Status on_idle(FlowNode& node, FlowContext& ctx) {
  return guarded([&] {
    node.on_idle(ctx);
    return Status::ok();
  });
}

Status on_end(FlowNode& node, FlowContext& ctx) {
  return guarded([&] {
    node.on_end(ctx);
    return Status::ok();
  });
}

Status close(Node& node, Context& ctx) {
  return guarded([&] { return node.close(ctx); });
}

Status close(FlowNode& node, FlowContext& ctx) {
  return guarded([&] { return node.close(ctx); });
}

}  // namespace sluice::node_calls
