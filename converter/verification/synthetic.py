"""Images made on the spot, to verify a file on where the user gives none.

A fault shows only where something depends on the faulty constant: the negative slope of a PReLU needs negative inputs,
a threshold needs values on both sides. Gaussian noise has no edges and no areas, and leaves channels of a trained
network on one side for good. So `draw` makes images with gradients, shapes, stripes and grain, and `choose` takes those
of them which, together, bring the most channels to both of their values. ``benchmarks/trials/planted_faults.py`` counts
what that finds.
"""

from collections.abc import Callable, Sequence

import numpy as np

from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter

#: Images that `choose` looks at before it takes some.
CANDIDATES = 24
#: Means and standard deviations of what networks are commonly fed with: normalized images, or pixels in [-1, 1], [0, 1]
#: or [0, 255]. The first is taken unless another brings more channels to both values.
RANGES = ((0.45, 0.225), (0.5, 0.5), (0.0, 1.0), (0.0, 1 / 255))
#: How many images tell which range a network wants.
_PROBES = 2
#: Values that are far too large cover a little more, too, and make rounding errors large.
_CLEARLY_MORE = 1.25
#: Operators that treat positive and negative inputs differently.
_TWO_SIDED = ("PRELU", "RELU", "LEAKY_RELU")
_MAY_END_IN_RELU = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")


def draw(count: int, shape: tuple[int, ...], place: int = 0) -> np.ndarray:
    """Images in [0, 1]: the same ones each time.

    Args:
        count: How many.
        shape: ``(height, width, channels)``. Inputs of another rank are no images, and get uniform noise.
        place: Number of the input among those of a network; each gets other images.

    Returns:
        float32 ``(count, *shape)``.

    Example:
        >>> images = draw(2, (8, 8, 3))
        >>> images.shape, bool(images.min() >= 0), bool(images.max() <= 1)
        ((2, 8, 8, 3), True, True)
    """
    paint = _paint if len(shape) == 3 else lambda generator, shape: generator.uniform(0, 1, shape)
    return np.stack([paint(np.random.default_rng((7 + place, i)), shape) for i in range(count)]).astype(np.float32)


def _paint(generator, shape):
    """A gradient, some shapes of plain colours or stripes upon it, and grain."""
    height, width, channels = shape
    rows, columns = np.mgrid[0:height, 0:width]
    y, x = (rows + 0.5) / height, (columns + 0.5) / width
    angle = generator.uniform(0, 2 * np.pi)
    ramp = (0.5 + np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5))[..., np.newaxis]
    first, second = generator.uniform(0, 1, (2, channels))
    image = ramp * first + (1 - ramp) * second
    for _ in range(generator.integers(3, 9)):
        dy, dx = y - generator.uniform(), x - generator.uniform()
        size, turn = np.exp(generator.uniform(np.log(0.08), np.log(0.5))), generator.uniform(0, np.pi)
        along = np.cos(turn) * dx + np.sin(turn) * dy
        disc = dy**2 + dx**2 < size**2
        inside = (
            disc,
            (abs(dy) < size * generator.uniform(0.2, 1)) & (abs(dx) < size),
            disc & (np.sin(2 * np.pi * generator.uniform(2, 12) * along) > 0),
            abs(along) < 0.15 * size,
        )[generator.integers(4)]
        is_pure = generator.random() < 0.3
        colour = generator.integers(0, 2, channels) if is_pure else generator.uniform(0, 1, channels)
        image = np.where(inside[..., np.newaxis], colour, image)
    image = image + generator.choice([0, 0.02, 0.1]) * generator.standard_normal(shape)
    return np.clip(image, 0, 1)


