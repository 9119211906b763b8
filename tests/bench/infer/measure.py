#!/usr/bin/env python3
"""Times the native engine beside ONNX Runtime and OpenVINO: the same inputs, in the same run, by turns.

  tests/bench/run.sh infer -- [--models NAME,NAME] [--quick] [--rounds N] [--list]

NAME is a part of a case's name (--list prints them). --quick: one core and three rounds.
Of every case the outputs are checked first, ours in fp32 against those of the peer that is nearer: a case whose
outputs differ is not timed. Then come rounds in which every engine has its turn, on one thread, and rounds on two cores:
ours as two runs at once, the peers in that way and with two threads a run. A figure is the median of
the rounds; a ratio is a peer's time over ours, so more is better. The share of the peak is that of the
multiply-adds that the model takes by definition, against those that the core does in a loop of nothing
else in the same rounds. Figures for bars.py are printed as `VALUE name value`; over all cases only, a part of
them has no bar.

The nearer peer, because one may be off by more than the bound: ONNX Runtime sums the means over a whole page in
float, and its PP-OCRv6 detector at 2016 x 1408 differs by 1e-4 from OpenVINO and from ours, these two by 1.5e-5.
"""
import argparse
import dataclasses
import os
import pathlib
import statistics
import subprocess
import tempfile

import numpy as np
import onnxruntime
import openvino

import cases
import engines
import operations

WORST_ERROR = 1e-4  # of the largest magnitude of an output; a bar too
SLICE_MS = 120  # how long an engine's turn is at least
MOST_RUNS = 20  # ... but of no more runs than this


@dataclasses.dataclass
class Result:
    """What was measured of one case: milliseconds by engine."""

    case: cases.Case
    error: float = float("inf")
    one: dict = dataclasses.field(default_factory=dict)
    two: dict = dataclasses.field(default_factory=dict)
    bf16_errors: dict = dataclasses.field(default_factory=dict)


# ---------------------------------------------------------------- outputs

def largest(values):
    return float(np.abs(values).max())


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def relative_error(values, expected, size=largest):
    """The size of the difference over that of what is expected, the worst of all outputs."""
    worst = 0.0
    for got, wanted in zip(values, expected, strict=True):
        if got.size != wanted.size:
            return float("inf")
        error = size(got.ravel() - wanted.ravel()) / (size(wanted) or 1.0)
        worst = max(worst, error if np.isfinite(error) else float("inf"))
    return worst


def check_outputs(case, native, peers):
    worst = 0.0
    for shape in (*case.checked, case.shape):  # its own last: what is fed then is what is timed
        for engine in (native, *peers):
            engine.feed(case.inputs(shape))
        ours = native.outputs()
        errors = [relative_error(ours, peer.outputs()) for peer in peers]
        print(f"  {'x'.join(map(str, shape))}: relative error " + ", ".join(f"{error:.2g}" for error in errors))
        worst = max(worst, min(errors))
    return worst


# ---------------------------------------------------------------- time

def turn(engine):
    """The median of one engine's turn, after a run that has its caches warm again."""
    first = engine.samples(1)[0]
    return statistics.median(engine.samples(max(1, min(MOST_RUNS, round(SLICE_MS / first)))))


def turn_of_two(engine):
    first = engine.two_at_once(1)
    return engine.two_at_once(max(1, min(MOST_RUNS, round(SLICE_MS / 2 / first))))


def rounds_of(turns, rounds):
    """Medians over the rounds; `turns` maps a name to a call that gives one figure."""
    found = {name: [] for name in turns}
    for _ in range(rounds):
        for name, take in turns.items():
            found[name].append(take())
    return {name: statistics.median(values) for name, values in found.items()}


def peak_gflops(program):
    return float(subprocess.run([program], capture_output=True, text=True, check=True).stdout)


