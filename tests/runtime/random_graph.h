#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace sluice::testing {

// A pipeline of test nodes drawn from a seed, and what a run of it must come to.
//
// What is expected comes from a plain recursive model: each source item is taken alone through the
// nodes in their order, level by level of the splits. It knows no channels, tokens or markers.
class RandomGraph {
 public:
  // The same seed gives the same graph everywhere.
  explicit RandomGraph(std::uint64_t seed);

  // How the run comes to its end.
  enum class Ending {
    kItself,   // its sources have nothing more
    kStopped,  // its sources are stopped somewhere on the way
    kAborted,  // it is ended somewhere on the way
  };

  std::string yaml() const;
  int threads() const { return threads_; }
  Ending ending() const { return ending_; }
  // Time stands still, so that no wait of a batch ever ends by itself.
  bool is_frozen() const { return frozen_; }
  // How far the test counts before it ends the run: a millisecond of work at most.
  int steps_before_ending() const { return steps_before_ending_; }

  // One thing that a sink gets.
  struct Value {
    std::string key;   // of its source item
    std::string text;  // as `test.collect` writes it
    auto operator<=>(const Value&) const = default;
  };
  struct Sink {
    bool in_order = false;  // nothing on the way lets items overtake each other
    std::vector<Value> values;
  };
  struct Expected {
    std::uint64_t in = 0;
    std::uint64_t rejected = 0;
    std::map<std::string, Sink> sinks;
  };
  // What comes out when each source gives its first `limit` items.
  Expected expect(std::uint64_t limit = UINT64_MAX) const;
  // Nothing may drop or refuse items by chance of timing: a run comes to just what is expected, not
  // to a part of it.
  bool is_exact() const { return !drops_ && !tight_memory_; }
  bool may_drop() const { return drops_; }
  bool has_tight_memory() const { return tight_memory_; }
  bool has_one_source() const { return source_count_ == 1; }

 private:
  enum class Type { kSource, kPass, kAllocate, kChildren, kSplit, kRoute, kMix, kGather, kSink };
  struct Writer {
    std::size_t node;
    std::size_t output;
    auto operator<=>(const Writer&) const = default;
  };
  struct Input {
    std::string port;
    std::vector<Writer> writers;  // several: a merge
    std::size_t scope = 0;
  };
  struct Node {
    std::string name;
    Type type = Type::kPass;
    std::string yaml_type;
    std::string options;
    std::vector<Input> inputs;
    std::vector<std::size_t> output_scopes;
    std::size_t scope = 0;
    std::string payload;   // "Text", "[Bytes]"
    bool collects = true;  // a sink that keeps what it gets
    bool in_order = true;
    int items = 0;
    int reject_one_in = 0;
    int filter_one_in = 0;
    int throw_one_in = 0;
    int most = 0;
    bool skips_missing = false;
  };
  struct Scope {
    int parent = -1;
    std::size_t depth = 0;
    std::uint64_t sources = 0;  // a bit each
    bool operator==(const Scope&) const = default;
  };
  class Model;

  int below(int bound);  // 0 .. bound - 1
  bool one_in(int n) { return below(n) == 0; }
  Writer pick();
  std::size_t scope_of(const Writer& writer) const;
  bool is_around(std::size_t outer, std::size_t inner) const;
  std::size_t add_scope(int parent, std::uint64_t sources);
  std::size_t add(Node node);
  const std::string& payload_of(const Writer& writer) const { return nodes_[writer.node].payload; }

  void add_source();
  void add_pass(std::vector<Writer> writers, std::size_t scope);
  void add_simple(Type type, const Writer& from);
  void add_children(const Writer& from);
  void add_route(const Writer& from);
  void add_gather(const Writer& from);
  void add_mix(const Writer& from);
  void add_merge(const Writer& from);
  void add_sinks();
  void grow();
  std::string common_words(bool stateless, std::optional<std::size_t> batch_scope = {});
  static std::string port_name(const Node& node, std::size_t output);

  std::mt19937_64 random_;
  std::vector<Node> nodes_;
  std::vector<Scope> scopes_;
  std::map<Writer, int> readers_;
  int source_count_ = 0;
  int threads_ = 1;
  int in_flight_ = 1;
  std::uint64_t memory_bytes_ = 0;
  int steps_before_ending_ = 0;
  Ending ending_ = Ending::kItself;
  bool frozen_ = true;
  bool drops_ = false;
  bool tight_memory_ = false;
  bool may_drop_ = false;
};

}  // namespace sluice::testing
