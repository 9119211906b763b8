"""What a device could do with a model at most: for each operator the longer of its arithmetic at the rate of the
largest product and of its bytes at the rate of a copy, both as measured in the same run (M1).

Operators as a good engine has them: a convolution takes its bias, its residual and its activation along, and what lies
between two operators goes through memory once. Caches are not counted on, so that small batches may beat it.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Ceilings:
    flops: float  # a second, of products
    bytes: float  # a second, read and written
    element: int = 2  # bytes

    def time(self, flops, elements, other_bytes=0):
        return max(flops / self.flops, (elements * self.element + other_bytes) / self.bytes)


def convolution(ceilings, batch, inputs, outputs, size, kernel=1, stride=1, groups=1, residual=False):
    """Seconds of one with a square image; a strided one of 1 x 1 reads only the pixels that it uses."""
    after = size // stride
    read = inputs * (after**2 if kernel == 1 else size**2)
    written = outputs * after**2 * (2 if residual else 1)
    weights = outputs * inputs // groups * kernel**2
    flops = 2 * batch * after**2 * outputs * inputs // groups * kernel**2
    return ceilings.time(flops, batch * (read + written) + weights)


def head(ceilings, batch, channels, size=7, classes=1000):
    """The mean over the pixels, and the scores."""
    pooled = ceilings.time(0, batch * channels * (size**2 + 1))
    return pooled + ceilings.time(2 * batch * channels * classes,
                                  batch * (channels + classes) + channels * classes)


def resnet50(ceilings, batch):
    total = convolution(ceilings, batch, 3, 64, 224, 7, 2)
    total += ceilings.time(0, batch * 64 * (112**2 + 56**2))
    channels, size = 64, 56
    for middle, blocks, first_stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for block in range(blocks):
            stride = first_stride if block == 0 else 1
            total += convolution(ceilings, batch, channels, middle, size)
            total += convolution(ceilings, batch, middle, middle, size, 3, stride)
            if block == 0:
                total += convolution(ceilings, batch, channels, 4 * middle, size, 1, stride)
            channels, size = 4 * middle, size // stride
            total += convolution(ceilings, batch, middle, channels, size, residual=True)
    return total + head(ceilings, batch, channels)


def mobilenetv2(ceilings, batch):
    total = convolution(ceilings, batch, 3, 32, 224, 3, 2)
    channels, size = 32, 112
    for expansion, outputs, blocks, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2),
                                                     (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(blocks):
            stride, middle = first_stride if block == 0 else 1, channels * expansion
            if expansion > 1:
                total += convolution(ceilings, batch, channels, middle, size)
            total += convolution(ceilings, batch, middle, middle, size, 3, stride, groups=middle)
            size //= stride
            total += convolution(ceilings, batch, middle, outputs, size, residual=stride == 1 and channels == outputs)
            channels = outputs
    total += convolution(ceilings, batch, channels, 1280, size)
    return total + head(ceilings, batch, 1280)


def minilm(ceilings, batch, tokens=128, width=384, inner=1536, layers=6):
    rows = batch * tokens
    total = ceilings.time(0, 2 * rows * width, 4 * rows)  # words, places, normalised
    normalise = ceilings.time(0, 2 * rows * width)
    for _ in range(layers):
        total += ceilings.time(2 * rows * width * 3 * width, rows * 4 * width + 3 * width**2)
        total += ceilings.time(4 * rows * tokens * width, rows * 4 * width)  # attention in one
        total += ceilings.time(2 * rows * width**2, rows * 3 * width + width**2) + normalise
        total += ceilings.time(2 * rows * width * inner, rows * (width + inner) + width * inner)
        total += ceilings.time(2 * rows * inner * width, rows * (inner + 2 * width) + width * inner) + normalise
    return total + ceilings.time(0, rows * width, 4 * batch * width)


MODELS = {"resnet50": resnet50, "mobilenetv2": mobilenetv2, "minilm": minilm}


def items_a_second(model, ceilings, batch):
    return batch / MODELS[model](ceilings, batch)
