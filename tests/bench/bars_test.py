"""Tests of bars.py, and of what bars.tsv says: `python3 -m unittest bars_test` in this folder."""
import io
import pathlib
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import bars

HEADER = "name\top\tbar\twhy"
TABLE = [HEADER, "pool.speed\t>=\t1.2\tfaster", "pool.waste\t<=\t0.5\tless", "engine.hop\t<=\t12\tns"]


def run(part, lines, table=TABLE):
    """The exit status of bars.py, and the lines it prints."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "bars.tsv"
        file.write_text("\n".join(table) + "\n", encoding="utf-8")
        out = io.StringIO()
        with (mock.patch.object(bars, "FILE", file), mock.patch.object(sys, "stdin", io.StringIO("\n".join(lines) + "\n")),
              redirect_stdout(out), redirect_stderr(out)):
            status = bars.main([part])
    return status, out.getvalue().splitlines()


class Bars(unittest.TestCase):
    def test_hold_each_figure_against_its_own_operator(self):
        status, lines = run("pool", ["VALUE pool.speed 1.5", "VALUE pool.waste 0.75"])

        self.assertEqual(lines[2:], ["BAR pool.speed 1.5 >= 1.2 ok", "BAR pool.waste 0.75 <= 0.5 short"])
        self.assertEqual(status, 1)

    def test_are_reached_by_equal_figures(self):
        status, lines = run("pool", ["VALUE pool.speed 1.2", "VALUE pool.waste 0.5"])

        self.assertEqual([line.split()[-1] for line in lines[2:]], ["ok", "ok"])
        self.assertEqual(status, 0)

    def test_pass_the_raw_figures_through_in_order(self):
        _, lines = run("engine", ["four nodes: 40 ns", "VALUE engine.hop 10", "VALUE engine.other 3"])

        self.assertEqual(lines, ["four nodes: 40 ns", "VALUE engine.hop 10", "VALUE engine.other 3",
                                 "BAR engine.hop 10 <= 12 ok"])

    def test_are_short_without_a_figure_and_say_why(self):
        status, lines = run("pool", ["VALUE pool.speed 2", "UNMEASURED pool.w* no second core", "UNMEASURED * crashed"])

        self.assertEqual(lines[-1], "BAR pool.waste - <= 0.5 short (no second core)")
        self.assertEqual(status, 1)

    def test_are_short_when_the_measurement_says_nothing_at_all(self):
        status, lines = run("engine", [])

        self.assertEqual(lines[-1], "BAR engine.hop - <= 12 short (not measured)")
        self.assertEqual(status, 1)

    def test_are_not_reached_by_what_is_no_number(self):
        for text, reason in (("nan", "nan, not finite"), ("-inf", "-inf, not finite"), ("fast", "'fast', no number")):
            status, lines = run("engine", [f"VALUE engine.hop {text}"])

            self.assertEqual(lines[-1], f"BAR engine.hop - <= 12 short ({reason})")
            self.assertEqual(status, 1)

    def test_are_short_when_a_figure_comes_twice(self):
        status, lines = run("engine", ["VALUE engine.hop 30", "VALUE engine.hop 10"])

        self.assertEqual(lines[-1], "BAR engine.hop - <= 12 short (measured twice)")
        self.assertEqual(status, 1)

    def test_refuse_a_table_with_a_line_that_is_no_bar(self):
        for wrong in ("pool.more >= 1 with blanks", "pool.more\t>\t1\tno such operator", "pool.more\t>=\tfast\tno number",
                      "pool.more\t>=\t1\t", "pool.speed\t>=\t1\ta name of before"):
            status, lines = run("pool", [], [*TABLE, wrong])

            self.assertEqual(status, 2, wrong)
            self.assertIn("line 5: ", lines[0])

    def test_in_the_file_belong_to_parts_that_exist(self):
        found = bars.read_bars(bars.FILE.read_text(encoding="utf-8").splitlines())

        self.assertTrue(found)
        for bar in found:
            self.assertTrue((bars.FILE.parent / bar.name.split(".")[0]).is_dir(), bar.name)


if __name__ == "__main__":
    unittest.main()
