#include <sluice/core/registry.h>
#include <sluice/runtime/cli/cli.h>

#include <algorithm>

namespace {

using namespace sluice;

// text.reverse: turns a text round, byte by byte.
class Reverse final : public Node {
 public:
  inline static const In<Text> text{"text", "the text"};
  inline static const Out<Text> out{"out", "the text from its end to its beginning"};
  inline static const Spec kSpec =
      Spec("text.reverse", "Turns a text round.").ports(text, out).stateless();

  Status process(Context& ctx) override {
    std::string reversed = ctx.get(text).text;
    std::ranges::reverse(reversed);
    ctx.emit(out, Text{std::move(reversed)});
    return Status::ok();
  }
};
[[maybe_unused]] const bool kRegistered = register_node<Reverse>();

}  // namespace

int main(int argc, char** argv) { return sluice::cli_main(argc, argv); }
