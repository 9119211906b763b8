#!/usr/bin/env python3
"""Compares the native engine with ONNX Runtime: the same inputs, in the same run, by turns.

  compare.py --run-model BUILD/bin/run_model --det det.onnx --rec rec.onnx [--rounds 9] [--outputs-only]

Needs numpy and onnxruntime. ONNX Runtime sums the means over a whole page in float: against float64
the detector's first one is off by 1.9e-4 at 2016 x 1408, ours by 3.3e-6, so that an error of about
1e-4 at that size is mostly the reference's. Outputs are checked first, then speed on one thread and on two, load
time and peak memory. A time is the median of alternating runs; a ratio is ONNX Runtime's time over
ours, so more is better. Prints lines `BAR name value op bar ok|short`; exit status 1 if one is short.
"""
import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime as ort

# The detector takes multiples of 32: with others its own skip connections do not fit each other.
DET_CHECKS = [(1, 3, 736, 1056), (1, 3, 32, 32), (1, 3, 2016, 1408)]
REC_CHECKS = [(1, 3, 48, w) for w in (160, 320, 800, 1600)] + [(n, 3, 48, 320) for n in range(2, 9)]
DET_TIMED = [(1, 3, 736, 1056)]
REC_TIMED = [(1, 3, 48, 320), (1, 3, 48, 960)]
WORST_ERROR = 1e-4  # of the largest magnitude of the output
LEAST_SPEED = 0.67


