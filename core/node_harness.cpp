#include "sluice/core/node_harness.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <set>
#include <utility>

namespace sluice {
namespace {

[[noreturn]] void mistake(const std::string& message) {
  std::fprintf(stderr, "NodeHarness: %s\n", message.c_str());
  std::abort();
}

template <class T>
T parsed(Result<T> result) {
  if (!result) mistake(result.status().message());
  return std::move(*result);
}

OptionValue value_of_text(const std::string& text, OptionKind kind) {
  switch (kind) {
    case OptionKind::kPath:
      return Path{text};
    case OptionKind::kChoice:
      return Choice{text};
    case OptionKind::kTemplate:
      return parsed(Template::parse(text));
    case OptionKind::kExpression:
      return parsed(Expression::parse(text));
    case OptionKind::kTextList:
      return TextList{text};
    default:
      return text;
  }
}

// The value as one of the option's kind, by the few conversions that the header names.
OptionValue coerced(OptionValue value, const OptionConstant& option) {
  const auto kind = static_cast<std::size_t>(option.kind());
  if (const auto* text = std::get_if<std::string>(&value))
    value = value_of_text(*text, option.kind());
  const bool takes_number =
      option.kind() == OptionKind::kNumber || option.kind() == OptionKind::kNumberList;
  if (const auto* whole = std::get_if<std::int64_t>(&value); whole && takes_number) {
    value = static_cast<double>(*whole);
  }
  if (const auto* number = std::get_if<double>(&value);
      number && option.kind() == OptionKind::kNumberList) {
    value = NumberList{*number};
  }
  if (value.index() != kind) {
    mistake("option `" + option.name() + "` is a " + std::string(to_string(option.kind())) +
            ", given " + std::string(to_string(static_cast<OptionKind>(value.index()))));
  }
  return value;
}

Options make_options(const Spec& spec, NodeHarness::OptionList given) {
  Options options;
  for (const OptionConstant* option : spec.options()) {
    options.values.push_back(option->default_value());
    options.given.push_back(false);
  }
  for (auto& [name, value] : given) {
    const OptionConstant* option = spec.find_option(name);
    if (!option) mistake("`" + spec.type() + "` has no option `" + name + "`");
    options.values[option->index()] = coerced(std::move(value), *option);
    options.given[option->index()] = true;
  }
  for (const OptionConstant* option : spec.options()) {
    if (option->is_required() && !options.given[option->index()]) {
      mistake("`" + spec.type() + "` needs the option `" + option->name() + "`");
    }
  }
  return options;
}

// Why a payload is not one of the port's type, as far as the port says.
Status check_payload(const PortDecl& port, const PayloadRef& payload) {
  PortType actual{&payload.type(), std::nullopt, nullptr};
  if (&payload.type() == &payload_type<Tensor>()) {
    const Tensor& tensor = payload.get<Tensor>();
    actual.tensor = TensorType{tensor.dtype(), std::vector<Dim>(), ""};
    for (const std::int64_t dim : tensor.shape()) actual.tensor->dims->push_back({dim, ""});
  }
  const Status fits = check_fits(actual, port.type);
  if (fits) return Status::ok();
  return internal("node.emission", "output `" + port.name + "` declares " + port.type.to_string() +
                                       ": " + fits.message());
}

template <class Call>
auto caught(Call call) -> decltype(call()) {
  try {
    return call();
  } catch (const std::exception& e) {
    return internal("node.threw", e.what());
  }
}

class Services final : public NodeServices {
 public:
  const std::shared_ptr<MemoryBudget>& budget() override { return memory; }
  Clock& clock() override { return time; }
  std::stop_token stop() override { return stopping.get_token(); }
  void fail_run(Status status) override {
    if (failure.is_ok()) failure = std::move(status);
  }

  std::shared_ptr<MemoryBudget> memory = std::make_shared<MemoryBudget>();
  VirtualClock time;
  std::stop_source stopping;
  Status failure;
};

class CollectingContext final : public FlowContext {
 public:
  CollectingContext(NodeServices& services, FlowNode& node) : FlowContext(services), node_(node) {}
  ~CollectingContext() override { cancel(); }

  void send(std::size_t output, Packet packet) override {
    if (services_->wanted[output]) sent[ports().outputs[output].name].push_back(std::move(packet));
  }
  void set_timer(TimePoint when) override {
    cancel();
    timer_ = clock().call_at(when, [this] {
      timer_ = 0;
      node_.on_timer(*this);
    });
  }

  NodeHarness::Sent sent;

 private:
  void cancel() {
    if (timer_ != 0) clock().cancel(std::exchange(timer_, 0));
  }

  FlowNode& node_;
  Clock::TimerId timer_ = 0;
};

// A call's items, with all that they borrow.
struct Call {
  struct Slot {
    std::vector<PayloadRef> inputs;
    TokenRef token;
    std::vector<Emission> emissions;
  };

