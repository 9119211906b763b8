// split: gives the elements of a list one by one; what follows works on each until a gather.
//   box:   { type: split, from: boxes }
//   ...
//   lines: { type: gather, from: line }
// An item with an empty list has no children, and its gather gives an empty list.
// Related: gather, filter.
#include "sluice/core/registry.h"

namespace sluice {
namespace {

class Split final : public Node {
 public:
  inline static const In<Any> in{"in", "a list"};
  inline static const Out<Any> out = Out<Any>("out", "one element, a child of the item").many();
  inline static const Option<int> max =
      Option<int>("max", "elements; an item with more is rejected").range(1, 1e9).or_default(10000);
  inline static const Spec kSpec =
      Spec("split", "Gives the elements of a list one by one, each a child of the item.")
          .ports(in, out)
          .options(max)
          .stateless()
          .notes(
              "After a split every node works per child. An input from before the split, wired to "
              "a "
              "node after it, is repeated for each child without a copy. `max` bounds the memory "
              "of "
              "the gather behind it. Related: gather.")
          .rejects("split.too_many", "the list has more than `max` elements")
          .example(R"(nodes:
  box:  { type: split, from: boxes, max: 1000 }
  crop: { type: image.crop_quad, from: { image: page, quad: box } }
)");

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    const PortType* wired = plan.wired(in);
    if (!wired || wired->is_any()) return ports;
    if (!wired->payload->element) {
      plan.input_problem(in.name(), "SL0406",
                         "split takes a list, and this is " + wired->to_string(),
                         "wire it to an output that gives a list, such as one of type [Quad]");
      return ports;
    }
    ports.inputs[in.index()].type = *wired;
    ports.outputs[out.index()].type = {wired->payload->element, wired->tensor, wired->metadata};
    return ports;
  }

  Status process(Context& ctx) override {
    const std::vector<PayloadRef>& children = ctx.get(in).items();
    if (children.size() > static_cast<std::size_t>(ctx.option(max))) {
      return invalid("split.too_many",
                     "the list has " + std::to_string(children.size()) +
                         " elements, more than max = " + std::to_string(ctx.option(max)));
    }
    for (const PayloadRef& child : children) ctx.emit(out, child);
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered = register_node<Split>();

}  // namespace
}  // namespace sluice
