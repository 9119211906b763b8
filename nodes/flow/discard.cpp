// discard: takes whatever comes and keeps nothing.
//   rest: { type: discard, from: filter.rest }
// An output that nobody reads is an error; this says that it is meant.
#include "sluice/core/registry.h"

namespace sluice {
namespace {

class Discard final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Spec kSpec = Spec("discard", "Takes whatever comes and keeps nothing.")
                                       .ports(in)
                                       .sink()
                                       .stateless()
                                       .notes(
                                           "For outputs that are not wanted, and for measuring "
                                           "what comes before: its items count as delivered.")
                                       .example(R"(version: 1
nodes:
  files: { type: files, glob: "./photos/*.jpg", allow_empty: true }
  photo: { type: image.decode, from: files }
  done:  { type: discard, from: photo }
)");

  Status process(Context&) override { return Status::ok(); }
};

[[maybe_unused]] const bool kRegistered = register_node<Discard>();

}  // namespace
}  // namespace sluice
