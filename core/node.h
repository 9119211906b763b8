#pragma once

#include "sluice/core/clock.h"
#include "sluice/core/device_program.h"
#include "sluice/core/image.h"
#include "sluice/core/log.h"
#include "sluice/core/packet.h"
#include "sluice/core/payloads.h"
#include "sluice/core/resolve.h"
#include "sluice/core/spec.h"

#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

namespace sluice {

// Something a node gave for an item.
struct Emission {
  std::size_t output;
  PayloadRef payload;
};

// What `ctx.get(port)` gives: the payload itself, or a view of a list.
template <class T>
struct PortAccess {
  using Type = const T&;
  static Type get(const PayloadRef& payload) { return payload.get<T>(); }
};
template <class T>
struct PortAccess<List<T>> {
  using Type = ListView<T>;
  static Type get(const PayloadRef& payload) { return ListView<T>(payload.items()); }
};
template <>
struct PortAccess<Any> {
  using Type = const PayloadRef&;
  static Type get(const PayloadRef& payload) { return payload; }
};

// What hosts a node while it runs: the engine, or a test. Nodes do not see it.
class NodeServices {
 public:
  virtual ~NodeServices() = default;
  virtual const std::shared_ptr<MemoryBudget>& budget() = 0;
  virtual Clock& clock() = 0;
  virtual std::stop_token stop() = 0;
  // Ends the run: the node cannot go on, nor can anything after it.
  virtual void fail_run(Status status) = 0;

  const Options* options = nullptr;
  const CommonOptions* common = nullptr;
  const Ports* ports = nullptr;
  std::vector<std::uint8_t> wanted;  // per output: 1 when somebody reads it
  std::string node_name;
};

// One item in front of a node: its paired inputs, and what the node emits for it.
// Threads: one thread at a time. Borrowed for the call; what `get` gives lives as long.
class Item {
 public:
  // `emissions` is empty, and outlives the item as `inputs` and `token` do.
  Item(NodeServices& services, std::span<PayloadRef> inputs, Token& token, std::uint64_t index,
       std::vector<Emission>& emissions)
      : services_(&services),
        inputs_(inputs),
        token_(&token),
        index_(index),
        emissions_(&emissions) {}
  // In front of nothing, until `turn_to`.
  Item(NodeServices& services, std::vector<Emission>& emissions)
      : services_(&services), emissions_(&emissions) {}

  // REQUIRES: the input is wired.
  template <class T>
  typename PortAccess<T>::Type get(const In<T>& port) const {
    return PortAccess<T>::get(inputs_[port.index()]);
  }
  // An input itself, for a node that passes on what it got: costs less than a copy. There is no
  // `get` of it afterwards. REQUIRES: the input is wired.
  PayloadRef take(const PortConstant& port) { return std::move(inputs_[port.index()]); }
  // Whether an optional input is wired.
  bool has(const PortConstant& input) const {
    return input.index() < inputs_.size() && inputs_[input.index()];
  }
  // By place among the resolved inputs; an unwired one is empty.
  std::span<const PayloadRef> inputs() const { return inputs_; }

  // Gives a value to whoever reads `port`. Never blocks, never fails.
  template <class T>
  void emit(const Out<T>& port, std::type_identity_t<T> value) {
    if constexpr (std::is_same_v<T, Any>) {
      static_assert(!std::is_same_v<T, Any>, "emit a PayloadRef on a port of Any");
    } else {
      emit(port.index(), PayloadRef::make<T>(std::move(value)));
    }
  }
  template <class T>
  void emit(const Out<List<T>>& port, List<T> list) {
    emit(port.index(), PayloadRef::make_list(payload_type<T>(), std::move(list).take()));
  }
  void emit(const PortConstant& port, PayloadRef payload) {
    emit(port.index(), std::move(payload));
  }
  // By place among the resolved outputs.
  void emit(std::size_t output, PayloadRef payload) {
    if (services_->wanted[output] != 0) emissions_->push_back({output, std::move(payload)});
  }
  // Whether anybody reads the output, so that it is worth computing.
  bool wanted(const PortConstant& output) const { return services_->wanted[output.index()] != 0; }

  // In process_batch: what became of this item; one that is not ok rejects it, and the others go
  // on.
  void set_status(Status status) { status_ = std::move(status); }

