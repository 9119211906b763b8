"""Engines behind one interface: `feed(inputs)`, `outputs()`, `samples(count)` milliseconds of runs one after the
other, and `two_at_once(count)` milliseconds an item when two threads run `count` items each.
"""
import concurrent.futures
import pathlib
import subprocess
import time

import numpy as np
import onnxruntime
import openvino
import openvino.properties.hint as hint

DTYPES = {np.dtype(np.float32): "f32", np.dtype(np.int64): "i64"}


class Unavailable(Exception):
    """The engine cannot run the model in this way; the text says why."""


def milliseconds(call):
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e3


class InProcess:
    """Engines that are libraries of Python. A subclass has `runners`: calls that run the model once; two of
    them may run at the same time."""

    def samples(self, count):
        return [milliseconds(self.runners[0]) for _ in range(count)]

    def two_at_once(self, count):
        def repeat(run):
            for _ in range(count):
                run()

        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            return milliseconds(lambda: list(pool.map(repeat, self.runners))) / (2 * count)

    def close(self):
        pass


class OnnxRuntime(InProcess):
    def __init__(self, model, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Threads that spin after their run would take a core from the engine whose turn is next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self.session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])

    def feed(self, inputs):
        # Bound once, so that no run copies its inputs or outputs.
        bindings = [self.session.io_binding() for _ in range(2)]
        for binding in bindings:
            for port, values in zip(self.session.get_inputs(), inputs):
                binding.bind_cpu_input(port.name, values)
            for port in self.session.get_outputs():
                binding.bind_output(port.name, "cpu")
        self.runners = [lambda binding=binding: self.session.run_with_iobinding(binding) for binding in bindings]
        self.binding = bindings[0]

    def outputs(self):
        self.runners[0]()
        return self.binding.copy_outputs_to_cpu()


class OpenVino(InProcess):
    """`streams` runs at once share `threads` threads."""

    def __init__(self, model, precision, threads=1, streams=1):
        core = openvino.Core()
        wanted = {"fp32": openvino.Type.f32, "bf16": openvino.Type.bf16}[precision]
        self.compiled = core.compile_model(str(model), "CPU", {
            hint.inference_precision: wanted, "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": streams})
        got = self.compiled.get_property(hint.inference_precision)
        if got != wanted:
            raise Unavailable(f"OpenVINO computes in {got} here")
        self.requests = [self.compiled.create_infer_request() for _ in range(2)]

    def feed(self, inputs):
        self.values = inputs
        for request in self.requests:
            for index, values in enumerate(inputs):
                request.set_input_tensor(index, openvino.Tensor(values, shared_memory=True))
        self.runners = [lambda request=request: request.infer(share_outputs=True) for request in self.requests]

    def outputs(self):
        self.runners[0]()
        return [np.array(self.requests[0].get_output_tensor(i).data) for i in range(len(self.compiled.outputs))]


class Native:
    """The model in a run_model process."""

    def __init__(self, program, model, precision, folder):
        self.folder = pathlib.Path(folder)
        self.process = subprocess.Popen([program, model, precision], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        self.load_ms = float(self._read().split()[1])

    def _read(self):
        line = self.process.stdout.readline().strip()
        if not line or line.startswith("error"):
            self.close()
            raise Unavailable(line.removeprefix("error ") or f"run_model ended with {self.process.returncode}")
        return line

    def _ask(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self._read()

    def feed(self, inputs):
        self._ask("clear")
        for values in inputs:
            path = self.folder / "input"
            values.tofile(path)
            self._ask(f"input {path} {DTYPES[values.dtype]} {','.join(map(str, values.shape))}")

    def outputs(self):
        """f32, each flat: what run_model writes has no shape."""
        prefix = self.folder / "output"
        count = len(self._ask(f"run {prefix}").split("] ["))
        return [np.fromfile(f"{prefix}.{i}", np.float32) for i in range(count)]

    def samples(self, count):
        return [float(word) for word in self._ask(f"time {count}").split()]

    def two_at_once(self, count):
        return float(self._ask(f"parallel 2 {count}")) * 1e3 / (2 * count)

    def peak_memory_kb(self):
        return int(self._ask("memory"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
