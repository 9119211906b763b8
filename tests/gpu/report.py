#!/usr/bin/env python3
"""Turns what the programs of the GPU suite printed into results, and holds them against bars.tsv.

  report.py --work DIR --out DIR

DIR of --work has NAME.tsv, what section NAME printed, NAME.log, its messages, `sections.tsv` with a line
`NAME <tab> seconds <tab> exit status` for each that ran, and `machine.tsv` with lines `name <tab> value`. Writes
results.json, results.md, suite.tsv and suite.log to --out. Prints a line for each bar: BAR name value op bar ok|short.
Exit status 0: all bars ok; 1: one is short or was not measured.
"""
import argparse
import dataclasses
import json
import pathlib
import sys

import roofline

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))
import bars  # noqa: E402

BATCHES = (1, 8, 64, 256)
PEER = "compile_graph"
OVER_TIME = ("124", "137")  # what `timeout` ends with


@dataclasses.dataclass
class Results:
    values: dict = dataclasses.field(default_factory=dict)  # name -> (value, unit), in order
    reasons: list = dataclasses.field(default_factory=list)  # (pattern, why)

    def take(self, line):
        """A line of a program; what is none is left out, as the half of one that a program was stopped in."""
        fields = line.rstrip("\n").split("\t")
        if len(fields) != 3:
            return
        if fields[0] == "UNMEASURED":
            self.reasons.append((fields[1], fields[2]))
            return
        value, _ = bars.number_of(fields[1])
        if value is not None:
            self.values[fields[0]] = (value, fields[2])

    def get(self, name):
        return self.values.get(name, (None, ""))[0]


def read_lines(file):
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.exists() else []


def read_results(work):
    results = Results()
    sections = [line.split("\t") for line in read_lines(work / "sections.tsv")]
    for name, _, status in sections:
        for line in read_lines(work / f"{name}.tsv"):
            results.take(line)
        if status in OVER_TIME:
            results.reasons.append((f"{name.split('_')[0]}.*", "the section was over its time"))
        elif status != "0":
            results.reasons.append((f"{name.split('_')[0]}.*", f"the section ended with exit status {status}"))
    derive(results)
    return results, sections


def derive(results):
    """What is a ratio of figures of different programs."""
    flops, copies = results.get("m1.product.fp16"), results.get("m1.copy.device")
    for model in roofline.MODELS:
        for batch in BATCHES:
            name = f"m4.{model}.fp16.n{batch}"
            ours, peer = results.get(name), results.get(f"peers.{model}.n{batch}.{PEER}")
            if ours is None:
                continue
            if flops and copies:
                least = roofline.items_a_second(model, roofline.Ceilings(flops * 1e12, copies * 1e12), batch)
                results.values[f"{name}.of_roofline"] = (ours / least, f"of {least:.0f} a second")
            if peer:
                results.values[f"{name}.over_torch"] = (ours / peer, "x torch.compile with a graph")
    no_ceilings = "no ceilings (m1.product.fp16, m1.copy.device) to hold it against"
    if not (flops and copies):
        results.reasons.append(("m4.*.of_roofline", no_ceilings))
    peer_reason = next((why for pattern, why in results.reasons if pattern.startswith("peers.")), "no peer was measured")
    results.reasons.append(("m4.*.over_torch", peer_reason))


def judge(results):
    """The lines of the bars, and whether all are reached."""
    figures = bars.Figures()
    for name, (value, _) in results.values.items():
        figures.take(f"VALUE {name} {value!r}")
    for pattern, why in results.reasons:
        figures.take(f"UNMEASURED {pattern} {why}")
    found = bars.read_bars((HERE / "bars.tsv").read_text(encoding="utf-8").splitlines())
    verdicts = [bars.judge(bar, figures) for bar in found]
    return [line for line, _ in verdicts], all(ok for _, ok in verdicts)


def markdown(results, machine, verdicts):
    lines = ["# Measured on a GPU", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "| bar | measured | wanted | |", "|---|---|---|---|"]
    for verdict in verdicts:
        _, name, value, op, bar, *word = verdict.split(" ")
        lines.append(f"| {name} | {value} | {op} {bar} | {' '.join(word)} |")
    lines += ["", "| figure | value | unit |", "|---|---|---|"]
    lines += [f"| {name} | {value:.5g} | {unit} |" for name, (value, unit) in results.values.items()]
    if results.reasons:
        lines += ["", "| not measured | why |", "|---|---|"]
        lines += [f"| `{pattern}` | {why} |" for pattern, why in dict.fromkeys(results.reasons)]
    return "\n".join(lines) + "\n"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args(arguments)
    results, sections = read_results(options.work)
    machine = dict(line.split("\t", 1) for line in read_lines(options.work / "machine.tsv") if "\t" in line)
    verdicts, all_ok = judge(results)
    options.out.mkdir(parents=True, exist_ok=True)
    document = {"machine": machine, "bars": verdicts,
                "sections": [dict(zip(("name", "seconds", "status"), section)) for section in sections],
                "values": {name: {"value": value, "unit": unit} for name, (value, unit) in results.values.items()},
                "unmeasured": [{"pattern": pattern, "why": why} for pattern, why in results.reasons]}
    (options.out / "results.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    (options.out / "results.md").write_text(markdown(results, machine, verdicts), encoding="utf-8")
    for ending in ("tsv", "log"):
        text = "".join(f"== {name}\n" + "\n".join(read_lines(options.work / f"{name}.{ending}")) + "\n"
                       for name, _, _ in sections)
        (options.out / f"suite.{ending}").write_text(text, encoding="utf-8")
    print("\n".join(verdicts))
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
