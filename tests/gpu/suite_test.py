"""Tests of what of the GPU suite can be tested without a GPU: `python3 -m unittest suite_test` in this folder."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
import unittest
from contextlib import redirect_stdout

import report
import roofline

HERE = pathlib.Path(__file__).resolve().parent
REASON = "driver: libcuda.so.1: not found"
BARS = report.bars.read_bars((HERE / "bars.tsv").read_text(encoding="utf-8").splitlines())


class Folder(unittest.TestCase):
    """With a folder of its own."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text, mode=0o644):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        file.chmod(mode)


class Roofline(unittest.TestCase):
    # What the H200 of October 2026 measured, and what was worked out from it by other code.
    H200 = roofline.Ceilings(788e12, 4.3e12)

    def test_is_what_was_worked_out_before(self):
        for model, batch, expected in (("resnet50", 64, 60_095), ("minilm", 64, 210_697), ("resnet50", 1, 39_610)):
            self.assertAlmostEqual(roofline.items_a_second(model, self.H200, batch) / expected, 1, delta=0.001)

    def test_rises_with_either_ceiling(self):
        for model in roofline.MODELS:
            before = roofline.items_a_second(model, self.H200, 64)
            self.assertGreater(roofline.items_a_second(model, roofline.Ceilings(2e15, 8e12), 64), before)
            self.assertLess(roofline.items_a_second(model, roofline.Ceilings(788e12, 2e12), 64), before)


class Report(Folder):
    def judge(self, sections):
        """The bars' lines, by name, and the exit status; `sections`: name -> (what it printed, its exit status)."""
        for name, (text, status) in sections.items():
            self.write(f"{name}.tsv", text)
            with (self.folder / "sections.tsv").open("a", encoding="utf-8") as file:
                file.write(f"{name}\t5\t{status}\n")
        self.write("machine.tsv", "date\t2026-11-26\ndevice\tNVIDIA H100\n")
        out = io.StringIO()
        with redirect_stdout(out):
            status = report.main(["--work", str(self.folder), "--out", str(self.folder / "out")])
        return {line.split(" ")[1]: line for line in out.getvalue().splitlines()}, status

    def test_holds_a_model_against_the_ceilings_and_the_peer_of_the_same_run(self):
        verdicts, status = self.judge({
            "m1": ("m1.product.fp16\t788\tTFLOP/s\nm1.copy.device\t4.3\tTB/s\n", 0),
            "m4": ("m4.resnet50.fp16.n64\t45000\timages/s\nm4.minilm.fp16.n64\t50000\tsequences/s\n", 0),
            "peers": ("peers.resnet50.n64.compile_graph\t30000\timages/s\n", 0)})

        self.assertEqual(verdicts["m4.resnet50.fp16.n64.of_roofline"],
                         "BAR m4.resnet50.fp16.n64.of_roofline 0.7489 >= 0.5 ok")
        self.assertEqual(verdicts["m4.resnet50.fp16.n64.over_torch"], "BAR m4.resnet50.fp16.n64.over_torch 1.5 >= 1 ok")
        self.assertIn(" 0.2373 >= 0.5 short", verdicts["m4.minilm.fp16.n64.of_roofline"])
        self.assertEqual(status, 1)

    def test_says_why_a_ratio_is_missing(self):
        verdicts, _ = self.judge({"m4": ("m4.resnet50.fp16.n64\t45000\timages/s\n", 0),
                                  "peers": ("UNMEASURED\tpeers.*\tPyTorch is not here\n", 0)})

        self.assertIn("short (no ceilings", verdicts["m4.resnet50.fp16.n64.of_roofline"])
        self.assertIn("short (PyTorch is not here)", verdicts["m4.resnet50.fp16.n64.over_torch"])

    def test_keeps_what_a_section_had_measured_before_it_failed(self):
        verdicts, _ = self.judge({"m5": ("m5.never_below\t0.99\tx\nm5.batch1_16_ov", 124), "m6": ("", 139)})

        self.assertEqual(verdicts["m5.never_below"], "BAR m5.never_below 0.99 >= 0.98 ok")
        self.assertIn("short (the section was over its time)", verdicts["m5.batch1_16_over_1"])
        self.assertIn("short (the section ended with exit status 139)", verdicts["m6.overlap"])

    def test_gives_a_program_s_own_reason_first(self):
        verdicts, _ = self.judge({"m7": ("UNMEASURED\tm7.*\tno libnvidia-ml.so.1 to ask\n", 1)})

        self.assertIn("short (no libnvidia-ml.so.1 to ask)", verdicts["m7.busy"])

    def test_takes_no_number_that_is_none(self):
        verdicts, _ = self.judge({"m9": ("m9.cpu_kept\tnan\tx\n", 0)})

        self.assertIn("short (not measured)", verdicts["m9.cpu_kept"])

    def test_ends_well_when_all_bars_are_reached(self):
        values = "".join(f"{bar.name}\t{bar.bar}\tx\n" for bar in BARS)
        _, status = self.judge({"m1": (values, 0)})

        self.assertEqual(status, 0)

    def test_writes_what_a_program_and_what_a_reader_takes(self):
        self.judge({"m1": ("m1.query\t0.4\tus\nUNMEASURED\tm1.copy*\tno pinned memory\n", 0)})

        results = json.loads((self.folder / "out/results.json").read_text(encoding="utf-8"))
        page = (self.folder / "out/results.md").read_text(encoding="utf-8")
        self.assertEqual(results["machine"]["device"], "NVIDIA H100")
        self.assertEqual(results["values"]["m1.query"], {"value": 0.4, "unit": "us"})
        self.assertEqual(len(results["bars"]), len(BARS))
        self.assertIn("| m1.query | 0.4 | us |", page)
        self.assertIn("no pinned memory", page)
        self.assertIn("m1.query\t0.4", (self.folder / "out/suite.tsv").read_text(encoding="utf-8"))


