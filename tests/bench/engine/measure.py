#!/usr/bin/env python3
"""Measures the engine beside oneTBB's graphs, Go's channels and Taskflow's pipeline, by turns, on two cores and on one.

  tests/bench/run.sh engine -- [--rounds N] [--only NAME,NAME] [--list]

NAME is one of the groups below (--list prints them). What is compared has its turn in every round; a ratio is
the median of the rounds' ratios, a time the median of the rounds' times. Times that have a bar are given as
multiples of what the machine charges for its own primitives, measured in the same rounds. Our items are real
packets that go through `Pipeline`, with tokens, credits and statistics; the peers pass bare numbers.
Figures for bars.py are printed as `VALUE name value`.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import Lab, Missing, median, ratio  # noqa: E402

ENGINE = ("engine_bench",)
GO = ("go_bench",)
TASKFLOW = ("taskflow_bench",)
FUNCTION_NODE = ("tbb_bench", "contender=function_node")
MULTIFUNCTION_NODE = ("tbb_bench", "contender=multifunction_node")
PARALLEL_PIPELINE = ("tbb_bench", "contender=parallel_pipeline")
PEERS = {"go": GO, "taskflow": TASKFLOW, "function_node": FUNCTION_NODE, "multifunction_node": MULTIFUNCTION_NODE,
         "parallel_pipeline": PARALLEL_PIPELINE}


def contend(lab, title, case, contenders, figure, cores=2):
    """Prints the figure of each contender; gives its values of all rounds by contender, without those left out."""
    runs = {name: lambda program=program: lab.run(*program, *case, cores=cores)[figure]
            for name, program in contenders.items()}
    values = lab.turns(runs)
    for name, rounds in values.items():
        print(f"{title:34} {name:20} {figure} {median(rounds):12.4g}   ({min(rounds):.4g} .. {max(rounds):.4g})")
    return values


def compare(lab, name, ours, values, peers):
    for peer in peers:
        if peer in values:
            lab.value(f"{name}.vs_{peer}", ratio(ours, values[peer]))
        else:
            lab.unmeasured(f"{name}.vs_{peer}", f"{peer} could not be had")


def primitives(lab):
    names = ("atomic_add_ns", "spawn_and_run_ns", "wake_waker_ns", "wake_sleeper_ns")
    rounds = [lab.run("primitives") for _ in range(3)]
    lab.primitives = {name: median([figures[name] for figures in rounds]) for name in names}
    for name, value in lab.primitives.items():
        print(f"{'the machine':34} {name:20} {value:.4g}")


def chain(lab):
    both = {"ours": ENGINE, "ours_parallel_nodes": (*ENGINE, "nodes=parallel"), **PEERS}
    case = ("case=chain", "items=200000")
    values = contend(lab, "chain of 4, two cores", case, both, "ns_per_item")
    compare(lab, "engine.chain.two_cores", values["ours"], values, ("go", "taskflow", "function_node"))
    values = contend(lab, "chain of 4, one core", case, both, "ns_per_item", cores=1)
    compare(lab, "engine.chain.one_core", values["ours"], values, ("parallel_pipeline",))


def hop(lab):
    """What one more node costs an item, from the difference of chains on one core."""
    stages = (4, 12, 36, 100, 200)
    runs = {count: lambda count=count: lab.run(*ENGINE, "case=chain", f"stages={count}",
                                               f"items={1_000_000 // count}", cores=1)["ns_per_item"]
            for count in stages}
    costs = {count: median(rounds) for count, rounds in lab.turns(runs).items()}
    for count, cost in costs.items():
        print(f"{f'chain of {count}, one core':34} {'ours':20} ns_per_item {cost:12.4g}")
    hop_ns = (costs[36] - costs[4]) / 32
    late_ns = (costs[200] - costs[36]) / 164
    print(f"{'one more node, one core':34} {'ours':20} ns {hop_ns:.4g} up to 36 nodes, {late_ns:.4g} up to 200")
    lab.value("engine.hop.in_atomics", hop_ns / lab.primitives["atomic_add_ns"])
    lab.value("engine.growth.hop", late_ns / hop_ns)


def latency(lab):
    spawn, wake = lab.primitives["spawn_and_run_ns"], lab.primitives["wake_waker_ns"]
    both = {"ours_outside": (*ENGINE, "wait=outside"), "ours_ticket": ENGINE, "go": GO,
            "function_node": FUNCTION_NODE, "multifunction_node": MULTIFUNCTION_NODE}
    hot = contend(lab, "one at a time, hot", ("case=latency_hot", "items=5000"), both, "p50_ns")
    lab.value("engine.latency.handed_in_spawns", median(hot["ours_outside"]) / spawn)
    lab.value("engine.latency.helped_in_spawns", median(hot["ours_ticket"]) / spawn)
    sleeps = []

    def cold_of(program):
        figures = lab.run(*program, "case=latency_cold", "items=150")
        if program == ENGINE:
            sleeps.append(figures["sleeps_per_item"])
        return figures["p50_ns"]

    cold = lab.turns({name: lambda program=program: cold_of(program) for name, program in both.items()})
    for name, rounds in cold.items():
        print(f"{'one at a time, cold':34} {name:20} p50_ns {median(rounds):12.4g}")
    lab.value("engine.latency.cold_in_wakes", median(cold["ours_ticket"]) / wake)
    lab.value("engine.latency.cold_wakes_per_item", median(sleeps))


def efficiency(lab):
    for stage_us in (2, 20, 200):
        values = contend(lab, f"four nodes of {stage_us} us", ("case=efficiency", f"stage_us={stage_us}", "seconds=0.3"),
                         {"ours": ENGINE, **PEERS}, "efficiency")
        lab.value(f"engine.efficiency.{stage_us}us", median(values["ours"]))


def diamond(lab):
    peers = {"go": GO, "function_node": FUNCTION_NODE, "multifunction_node": MULTIFUNCTION_NODE}
    values = contend(lab, "diamond of 4 branches", ("case=diamond", "items=100000"), {"ours": ENGINE, **peers},
                     "ns_per_item")
    compare(lab, "engine.diamond", values["ours"], values, ("go", "function_node"))


def rate(lab):
    mixes = {"balanced": "20,20,20,20", "uneven": "5,20,40x2,10", "one_slow": "50,10,5,10"}
    values = lab.turns({name: lambda mix=mix: lab.run(*ENGINE, "case=rate", f"mix={mix}")["rate_over_ideal"]
                        for name, mix in mixes.items()})
    for name, mix in mixes.items():
        print(f"{f'stages of {mix} us':34} {'ours':20} rate_over_ideal {median(values[name]):.4g}")
        lab.value(f"engine.rate.{name}", median(values[name]))


def growth(lab):
    """What an item costs, and what the process holds, when there are a thousand times as many."""
    counts = (10_000, 100_000, 1_000_000, 10_000_000)
    cost, held = {}, {}
    for count in counts:
        rounds = [lab.run(*ENGINE, "case=chain", f"items={count}") for _ in range(5 if count < 1_000_000 else 1)]
        cost[count] = median([figures["ns_per_item"] for figures in rounds])
        held[count] = median([figures["peak_rss_bytes"] for figures in rounds])
        print(f"{f'{count:,} items':34} {'ours':20} ns_per_item {cost[count]:.4g}, {held[count] / 1e6:.4g} MB at most")
    lab.value("engine.growth.items", cost[counts[-1]] / median([cost[count] for count in counts[:-1]]))
    lab.value("engine.growth.memory", held[counts[-1]] / held[counts[0]])


def blocking(lab):
    figures = lab.run(*ENGINE, "case=blocking")
    print(f"{'100 sleeping nodes beside':34} {'ours':20} {figures}")
    lab.value("engine.blocking.rate", figures["rate_over_alone"])
    lab.value("engine.blocking.threads_beyond_nodes", figures["threads_beyond_nodes"])


def hog(lab):
    figures = lab.run(*ENGINE, "case=hog")
    print(f"{'a node of 10 ms beside':34} {'ours':20} {figures}")
    lab.value("engine.hog.p99", figures["p99_over_alone"])


def fairness(lab):
    rounds = [lab.run(*ENGINE, "case=fairness")["slower_over_faster"] for _ in range(3)]
    print(f"{'two pipelines':34} {'ours':20} slower over faster {rounds}")
    lab.value("engine.fairness", median(rounds))


def overload(lab):
    for when_full in ("block", "drop_oldest", "drop_newest"):
        rounds = [lab.run(*ENGINE, "case=overload", f"when_full={when_full}") for _ in range(3)]
        print(f"{f'ten times too fast, {when_full}':34} {'ours':20} {rounds[0]}")
        lab.value(f"engine.overload.{when_full}.p99", median([figures["p99_over_queue"] for figures in rounds]))
        lab.value(f"engine.overload.{when_full}.counted", min(figures["counted_exactly"] for figures in rounds))
        lab.value(f"engine.overload.{when_full}.over_memory", max(figures["items_over_memory"] for figures in rounds))


def allocations(lab):
    for path in ("number", "tensor", "image", "infer"):
        figures = lab.run("allocation_bench", f"case={path}")
        print(f"{f'heap allocations, {path}':34} {'ours':20} {figures['allocations_per_item']:.4g} an item")
        lab.value(f"engine.allocations.{path}", figures["allocations_per_item"])


GROUPS = {group.__name__: group for group in
          (chain, hop, latency, efficiency, diamond, rate, growth, blocking, hog, fairness, overload, allocations)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default=",".join(GROUPS))
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(GROUPS))
        return
    chosen = arguments.only.split(",")
    if unknown := [name for name in chosen if name not in GROUPS]:
        parser.error(f"no group is named {', '.join(unknown)}; known: {', '.join(GROUPS)}")
    lab = Lab("engine", [arguments.bin, arguments.work], arguments.rounds)
    primitives(lab)
    for name in GROUPS:
        if name not in chosen:
            continue
        try:
            GROUPS[name](lab)
        except Missing as problem:
            lab.unmeasured(f"engine.{name}*", str(problem))
    lab.value("engine.disorder", lab.disorder)
    lab.report_disturbance()


if __name__ == "__main__":
    main()