def choose(flatbuffer: Flatbuffer, count: int, normalization: tuple | None, most: int = 2) -> list[np.ndarray]:
    """Inputs on which a file's channels take both of their values, as far as such inputs are found.

    Of `CANDIDATES` images one after the other is taken that brings the most channels of signs, and of inputs of ReLUs
    and PReLUs, to a value which they have not had.

    Args:
        flatbuffer: The file.
        count: How many to take.
        normalization: Mean and standard deviation of each channel of images in [0, 1], as the model wants them; None if
            nobody has said, which of `RANGES` then covers the most is found out.
        most: What whole numbers, which are rows of tables, stay below.

    Returns:
        ``(count, ...)`` for each of the file's inputs, of its own type; of uint8 images all values are pixels.
    """
    cover, drawn = _covering(flatbuffer), list(_drawn(flatbuffer, most))
    ranges: Sequence[tuple] = RANGES if normalization is None else [normalization]
    if len(ranges) > 1:
        probes = [values[:_PROBES] for values in drawn]
        totals = [cover(_normalized(probes, scale)).any(axis=0).sum() for scale in ranges]
        ranges = [ranges[int(np.argmax(totals)) if max(totals) > _CLEARLY_MORE * totals[0] else 0]]
    candidates = _normalized(drawn, ranges[0])
    covered = cover(candidates)
    done, taken = np.zeros(covered.shape[1], bool), []
    for _ in range(count):
        gains = (covered & ~done).sum(axis=1)
        gains[taken] = -1
        taken.append(int(np.argmax(gains)))
        done |= covered[taken[-1]]
    return [values[taken] for values in candidates]


def _drawn(flatbuffer, most):
    """Candidates for each input: images or noise in [0, 1], pixels from 0 to 255, or whole numbers."""
    for place, tensor in enumerate(flatbuffer.inputs):
        shape = flatbuffer.shape(tensor)[1:]
        if flatbuffer.type(tensor) == "FLOAT32":
            yield draw(CANDIDATES, shape, place)
        elif flatbuffer.type(tensor) == "UINT8":
            yield np.rint(255 * draw(CANDIDATES, shape, place)).astype(np.uint8)
        else:
            numbers = np.random.default_rng((7 + place,)).integers(0, most, (CANDIDATES, *shape))
            yield numbers.astype(flatbuffer.type(tensor).lower())


def _normalized(drawn, scale):
    """Images as the model wants them; what has no such channels is spread around zero, and whole numbers stay."""
    found = []
    for values in drawn:
        mean, std = scale if np.size(scale[0]) in (1, values.shape[-1]) else RANGES[1]
        scaled = (values - np.float32(mean)) / np.float32(std)
        found.append(scaled.astype(np.float32) if values.dtype == np.float32 else values)
    return found


def _covering(flatbuffer: Flatbuffer) -> Callable[[list[np.ndarray]], np.ndarray]:
    """A function that tells for each sample which channel takes which value: bool ``(samples, 2 * channels)``."""
    signs = sorted({conv.input_tensor for conv in flatbuffer.binary_convs})
    inputs = {operation.inputs[0] for operation in flatbuffer.operations if operation.type in _TWO_SIDED}
    # Where a ReLU has been fused into a convolution or dense layer, only its result is there: zero, or positive.
    inputs |= {operation.outputs[0] for operation in flatbuffer.operations if operation.type in _MAY_END_IN_RELU}
    floats = sorted(tensor for tensor in inputs if flatbuffer.type(tensor) == "FLOAT32")
    interpreter = Interpreter(flatbuffer.pack(more_outputs=[*signs, *floats]), threads=2, kernels="indirect")
    own = len(flatbuffer.outputs)

    def cover(inputs):
        rows = []
        for sample in zip(*inputs, strict=True):
            found = interpreter.run_each([values[np.newaxis] for values in sample])[own:]
            sides = [*map(sign_sides, found[: len(signs)]), *map(_sides, found[len(signs) :])]
            rows.append(np.concatenate([np.ravel(side) for pair in sides for side in pair] or [np.zeros(0, bool)]))
        return np.stack(rows)

    return cover


def sign_sides(words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which channels of bit-packed signs are -1 somewhere, and which are +1 somewhere.

    Args:
        words: int32 ``(..., words)``. Bits of a last word that stand for no channel are never -1.

    Returns:
        Two arrays, bool ``(32 * words,)``.

    Example:
        >>> minus, plus = sign_sides(np.array([[0b01], [0b11]], np.int32))
        >>> minus[:3].tolist(), plus[:3].tolist()
        ([True, True, False], [False, True, True])
    """
    flat = words.reshape(-1, words.shape[-1])
    minus, always_minus = np.bitwise_or.reduce(flat, axis=0), np.bitwise_and.reduce(flat, axis=0)
    bits = np.arange(32, dtype=np.int32)
    spread = [((number[:, np.newaxis] >> bits) & 1).astype(bool).reshape(-1) for number in (minus, ~always_minus)]
    return spread[0], spread[1]


def _sides(values):
    flat = values.reshape(-1, values.shape[-1])
    return (flat <= 0).any(axis=0), (flat > 0).any(axis=0)
