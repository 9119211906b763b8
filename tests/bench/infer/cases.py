"""What is timed: models, the inputs they are timed on, and further shapes whose outputs are checked."""
import dataclasses
import hashlib
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    model: str  # a file of examples/ocr/models, else a name of random_models.WRITERS
    shape: tuple
    checked: tuple = ()  # other shapes

    @property
    def is_ocr(self):
        return "PP-OCR" in self.model

    def inputs(self, shape=None):
        """In the model's order."""
        shape = shape or self.shape
        if self.is_ocr:
            return [page_lines(shape)]
        random = np.random.default_rng(sum(shape))
        if self.model != "minilm_l6":
            return [random.standard_normal(shape, np.float32)]
        mask = np.ones(shape, np.int64)
        mask[:, -shape[1] // 8 :] = 0  # padding at the end, as in a batch of sentences
        return [random.integers(0, 30522, shape), mask, np.zeros(shape, np.int64)]


V6_DET, V6_REC = "PP-OCRv6_det_small.onnx", "PP-OCRv6_rec_small.onnx"
V4_DET, V4_REC = "ch_PP-OCRv4_det_infer.onnx", "ch_PP-OCRv4_rec_infer.onnx"
CASES = [
    # The detectors take multiples of 32: with others their own skip connections do not fit each other.
    Case("ppocrv6_det_960x704", V6_DET, (1, 3, 960, 704), ((1, 3, 736, 1056), (1, 3, 32, 32), (1, 3, 2016, 1408))),
    Case("ppocrv6_rec_48x320", V6_REC, (1, 3, 48, 320), tuple((n, 3, 48, 320) for n in range(2, 9))),
    Case("ppocrv6_rec_48x1600", V6_REC, (1, 3, 48, 1600), ((1, 3, 48, 160), (1, 3, 48, 800))),
    Case("ppocrv4_det_960x704", V4_DET, (1, 3, 960, 704)),
    Case("ppocrv4_rec_48x320", V4_REC, (1, 3, 48, 320)),
    *(Case(name, name, (1, 3, 224, 224))
      for name in ("resnet50", "mobilenetv2", "squeezenet1.1", "densenet121", "inception_v1", "vgg19")),
    Case("minilm_l6_128", "minilm_l6", (1, 128)),
]


def page_lines(shape):
    """Lines of dark strokes on noisy paper, as -1..1. On noise alone a detector's probabilities stay
    under 1e-3, where float rounding in the last sigmoid is all that two engines differ by."""
    random = np.random.default_rng(sum(shape))
    batch, channels, height, width = shape
    page = random.uniform(0.8, 1, (batch, 1, height, width))
    line = min(32, height)
    for n in range(batch):
        for top in range(0, height, line):
            x = 4
            while x < width - 4:
                y, tall = top + line // 4 + random.integers(0, line // 8), line // 2 - random.integers(0, line // 8)
                page[n, 0, y : y + tall, x : x + 2] = 0.05  # a stem and a bar, as of a letter
                bar = y + random.integers(0, tall)
                page[n, 0, bar : bar + 2, x : x + 9] = 0.05
                x += 11 if random.random() < 0.85 else 24
    return np.repeat(page * 2 - 1, channels, axis=1).astype(np.float32)


def model_path(case, folder):
    """Where the model of the case lies; a random one is written into `folder` when it is not there yet."""
    if case.is_ocr:
        return ROOT / "examples/ocr/models" / case.model
    import random_models

    # Under the hash of its writer, so that a changed writer is not measured with an old file.
    version = hashlib.sha256(pathlib.Path(random_models.__file__).read_bytes()).hexdigest()[:8]
    path = folder / f"{case.model}-{version}.onnx"
    if not path.exists():
        print(f"Models: writing {path.name}", flush=True)
        part = path.with_suffix(".part")
        random_models.write(case.model, part)
        part.rename(path)
    return path
