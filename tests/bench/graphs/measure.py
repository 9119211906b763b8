#!/usr/bin/env python3
"""Holds the rate of whole graphs against the least that their nodes' costs allow, as `sluice bench` gives it.

  tests/bench/run.sh graphs -- [--rounds N] [--only NAME,NAME]

NAME is `ocr`, the OCR example over printed pages without its annotated pictures, or `classify`, photos through
image.decode, image.to_tensor, infer (SqueezeNet 1.1 with random weights) and topk. The ideal is what the dearest
node alone, or the cores that all nodes share, would take; costs and rate are of the same run, two cores, warm.
What a bar holds is the median of the rounds. Figures for bars.py are printed as `VALUE name value`.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys

import cv2
import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
EXAMPLE = HERE.parents[2] / "examples/ocr"
sys.path.insert(0, str(HERE.parent / "infer"))
import random_models  # noqa: E402

PHOTOS = 8000  # more than two cores can do in the time of a round
DISTINCT = 64
PAGES = 64
TIMES = ("--warm-up", "3s", "--time", "15s")


def make_photos(folder):
    """Pictures of 500 x 375 with some detail, each under many names; equal ones in every run."""
    folder.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in folder.iterdir()) == PHOTOS:
        return
    for old in folder.iterdir():
        old.unlink()
    random = np.random.default_rng(0)
    for number in range(DISTINCT):
        coarse = random.integers(0, 256, (24, 32, 3), dtype=np.uint8)
        fine = random.normal(0, 6, (375, 500, 3))
        photo = cv2.resize(coarse, (500, 375), interpolation=cv2.INTER_CUBIC) + fine
        cv2.imwrite(str(folder / f"{number:05}.jpg"), np.clip(photo, 0, 255).astype(np.uint8))
    for number in range(DISTINCT, PHOTOS):
        os.link(folder / f"{number % DISTINCT:05}.jpg", folder / f"{number:05}.jpg")


def classify(work):
    make_photos(work / "photos")
    model = work / "squeezenet.onnx"
    if not model.exists():
        random_models.write("squeezenet1.1", model)
    return [HERE / "classify.yaml", "-p", f"photos={work / 'photos'}", "-p", f"model={model}"]


def ocr(work):
    pages = work / "pages"
    subprocess.run(["/usr/bin/python3", EXAMPLE / "make_pages", pages, "--printed", str(PAGES)], check=True)
    return [EXAMPLE / "ocr.yaml", "-p", f"pages={pages}", "-p", f"out={work / 'out'}",
            "--set=nodes.images.enabled=false"]


GRAPHS = {"ocr": ocr, "classify": classify}


def measure(program, options):
    done = subprocess.run([program, "bench", *options, *TIMES, "--overwrite", "--format=json"], capture_output=True,
                          text=True)
    if done.returncode:
        raise RuntimeError(f"sluice bench ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built programs (run.sh gives it)")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for inputs and results (run.sh gives it)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="default %(default)s")
    parser.add_argument("--only", default=",".join(GRAPHS), metavar="NAME,NAME", help="default %(default)s")
    arguments = parser.parse_args()
    names = arguments.only.split(",")
    if unknown := set(names) - set(GRAPHS):
        parser.error(f"there is no graph {', '.join(unknown)}; there are {', '.join(GRAPHS)}")
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    for name in names:
        options = GRAPHS[name](arguments.work)
        rounds = [measure(arguments.bin / "sluice", options) for _ in range(arguments.rounds)]
        for found in rounds:
            print(f"{name}: {found['items']:.0f} items in {found['seconds']:.1f} s, rate over ideal "
                  f"{found['rate_over_ideal']:.3f}, bound by {found['bottleneck']}")
        for node in rounds[-1]["nodes"]:
            print(f"    {node['name']:8} {node['ns_per_item'] / 1e3:12.1f} us an item, "
                  f"{node['allocations_per_item']:.2f} allocations")
        print(f"VALUE graphs.{name}.rate {statistics.median(found['rate_over_ideal'] for found in rounds):.4f}", flush=True)


if __name__ == "__main__":
    main()
