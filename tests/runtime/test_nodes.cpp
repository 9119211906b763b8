// Nodes for tests of the engine. A `test.count` item is a Text that holds its path: the number of
// the source item, then the place among the children of each split: "3/0/1". So every node can
// check that what it is given belongs together.
#include "tests/runtime/test_nodes.h"

#include "sluice/core/registry.h"

#include <condition_variable>
#include <functional>
#include <thread>

namespace sluice::testing {

std::map<std::string, std::vector<Collected::Entry>> Collected::take() {
  const std::lock_guard lock(mutex);
  return std::exchange(sinks, {});
}

Collected& collected() {
  static Collected all;
  return all;
}

namespace {
std::condition_variable gate_changed;
}  // namespace

void Gate::open() {
  const std::lock_guard lock(mutex_);
  open_ = true;
  gate_changed.notify_all();
}

void Gate::close() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  calls_ = 0;
}

void Gate::pass() {
  std::unique_lock lock(mutex_);
  ++calls_;
  ++waiting_;
  gate_changed.notify_all();
  gate_changed.wait(lock, [this] { return open_; });
  --waiting_;
}

void Gate::wait_for(int calls) {
  std::unique_lock lock(mutex_);
  gate_changed.wait(lock, [&] { return waiting_ >= calls; });
}

int Gate::calls() {
  const std::lock_guard lock(mutex_);
  return calls_;
}

Gate& gate() {
  static Gate the_gate;
  return the_gate;
}

namespace {

std::uint64_t hash_of(const std::string& text) {
  std::uint64_t hash = 1469598103934665603ull;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211ull;
  return hash >> 20;
}

}  // namespace

bool chosen(std::int64_t one_in, const std::string& salt, const std::string& path) {
  return one_in > 0 && hash_of(salt + "|" + path) % static_cast<std::uint64_t>(one_in) == 0;
}

std::size_t child_count(const std::string& path, const std::string& node, std::int64_t most) {
  return hash_of(path + node) % static_cast<std::uint64_t>(most + 1);
}

std::string mixed(const std::string& lead, const std::vector<std::string>& others) {
  std::string all = lead;
  for (const std::string& other : others) all += "|" + other;
  return lead + "~" + std::to_string(hash_of(all) % 1'000'000);
}

namespace {

std::string path_of(const PayloadRef& payload) {
  if (&payload.type() == &payload_type<Bytes>()) return payload.get<Bytes>().name;
  if (payload.type().element == nullptr) return payload.get<Text>().text;
  std::string list = "[";
  for (const PayloadRef& item : payload.items())
    list += (list.size() > 1 ? " " : "") + path_of(item);
  return list + "]";
}

// Gives numbers, behind a prefix that tells the items of several sources apart.
class CountBase : public Node {
 public:
  inline static const Out<Text> out{"out", "the items' numbers"};
  inline static const Option<int> items = Option<int>("items", "how many").or_default(10);
  inline static const Option<int> reject_one_in =
      Option<int>("reject_one_in", "items").or_default(0);
  inline static const Option<std::string> prefix =
      Option<std::string>("prefix", "in front of each number").or_default("");
  static Spec spec(std::string type) {
    return Spec(std::move(type), "Counts.")
        .ports(out)
        .options(items, reject_one_in, prefix)
        .source();
  }

  Result<Next> next(SourceContext& ctx) override {
    if (next_ == ctx.option(items)) return Next::kEnd;
    const std::string number = ctx.option(prefix) + std::to_string(next_++);
    ctx.set_key(number);
    if (chosen(ctx.option(reject_one_in), ctx.node_name(), number))
      return invalid("test.unwanted", "chosen");
    ctx.emit(out, Text{number});
    return Next::kItem;
  }