  const std::string& key() const { return token_->key(); }
  void* cookie() const { return token_->cookie; }  // what the source attached; null for none
  std::uint64_t number() const { return token_->number; }  // of its source, from 0
  std::uint64_t index() const { return index_; }  // among the children of its split, from 0
  ItemNames names() const { return {token_->key(), token_->number, index_}; }
  std::optional<TimePoint> deadline() const { return token_->deadline; }

  // Memory charged to the run's limit. Errors: memory.limit, memory.exhausted; return them, so that
  // the item is rejected.
  Result<Buffer> allocate(std::size_t size_bytes);
  Result<Image> allocate_image(int width, int height, int channels);
  Result<Tensor> allocate_tensor(DType dtype, const Shape& shape);
  const std::shared_ptr<MemoryBudget>& budget() const { return services_->budget(); }
  // For what others took from `budget` for this item, such as a decoder: what items need decides
  // how many are let in.
  void count_allocated(std::size_t size_bytes);

  // For hosts that run several nodes as one. The item in front of one of them, with what is emitted
  // there.
  Item in_front_of(NodeServices& services, std::span<PayloadRef> inputs,
                   std::vector<Emission>& emissions) const {
    return Item(services, inputs, *token_, index_, emissions);
  }
  std::span<PayloadRef> payloads() { return inputs_; }
  // Which of them it is that rejects the item; it lives as long as the item. Null: the host itself.
  void set_rejecting_node(const std::string* name) { rejecting_node_ = name; }
  const std::string* rejecting_node() const { return rejecting_node_; }
  // For hosts that make one item serve for many: it stands for that of `packet` now.
  void turn_to(Packet& packet) {
    inputs_ = {&packet.payload, 1};
    token_ = &*packet.token;
    index_ = packet.place();
  }
  // For hosts: what was emitted, in order; why it is to be rejected, ok when it is not.
  std::vector<Emission>& emissions() { return *emissions_; }
  Status& status() { return status_; }

 private:
  NodeServices* services_;
  std::span<PayloadRef> inputs_;
  Token* token_ = nullptr;
  std::uint64_t index_ = 0;
  std::vector<Emission>* emissions_;
  Status status_;
  const std::string* rejecting_node_ = nullptr;
};

// What a node sees of the engine. Threads: one thread at a time; a stateless node may be called
// with several contexts at once.
class Context {
 public:
  Context(NodeServices& services, Item* item, std::size_t worker)
      : services_(&services), item_(item), worker_(worker) {}

  // The same call in front of another item.
  Context with(Item& item) const {
    Context copy = *this;
    copy.item_ = &item;
    return copy;
  }

  // REQUIRES: the option is given, required, or has a default.
  template <class T>
  const typename Option<T>::Stored& option(const Option<T>& option) const {
    return std::get<typename Option<T>::Stored>(services_->options->values[option.index()]);
  }
  bool has_option(const OptionConstant& option) const {
    return services_->options->values[option.index()].index() != 0;
  }
  const CommonOptions& common() const { return *services_->common; }
  const Ports& ports() const { return *services_->ports; }
  bool output_wanted(std::size_t output) const { return services_->wanted[output] != 0; }
  // Which of the node's concurrent calls this is: 0 .. parallel - 1, no two at once.
  std::size_t worker() const { return worker_; }
  Clock& clock() const { return services_->clock(); }
  std::stop_token stop() const { return services_->stop(); }
  const std::shared_ptr<MemoryBudget>& budget() const { return services_->budget(); }
  Log log() const { return Log(services_->node_name); }
  const std::string& node_name() const { return services_->node_name; }
  // Ends the run, for what no later item can get past: a full disk at a sink. Return kCancelled
  // next: the item at hand is unfinished, not rejected.
  void fail_run(Status status) { services_->fail_run(std::move(status)); }

  // The item of this call. In `process` only; the calls below are short for those of the item.
  Item& item() { return *item_; }
  const Item& item() const { return *item_; }
  template <class T>
  typename PortAccess<T>::Type get(const In<T>& port) const {
    return item_->get(port);
  }
  PayloadRef take(const PortConstant& port) { return item_->take(port); }
  bool has(const PortConstant& input) const { return item_->has(input); }
  template <class T>
  void emit(const Out<T>& port, std::type_identity_t<T> value) {
    item_->emit(port, std::move(value));
  }
  void emit(const PortConstant& port, PayloadRef payload) { item_->emit(port, std::move(payload)); }
  bool wanted(const PortConstant& output) const { return item_->wanted(output); }
  const std::string& key() const { return item_->key(); }
  Result<Buffer> allocate(std::size_t size_bytes) { return item_->allocate(size_bytes); }
  Result<Image> allocate_image(int width, int height, int channels) {
    return item_->allocate_image(width, height, channels);
  }
  Result<Tensor> allocate_tensor(DType dtype, const Shape& shape) {
    return item_->allocate_tensor(dtype, shape);
  }