class Bench:
    def __init__(self, arguments, folder):
        self.programs, self.folder = arguments.bin, folder
        self.models = arguments.work / "models"
        self.models.mkdir(parents=True, exist_ok=True)
        self.rounds = arguments.rounds or (3 if arguments.quick else 5)
        self.two_cores = not arguments.quick and len(os.sched_getaffinity(0)) > 1
        self.cpu_has_bf16 = cpu_has_bf16()
        self.no_bf16 = None if self.cpu_has_bf16 else "this CPU has no bf16"  # why ours has no figures

    def native(self, path, precision):
        return engines.Native(self.programs / "run_model", path, precision, self.folder)

    def measure(self, case):
        result = Result(case)
        path = cases.model_path(case, self.models)
        print(f"{case.name}", flush=True)
        native = self.native(path, "fp32")
        onnx_runtime, openvino_f32 = engines.OnnxRuntime(path), engines.OpenVino(path, "fp32")
        result.error = check_outputs(case, native, (onnx_runtime, openvino_f32))
        if result.error <= WORST_ERROR:
            self.time_one_core(result, path, {"ours": native, "onnxruntime": onnx_runtime, "openvino": openvino_f32})
            if self.two_cores:
                self.time_two_cores(result, path, native, onnx_runtime)
        else:
            print("  not timed: the outputs differ")
        print(f"  ours: loaded in {native.load_ms:.0f} ms, the process held {native.peak_memory_kb() / 1024:.0f} MB at most")
        native.close()
        return result

    def time_one_core(self, result, path, timed):
        if self.cpu_has_bf16:
            timed["openvino_bf16"] = engines.OpenVino(path, "bf16")
            try:
                timed["ours_bf16"] = self.native(path, "bf16")
            except engines.Unavailable as problem:
                self.no_bf16 = str(problem)
        inputs, expected = result.case.inputs(), timed["onnxruntime"].outputs()
        for name, engine in timed.items():
            engine.feed(inputs)
            if name.endswith("bf16"):
                result.bf16_errors[name] = relative_error(engine.outputs(), expected, root_mean_square)
        turns = {name: lambda engine=engine: turn(engine) for name, engine in timed.items()}
        turns["peak"] = lambda: peak_gflops(self.programs / "fma_peak")
        result.one = rounds_of(turns, self.rounds)
        peak = result.one.pop("peak")
        gflop = operations.count(path, inputs) * 1e-9
        shares = {name: gflop / ms * 1e3 / peak for name, ms in result.one.items()}
        print(f"  {gflop:.2f} GFLOP; one core does {peak:.0f} GFLOP/s\n  one core, ms (share of the fp32 peak): "
              + ", ".join(f"{name} {ms:.2f} ({shares[name]:.0%})" for name, ms in result.one.items()))
        if result.bf16_errors:
            print("  relative error in bf16, root mean square: "
                  + ", ".join(f"{name} {error:.2g}" for name, error in result.bf16_errors.items()))
        if "ours_bf16" in timed:
            timed["ours_bf16"].close()
        print_ratios("one core", result.one, "ours")

    def time_two_cores(self, result, path, native, onnx_runtime):
        shared = engines.OnnxRuntime(path, threads=2)
        openvino_1x2 = engines.OpenVino(path, "fp32", threads=2)
        openvino_2x1 = engines.OpenVino(path, "fp32", threads=2, streams=2)
        for engine in (shared, openvino_1x2, openvino_2x1):
            engine.feed(result.case.inputs())
        result.two = rounds_of({
            "ours_2x1": lambda: turn_of_two(native),
            "onnxruntime_1x2": lambda: turn(shared),
            "onnxruntime_2x1": lambda: turn_of_two(onnx_runtime),
            "openvino_1x2": lambda: turn(openvino_1x2),
            "openvino_2x1": lambda: turn_of_two(openvino_2x1),
        }, self.rounds)
        print("  two cores, ms an item: " + ", ".join(f"{name} {ms:.2f}" for name, ms in result.two.items()))
        print_ratios("two cores", result.two, "ours_2x1")


def print_ratios(title, times, ours):
    print(f"  {title}, times ours: " + ", ".join(
        f"{name} {ms / times[ours]:.2f}" for name, ms in times.items() if name != ours), flush=True)


def cpu_has_bf16():
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    return "avx512_bf16" in flags or "amx_bf16" in flags


# ---------------------------------------------------------------- what comes out

def best_peer(times):
    return min(ms for name, ms in times.items() if not name.startswith("ours") and not name.endswith("bf16"))


