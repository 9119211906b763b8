// A pipeline inside a program of one's own, with a node of one's own.
//
//   program -> texts (app_in) -> loud (text.shout) -> out (app_out) -> program
//
// Prints:
//   HELLO!
//   WORLD!
//   rejected: text.empty: there is nothing to shout
//   in 3 = delivered 2 + rejected 1 + dropped 0
#include "sluice/core/registry.h"
#include "sluice/graphs/builder.h"
#include "sluice/runtime/pipeline.h"

#include <cctype>
#include <chrono>
#include <iostream>

namespace {

using namespace sluice;

// text.shout: puts a text in capitals.
class Shout final : public Node {
 public:
  inline static const In<Text> text{"text", "the text to shout"};
  inline static const Out<Text> out{"out", "the text in capitals"};
  inline static const Option<std::string> mark = Option<std::string>("mark", "put at the end").or_default("!");
  inline static const Spec kSpec = Spec("text.shout", "Puts a text in capitals.")
                                       .ports(text, out)
                                       .options(mark)
                                       .stateless()
                                       .rejects("text.empty", "there is nothing to shout");

  Status process(Context& ctx) override {
    std::string loud = ctx.get(text).text;
    if (loud.empty()) return invalid("text.empty", "there is nothing to shout");
    for (char& c : loud) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    ctx.emit(out, Text{loud + ctx.option(mark)});
    return Status::ok();
  }
};
[[maybe_unused]] const bool kRegistered = register_node<Shout>();

}  // namespace

int main() {
  // The same could be said in YAML and loaded by Pipeline::load("shout.yaml").
  const GraphSpec graph = GraphBuilder("shout")
                              .node("texts", "app_in").option("payload", "Text")
                              .node("loud", "text.shout").from("texts")
                              .node("out", "app_out").from("loud")
                              .build();
  PipelineResult pipeline = Pipeline::load(graph);
  if (!pipeline) {
    std::cerr << pipeline.error();
    return 2;
  }
  pipeline->output<Text>("out", [](const Text& text) { std::cout << text.text << "\n"; });
  if (Status started = pipeline->start(); !started) {
    std::cerr << started.message() << "\n";
    return 1;
  }

  Input<Text> texts = pipeline->input<Text>("texts");
  texts.push(Text{"hello"});
  texts.push(Text{"world"});
  const Ticket empty = texts.push(Text{""});
  empty.wait();
  const Status why = empty.status();

  const Report report = pipeline->drain(std::chrono::seconds(10));
  std::cout << "rejected: " << why.reason() << ": " << why.message() << "\n"
            << "in " << report.items.in << " = delivered " << report.items.delivered << " + rejected "
            << report.items.rejected << " + dropped " << report.items.dropped << "\n";
  return report.items.delivered == 2 && report.items.rejected == 1 ? 0 : 1;
}