class Run(Folder):
    """run.sh in a tree of its own, over programs that only say something."""

    def setUp(self):
        super().setUp()
        for name in ("run.sh", "report.py", "roofline.py", "bars.tsv", "peers.py", "faults.py"):
            self.copy(f"tests/gpu/{name}")
        self.copy("tests/bench/bars.py")
        self.write("pack/COMMIT", "abc123\n")
        for name in ("ceilings", "models", "lanes", "operators", "onnx", "faults"):
            self.program(name, "exit 3")
        self.program("device", 'printf "device\\tNVIDIA H100\\n"')

    def copy(self, name):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE.parents[1] / name, self.folder / name)

    def program(self, name, script):
        self.write(f"pack/bin/gpu_{name}", f"#!/bin/sh\n{script}\n", 0o755)

    def run_suite(self, *arguments):
        archive = self.folder / "tests/gpu/pack/suite.tar.xz"
        archive.parent.mkdir()
        with tarfile.open(archive, "w:xz") as file:
            file.add(self.folder / "pack", ".")
        return subprocess.run(["bash", self.folder / "tests/gpu/run.sh", "--out", self.folder / "out", *arguments],
                              capture_output=True, text=True, check=False, timeout=60)

    def test_says_in_one_line_that_there_is_no_gpu_and_leaves_every_bar_short(self):
        self.program("device", f"echo '{REASON}' >&2; exit 3")

        done = self.run_suite("--quick")

        lines = done.stdout.splitlines()
        self.assertEqual(done.returncode, 3)
        self.assertEqual(len([line for line in done.stderr.splitlines() if REASON in line]), 1, done.stderr)
        self.assertEqual(len(lines), len(BARS))
        for line in lines:
            self.assertTrue(line.startswith("BAR ") and line.endswith(" short (no GPU that can be used)"), line)

    def test_runs_the_sections_that_are_named_and_goes_on_after_one_that_fails(self):
        self.program("ceilings", 'printf "m1.query\\t0.4\\tus\\n"; exit 7')
        self.program("lanes", 'for last; do :; done; [ "$last" = m6 ] && printf "m6.overlap\\t0.95\\tx\\n"')

        done = self.run_suite("--only", "m1,m6")

        self.assertEqual(done.returncode, 1)
        self.assertIn("BAR m6.overlap 0.95 >= 0.9 ok", done.stdout.splitlines())
        self.assertIn("BAR m7.busy - >= 95 short (not measured)", done.stdout.splitlines())
        self.assertIn("run.sh: m1: 0 s, exit status 7", done.stderr)
        results = json.loads((self.folder / "out/results.json").read_text(encoding="utf-8"))
        self.assertEqual(results["machine"]["commit"], "abc123")
        self.assertIn("m1.query", results["values"])

    def test_says_that_a_pack_is_not_whole(self):
        (self.folder / "pack/bin/gpu_device").unlink()

        done = self.run_suite()

        self.assertEqual(done.returncode, 1)
        self.assertIn("its programs are not in", done.stderr)

    def test_refuses_arguments_that_are_none(self):
        for arguments in (["--slow"], ["--only", "m2"], ["--only"], ["--out"]):
            done = subprocess.run(["bash", self.folder / "tests/gpu/run.sh", *arguments], capture_output=True, check=False)
            self.assertEqual(done.returncode, 2, arguments)

    def test_goes_on_without_pytorch(self):
        # As on a machine without it: a module of that name that cannot be imported.
        self.write("tests/gpu/torch.py", "raise ImportError('no torch')\n")

        done = self.run_suite("--only", "peers")

        self.assertIn("BAR m4.resnet50.fp16.n64.over_torch - >= 1 short (PyTorch is not here: no torch)",
                      done.stdout.splitlines(), done.stderr)


