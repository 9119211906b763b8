#!/usr/bin/env python3
"""Measures the buffer pool beside malloc, jemalloc, mimalloc, tbbmalloc, one shared list and Go's sync.Pool.

  tests/bench/run.sh pool -- [--rounds N]

All but Go's take turns in one process. A pair is allocate, touch (a byte of each page), release; its time
without the touching is given as a multiple of an uncontended atomic add of the same run. Figures for bars.py are
printed as `VALUE name value`.
"""
import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import Lab, Missing, median  # noqa: E402

SMALL, LARGE = 4096, 600 * 1024
# jemalloc wants more thread-local storage than a library that is loaded late gets by default.
ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.rtld.optional_static_tls=16384"}


def measure(lab, title, *case):
    """The median of each contender in nanoseconds, over rounds of the program that have turns of their own."""
    rounds = [lab.run("pool_bench", *case, environment=ENVIRONMENT) for _ in range(lab.rounds)]
    figures = {name: median([one[name] for one in rounds]) for name in rounds[0]}
    print(f"{title:38}", "  ".join(f"{name} {value:.4g}" for name, value in figures.items()))
    return figures


def go(lab, title, size, threads):
    try:
        rounds = [lab.run("go_bench", "case=sync_pool", f"size={size}", f"threads={threads}") for _ in range(lab.rounds)]
        print(f"{title:38} go_sync_pool {median([one['pair_ns'] for one in rounds]):.4g}")
    except Missing as problem:
        print(f"left out: {problem}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    lab = Lab("pool", [arguments.bin, arguments.work.parent / "engine"], arguments.rounds)

    atomic_ns = median([lab.run("primitives")["atomic_add_ns"] for _ in range(3)])
    print(f"{'uncontended atomic add, ns':38} {atomic_ns:.4g}")
    for threads, word in ((1, "one_thread"), (2, "two_threads")):
        title = f"4 KiB, {word.replace('_', ' ')}, ns a pair"
        small = measure(lab, title, "case=pair", f"size={SMALL}", f"threads={threads}")
        go(lab, title, SMALL, threads)
        lab.value(f"pool.pair_4k.{word}_in_atomics", (small["pool"] - small["touch"]) / atomic_ns)
    large = measure(lab, "600 KiB, one thread, ns a pair", "case=pair", f"size={LARGE}")
    lab.value("pool.pair_600k.over_touching", large["pool"] / large["touch"])
    for size, word in ((SMALL, "4k"), (LARGE, "600k")):
        cross = measure(lab, f"{word}, released elsewhere, ns a block", "case=cross", f"size={size}")
        best = min(cross[name] for name in ("malloc", "jemalloc", "shared_list") if name in cross)
        lab.value(f"pool.cross_{word}.over_best", cross["pool"] / best)
    idle = lab.run("pool_bench", "case=idle")
    print(f"{'idle bytes after five seconds':38} {idle['idle_bytes_after']:.4g} of {idle['idle_bytes_before']:.4g}")
    lab.value("pool.idle.share_kept", idle["idle_share"])
    lab.report_disturbance()


if __name__ == "__main__":
    main()