class Native:
    """The model in a run_model process."""

    def __init__(self, program, model, folder):
        self.folder = folder
        self.process = subprocess.Popen([program, model], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.load_ms = float(self._read().split()[1])

    def _read(self):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("error"):
            sys.exit(f"run_model: {line or 'ended'}")
        return line

    def ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._read()

    def feed(self, values):
        path = os.path.join(self.folder, "input")
        values.tofile(path)
        self.ask("clear")
        self.ask(f"input {path} {','.join(map(str, values.shape))}")

    def outputs(self, like):
        prefix = os.path.join(self.folder, "output")
        self.ask(f"run {prefix}")
        found = []
        for i, expected in enumerate(like):
            values = np.fromfile(f"{prefix}.{i}", dtype=expected.dtype)
            if values.size != expected.size:
                sys.exit(f"output {i} has {values.size} elements, expected {expected.size}")
            found.append(values.reshape(expected.shape))
        return found

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def reference(model, threads):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A thread that spins between its runs would take the core from the engine whose turn it is.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def inputs_of(shape):
    """Lines of dark strokes on noisy paper, as -1..1. On noise alone the detector's probabilities
    stay under 1e-3, where float rounding in the last sigmoid is all that two engines differ by."""
    random = np.random.default_rng(sum(shape))
    batch, channels, height, width = shape
    page = random.uniform(0.8, 1, (batch, 1, height, width))
    line = min(32, height)
    for n in range(batch):
        for top in range(0, height, line):
            x = 4
            while x < width - 4:
                y, tall = top + line // 4 + random.integers(0, line // 8), line // 2 - random.integers(0, line // 8)
                page[n, 0, y : y + tall, x : x + 2] = 0.05  # a stem and a bar, as of a letter
                bar = y + random.integers(0, tall)
                page[n, 0, bar : bar + 2, x : x + 9] = 0.05
                x += 11 if random.random() < 0.85 else 24
    return np.repeat(page * 2 - 1, channels, axis=1).astype(np.float32)


def milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


class Bars:
    def __init__(self):
        self.short = 0

    def check(self, name, value, op, bar):
        ok = value <= bar if op == "<=" else value >= bar
        self.short += not ok
        print(f"BAR {name} {value:.3g} {op} {bar:g} {'ok' if ok else 'short'}", flush=True)


def named(shape):
    return "x".join(map(str, shape))


def compare_outputs(name, native, session, shapes, bars):
    feed_name = session.get_inputs()[0].name
    for shape in shapes:
        values = inputs_of(shape)
        expected = session.run(None, {feed_name: values})
        native.feed(values)
        worst = 0.0
        scales = []
        for ours, theirs in zip(native.outputs(expected), expected):
            scale = float(np.abs(theirs).max()) or 1.0
            scales.append(f"{scale:.3g}")
            error = float(np.abs(ours - theirs).max()) / scale
            worst = max(worst, error if np.isfinite(error) else np.inf)
        print(f"{name} {named(shape)} largest magnitude of each output: {', '.join(scales)}")
        bars.check(f"error.{name}.{named(shape)}", worst, "<=", WORST_ERROR)


def compare_speed(name, native, path, shapes, rounds, bars):
    one, two = reference(path, 1), reference(path, 2)
    feed_name = one.get_inputs()[0].name
    for shape in shapes:
        values = inputs_of(shape)
        native.feed(values)
        feed = {feed_name: values}
        times = {"ours": [], "one": [], "ours_2x1": [], "one_2": []}
        for _ in range(2):
            native.ask("time 1"), one.run(None, feed), two.run(None, feed)
        for _ in range(rounds):
            times["ours"].append(float(native.ask("time 1")))
            times["one"].append(milliseconds(lambda: one.run(None, feed)))
        for _ in range(max(3, rounds // 2)):
            # Two runs at once, as two workers of the pool; an item's share of the time.
            times["ours_2x1"].append(float(native.ask("parallel 2 2")) * 1e3 / 4)
            times["one_2"].append(milliseconds(lambda: two.run(None, feed)))
        median = {key: statistics.median(list_) for key, list_ in times.items()}
        print(f"{name} {named(shape)} ms an item: ours {median['ours']:.2f} ONNX Runtime {median['one']:.2f}; "
              f"two threads: ours (2 x 1) {median['ours_2x1']:.2f} ONNX Runtime (1 x 2) {median['one_2']:.2f}; "
              f"minima {min(times['ours']):.2f} {min(times['one']):.2f}")
        bars.check(f"speed.1thread.{name}.{named(shape)}", median["one"] / median["ours"], ">=", LEAST_SPEED)
        bars.check(f"speed.2threads.{name}.{named(shape)}", median["one_2"] / median["ours_2x1"], ">=", LEAST_SPEED)


PEER = """
import sys, time, numpy, onnxruntime
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
def held():
    return int(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])
values = numpy.zeros(eval(sys.argv[2]), numpy.float32)
before = held()
start = time.perf_counter()
session = onnxruntime.InferenceSession(sys.argv[1], options, providers=['CPUExecutionProvider'])
load = (time.perf_counter() - start) * 1e3
session.run(None, {session.get_inputs()[0].name: values})
print(load, held() - before)
"""


def compare_load_and_memory(name, program, path, shape, folder):
    """Both in processes of their own; of ONNX Runtime's what it adds to Python's own memory."""
    native = Native(program, path, folder)
    native.feed(inputs_of(shape))
    native.ask("time 1")
    ours = int(native.ask("memory"))
    native.close()
    peer = subprocess.run([sys.executable, "-c", PEER, path, repr(shape)], capture_output=True, text=True, check=True)
    load, theirs = peer.stdout.split()
    print(f"{name} load ms: ours {native.load_ms:.0f} ONNX Runtime {float(load):.0f}; "
          f"peak MB after one {named(shape)}: ours {ours / 1024:.0f} (whole process) "
          f"ONNX Runtime {int(theirs) / 1024:.0f} (added to Python)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run-model", required=True)
    parser.add_argument("--det")
    parser.add_argument("--rec")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--outputs-only", action="store_true")
    arguments = parser.parse_args()
    print(f"onnxruntime {ort.__version__}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores")
    bars = Bars()
    models = [("det", arguments.det, DET_CHECKS, DET_TIMED), ("rec", arguments.rec, REC_CHECKS, REC_TIMED)]
    with tempfile.TemporaryDirectory() as folder:
        for name, path, checks, timed in models:
            if not path:
                continue
            native = Native(arguments.run_model, path, folder)
            compare_outputs(name, native, reference(path, 1), checks, bars)
            native.close()
            if arguments.outputs_only:
                continue
            native = Native(arguments.run_model, path, folder)
            compare_speed(name, native, path, timed, arguments.rounds, bars)
            native.close()
            compare_load_and_memory(name, arguments.run_model, path, timed[0], folder)
    return 1 if bars.short else 0


if __name__ == "__main__":
    sys.exit(main())