 private:
  std::int64_t next_ = 0;
};

class Count final : public CountBase {
 public:
  inline static const Spec kSpec = spec("test.count");
};
class CountOnThread final : public CountBase {
 public:
  inline static const Spec kSpec = spec("test.count_on_thread").blocking();
};

// Passes what it gets, but for items that it is told to reject, filter, or throw at.
class PassBase : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> out{"out", "the same"};
  inline static const Option<int> reject_one_in =
      Option<int>("reject_one_in", "items").or_default(0);
  inline static const Option<int> filter_one_in =
      Option<int>("filter_one_in", "items").or_default(0);
  inline static const Option<int> throw_one_in = Option<int>("throw_one_in", "items").or_default(0);
  inline static const Option<int> spin = Option<int>("spin", "steps of work").or_default(0);
  static Spec spec(std::string type) {
    return Spec(std::move(type), "Passes.")
        .ports(in, out)
        .options(reject_one_in, filter_one_in, throw_one_in, spin);
  }

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* type = plan.wired(in)) ports.outputs[0].type = *type;
    return ports;
  }

  Status process(Context& ctx) override {
    const std::string path = path_of(ctx.get(in));
    for (std::int64_t i = 0; i < ctx.option(spin) * static_cast<std::int64_t>(1 + path.size() % 3);
         ++i) {
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
    const std::string where = ctx.key() + "|" + path;
    if (chosen(ctx.option(throw_one_in), "throw" + ctx.node_name(), where))
      throw std::runtime_error("chosen");
    if (chosen(ctx.option(reject_one_in), "reject" + ctx.node_name(), where))
      return invalid("test.chosen", "chosen");
    if (chosen(ctx.option(filter_one_in), "filter" + ctx.node_name(), where)) return Status::ok();
    ctx.emit(out, PayloadRef(ctx.get(in)));
    return Status::ok();
  }
};

class Pass final : public PassBase {
 public:
  inline static const Spec kSpec = spec("test.pass").stateless();
};
class PassSerial final : public PassBase {
 public:
  inline static const Spec kSpec = spec("test.pass_serial");
};
class PassBlocking final : public PassBase {
 public:
  inline static const Spec kSpec = spec("test.pass_blocking").stateless().blocking();
};
class PassBlockingSerial final : public PassBase {
 public:
  inline static const Spec kSpec = spec("test.pass_blocking_serial").blocking();
};
class PassBlockingBatch final : public PassBase {
 public:
  inline static const Spec kSpec =
      spec("test.pass_blocking_batch").stateless().blocking().batches();
};
// Has no other call than that for a batch.
class PassBatch final : public PassBase {
 public:
  inline static const Spec kSpec = spec("test.pass_batch").stateless().batches();
  Status process(Context& ctx) override { return Node::process(ctx); }
  Status process_batch(Context& ctx, std::span<Item> items) override {
    for (Item& item : items) {
      Context alone = ctx.with(item);
      item.set_status(PassBase::process(alone));
    }
    return Status::ok();
  }
};

// Up to `most` children an item, none for some.
class Children final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Text> out = Out<Text>{"out", "its children"}.many();
  inline static const Option<int> most = Option<int>("most", "children").or_default(3);
  inline static const Spec kSpec =
      Spec("test.children", "Splits.").ports(in, out).options(most).stateless();

  Status process(Context& ctx) override {
    const std::string path = path_of(ctx.get(in));
    const std::size_t count = child_count(path, ctx.node_name(), ctx.option(most));
    for (std::size_t i = 0; i < count; ++i) ctx.emit(out, Text{path + "/" + std::to_string(i)});
    return Status::ok();
  }
};

// Gives `lead`, having checked that the other input is the same item or one it descends from.
class Join final : public Node {
 public:
  inline static const In<Any> lead{"lead", "an item"};
  inline static const In<Any> other{"other", "the same item elsewhere, or one it descends from"};
  inline static const Out<Any> out{"out", "the lead"};
  inline static const Spec kSpec = Spec("test.join", "Pairs.").ports(lead, other, out).stateless();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* type = plan.wired(lead)) ports.outputs[0].type = *type;
    return ports;
  }

  Status process(Context& ctx) override {
    const std::string a = path_of(ctx.get(lead));
    const std::string b = path_of(ctx.get(other));
    // A list names its children; an empty one says nothing.
    const auto root = [](const std::string& path) {
      const std::size_t from = path.find_first_not_of('[');
      return from == std::string::npos || path[from] == ']'
                 ? std::string()
                 : path.substr(from, path.find_first_of("/] ", from) - from);
    };
    if (!root(a).empty() && !root(b).empty() && root(a) != root(b))
      return internal("test.mispaired", a + " with " + b);
    const bool plain = a[0] != '[' && b[0] != '[';
    if (plain && a != b && a.rfind(b + "/", 0) != 0)
      return internal("test.mispaired", a + " with " + b);
    ctx.emit(out, PayloadRef(ctx.get(lead)));
    return Status::ok();
  }
};

// Gives what its inputs come to, so that a wrong partner shows in what comes out.
class Mix final : public Node {
 public:
  inline static const In<Any> lead{"lead", "an item"};
  inline static const In<Any> other{"other", "the same item elsewhere, or one around it"};
  inline static const In<Any> third = In<Any>("third", "one more").optional();
  inline static const Out<Text> out{"out", "the lead's path with a digest"};
  inline static const Spec kSpec =
      Spec("test.mix", "Pairs.").ports(lead, other, third, out).stateless();