  void add(NodeServices& services, std::vector<PayloadRef> inputs, std::string key,
           std::uint64_t number) {
    auto slot = std::make_unique<Slot>(Slot{std::move(inputs), TokenRef::make(nullptr), {}});
    slot->token->set_key(std::move(key));
    slot->token->number = number;
    items.emplace_back(services, slot->inputs, *slot->token, 0, slot->emissions);
    slots.push_back(std::move(slot));
  }

  std::vector<std::unique_ptr<Slot>> slots;
  std::vector<Item> items;
};

}  // namespace

struct NodeHarness::State {
  State(const NodeType& node_type, OptionList given, CommonOptions common_options)
      : type(node_type),
        options(make_options(*node_type.spec, std::move(given))),
        common(std::move(common_options)),
        node(node_type.make()) {
    services.options = &options;
    services.common = &common;
    services.ports = &ports;
    services.node_name = type.spec->type();
  }

  Node& plain() {
    auto* plain = std::get_if<std::unique_ptr<Node>>(&node);
    if (!plain) mistake("`" + type.spec->type() + "` is a flow node: use feed()");
    return **plain;
  }
  CollectingContext& flow() {
    if (!flow_context) mistake("`" + type.spec->type() + "` is no flow node, or is not open");
    return *flow_context;
  }
  FlowNode& flow_node() { return *std::get<std::unique_ptr<FlowNode>>(node); }

  std::vector<WiredInput> wired_inputs() const;
  std::vector<std::string> outputs_read() const;
  Status resolve();
  Status open_node();
  std::vector<PayloadRef> inputs_of(const Inputs& given) const;
  Run run_of(Status status, Item& item, const Token& token) const;

