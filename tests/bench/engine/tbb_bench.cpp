// What oneTBB offers for the same: the peers that come with the scheduler the engine stands on.
//
//   tbb_bench contender=function_node|multifunction_node|parallel_pipeline case=chain ...
//
// function_node: the chain as its manual draws it, bounded by one limiter_node for the whole graph.
// It does not keep order (`disorder` counts). multifunction_node puts from inside its body and
// does. parallel_pipeline is a chain of serial filters with as many tokens; it has no diamond.
// Cases: those of run_case in workload.h.
#include "tests/bench/engine/workload.h"

#include <tbb/flow_graph.h>
#include <tbb/parallel_pipeline.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace sluice::bench {
namespace {

namespace flow = tbb::flow;

using Number = std::uint64_t;
using Four = std::tuple<Number, Number, Number, Number>;

Number work(const Shape& shape, Number number) {
  burn(shape.steps, number);
  return number;
}

// A graph between a meter and itself, bounded by one limiter: an item leaves it at the sink.
struct Bounded {
  Bounded(const Shape& shape, Meter& to)
      : meter(to),
        source(graph,
               [this](tbb::flow_control& control) {
                 Number number = 0;
                 if (!meter.next(number)) control.stop();
                 return number;
               }),
        limiter(graph, shape.capacity),
        sink(graph, flow::serial, [this](Number number) {
          meter.arrived(number);
          return flow::continue_msg();
        }) {
    flow::make_edge(sink, limiter.decrementer());
  }

  // A meter of latency makes its source wait for the sink, which no body may: then this thread
  // puts.
  void run() {
    if (meter.probe() == Probe::kThroughput) {
      flow::make_edge(source, limiter);
      source.activate();
    } else {
      for (Number number = 0; meter.next(number);) limiter.try_put(number);
    }
    graph.wait_for_all();
  }

  Meter& meter;
  flow::graph graph;
  flow::input_node<Number> source;
  flow::limiter_node<Number> limiter;
  flow::function_node<Number, flow::continue_msg> sink;
};

void chain_of_functions(const Shape& shape, Meter& meter) {
  Bounded bounded(shape, meter);
  std::vector<std::unique_ptr<flow::function_node<Number, Number>>> stages;
  flow::sender<Number>* last = &bounded.limiter;
  for (int i = 0; i < shape.stages; ++i) {
    stages.push_back(std::make_unique<flow::function_node<Number, Number>>(
        bounded.graph, flow::serial, [&shape](Number number) { return work(shape, number); }));
    flow::make_edge(*last, *stages.back());
    last = stages.back().get();
  }
  flow::make_edge(*last, bounded.sink);
  bounded.run();
}

using Multifunction = flow::multifunction_node<Number, std::tuple<Number>>;

std::unique_ptr<Multifunction> multifunction(flow::graph& graph, const Shape& shape) {
  return std::make_unique<Multifunction>(
      graph, flow::serial, [&shape](Number number, Multifunction::output_ports_type& out) {
        std::get<0>(out).try_put(work(shape, number));
      });
}

void chain_of_multifunctions(const Shape& shape, Meter& meter) {
  Bounded bounded(shape, meter);
  std::vector<std::unique_ptr<Multifunction>> stages;
  flow::sender<Number>* last = &bounded.limiter;
  for (int i = 0; i < shape.stages; ++i) {
    stages.push_back(multifunction(bounded.graph, shape));
    flow::make_edge(*last, *stages.back());
    last = &flow::output_port<0>(*stages.back());
  }
  flow::make_edge(*last, bounded.sink);
  bounded.run();
}

// By key, since a function_node's branches do not keep order; a sequencer brings it back.
void diamond_of_functions(const Shape& shape, Meter& meter) {
  using Branch = flow::function_node<Number, Number>;
  Bounded bounded(shape, meter);
  const auto body = [&shape](Number number) { return work(shape, number); };
  const auto key = [](Number number) { return number; };
  Branch a(bounded.graph, flow::serial, body), b(bounded.graph, flow::serial, body),
      c(bounded.graph, flow::serial, body), d(bounded.graph, flow::serial, body);
  flow::join_node<Four, flow::key_matching<Number>> join(bounded.graph, key, key, key, key);
  flow::sequencer_node<Four> sequencer(
      bounded.graph, [](const Four& four) { return static_cast<std::size_t>(std::get<0>(four)); });
  flow::function_node<Four, Number> first(bounded.graph, flow::serial,
                                          [](const Four& four) { return std::get<0>(four); });
  for (Branch* branch : {&a, &b, &c, &d}) flow::make_edge(bounded.limiter, *branch);
  flow::make_edge(a, flow::input_port<0>(join));
  flow::make_edge(b, flow::input_port<1>(join));
  flow::make_edge(c, flow::input_port<2>(join));
  flow::make_edge(d, flow::input_port<3>(join));
  flow::make_edge(join, sequencer);
  flow::make_edge(sequencer, first);
  flow::make_edge(first, bounded.sink);
  bounded.run();
}

// By place: branches that keep order need no key.
void diamond_of_multifunctions(const Shape& shape, Meter& meter) {
  Bounded bounded(shape, meter);
  std::vector<std::unique_ptr<Multifunction>> branches;
  for (int i = 0; i < 4; ++i) {
    branches.push_back(multifunction(bounded.graph, shape));
    flow::make_edge(bounded.limiter, *branches.back());
  }
  flow::join_node<Four, flow::queueing> join(bounded.graph);
  flow::make_edge(flow::output_port<0>(*branches[0]), flow::input_port<0>(join));
  flow::make_edge(flow::output_port<0>(*branches[1]), flow::input_port<1>(join));
  flow::make_edge(flow::output_port<0>(*branches[2]), flow::input_port<2>(join));
  flow::make_edge(flow::output_port<0>(*branches[3]), flow::input_port<3>(join));
  flow::function_node<Four, Number> first(bounded.graph, flow::serial, [](const Four& four) {
    if (std::get<0>(four) != std::get<3>(four)) std::abort();
    return std::get<0>(four);
  });
  flow::make_edge(join, first);
  flow::make_edge(first, bounded.sink);
  bounded.run();
}

void chain_of_filters(const Shape& shape, Meter& meter) {
  constexpr auto kMode = tbb::filter_mode::serial_in_order;
  tbb::filter<void, Number> chain =
      tbb::make_filter<void, Number>(kMode, [&meter](tbb::flow_control& control) {
        Number number = 0;
        if (!meter.next(number)) control.stop();
        return number;
      });
  for (int i = 0; i < shape.stages; ++i) {
    chain = chain & tbb::make_filter<Number, Number>(
                        kMode, [&shape](Number number) { return work(shape, number); });
  }
  const auto sink =
      tbb::make_filter<Number, void>(kMode, [&meter](Number number) { meter.arrived(number); });
  const bool throughput = meter.probe() == Probe::kThroughput;
  tbb::parallel_pipeline(throughput ? shape.capacity : 1, chain & sink);
}

Contender contender_of(const std::string& name, bool diamond) {
  if (name == "function_node") return diamond ? diamond_of_functions : chain_of_functions;
  if (name == "multifunction_node")
    return diamond ? diamond_of_multifunctions : chain_of_multifunctions;
  if (name == "parallel_pipeline" && !diamond) return chain_of_filters;
  std::fprintf(stderr, "no contender `%s` for this case\n", name.c_str());
  std::exit(2);
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  using namespace sluice::bench;
  const Arguments arguments(argc, argv);
  return run_case(arguments, contender_of(arguments.text("contender", "function_node"),
                                          arguments.text("case", "chain") == "diamond"));
}
