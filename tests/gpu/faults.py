#!/usr/bin/env python3
"""Lets things go wrong on purpose (M14), and measures how long it takes until that is said.

  faults.py --bin DIR [--libraries FOLDERS]

--libraries is LD_LIBRARY_PATH for the programs. Prints lines for report.py. What hangs is ended, and is no figure.
"""
import argparse
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

LONGEST_S = 12


def say(name, seconds):
    print(f"{name}\t{seconds:.4g}\ts", flush=True)


def unmeasured(name, why):
    print(f"UNMEASURED\t{name}\t{' '.join(why.split())[:300]}", flush=True)


def last_line(text):
    lines = text.strip().splitlines()
    return lines[-1] if lines else "nothing was said"


def with_libraries(*folders):
    return dict(os.environ, LD_LIBRARY_PATH=":".join(filter(None, folders)))


def run_fault(program, fault, name, libraries):
    """The program measures by itself: its start is no part of it."""
    try:
        done = subprocess.run([program, fault], capture_output=True, text=True, timeout=LONGEST_S, check=False,
                              env=with_libraries(libraries))
    except subprocess.TimeoutExpired:
        unmeasured(name, f"hung: not over after {LONGEST_S} s")
        return
    sys.stderr.write(done.stderr)
    if done.returncode == 0:
        sys.stdout.write(done.stdout)
        sys.stdout.flush()
    else:
        unmeasured(name, f"exit status {done.returncode}: {last_line(done.stderr + done.stdout)}")


def interrupt(program, libraries):
    """From SIGINT until the process is over."""
    name = "m14.sigint"
    with subprocess.Popen([program, "load"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=with_libraries(libraries)) as process:
        try:
            # Ends, too, when the program does, with an empty line.
            if process.stdout.readline().strip() != "READY":
                process.kill()
                unmeasured(name, last_line(process.communicate()[1]))
                return
            begin = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, messages = process.communicate(timeout=LONGEST_S)
            seconds = time.monotonic() - begin
        except subprocess.TimeoutExpired:
            process.kill()
            unmeasured(name, f"hung: not over {LONGEST_S} s after SIGINT")
            return
    if process.returncode == 130:
        say(name, seconds)
    else:
        unmeasured(name, f"exit status {process.returncode}: {last_line(messages)}")


def hide_cudnn(program, libraries):
    """With a libcudnn.so.9 in front that is none."""
    name = "m14.no_cudnn"
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "libcudnn.so.9").write_text("no library\n", encoding="ascii")
        begin = time.monotonic()
        try:
            done = subprocess.run([program], capture_output=True, text=True, timeout=LONGEST_S, check=False,
                                  env=with_libraries(folder, libraries))
        except subprocess.TimeoutExpired:
            unmeasured(name, f"hung: not over after {LONGEST_S} s")
            return
        seconds = time.monotonic() - begin
    sys.stderr.write(done.stderr)
    if done.returncode == 3 and "cudnn" in done.stderr and len(done.stderr.splitlines()) == 1:
        say(name, seconds)
    else:
        unmeasured(name, f"exit status {done.returncode}: {last_line(done.stderr)}")


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True)
    parser.add_argument("--libraries", default="")
    options = parser.parse_args(arguments)
    programs, libraries = options.bin, options.libraries
    run_fault(programs / "gpu_faults", "memory", "m14.out_of_memory", libraries)
    hide_cudnn(programs / "gpu_device", libraries)
    interrupt(programs / "gpu_faults", libraries)
    # Last: it leaves nothing behind but for its own process, if all is well.
    run_fault(programs / "gpu_faults", "sticky", "m14.sticky", libraries)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
