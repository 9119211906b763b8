#include "tests/bench/engine/workload.h"

#include <sched.h>
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace sluice::bench {

Arguments::Arguments(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos) {
      std::fprintf(stderr, "%s: `%s` is not of the form name=value\n", argv[0], argv[i]);
      std::exit(2);
    }
    values_[argument.substr(0, equals)] = argument.substr(equals + 1);
  }
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : found->second;
}

double Arguments::number(const std::string& name, double otherwise) const {
  const auto found = values_.find(name);
  return found == values_.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
}

std::uint64_t Arguments::count(const std::string& name, std::uint64_t otherwise) const {
  return static_cast<std::uint64_t>(number(name, static_cast<double>(otherwise)));
}

std::int64_t now_ns() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

int available_cores() {
  cpu_set_t cores;
  sched_getaffinity(0, sizeof(cores), &cores);
  return CPU_COUNT(&cores);
}

std::uint64_t burn(std::uint64_t steps, std::uint64_t seed) {
  for (std::uint64_t i = 0; i < steps; ++i) {
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    asm volatile("" : "+r"(seed));
  }
  return seed;
}

double ns_per_step(int threads) {
  constexpr int kRounds = 25;
  constexpr std::uint64_t kSteps = 400'000;
  std::atomic<int> ready{0};
  std::vector<double> all;
  const auto measure = [&](std::vector<double>& times) {
    ready.fetch_add(1);
    while (ready.load() < threads) std::this_thread::yield();
    for (int round = 0; round < kRounds; ++round) {
      const std::int64_t started = now_ns();
      burn(kSteps, static_cast<std::uint64_t>(round));
      times.push_back(static_cast<double>(now_ns() - started) / kSteps);
    }
  };
  std::vector<std::vector<double>> times(static_cast<std::size_t>(threads));
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < times.size(); ++i)
      others.emplace_back([&, i] { measure(times[i]); });
    measure(times[0]);
  }
  for (const std::vector<double>& part : times) all.insert(all.end(), part.begin(), part.end());
  return percentile(std::move(all), 0.5);
}

std::uint64_t steps_of_us(double us) {
  return us <= 0 ? 0 : static_cast<std::uint64_t>(us * 1000 / ns_per_step(1));
}

double percentile(std::vector<double> values, double rank) {
  if (values.empty()) return 0;
  const auto place = std::min(values.size() - 1,
                              static_cast<std::size_t>(rank * static_cast<double>(values.size())));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(place),
                   values.end());
  return values[place];
}

Meter::Meter(Probe probe, std::uint64_t items, Counter counter)
    : probe_(probe), items_(items), warm_up_(items / 20), counter_(counter) {
  if (probe_ != Probe::kThroughput) latencies_.reserve(items);
}

Meter::Usage Meter::usage() const {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const auto ns = [](const timeval& time) {
    return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1000;
  };
  return {now_ns(), ns(used.ru_utime) + ns(used.ru_stime), used.ru_nvcsw,
          counter_ ? counter_() : 0};
}

bool Meter::next(std::uint64_t& number) {
  if (issued_ == items_) return false;
  if (probe_ != Probe::kThroughput) {
    wait_for(issued_);
    if (probe_ == Probe::kLatencyCold) {
      const timespec pause{0, 1'000'000};
      nanosleep(&pause, nullptr);
      if (issued_ > warm_up_) ++own_sleeps_;
    }
    issued_at_ns_.store(now_ns(), std::memory_order_relaxed);
  }
  if (issued_ == 0) first_issued_at_ns_ = now_ns();
  number = issued_++;
  return true;
}

void Meter::arrived(std::uint64_t number) {
  if (number < expected_) ++disorder_;
  expected_ = number + 1;
  ++received_;
  if (received_ == warm_up_ + 1) begin_ = usage();
  if (received_ == items_) end_ = usage();
  if (probe_ != Probe::kThroughput) {
    if (received_ > warm_up_ + 1) {
      latencies_.push_back(
          static_cast<double>(now_ns() - issued_at_ns_.load(std::memory_order_relaxed)));
    }
  } else if (received_ != items_) {
    return;
  }
  visible_.store(received_, std::memory_order_release);
  visible_.notify_all();
}

void Meter::wait_for(std::uint64_t count) {
  for (std::uint64_t seen = visible_.load(std::memory_order_acquire); seen < count;
       seen = visible_.load(std::memory_order_acquire)) {
    visible_.wait(seen, std::memory_order_acquire);
  }
}

