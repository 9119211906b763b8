#pragma once

#include "sluice/core/registry.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sluice {

// Runs one node alone, without an engine, in virtual time: for tests.
//
//   NodeHarness node("image.resize", {{"width", 320}});
//   node.wire("image", PortType::of<Image>());
//   ASSERT_TRUE(node.open().is_ok());
//   auto run = node.process({{"image", PayloadRef::make(picture)}});
//   EXPECT_EQ(run.out("out")[0].get<Image>().width(), 320);
//
// Threads: one thread at a time.
class NodeHarness {
 public:
  using OptionList = std::vector<std::pair<std::string, OptionValue>>;

  // A text stands for a path, a word, a template or an expression, a whole number for a number, and
  // a number for a list of one. REQUIRES: the type is registered and the options are ones of its
  // spec, of the right kind; anything else aborts with a message, as a mistake in the test. Values
  // are not checked against ranges.
  explicit NodeHarness(std::string_view type, OptionList options = {}, CommonOptions common = {});
  ~NodeHarness();

  // Says what is wired to an input before `open`; an input of the spec that is not named stays
  // unwired when it is optional and gets its declared type otherwise.
  void wire(std::string input, PortType type);
  // Says that nobody reads an output. All are read unless said.
  void ignore_output(std::string output);
  // Says that somebody reads an output that the spec does not declare, by its name.
  void read_output(std::string output);
  void limit_memory(std::size_t bytes);

  // Resolves and opens. The problems of a failed resolve are joined in the status' message.
  Status open();
  const Ports& ports() const;
  const std::vector<Problem>& problems() const;

  struct Run {
    Status status;
    std::map<std::string, std::vector<PayloadRef>> outputs;
    std::size_t allocated_bytes = 0;  // what the node counted as allocated for the item
    const std::vector<PayloadRef>& out(const std::string& name = "out") const;
  };
  using Inputs = std::map<std::string, PayloadRef>;
  // One item through process, or through process_batch where the spec says batches. What the node
  // throws is the status `node.threw`; an emission that is not of its port's type is
  // `node.emission`. REQUIRES: open() was ok.
  Run process(const Inputs& inputs, std::string key = "item");
  std::vector<Run> process_batch(const std::vector<Inputs>& items);

  struct Produced {
    Result<Next> next;
    std::string key;
    std::map<std::string, std::vector<PayloadRef>> outputs;
    std::size_t allocated_bytes = 0;
  };
  // One call of a source's next.
  Produced next();

  // Each of these calls a flow node and gives what it sent since the call before, per output,
  // markers included; what a timer made it send is in the next call's, or in sent().
  using Sent = std::map<std::string, std::vector<Packet>>;
  Sent feed(std::string_view input, Packet packet);
  Sent idle();
  Sent end();
  Sent sent();

  Status close();
  // What ctx.stop() tells the node from here on.
  void request_stop();
  VirtualClock& clock();
  const std::shared_ptr<MemoryBudget>& budget() const;
  // What the node ended the run with; ok when it did not.
  Status failed_run() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sluice
