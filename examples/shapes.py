"""Pictures of discs, squares and triangles, with their boxes and masks, for the examples beside this file.

They are made on the spot, so nothing is downloaded; equal seeds make equal pictures. Shapes are brighter than what is
behind them: where they may be darker as well, a binary network learns far more slowly.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bnext_keras
from bnext_keras.cli._tool import positive
from bnext_keras.cli._tool import run as run_tool
from bnext_keras.errors import FileError
from bnext_keras.preprocessing import Normalization

import numpy as np
import tensorflow as tf

from android_demo.runner import Interpreter
from converter import ConversionResult

CLASSES = ("disc", "square", "triangle")
#: What marks the classes on pictures.
COLOURS = ("#e08a1e", "#1f9d6b", "#c8102e")
SIZE = 64
#: Sides of shapes, in pixels.
SMALLEST, LARGEST = 10, 34
#: How the networks want their images.
NORMALIZATION = Normalization.of_scale(1, 0.5, 0.25)
#: Pictures of a step, and the learning rate of the first one.
BATCH, RATE = 16, 6e-3


@dataclass(frozen=True)
class Scenes:
    """Pictures and what is in them.

    Attributes:
        pixels: float32 in [0, 1], ``(scenes, SIZE, SIZE, 3)``.
        masks: The class of each pixel, ``(scenes, SIZE, SIZE)``: 0 for the background, 1 + the place in `CLASSES`.
        boxes: Of each picture float32 ``(shapes, 4)``: top, left, bottom, right in pixels.
        classes: Of each picture the places in `CLASSES`, ``(shapes,)``.
    """

    pixels: np.ndarray
    masks: np.ndarray
    boxes: list[np.ndarray]
    classes: list[np.ndarray]

    @property
    def inputs(self) -> np.ndarray:
        """The pictures as the networks take them."""
        return ((self.pixels - 0.5) / 0.25).astype(np.float32)


def scenes(count: int, seed: int) -> Scenes:
    """Draws pictures of up to four bright shapes on dark grounds."""
    drawn = [_scene(np.random.default_rng((seed, i))) for i in range(count)]
    pixels, masks, boxes, classes = zip(*drawn, strict=True)
    return Scenes(np.stack(pixels), np.stack(masks), list(boxes), list(classes))


def _scene(generator):
    y, x = np.mgrid[0:SIZE, 0:SIZE] + 0.5
    angle, first, second = generator.uniform(0, 2 * np.pi), *generator.uniform(0, 0.5, (2, 3))
    ramp = (0.5 + (np.cos(angle) * (x - SIZE / 2) + np.sin(angle) * (y - SIZE / 2)) / (2 * SIZE))[..., np.newaxis]
    pixels = ramp * first + (1 - ramp) * second
    mask = np.zeros((SIZE, SIZE), np.uint8)
    boxes, classes = [], []
    for _ in range(generator.integers(1, 5)):
        side = np.exp(generator.uniform(np.log(SMALLEST), np.log(LARGEST)))
        top, left = generator.uniform(0, SIZE - side, 2)
        kind = int(generator.integers(len(CLASSES)))
        dy, dx = (y - top) / side - 0.5, (x - left) / side - 0.5
        inside = (dy**2 + dx**2 < 0.25, np.maximum(abs(dy), abs(dx)) < 0.5, (abs(dx) < (dy + 0.5) / 2) & (dy < 0.5))[
            kind
        ]
        # Shapes keep apart, and from the colour behind them.
        colour = generator.uniform(0.5, 1, 3)
        if mask[inside].any() or np.abs(colour - pixels[inside].mean(axis=0)).max() < 0.35:
            continue
        pixels = np.where(inside[..., np.newaxis], colour, pixels)
        mask[inside] = 1 + kind
        boxes.append((top, left, top + side, left + side))
        classes.append(kind)
    pixels = np.clip(pixels + generator.normal(0, 0.04, pixels.shape), 0, 1).astype(np.float32)
    return pixels, mask, np.float32(boxes).reshape(-1, 4), np.array(classes, int)


def draw(path: Path, rows: dict[str, list], title: str) -> None:
    """Draws rows of pictures as a PNG file.

    Args:
        path: The file.
        rows: Pictures by what is written beside them: functions of matplotlib's axes.
        title: What is written above.
    """
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    columns = max(map(len, rows.values()))
    figure = Figure(figsize=(1.6 * columns + 0.4, 1.6 * len(rows) + 0.8), layout="constrained")
    figure.suptitle(title)
    for all_axes, (name, painters) in zip(
        figure.subplots(len(rows), columns, squeeze=False), rows.items(), strict=True
    ):
        for axes, paint in zip(all_axes, painters, strict=True):
            paint(axes)
            axes.set(xticks=[], yticks=[])
        all_axes[0].set_ylabel(name)
    patches = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, CLASSES, strict=True)]
    figure.legend(handles=patches, loc="outside lower center", ncols=len(patches), frameon=False)
    figure.savefig(path, dpi=110)


def command(description: str, name: str, work: Callable, argv: list[str] | None = None, *, count: int) -> int:
    """The command line of both examples; returns the exit status.

    Args:
        description: What ``--help`` tells.
        name: The example's name, without ``.py``.
        work: Takes the arguments ``scenes``, ``unseen``, ``epochs`` and ``out``, and returns the exit status.
        argv: The command line, by default the process's own.
        count: Number of pictures to learn from, if the command line says no other.
    """
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, formatter_class=formatter, allow_abbrev=False)
    add = parser.add_argument
    add("--scenes", type=positive, default=count, metavar="N", help="pictures to learn from (default: %(default)s)")
    add("--unseen", type=positive, default=300, metavar="N", help="pictures to measure on (default: %(default)s)")
    add("--epochs", type=positive, default=8, metavar="N", help="(default: %(default)s)")
    add("--seed", type=positive, default=1, metavar="N", help="of the first weights (default: %(default)s)")
    add("--out", type=Path, default=Path(f"{name}-output"), metavar="FOLDER", help="(default: %(default)s)")
    return run_tool(f"{name}.py", lambda arguments: work(_prepared(arguments)), parser.parse_args(argv))


def _prepared(arguments):
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made ({error.strerror})", where=f"--out {arguments.out}") from error
    tf.keras.utils.set_random_seed(arguments.seed)
    return arguments


def fit(model: tf.keras.Model, loss, examples: tuple, epochs: int, verbose: int = 2) -> None:
    """Trains a network whose kernels are binary from the first step.

    Soft ones, as `bnext_keras.callbacks.WeightTemperature` has them, cost more of so few steps than they gain.

    Args:
        model: The untrained network.
        loss: What Keras' ``compile`` takes.
        examples: Arrays of inputs, of what the outputs are to be, and of weights if there are some.
        epochs: How often it sees each picture. The learning rate falls to 0 in that time.
        verbose: What Keras' ``fit`` takes.
    """
    batches = tf.data.Dataset.from_tensor_slices(examples)
    batches = batches.shuffle(len(batches), seed=0).batch(BATCH, drop_remainder=True)
    rate = tf.keras.optimizers.schedules.CosineDecay(RATE, epochs * len(batches))
    model.compile(tf.keras.optimizers.Adam(rate), loss)
    model.fit(batches, epochs=epochs, verbose=verbose)


def converted(model: tf.keras.Model, file: Path, data: Scenes) -> ConversionResult:
    """Converts a trained network, verified on some pictures, and reports what came of it."""
    result = bnext_keras.convert(
        model, file, normalization=NORMALIZATION, verify_data=data.inputs[:4], engines={"the engine": Interpreter}
    )
    report("file", f"{result.size / 1000:,.0f} kB, {len(result.binary_convs)} binary convolutions")
    return result


def report(name: str, value: str) -> None:
    """Prints a line of the result."""
    print(f"{name:37}{value}")