void Meter::wait_for_all() { wait_for(items_); }

double Meter::ns_per_item() const {
  return static_cast<double>(end_.at_ns - begin_.at_ns) /
         static_cast<double>(items_ - warm_up_ - 1);
}

double Meter::whole_ns_per_item() const {
  return static_cast<double>(end_.at_ns - first_issued_at_ns_) / static_cast<double>(items_);
}

double Meter::cpu_ns_per_item() const {
  return static_cast<double>(end_.cpu_ns - begin_.cpu_ns) /
         static_cast<double>(items_ - warm_up_ - 1);
}

double Meter::sleeps_per_item() const {
  return static_cast<double>(end_.sleeps - begin_.sleeps - static_cast<std::int64_t>(own_sleeps_)) /
         static_cast<double>(items_ - warm_up_ - 1);
}

double Meter::counted_per_item() const {
  return static_cast<double>(end_.counted - begin_.counted) /
         static_cast<double>(items_ - warm_up_ - 1);
}

void print_figures(const std::vector<std::pair<std::string, double>>& figures) {
  const char* gap = "";
  for (const auto& [name, value] : figures) {
    std::printf("%s%s=%.6g", gap, name.c_str(), value);
    gap = " ";
  }
  std::printf("\n");
}

namespace {

double peak_rss_bytes() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) * 1024;
}

double received_share(const Meter& meter) {
  return static_cast<double>(meter.received()) / static_cast<double>(meter.items());
}

// The time of each item over what two cores would need for it if nothing but its work had to be
// done; the mean of the ideal before and after, so that a drift of the machine cancels out.
int run_efficiency(const Arguments& arguments, Shape shape, const Contender& contender) {
  const double stage_us = arguments.number("stage_us", 20);
  const int cores = static_cast<int>(arguments.number("cores", 2));
  shape.steps = steps_of_us(stage_us);
  const auto items = static_cast<std::uint64_t>(arguments.number("seconds", 0.5) * 1e6 * cores /
                                                (stage_us * shape.stages));
  Meter meter(Probe::kThroughput, std::max<std::uint64_t>(items, 100));

  const double before = ns_per_step(cores);
  contender(shape, meter);
  const double after = ns_per_step(cores);

  const double ideal_ns =
      (before + after) / 2 * static_cast<double>(shape.steps) * shape.stages / cores;
  print_figures({{"efficiency", ideal_ns / meter.whole_ns_per_item()},
                 {"ns_per_item", meter.whole_ns_per_item()},
                 {"ideal_ns", ideal_ns},
                 {"disorder", static_cast<double>(meter.disorder())},
                 {"received", received_share(meter)}});
  return meter.received() == meter.items() ? 0 : 1;
}

}  // namespace

int run_case(const Arguments& arguments, const Contender& contender) {
  const std::string name = arguments.text("case", "chain");
  Shape shape;
  shape.diamond = name == "diamond";
  shape.stages = static_cast<int>(arguments.number("stages", 4));
  shape.capacity = arguments.count("capacity", 64);
  if (name == "efficiency") return run_efficiency(arguments, shape, contender);

  const bool cold = name == "latency_cold";
  const bool latency = cold || name == "latency_hot";
  if (!latency && !shape.diamond && name != "chain") {
    std::fprintf(stderr, "unknown case `%s`\n", name.c_str());
    return 2;
  }
  const Probe probe = cold      ? Probe::kLatencyCold
                      : latency ? Probe::kLatencyHot
                                : Probe::kThroughput;
  Meter meter(probe, arguments.count("items", cold ? 400 : latency ? 20'000 : 300'000));
  contender(shape, meter);
  if (latency) {
    print_figures({{"p50_ns", meter.latency_ns(0.5)},
                   {"p99_ns", meter.latency_ns(0.99)},
                   {"sleeps_per_item", meter.sleeps_per_item()},
                   {"disorder", static_cast<double>(meter.disorder())},
                   {"received", received_share(meter)}});
  } else {
    print_figures({{"ns_per_item", meter.ns_per_item()},
                   {"cpu_ns_per_item", meter.cpu_ns_per_item()},
                   {"sleeps_per_item", meter.sleeps_per_item()},
                   {"peak_rss_bytes", peak_rss_bytes()},
                   {"disorder", static_cast<double>(meter.disorder())},
                   {"received", received_share(meter)}});
  }
  return meter.received() == meter.items() ? 0 : 1;
}

}  // namespace sluice::bench
