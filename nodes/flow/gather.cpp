// gather: collects the children of each item into one list; closes the innermost split.
//   lines: { type: gather, from: line }
// The list is in the order of the split however the children come. A child that a node filtered out
// is simply not in it; one that was rejected takes its item along, unless `missing: skip`. Related:
// split.
#include "sluice/core/registry.h"

#include <algorithm>
#include <unordered_map>

namespace sluice {
namespace {

// The children of one parent that have come so far.
struct Family {
  GroupRef group;
  std::vector<PayloadRef> children;  // by place; empty where a marker came, or nothing yet
  std::uint64_t seen = 0;
  bool ended = false;     // its kGroupEnd has come
  bool rejected = false;  // a child is missing for a fault
  bool dropped = false;   // a child is missing by policy
  TokenRef token;         // the parent's share, from kGroupEnd

  bool is_complete() const { return ended && seen == group->count; }
};

class Gather final : public FlowNode {
 public:
  inline static const In<Any> in = In<Any>("in", "one child").closes_scope();
  inline static const Out<Any> out{"out",
                                   "the list of the item's children, in the order of the split"};
  inline static const Option<Choice> missing =
      Option<Choice>("missing",
                     "when a child was rejected or dropped: reject the item too, or skip the child")
          .one_of({"reject", "skip"})
          .or_default({"reject"});
  inline static const Spec kSpec =
      Spec("gather", "Collects the children of each item into one list.")
          .ports(in, out)
          .options(missing)
          .serial()
          .notes(
              "Closes the innermost open split and so names nothing. Children that a node passed "
              "nothing on for (filtered) are not missing. With `missing: skip` the item goes on "
              "without its rejected children; the item itself still counts as rejected at the end, "
              "since a part of it was. Related: split.")
          .example(R"(nodes:
  box:   { type: split, from: boxes }
  crop:  { type: image.crop_quad, from: { image: page, quad: box } }
  crops: { type: gather, from: crop, missing: skip }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    const PortType* wired = plan.wired(in);
    if (!wired || wired->is_any()) return ports;
    ports.inputs[in.index()].type = *wired;
    ports.outputs[out.index()].type = {&list_of(*wired->payload), wired->tensor, wired->metadata};
    return ports;
  }

  Status open(FlowContext& ctx) override {
    skip_missing_ = ctx.option(missing).word == "skip";
    element_ = ctx.ports().inputs[in.index()].type.payload;
    return Status::ok();
  }

  void on_packet(FlowContext& ctx, std::size_t, Packet packet) override {
    if (packet.kind == PacketKind::kGroupEnd && packet.group->parent_kind != PacketKind::kItem) {
      pass_on_marker(ctx, std::move(packet));
      return;
    }
    const std::uint64_t parent = packet.group->parent_seq;
    Family& family = families_[parent];
    if (!family.group) {
      family.group = packet.group;
      family.children.resize(packet.group->count);
    }
    add(family, std::move(packet));
    if (!family.is_complete()) return;
    finish(ctx, std::move(family));
    families_.erase(parent);
  }

  // What is left of a run that was ended early is let go of with the run, not with the node.
  Status close(FlowContext&) override {
    families_.clear();
    return Status::ok();
  }

 private:
  // No parent, only its marker: it comes out as it went into the split.
  static void pass_on_marker(FlowContext& ctx, Packet packet) {
    const GroupRef group = packet.group;
    Packet marker = Packet::marker(group->parent_kind, group->parent_seq, group->parent_group);
    if (group->parent_kind == PacketKind::kGroupEnd) {
      marker.token = std::move(packet.token);
    } else if (packet.token) {
      packet.token.deliver();
    }
    ctx.send(out.index(), std::move(marker));
  }

  static void add(Family& family, Packet packet) {
    if (packet.kind == PacketKind::kGroupEnd) {
      family.ended = true;
      family.token = std::move(packet.token);
      return;
    }
    ++family.seen;
    family.rejected |= packet.kind == PacketKind::kRejected;
    family.dropped |= packet.kind == PacketKind::kDropped;
    if (packet.is_item()) {
      family.children[packet.seq - family.group->first_seq] = std::move(packet.payload);
    }
    // The parent's own share stands for the children from here on.
    if (packet.token) packet.token.deliver();
  }

  void finish(FlowContext& ctx, Family family) const {
    const Group& group = *family.group;
    if ((family.rejected || family.dropped) && !skip_missing_) {
      // Whoever rejected the child has said so in the token; nothing is left to say.
      if (family.token) family.token.deliver();
      const PacketKind kind = family.rejected ? PacketKind::kRejected : PacketKind::kDropped;
      ctx.send(out.index(), Packet::marker(kind, group.parent_seq, group.parent_group));
      return;
    }
    std::erase_if(family.children, [](const PayloadRef& child) { return !child; });
    Packet packet;
    packet.payload = PayloadRef::make_list(*element_, std::move(family.children));
    packet.token = std::move(family.token);
    packet.group = group.parent_group;
    packet.seq = group.parent_seq;
    ctx.send(out.index(), std::move(packet));
  }

  bool skip_missing_ = false;
  const PayloadType* element_ = nullptr;
  std::unordered_map<std::uint64_t, Family> families_;
};

[[maybe_unused]] const bool kRegistered = register_node<Gather>();

}  // namespace
}  // namespace sluice
