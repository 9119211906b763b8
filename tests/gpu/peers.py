#!/usr/bin/env python3
"""The same models on PyTorch: eager and compiled, each also as a CUDA graph; fp16, channels last, resident inputs.

  peers.py [--quick] [--after FILE] [--seconds N]

Prints lines for report.py: `peers.MODEL.nBATCH.WAY <tab> items a second <tab> unit`. What takes long and measures
nothing (loading, compiling for batch 64) is done first; then, with --after, it waits until FILE is there. After
--seconds nothing more is begun. Without PyTorch or a GPU there is one line that says so, and exit status 0.
"""
import argparse
import pathlib
import statistics
import sys
import time

BATCHES = (1, 8, 64, 256)
COMPILED = 64  # the batch that bars are about; each other one would compile for tens of seconds
LONGEST_WAIT_S = 600
CLASSES, WORDS, TOKENS = 1000, 30522, 128


def say(name, value, unit):
    print(f"{name}\t{value:.7g}\t{unit}", flush=True)


def unmeasured(pattern, why):
    print(f"UNMEASURED\t{pattern}\t{' '.join(str(why).split())[:300]}", flush=True)


def networks(torch):
    """Each model's name, its module, its inputs for a batch, and what it makes in a second."""
    half_last = {"dtype": torch.half, "device": "cuda"}

    def image(batch):
        return (torch.randn(batch, 3, 224, 224, **half_last).to(memory_format=torch.channels_last),)

    def text(batch):
        ids = torch.randint(0, WORDS, (batch, TOKENS), device="cuda")
        return ids, torch.ones_like(ids)

    def of_images(make):
        return lambda: make(weights=None).eval().half().to("cuda", memory_format=torch.channels_last)

    try:
        from torchvision import models
        yield "resnet50", of_images(models.resnet50), image, "images/s"
        yield "mobilenetv2", of_images(models.mobilenet_v2), image, "images/s"
    except ImportError as problem:
        unmeasured("peers.[rm]*net*", problem)
    try:
        from transformers import BertConfig, BertModel
    except ImportError as problem:
        unmeasured("peers.minilm.*", problem)
        return

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            config = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
            self.bert = BertModel(config, add_pooling_layer=False)

        def forward(self, ids, mask):
            return self.bert(input_ids=ids, attention_mask=mask).last_hidden_state.mean(1)

    yield "minilm", lambda: Encoder().eval().half().to("cuda"), text, "sequences/s"


def recorded(torch, run):
    """The same work as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def seconds_of(torch, run, round_s):
    """The median of five rounds, each of as many runs as fill its time."""
    def timed(count):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        for _ in range(count):
            run()
        torch.cuda.synchronize()
        return (time.perf_counter() - begin) / count

    timed(4)
    count = max(1, round(round_s / timed(4)))
    return statistics.median(timed(count) for _ in range(5))


def attempt(name, work):
    try:
        work()
    except Exception as problem:  # whatever it is: the other figures are wanted nevertheless
        unmeasured(name, f"{type(problem).__name__}: {problem}")


def measure(torch, round_s, after, deadline):
    made = []
    for name, make, inputs_of, unit in networks(torch):
        def prepare():
            module = make()
            compiled = torch.compile(module, dynamic=False)
            made.append((name, module, compiled, inputs_of, unit))
            compiled(*inputs_of(COMPILED))
            torch.cuda.synchronize()
        attempt(f"peers.{name}.*compile*", prepare)
    begin = time.monotonic()
    while after and not after.exists() and time.monotonic() - begin < LONGEST_WAIT_S:
        time.sleep(0.1)
    begin = time.monotonic()
    for batch in (COMPILED, *(batch for batch in BATCHES if batch != COMPILED)):
        for name, module, compiled, inputs_of, unit in made:
            ways = (("compile", compiled), ("eager", module)) if batch == COMPILED else (("eager", module),)
            for way, network in ways:
                if time.monotonic() - begin > deadline:
                    unmeasured(f"peers.{name}.n{batch}.{way}*", "no time was left")
                    continue

                def work():
                    inputs = inputs_of(batch)
                    key = f"peers.{name}.n{batch}.{way}"
                    run = lambda: network(*inputs)  # noqa: E731
                    say(key, batch / seconds_of(torch, run, round_s), unit)
                    say(f"{key}_graph", batch / seconds_of(torch, recorded(torch, run), round_s), unit)
                attempt(f"peers.{name}.n{batch}.{way}*", work)


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--after", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args(arguments)
    try:
        import torch
    except ImportError as problem:
        unmeasured("peers.*", f"PyTorch is not here: {problem}")
        return 0
    if not torch.cuda.is_available():
        unmeasured("peers.*", "PyTorch sees no GPU")
        return 0
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        measure(torch, 0.05 if options.quick else 0.2, options.after, options.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