  Status process(Context& ctx) override {
    std::vector<std::string> others{path_of(ctx.get(other))};
    if (ctx.has(third)) others.push_back(path_of(ctx.get(third)));
    ctx.emit(out, Text{mixed(path_of(ctx.get(lead)), others)});
    return Status::ok();
  }
};

// Each item comes out of one of two ports, so that a merge of the two carries all of them again.
class Route final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> left{"left", "some"};
  inline static const Out<Any> right{"right", "the others"};
  inline static const Spec kSpec =
      Spec("test.route", "Parts items.").ports(in, left, right).stateless();

  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* type = plan.wired(in)) {
      for (PortDecl& output : ports.outputs) output.type = *type;
    }
    return ports;
  }

  Status process(Context& ctx) override {
    const bool goes_left = chosen(2, ctx.node_name(), ctx.key() + "|" + path_of(ctx.get(in)));
    ctx.emit(goes_left ? left : right, PayloadRef(ctx.get(in)));
    return Status::ok();
  }
};

class CollectBase : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  static Spec spec(std::string type) { return Spec(std::move(type), "Collects.").ports(in).sink(); }

  Status process(Context& ctx) override {
    const std::lock_guard lock(collected().mutex);
    collected().sinks[ctx.node_name()].push_back(
        {ctx.key(), ctx.item().number(), path_of(ctx.get(in))});
    return Status::ok();
  }
};

class Collect final : public CollectBase {
 public:
  inline static const Spec kSpec = spec("test.collect");
};
class CollectBlocking final : public CollectBase {
 public:
  inline static const Spec kSpec = spec("test.collect_blocking").blocking();
};

class GateNode final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Any> out{"out", "the same"};
  inline static const Spec kSpec =
      Spec("test.gate", "Waits at the test's gate.").ports(in, out).blocking();
  Result<Ports> resolve(Resolve& plan) override {
    Ports ports = plan.declared();
    if (const PortType* type = plan.wired(in)) ports.outputs[0].type = *type;
    return ports;
  }
  Status process(Context& ctx) override {
    gate().pass();
    ctx.emit(out, PayloadRef(ctx.get(in)));
    return Status::ok();
  }
};

// Allocates, as a node that makes pictures does.
class Allocate final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Out<Bytes> out{"out", "bytes"};
  inline static const Option<ByteSize> size =
      Option<ByteSize>("size", "how much").or_default(ByteSize{1024});
  inline static const Spec kSpec =
      Spec("test.allocate", "Allocates.").ports(in, out).options(size).stateless();

  Status process(Context& ctx) override {
    Result<Buffer> buffer = ctx.allocate(ctx.option(size).bytes);
    if (!buffer) return buffer.status();
    ctx.emit(out, Bytes{*std::move(buffer), path_of(ctx.get(in))});
    return Status::ok();
  }
};

class FailToOpen final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Spec kSpec = Spec("test.fail_to_open", "Does not open.").ports(in).sink();
  Status open(Context&, std::size_t) override {
    return not_found("test.open", "there is nothing to open");
  }
  Status process(Context&) override { return Status::ok(); }
};

std::atomic<int> open_count = 0;

class FailRun final : public Node {
 public:
  inline static const In<Any> in{"in", "anything"};
  inline static const Spec kSpec =
      Spec("test.fail_run", "Ends the run at its third item.").ports(in).sink();
  Status open(Context&, std::size_t) override {
    ++open_count;
    return Status::ok();
  }
  Status close(Context&) override {
    --open_count;
    return Status::ok();
  }
  Status process(Context& ctx) override {
    if (ctx.item().number() == 2)
      ctx.fail_run(Status(Code::kResourceExhausted, "test.full", "the disk is full"));
    return Status::ok();
  }
};

[[maybe_unused]] const bool kRegistered =
    register_node<Count>() && register_node<CountOnThread>() && register_node<Pass>() &&
    register_node<PassSerial>() && register_node<PassBlocking>() &&
    register_node<PassBlockingSerial>() && register_node<PassBlockingBatch>() &&
    register_node<PassBatch>() && register_node<Children>() && register_node<Join>() &&
    register_node<Mix>() && register_node<Route>() && register_node<Collect>() &&
    register_node<CollectBlocking>() && register_node<GateNode>() && register_node<Allocate>() &&
    register_node<FailToOpen>() && register_node<FailRun>();

}  // namespace

int open_nodes() { return open_count; }

}  // namespace sluice::testing