def ratios(results):
    """For each figure its name, and its ratio for each case: ours is faster above 1."""
    one = [(result.case, result.one) for result in results]
    in_bf16 = [(case, times) for case, times in one if "ours_bf16" in times]
    return {
        "infer.fp32.vs_onnxruntime": [times["onnxruntime"] / times["ours"] for _, times in one],
        "infer.fp32.vs_openvino": [times["openvino"] / times["ours"] for _, times in one],
        "infer.two_cores.vs_better": [
            best_peer(result.two) / result.two["ours_2x1"] for result in results if result.two],
        "infer.bf16.vs_fp32": [times["ours"] / times["ours_bf16"] for case, times in in_bf16 if case.is_ocr],
        "infer.bf16.vs_openvino_bf16": [times["openvino_bf16"] / times["ours_bf16"] for _, times in in_bf16],
    }


def print_table(results):
    print("\ncase                     error  ours ms  onnxruntime  openvino  better  two cores")
    for result in results:
        one, two = result.one, result.two
        shared = f"{best_peer(two) / two['ours_2x1']:9.2f}" if two else "        -"
        print(f"{result.case.name:22} {result.error:7.1e} {one['ours']:8.2f} {one['onnxruntime'] / one['ours']:12.2f} "
              f"{one['openvino'] / one['ours']:9.2f} {best_peer(one) / one['ours']:7.2f} {shared}")


def print_values(results, bench, complete):
    """The figures of the bars; those of a part of the cases as text only."""
    timed = [result for result in results if result.one]
    figures = {"infer.fp32.error": max(result.error for result in results)}
    if timed:
        print_table(timed)
        figures["infer.fp32.worst_case"] = min(best_peer(result.one) / result.one["ours"] for result in timed)
        figures |= {name: statistics.geometric_mean(values) for name, values in ratios(timed).items() if values}
        errors = [result.bf16_errors for result in timed if "ours_bf16" in result.bf16_errors]
        if errors:
            figures["infer.bf16.error_vs_openvino_bf16"] = max(e["ours_bf16"] / e["openvino_bf16"] for e in errors)
    print()
    all_timed = complete and len(timed) == len(results)
    for name, value in figures.items():
        of_all = all_timed or (complete and name == "infer.fp32.error")
        print(f"VALUE {name} {value:.4g}" if of_all else f"of these cases: {name} {value:.4g}")
    if not all_timed:
        print("UNMEASURED infer.* " + ("only some of the cases were chosen" if not complete else
                                       "not timed, because outputs differ: "
                                       + ", ".join(result.case.name for result in results if not result.one)))
    if bench.no_bf16:
        print(f"UNMEASURED infer.bf16.* {bench.no_bf16}")
    if not bench.two_cores:
        print("UNMEASURED infer.two_cores.* only one core was measured")


def chosen(names, parser):
    """The cases whose names hold one of `names`, a list with commas; all of them for None."""
    if names is None:
        return cases.CASES
    parts = names.split(",")
    unknown = [part for part in parts if not any(part in case.name for case in cases.CASES)]
    if unknown:
        parser.error(f"no case is named {', '.join(unknown)}; there are {', '.join(case.name for case in cases.CASES)}")
    return [case for case in cases.CASES if any(part in case.name for part in parts)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built programs (run.sh gives it)")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for models (run.sh gives it)")
    parser.add_argument("--models", metavar="NAME,NAME", help="only the cases whose names hold one of these")
    parser.add_argument("--quick", action="store_true", help="one core, three rounds")
    parser.add_argument("--rounds", type=int, metavar="N", help="default 5, with --quick 3")
    parser.add_argument("--list", action="store_true", help="print the names of the cases and stop")
    arguments = parser.parse_args()
    selected = chosen(arguments.models, parser)
    if arguments.list:
        print("\n".join(case.name for case in selected))
        return
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    print(f"onnxruntime {onnxruntime.__version__}, openvino {openvino.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, folder)
        results = [bench.measure(case) for case in selected]
    print_values(results, bench, complete=len(selected) == len(cases.CASES))


if __name__ == "__main__":
    main()