class Faults(Folder):
    def measure(self, script):
        for name in ("faults", "device"):
            self.write(f"bin/gpu_{name}", f"#!/bin/bash\n{script}\n", 0o755)
        done = subprocess.run(["python3", HERE / "faults.py", "--bin", self.folder / "bin"], capture_output=True,
                              text=True, check=True, timeout=120)
        return {line.split("\t")[0 if not line.startswith("UNMEASURED") else 1]: line for line in done.stdout.splitlines()}

    def test_take_the_figures_of_programs_that_end_as_they_should(self):
        found = self.measure("""case "$1" in
  memory) printf 'm14.out_of_memory\\t0.01\\ts\\n' ;;
  sticky) printf 'm14.sticky\\t0.02\\ts\\n' ;;
  load) trap 'exit 130' INT; echo READY; while :; do sleep 0.01; done ;;
  *) echo "plugin: libcudnn.so.9: no library" >&2; exit 3 ;;
esac""")

        self.assertEqual(found["m14.out_of_memory"], "m14.out_of_memory\t0.01\ts")
        self.assertEqual(found["m14.sticky"], "m14.sticky\t0.02\ts")
        for name in ("m14.sigint", "m14.no_cudnn"):
            self.assertLess(float(found[name].split("\t")[1]), 5)

    def test_say_what_went_wrong_with_a_fault(self):
        found = self.measure('echo "gpu_faults: expected device.lost, got ok" >&2; exit 1')

        for name in ("m14.out_of_memory", "m14.sticky", "m14.sigint", "m14.no_cudnn"):
            self.assertTrue(found[name].startswith("UNMEASURED"), name)
            self.assertIn("expected device.lost, got ok", found[name])


class Pack(Folder):
    def setUp(self):
        super().setUp()
        for name in ("models", "device"):
            self.place(shutil.which("true"), f"build/gpu/bin/gpu_{name}")
        self.place(shutil.which("true"), "build/gpu/bin/sluice")
        self.place(shutil.which("true"), "build/gpu/runtime/sluice/libsluice_cuda.so")
        self.place(HERE / "pack.sh", "tests/gpu/pack.sh")

    def place(self, file, name):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, self.folder / name)

    def pack(self, *arguments):
        return subprocess.run(["bash", self.folder / "tests/gpu/pack.sh", "--no-build", *arguments], capture_output=True,
                              text=True, check=False, env=dict(os.environ, GIT_CEILING_DIRECTORIES="/"))

    def test_holds_the_programs_and_the_plugin_and_lists_their_sizes(self):
        done = self.pack()

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("suite.tar.xz, of at most 60", done.stdout)
        with tarfile.open(self.folder / "tests/gpu/pack/suite.tar.xz") as file:
            names = file.getnames()
        self.assertLess({"./bin/gpu_models", "./bin/sluice", "./lib/sluice/libsluice_cuda.so", "./COMMIT"}, set(names))
        self.assertFalse([name for name in names if "/libc.so" in name])

    def test_fails_when_it_is_too_large_to_travel(self):
        done = self.pack("--most", "0")

        self.assertEqual(done.returncode, 1)
        self.assertIn("too large", done.stderr)

    def test_refuses_arguments_that_are_none(self):
        for arguments in (["--most"], ["--most", "large"], ["--fast"]):
            self.assertEqual(self.pack(*arguments).returncode, 2, arguments)


class Scripts(unittest.TestCase):
    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed")
    def test_are_clean_to_shellcheck(self):
        done = subprocess.run(["shellcheck", *HERE.glob("*.sh")], capture_output=True, text=True, check=False)

        self.assertEqual(done.returncode, 0, done.stdout)


if __name__ == "__main__":
    unittest.main()