 private:
  NodeServices* services_;
  Item* item_;
  std::size_t worker_;
};

// What a source's `next` has done.
enum class Next : std::uint8_t {
  kItem,   // emitted one item
  kAgain,  // nothing yet; call again (only after waiting itself, as a blocking node may)
  kEnd,    // nothing more will come
};

// What a source sees: it names each item it emits.
class SourceContext : public Context {
 public:
  SourceContext(NodeServices& services, Item* item, Token* token)
      : Context(services, item, 0), token_(token) {}
  // What the item is called from here on: in rejects, in templates, in logs.
  void set_key(std::string key) { token_->set_key(std::move(key)); }
  // Where the source could go on after this item.
  void set_position(std::int64_t position) { token_->position = position; }
  void set_deadline(TimePoint deadline) { token_->deadline = deadline; }
  void set_cookie(void* cookie) { token_->cookie = cookie; }

 private:
  Token* token_;
};

// A node: settings that do not change after `open`, and one of process, process_batch and next.
//
// Life: constructed and `resolve`d at plan time, once; `open`ed once before the first item; then
// calls, several at once when its spec says stateless; `close`d once after the last. Errors: a
// failing process rejects its item; a failing open or close ends the run. What a node throws is
// turned into a rejection. Blocks: only a node whose spec says blocking may wait, and then honours
// ctx.stop().
class Node {
 public:
  virtual ~Node() = default;

  // The ports, for nodes whose ports depend on options or on what is wired. Default: those
  // declared.
  virtual Result<Ports> resolve(Resolve& plan) { return plan.declared(); }
  // `workers`: how many calls may run at once.
  virtual Status open(Context&, std::size_t /*workers*/) { return Status::ok(); }
  virtual Status process(Context&) {
    return internal("node.process", "this node has no process()");
  }
  // Items that are rejected say so by item.set_status; a failed call rejects all of them. Default:
  // process for each. When it throws, it is called again for each item alone, so that only the bad
  // one is rejected.
  virtual Status process_batch(Context& ctx, std::span<Item> items);
  // Of a node whose `resolve` said kLanes, in place of process and process_batch; those come after
  // all once a device is lost that the plan had chosen for `device: auto`.
  // A program for each lane of the device, which outlives them; asked for once, after `open`. Its
  // inputs and outputs have the items of a run as their outermost axis.
  virtual Result<std::vector<std::shared_ptr<DeviceProgram>>> programs(Context&, Device&,
                                                                       std::size_t /*lanes*/) {
    return internal("node.programs", "this node runs on no device");
  }
  // What the program takes for one item, without that axis: dense, in the host's memory or, passed
  // on as it came, in the device's. Items whose tensors are alike are put together, as many as
  // Ports::stacking says.
  virtual Result<std::vector<Tensor>> device_inputs(Context&) {
    return internal("node.device_inputs", "this node runs on no device");
  }
  // Of a node that may be fused with the one in front of it: its input is on the device and is not
  // asked for. Whether it takes an item's tensor of that shape.
  virtual Status check_device_input(Context&, const Shape& /*item*/) { return Status::ok(); }
  // Emits what the program has made of one item, or says why the item is rejected. The outputs are
  // the item's own part of the program's: in the host's memory; in the device's where the node
  // gives unseen and only nodes of the device read; empty where the one reader is fused with it.
  // `inputs`: the shapes of what went in.
  virtual Status device_outputs(Context&, std::span<const Shape> /*inputs*/,
                                std::span<const Tensor> /*outputs*/) {
    return internal("node.device_outputs", "this node runs on no device");
  }
  // An error with a key set rejects that item and the source goes on; without a key it ends the
  // run.
  virtual Result<Next> next(SourceContext&) {
    return internal("node.next", "this node is no source");
  }
  // Of a source: how many items it will give, where it knows.
  virtual std::optional<std::uint64_t> total() const { return std::nullopt; }
  virtual Status close(Context&) { return Status::ok(); }
};

}  // namespace sluice
