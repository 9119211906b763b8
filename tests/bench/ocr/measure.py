#!/usr/bin/env python3
"""Reads pages of known text with the OCR example and with RapidOCR, same models, in the same run, by turns.

  tests/bench/run.sh ocr -- [--sets printed,varied,v4-printed,v4-varied] [--pages N] [--rounds N]

Two sets of pages of examples/ocr/make_pages: printed A4 pages of 37 lines, which give the speed, and the varied
pages of the example. On both the character accuracy is counted in two ways, the pages as a whole in the order
in which they were read, and line by line whatever the order (accuracy.py); what has a bar is the ratio to
RapidOCR's that is worse. Both are read with the PP-OCRv6 small models, and as v4-printed and v4-varied with the
PP-OCRv4 models, for the accuracy alone. The speed is pages a second on two cores, the median of the rounds: ours is
the `sluice run` of the example without its annotated pictures, start and loading of the models included;
RapidOCR's, with ONNX Runtime and with OpenVINO, is the time of its calls alone.

Ours is in fp32, and once the engine has it in bf16 too, `precision: bf16_if_available`: that is how OpenVINO
computes by default on a processor with bf16. The goals are for that.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import accuracy

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[2] / "examples/ocr"
PAGES = {"printed": ["--printed"], "varied": ["--no-ugly", "--pages"]}
V6 = ("PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx")
V4 = ("ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx")
PEERS = ("onnxruntime", "openvino")


@dataclasses.dataclass(frozen=True)
class Set:
    """Pages, a name of PAGES, and the files of the two models that read them."""

    pages: str
    models: tuple

    @property
    def model_paths(self):
        return [str(EXAMPLE / "models" / name) for name in self.models]


SETS = {"printed": Set("printed", V6), "varied": Set("varied", V6),
        "v4-printed": Set("printed", V4), "v4-varied": Set("varied", V4)}


class Failed(Exception):
    """A program that was to be measured did not do its work; the text says which and how."""


def precision_options(precision):
    return [f"--set=nodes.{node}.precision={precision}" for node in ("det", "rec")]


class Bench:
    def __init__(self, arguments):
        self.program, self.work = arguments.bin / "sluice", arguments.work
        self.counts = {"printed": arguments.pages, "varied": 12}
        self.contestants = ["ours", *PEERS]
        if self.native_has_bf16():
            self.contestants.insert(1, "ours_bf16")

    def pages(self, name):
        return self.work / SETS[name].pages

    def make_pages(self):
        for name, options in PAGES.items():
            subprocess.run(["/usr/bin/python3", EXAMPLE / "make_pages", self.work / name, *options, str(self.counts[name])],
                           check=True)

    def native_has_bf16(self):
        """Asked for bf16 and nothing else, `check` says whether there is any."""
        command = self.command("check", "printed", *precision_options("bf16"))
        return subprocess.run(command, capture_output=True).returncode == 0

    def command(self, verb, name, *options):
        det, rec = SETS[name].model_paths
        return [self.program, verb, EXAMPLE / "ocr.yaml", "-p", f"det={det}", "-p", f"rec={rec}",
                "-p", f"pages={self.pages(name)}", "-p", f"out={self.work / 'out'}",
                "--set=nodes.images.enabled=false", *options]

    def read(self, contestant, name):
        """Seconds, and the lines of each page."""
        if contestant in PEERS:
            return self.read_by_peer(contestant, name)
        precision = "bf16_if_available" if contestant == "ours_bf16" else "fp32"
        command = self.command("run", name, "--overwrite", "--progress=off", *precision_options(precision))
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise Failed(f"sluice run ended with exit code {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
        pages = {}
        for line in (self.work / "out/pages.jsonl").read_text(encoding="utf-8").splitlines():
            page = json.loads(line)
            pages[pathlib.Path(page["file"]).name] = [line["text"] for line in page["lines"]]
        return seconds, pages

    def read_by_peer(self, contestant, name):
        result = self.work / f"{contestant}.json"
        done = subprocess.run([sys.executable, HERE / "peer.py", contestant, *SETS[name].model_paths, self.pages(name),
                               result], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"RapidOCR with {contestant} ended with exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        found = json.loads(result.read_text(encoding="utf-8"))
        return found["seconds"], found["pages"]

    def truth(self, name):
        lines = (self.pages(name) / "truth.jsonl").read_text(encoding="utf-8").splitlines()
        return {page["file"]: page["lines"] for page in map(json.loads, lines)}

    def print_accuracy(self, name, texts):
        """`texts`: for each contestant the lines of each page. Prints the bar's figure, the worse of two ratios."""
        truth = self.truth(name)
        counts = {"in order": accuracy.page_errors, "line by line": accuracy.line_errors}
        found = {who: {how: accuracy.accuracy(truth, read, errors) for how, errors in counts.items()}
                 for who, read in texts.items()}
        print(f"{name}: {len(truth)} pages, {sum(map(len, truth.values()))} lines")
        for who, of in found.items():
            print(f"  {who:12} character accuracy " + ", ".join(f"{how} {value:.4f}" for how, value in of.items()))
        for file, lines in truth.items():
            errors = {who: accuracy.line_errors(lines, read.get(file, [])) for who, read in texts.items()}
            print(f"    {file}: " + ", ".join(f"{who} {count}" for who, count in errors.items()) + " characters wrong")
        ours = found["ours_bf16" if "ours_bf16" in found else "ours"]
        ratio = min(one[how] / found["onnxruntime"][how] for how in counts for one in (found["ours"], ours))
        print(f"VALUE ocr.accuracy.{name} {ratio:.4f}", flush=True)

    def read_in_turns(self, rounds):
        """For each contestant its seconds in each round, and the lines of each page."""
        seconds, texts = {who: [] for who in self.contestants}, {}
        for number in range(rounds):
            for who in self.contestants:
                time_taken, texts[who] = self.read(who, "printed")
                seconds[who].append(time_taken)
            print(f"  round {number + 1}, pages/s: " + ", ".join(
                f"{who} {self.counts['printed'] / times[-1]:.3f}" for who, times in seconds.items()), flush=True)
        return seconds, texts

    def print_speed(self, seconds):
        count = self.counts["printed"]
        rates = {who: count / statistics.median(times) for who, times in seconds.items()}
        print("  median: " + ", ".join(f"{who} {rate:.3f}" for who, rate in rates.items()))
        print(f"VALUE ocr.speed.vs_onnxruntime {rates['ours'] / rates['onnxruntime']:.4f}")
        fastest = rates.get("ours_bf16", rates["ours"])
        if "ours_bf16" not in rates:
            print("  the goals below are held against fp32: the native engine has no bf16 here")
        print(f"VALUE ocr.speed.vs_onnxruntime.goal {fastest / rates['onnxruntime']:.4f}")
        print(f"VALUE ocr.speed.vs_openvino.goal {fastest / rates['openvino']:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built programs (run.sh gives it)")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for pages and results (run.sh gives it)")
    parser.add_argument("--sets", default=",".join(SETS), metavar="SET,SET", help="of pages (default %(default)s)")
    parser.add_argument("--pages", type=int, default=24, metavar="N", help="printed pages (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default %(default)s")
    arguments = parser.parse_args()
    if min(arguments.pages, arguments.rounds) < 1:
        parser.error("there is nothing to read in no pages or rounds")
    sets = arguments.sets.split(",")
    if unknown := set(sets) - set(SETS):
        parser.error(f"there is no set {', '.join(unknown)}; there are {', '.join(SETS)}")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    bench = Bench(arguments)
    bench.make_pages()
    try:
        if "printed" in sets:
            seconds, texts = bench.read_in_turns(arguments.rounds)
            bench.print_accuracy("printed", texts)
            bench.print_speed(seconds)
        for name in SETS:
            if name in sets and name != "printed":
                bench.print_accuracy(name, {who: bench.read(who, name)[1] for who in bench.contestants})
    except Failed as problem:
        print(problem)
        sys.exit(1)
    if len(sets) < len(SETS):
        print("UNMEASURED * that set of pages was not chosen")


if __name__ == "__main__":
    main()
