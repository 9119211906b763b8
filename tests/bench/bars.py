#!/usr/bin/env python3
"""Holds what a part of the benchmark has measured against the part's bars in bars.tsv.

  MEASUREMENT | bars.py PART

Passes its input through, then prints one line for each bar whose name begins with `PART.`:
  BAR name value op bar ok|short
Lines of the input that count:
  VALUE name value           a figure; one without a bar is only passed through
  UNMEASURED pattern reason  why bars without a figure have none; in the pattern `*` stands for any text
A bar without a figure is short, and its line gives the reason. Exit status 0: all bars ok; 1: one is short;
2: usage, or bars.tsv cannot be read.
"""
import dataclasses
import fnmatch
import math
import operator
import pathlib
import sys

FILE = pathlib.Path(__file__).with_name("bars.tsv")
OPERATORS = {">=": operator.ge, "<=": operator.le}


@dataclasses.dataclass(frozen=True)
class Bar:
    name: str
    op: str
    bar: float
    why: str


def read_bars(lines):
    """Raises ValueError, with the line's number, for a line that is no bar, and for a name given twice."""
    bars = {}
    for number, line in enumerate(lines, start=1):
        fields = line.rstrip("\n").split("\t")
        if number == 1:
            if fields != ["name", "op", "bar", "why"]:
                raise ValueError("line 1: expected the columns name, op, bar, why")
            continue
        if len(fields) != 4 or fields[1] not in OPERATORS or not fields[3] or fields[0] in bars:
            raise ValueError(f"line {number}: expected a new name, >= or <=, a number and why, with tabs between")
        value, reason = number_of(fields[2])
        if value is None:
            raise ValueError(f"line {number}: the bar is {reason}")
        bars[fields[0]] = Bar(fields[0], fields[1], value, fields[3])
    return list(bars.values())


class Figures:
    """What the lines of a measurement say."""

    def __init__(self):
        self.values, self.reasons = {}, []

    def take(self, line):
        word, _, rest = line.strip().partition(" ")
        name, _, text = rest.partition(" ")
        if word == "UNMEASURED":
            self.reasons.append((name, text))
        elif word == "VALUE" and name in self.values:
            self.values[name] = (None, "measured twice")
        elif word == "VALUE":
            self.values[name] = number_of(text)

    def find(self, name):
        """The value, or none and the reason why."""
        if name in self.values:
            return self.values[name]
        reason = next((text for pattern, text in self.reasons if fnmatch.fnmatchcase(name, pattern)), "not measured")
        return None, reason


def number_of(text):
    try:
        value = float(text)
    except ValueError:
        return None, f"{text!r}, no number"
    return (value, "") if math.isfinite(value) else (None, f"{text}, not finite")


def judge(bar, figures):
    """The bar's line, and whether it is reached."""
    value, reason = figures.find(bar.name)
    if value is None:
        return f"BAR {bar.name} - {bar.op} {bar.bar:g} short ({reason})", False
    ok = OPERATORS[bar.op](value, bar.bar)
    return f"BAR {bar.name} {value:.4g} {bar.op} {bar.bar:g} {'ok' if ok else 'short'}", ok


def main(arguments):
    if len(arguments) != 1:
        print("usage: MEASUREMENT | bars.py PART", file=sys.stderr)
        return 2
    try:
        bars = [bar for bar in read_bars(FILE.read_text(encoding="utf-8").splitlines())
                if bar.name.startswith(f"{arguments[0]}.")]
    except (OSError, ValueError) as problem:
        print(f"{FILE}: {problem}", file=sys.stderr)
        return 2
    figures = Figures()
    for line in sys.stdin:
        print(line, end="", flush=True)
        figures.take(line)
    verdicts = [judge(bar, figures) for bar in bars]
    print("\n".join(line for line, _ in verdicts))
    return 0 if all(ok for _, ok in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
