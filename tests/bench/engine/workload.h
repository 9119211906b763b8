#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sluice::bench {

// Arguments of the form name=value. A name that is given twice keeps the last value.
// Errors: anything else on the command line ends the program with status 2.
class Arguments {
 public:
  Arguments(int argc, char** argv);
  std::string text(const std::string& name, const std::string& otherwise) const;
  double number(const std::string& name, double otherwise) const;
  std::uint64_t count(const std::string& name, std::uint64_t otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

std::int64_t now_ns();
// On which the process may run: `taskset` makes it fewer than there are.
int available_cores();

// So many multiply-adds, each of which waits for the one before: no memory, nothing to run ahead.
std::uint64_t burn(std::uint64_t steps, std::uint64_t seed);
// What one step of burn takes while `threads` threads burn at once; a median.
double ns_per_step(int threads);
// As many steps as take `us` microseconds on a thread of its own.
std::uint64_t steps_of_us(double us);

// The value below which the share `rank` (0..1) of them lie; 0 for none.
double percentile(std::vector<double> values, double rank);

enum class Probe : std::uint8_t {
  kThroughput,   // items follow each other as fast as the contender takes them
  kLatencyHot,   // the next item is made once the one before has arrived
  kLatencyCold,  // the same after a pause of 1 ms, in which everything falls asleep
};

// What is measured of the items 0 .. items - 1 on their way from one source to one sink.
// Threads: `next` is for the source, `arrived` for the sink, one thread at a time each; the rest is
// for whoever waited for the end.
class Meter {
 public:
  // `counter`, when given, is read when the first items have passed and at the end.
  using Counter = std::uint64_t (*)();
  Meter(Probe probe, std::uint64_t items, Counter counter = nullptr);

  std::uint64_t items() const { return items_; }
  Probe probe() const { return probe_; }
  // The number of the next item; false after the last. Blocks when latency is probed.
  bool next(std::uint64_t& number);
  void arrived(std::uint64_t number);
  void wait_for_all();

  std::uint64_t received() const { return received_; }
  // How many items arrived before one that is older.
  std::uint64_t disorder() const { return disorder_; }
  // Past the first twentieth of the items, in nanoseconds of the clock, and of all cores together.
  double ns_per_item() const;
  // From the making of the first item to the arrival of the last, per item: for items that cost so
  // much that what is on its way when a part of them has passed would count.
  double whole_ns_per_item() const;
  double cpu_ns_per_item() const;
  // From before an item is handed over until the sink has it.
  double latency_ns(double rank) const { return percentile(latencies_, rank); }
  // How often the threads of the process went to sleep while an item was on its way, per item, but
  // for the source's own sleep between the items.
  double sleeps_per_item() const;
  double counted_per_item() const;

 private:
  struct Usage {
    std::int64_t at_ns = 0;
    std::int64_t cpu_ns = 0;
    std::int64_t sleeps = 0;
    std::uint64_t counted = 0;
  };
  Usage usage() const;
  void wait_for(std::uint64_t count);

  const Probe probe_;
  const std::uint64_t items_;
  const std::uint64_t warm_up_;
  const Counter counter_;
  std::uint64_t issued_ = 0;
  std::atomic<std::int64_t> issued_at_ns_{0};
  std::int64_t first_issued_at_ns_ = 0;
  Usage begin_;
  Usage end_;
  std::uint64_t own_sleeps_ = 0;
  std::vector<double> latencies_;
  alignas(64) std::uint64_t received_ = 0;
  std::uint64_t expected_ = 0;
  std::uint64_t disorder_ = 0;
  alignas(64) std::atomic<std::uint64_t> visible_{0};
};

// What the items go through.
struct Shape {
  bool diamond = false;       // source, four branches, joined by item; else a chain
  int stages = 4;             // of the chain
  std::uint64_t steps = 0;    // of burn, in each stage
  std::size_t capacity = 64;  // of each queue
};

// Passes all items of a meter through a shape; returns when the last has arrived.
using Contender = std::function<void(const Shape&, Meter&)>;

// Measures the case that the arguments name: `case=` chain, diamond, latency_hot, latency_cold or
// efficiency, with `stages=`, `items=`, `stage_us=`. Prints one line of name=value.
// Gives 0; 1 when items were lost.
int run_case(const Arguments& arguments, const Contender& contender);

// One line of name=value.
void print_figures(const std::vector<std::pair<std::string, double>>& figures);

}  // namespace sluice::bench
