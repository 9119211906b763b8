"""Runs the programs of a benchmark by turns and takes the figures that they print as name=value."""
import os
import pathlib
import resource
import statistics
import subprocess
import sys
import time

LONGEST_S = 120  # of one program
DISTURBED = 0.04  # when others take a larger share of the cores meanwhile, a run is done again
MOST_RUNS = 3  # ... until it was done so often


def busy_s():
    """Seconds that all cores together have worked, or were taken away by other machines, since the start."""
    fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()
    ticks = sum(int(fields[place]) for place in (1, 2, 3, 6, 7, 8))
    return ticks / os.sysconf("SC_CLK_TCK")


def children_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median(values):
    return statistics.median(values)


def ratio(ours, theirs):
    """The median of the rounds' ratios, so that a drift of the machine over the rounds cancels out."""
    return median([a / b for a, b in zip(ours, theirs, strict=True)])


class Missing(Exception):
    """A program that is not there, or that failed."""


class Lab:
    """`folders` hold the programs; `rounds` is how often each has its turn. Ours are named `ours...` in `turns`."""

    def __init__(self, part, folders, rounds):
        self.part, self.folders, self.rounds = part, [pathlib.Path(folder).resolve() for folder in folders], rounds
        self.cores = sorted(os.sched_getaffinity(0))
        self.disorder = 0  # items of ours that came after a younger one
        self.primitives = {}
        self.repeated = self.disturbed = 0

    def find(self, name):
        for folder in self.folders:
            if (folder / name).exists():
                return folder / name
        raise Missing(f"{name} was not built")

    def run(self, name, *arguments, cores=2, environment=None):
        """The figures of the last line that the program prints, of the run that others disturbed least."""
        best, least = None, float("inf")
        for attempt in range(MOST_RUNS):
            started, busy, own = time.monotonic(), busy_s(), children_s()
            figures = self.run_once(name, arguments, cores, environment)
            wall = time.monotonic() - started
            # The counter goes in steps of 10 ms.
            others = (busy_s() - busy - (children_s() - own) - 0.02) / (wall * len(self.cores))
            if others < least:
                best, least = figures, others
            if others <= DISTURBED:
                break
            self.repeated += 1
            self.disturbed += attempt == MOST_RUNS - 1
        if name == "engine_bench":
            self.disorder += best.get("disorder", 0)
        return best

    def run_once(self, name, arguments, cores, environment):
        allowed = set(self.cores[:cores])
        command = [str(self.find(name)), *arguments]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST_S, check=False,
                                  env={**os.environ, **(environment or {})},
                                  preexec_fn=lambda: os.sched_setaffinity(0, allowed))
        except subprocess.TimeoutExpired:
            raise Missing(f"{name} {' '.join(arguments)} took over {LONGEST_S} s") from None
        if done.stderr:
            print(done.stderr, end="", file=sys.stderr)
        if done.returncode != 0 or not done.stdout.strip():
            raise Missing(f"{name} {' '.join(arguments)} ended with {done.returncode}")
        words = [word.split("=") for word in done.stdout.strip().splitlines()[-1].split()]
        return {key: float(value) for key, value in words}

    def report_disturbance(self):
        print(f"Runs done again because others used the cores: {self.repeated}; disturbed all the same: {self.disturbed}")

    def turns(self, runs):
        """What each of `runs` gives in each round, all of them once a round; without those that are missing."""
        values = {name: [] for name in runs}
        for _ in range(self.rounds):
            for name in list(values):
                try:
                    values[name].append(runs[name]())
                except Missing as problem:
                    if str(name).startswith("ours"):
                        raise
                    print(f"left out: {problem}")
                    del values[name]
        return values

    def value(self, name, value):
        print(f"VALUE {name} {value:.6g}", flush=True)

    def unmeasured(self, name, reason):
        print(f"UNMEASURED {name} {reason}", flush=True)