  const NodeType& type;
  const Options options;
  const CommonOptions common;
  AnyNode node;
  Services services;
  Ports ports;
  std::vector<Problem> problems;
  std::vector<std::pair<std::string, PortType>> wires;
  std::set<std::string> ignored;
  std::vector<std::string> extra_outputs;
  std::unique_ptr<CollectingContext> flow_context;
  std::uint64_t next_number = 0;
  bool is_open = false;
};

std::vector<WiredInput> NodeHarness::State::wired_inputs() const {
  std::vector<WiredInput> inputs;
  std::set<std::string> declared;
  for (const PortDecl& port : type.spec->inputs()) {
    declared.insert(port.name);
    const auto wire = std::ranges::find(wires, port.name, &std::pair<std::string, PortType>::first);
    if (wire != wires.end()) {
      inputs.push_back({port.name, wire->second});
    } else if (!port.optional) {
      inputs.push_back({port.name, port.type});
    }
  }
  for (const auto& [name, wired_type] : wires) {
    if (!declared.contains(name)) inputs.push_back({name, wired_type});
  }
  return inputs;
}

std::vector<std::string> NodeHarness::State::outputs_read() const {
  std::vector<std::string> read = extra_outputs;
  for (const PortDecl& port : type.spec->outputs()) {
    if (!ignored.contains(port.name)) read.push_back(port.name);
  }
  if (read.empty() && type.spec->outputs().empty()) read.emplace_back();
  return read;
}

Status NodeHarness::State::resolve() {
  Resolve plan(*type.spec, options, common, wired_inputs(), outputs_read());
  Result<Ports> resolved = std::visit([&](auto& made) { return made->resolve(plan); }, node);
  problems = plan.problems();
  if (!problems.empty()) {
    std::string all;
    for (const Problem& problem : problems) {
      if (!all.empty()) all += '\n';
      all += problem.code + ": " + problem.message;
    }
    return invalid("node.resolve", std::move(all));
  }
  if (!resolved) return resolved.status();
  ports = std::move(*resolved);
  for (const PortDecl& port : ports.outputs)
    services.wanted.push_back(!ignored.contains(port.name));
  return Status::ok();
}

Status NodeHarness::State::open_node() {
  if (auto* flow = std::get_if<std::unique_ptr<FlowNode>>(&node)) {
    flow_context = std::make_unique<CollectingContext>(services, **flow);
    return (*flow)->open(*flow_context);
  }
  Context ctx(services, nullptr, 0);
  return plain().open(ctx, static_cast<std::size_t>(std::max(1, common.parallel)));
}

std::vector<PayloadRef> NodeHarness::State::inputs_of(const Inputs& given) const {
  if (!is_open) mistake("open() the node before it is used");
  std::vector<PayloadRef> inputs;
  for (const PortDecl& port : ports.inputs) {
    const auto input = given.find(port.name);
    inputs.push_back(input == given.end() ? PayloadRef() : input->second);
  }
  for (const auto& [name, payload] : given) {
    if (std::ranges::find(ports.inputs, name, &PortDecl::name) == ports.inputs.end()) {
      mistake("`" + type.spec->type() + "` has no input `" + name + "`");
    }
  }
  return inputs;
}

NodeHarness::Run NodeHarness::State::run_of(Status status, Item& item, const Token& token) const {
  Run run{std::move(status), {}, token.allocated_bytes};
  for (Emission& emission : item.emissions()) {
    const PortDecl& port = ports.outputs[emission.output];
    if (const Status fits = check_payload(port, emission.payload); !fits && run.status)
      run.status = fits;
    run.outputs[port.name].push_back(std::move(emission.payload));
  }
  return run;
}

NodeHarness::NodeHarness(std::string_view type, OptionList options, CommonOptions common) {
  const NodeType* found = find_node_type(type);
  if (!found) mistake("no node type `" + std::string(type) + "` is registered");
  state_ = std::make_unique<State>(*found, std::move(options), std::move(common));
}

NodeHarness::~NodeHarness() = default;

void NodeHarness::wire(std::string input, PortType type) {
  state_->wires.emplace_back(std::move(input), std::move(type));
}

void NodeHarness::ignore_output(std::string output) { state_->ignored.insert(std::move(output)); }

void NodeHarness::read_output(std::string output) {
  state_->extra_outputs.push_back(std::move(output));
}

void NodeHarness::limit_memory(std::size_t bytes) {
  state_->services.memory = std::make_shared<MemoryBudget>(bytes);
}

Status NodeHarness::open() {
  const Status status = caught([&]() -> Status {
    if (Status resolved = state_->resolve(); !resolved) return resolved;
    return state_->open_node();
  });
  state_->is_open = status.is_ok();
  return status;
}

const Ports& NodeHarness::ports() const { return state_->ports; }

const std::vector<Problem>& NodeHarness::problems() const { return state_->problems; }

const std::vector<PayloadRef>& NodeHarness::Run::out(const std::string& name) const {
  static const std::vector<PayloadRef> kNothing;
  const auto found = outputs.find(name);
  return found == outputs.end() ? kNothing : found->second;
}

NodeHarness::Run NodeHarness::process(const Inputs& inputs, std::string key) {
  if (state_->type.spec->takes_batches()) return std::move(process_batch({inputs}).front());

  Call call;
  call.add(state_->services, state_->inputs_of(inputs), std::move(key), state_->next_number++);
  Context ctx(state_->services, &call.items.front(), 0);
  Status status = caught([&] { return state_->plain().process(ctx); });
  return state_->run_of(std::move(status), call.items.front(), *call.slots.front()->token);
}

std::vector<NodeHarness::Run> NodeHarness::process_batch(const std::vector<Inputs>& items) {
  Call call;
  for (const Inputs& inputs : items) {
    const std::uint64_t number = state_->next_number++;
    call.add(state_->services, state_->inputs_of(inputs), "item" + std::to_string(number), number);
  }
  Context ctx(state_->services, nullptr, 0);
  const Status status = caught([&] { return state_->plain().process_batch(ctx, call.items); });

  std::vector<Run> runs;
  for (std::size_t i = 0; i < call.items.size(); ++i) {
    Item& item = call.items[i];
    runs.push_back(
        state_->run_of(status.is_ok() ? item.status() : status, item, *call.slots[i]->token));
  }
  return runs;
}

NodeHarness::Produced NodeHarness::next() {
  Call call;
  call.add(state_->services, state_->inputs_of({}), {}, state_->next_number);
  Item& item = call.items.front();
  Token& token = *call.slots.front()->token;
  SourceContext ctx(state_->services, &item, &token);
  Result<Next> next = caught([&] { return state_->plain().next(ctx); });
  if (next && *next == Next::kItem) ++state_->next_number;

  Run run = state_->run_of(Status::ok(), item, token);
  if (next && !run.status) next = run.status;
  return {std::move(next), token.key(), std::move(run.outputs), run.allocated_bytes};
}

NodeHarness::Sent NodeHarness::feed(std::string_view input, Packet packet) {
  const auto port = std::ranges::find(state_->ports.inputs, input, &PortDecl::name);
  if (port == state_->ports.inputs.end())
    mistake("the node has no input `" + std::string(input) + "`");
  CollectingContext& ctx = state_->flow();
  state_->flow_node().on_packet(ctx, static_cast<std::size_t>(port - state_->ports.inputs.begin()),
                                std::move(packet));
  return sent();
}

NodeHarness::Sent NodeHarness::idle() {
  state_->flow_node().on_idle(state_->flow());
  return sent();
}

NodeHarness::Sent NodeHarness::end() {
  state_->flow_node().on_end(state_->flow());
  return sent();
}

NodeHarness::Sent NodeHarness::sent() { return std::exchange(state_->flow().sent, {}); }

Status NodeHarness::close() {
  if (state_->flow_context) return state_->flow_node().close(*state_->flow_context);
  Context ctx(state_->services, nullptr, 0);
  return caught([&] { return state_->plain().close(ctx); });
}

void NodeHarness::request_stop() { state_->services.stopping.request_stop(); }

VirtualClock& NodeHarness::clock() { return state_->services.time; }

const std::shared_ptr<MemoryBudget>& NodeHarness::budget() const { return state_->services.memory; }

Status NodeHarness::failed_run() const { return state_->services.failure; }

}  // namespace sluice
