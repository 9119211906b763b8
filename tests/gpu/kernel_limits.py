"""Compares the registers and the spilt bytes of our CUDA kernels with what is recorded for them.

Compiles the kernels as the plugin does, with what ptxas has to say about them, and reads that. No GPU is needed. With
ccache before nvcc only what has changed is compiled.

  kernel_limits.py --nvcc "ccache nvcc" --include build/dev/include            compares
  kernel_limits.py --nvcc "ccache nvcc" --include build/dev/include --record   writes kernel_limits.tsv anew
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
LIMITS = FOLDER / "kernel_limits.tsv"
KERNELS = FOLDER.parent.parent / "runtime" / "cuda" / "kernels"
ARCHITECTURES = ("80", "90")
HEADER = "kernel\tarch\tregisters\tspill_bytes"


def kernel_of(mangled):
    """The name of a function, without its namespaces, template arguments and parameters."""
    names, rest = [], re.sub(r"^_ZN?K?", "", mangled)
    while match := re.match(r"(\d+)", rest):
        begin, length = match.end(), int(match.group())
        names.append(rest[begin:begin + length])
        rest = rest[begin + length:]
    return names[-1] if names else mangled


def read_usage(text):
    """{(kernel, arch): (registers, spilt bytes)}, the worst of a kernel's instantiations."""
    usage, current, spilt = {}, None, 0
    for line in text.splitlines():
        if match := re.search(r"Compiling entry function '(\w+)' for 'sm_(\d+)'", line):
            current, spilt = (kernel_of(match[1]), match[2]), 0
        elif match := re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", line):
            # Functions that are not inlined are listed after the kernel and are charged to it.
            spilt = max(spilt, int(match[1]) + int(match[2]))
        if current and (match := re.search(r"Used (\d+) registers", line)):
            registers, before = usage.get(current, (0, 0))
            usage[current] = (max(registers, int(match[1])), max(before, spilt))
    return usage


def worst(usages):
    result = {}
    for usage in usages:
        for key, (registers, spilt) in usage.items():
            before = result.get(key, (0, 0))
            result[key] = (max(before[0], registers), max(before[1], spilt))
    return result


def compile_one(nvcc, include, source):
    with tempfile.TemporaryDirectory() as folder:
        command = [*nvcc, "-std=c++20", "-Xptxas", "-v", "-I", include, "-c", str(source), "-o", f"{folder}/kernel.o"]
        command += [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in ARCHITECTURES]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{shlex.join(command)}\n{done.stderr}")
    return read_usage(done.stdout + done.stderr)


def measure(nvcc, include):
    sources = sorted(KERNELS.glob("*.cu"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return worst(pool.map(lambda source: compile_one(nvcc, include, source), sources))


def read_limits(text):
    limits = {}
    for line in text.splitlines():
        if line and not line.startswith("#") and line != HEADER:
            kernel, arch, registers, spilt = line.split("\t")
            limits[kernel, arch] = (int(registers), int(spilt))
    return limits


def compare(usage, limits):
    """One line for each limit that is broken, missing or of no kernel."""
    problems = []
    for (kernel, arch), (registers, spilt) in sorted(usage.items()):
        if (kernel, arch) not in limits:
            problems.append(f"{kernel} (sm_{arch}): no limit is recorded; it has {registers} registers and spills {spilt} bytes")
            continue
        most_registers, most_spilt = limits[kernel, arch]
        if registers > most_registers:
            problems.append(f"{kernel} (sm_{arch}): {registers} registers, at most {most_registers} are allowed")
        if spilt > most_spilt:
            problems.append(f"{kernel} (sm_{arch}): spills {spilt} bytes, at most {most_spilt} are allowed")
    for kernel, arch in sorted(limits.keys() - usage.keys()):
        problems.append(f"{kernel} (sm_{arch}): a limit of a kernel that there is not")
    return problems


def write_limits(usage):
    lines = [HEADER] + [f"{kernel}\t{arch}\t{registers}\t0" for (kernel, arch), (registers, _) in sorted(usage.items())]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nvcc", required=True, help="nvcc, and what stands before it")
    parser.add_argument("--include", required=True, help="where sluice/ is found")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    usage = measure(shlex.split(options.nvcc), options.include)
    if options.record:
        LIMITS.write_text(write_limits(usage))
    problems = compare(usage, read_limits(LIMITS.read_text()))
    if problems:
        print("\n".join(problems))
        print("If that is meant, record the new limits: the same command with --record (spilling is never meant).")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
