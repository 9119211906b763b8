#!/usr/bin/env python3
"""Measures the way from a JPEG's bytes to a model's input beside OpenCV's imdecode and blobFromImage.

  tests/bench/run.sh preprocess -- [--rounds N]

All ways take turns in one process, on one core, over the same eight pictures a size. The program compares what
they give before it measures. Figures for bars.py are printed as `VALUE name value`.
"""
import argparse
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from programs import Lab  # noqa: E402

SIZES = ((500, 375, 224), (1600, 1200, 224), (1600, 1200, 640))
WAYS = ("one_node", "two_nodes", "one_node_antialias", "two_nodes_antialias", "opencv", "opencv_reusing")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=11, help="of the ways' turns, in the program")
    arguments = parser.parse_args()
    lab = Lab("preprocess", [arguments.bin], 1)

    print(f"{'images/s':22}" + "".join(f"{way:>21}" for way in WAYS))
    ratios = []
    for width, height, side in SIZES:
        figures = lab.run("preprocess_bench", f"width={width}", f"height={height}", f"to={side}",
                          f"rounds={arguments.rounds}", cores=1)
        name = f"{width}x{height}_to_{side}"
        print(f"{name:22}" + "".join(f"{1e6 / figures[way + '_us']:21.1f}" for way in WAYS) +
              f"   {figures['bits_per_pixel']:.2f} bits/pixel, largest difference {figures['difference']:.2g}")
        ratios.append(figures["one_node_over_opencv"])
        lab.value(f"preprocess.over_opencv.{name}", ratios[-1])
        for way in ("two_nodes", "one_node_antialias", "two_nodes_antialias"):
            lab.value(f"preprocess.{way}_over_opencv.{name}", figures[f"{way}_over_opencv"])
        lab.value(f"preprocess.over_opencv_reusing.{name}", figures["one_node_over_opencv_reusing"])
    lab.value("preprocess.over_opencv", math.prod(ratios) ** (1 / len(ratios)))
    lab.report_disturbance()


if __name__ == "__main__":
    main()
