"""A small binary network that says for each pixel what it belongs to: a disc, a square, a triangle or nothing.

    python examples/segmentation.py
    python examples/segmentation.py --scenes 4000 --epochs 20 --out bigger

A narrow BNext and `bnext_keras.dense_prediction.segmenter` on two of its maps learn from pictures that are made on the
spot. The decoder's binary convolutions are dilated, so that they see far. The trained network is converted,
verified, and the file's mean intersection over union measured on pictures that it has not seen.

In the folder segmentation-output (--out) are afterwards segmentation.tflite and segmentation.png: pictures, what is in
them, and what the file found.
"""

import sys

import bnext_keras
from bnext_keras import dense_prediction

import numpy as np
import tensorflow as tf
from matplotlib.colors import ListedColormap
from shapes import CLASSES, COLOURS, SIZE, Scenes, command, converted, draw, fit, report, scenes

from android_demo.runner import Interpreter

#: The weight of a background's pixel; there are many more of them than of shapes'.
BACKGROUND = 0.3


def build() -> tf.keras.Model:
    """The untrained network."""
    network = bnext_keras.models.BNext([32, 32, 64, 128], input_shape=(SIZE, SIZE, 3), stem_stride=2, include_top=False)
    return dense_prediction.segmenter(
        bnext_keras.features(network, strides=(4, 8)), 1 + len(CLASSES), name="segmentation"
    )


def train(model: tf.keras.Model, data: Scenes, epochs: int, verbose: int = 2) -> None:
    """Trains it; its kernels are binary from the first step."""
    masks = data.masks.astype(np.int32)
    weights = np.where(masks == 0, BACKGROUND, 1.0).astype(np.float32)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fit(model, loss, (data.inputs, masks, weights), epochs, verbose)


def intersections_over_unions(found: np.ndarray, masks: np.ndarray) -> dict[str, float]:
    """Pixels that are of a class and were taken for it, by pixels that either holds of: for each class."""
    names = ("background", *CLASSES)
    pairs = {name: (found == kind, masks == kind) for kind, name in enumerate(names)}
    return {
        name: float((ours & theirs).sum() / max(1, (ours | theirs).sum())) for name, (ours, theirs) in pairs.items()
    }


def main(argv: list[str] | None = None) -> int:
    return command(__doc__, "segmentation", run, argv, count=2000)


def run(arguments) -> int:
    """Trains, converts, measures and draws; returns the exit status."""
    data, unseen = scenes(arguments.scenes, seed=1), scenes(arguments.unseen, seed=2)
    model = build()
    train(model, data, arguments.epochs)
    file = arguments.out / "segmentation.tflite"
    result = converted(model, file, unseen)
    report("same class as Keras", f"{result.verification.top1_agreement:.2%} of pixels")
    found = Interpreter(file).predict(unseen.inputs).argmax(axis=-1)
    shares = intersections_over_unions(found, unseen.masks)
    for name, share in shares.items():
        report(f"intersection over union, {name}", f"{share:.3f}")
    mean = float(np.mean(list(shares.values())))
    report("mean intersection over union", f"{mean:.3f} on {len(found)} pictures")
    shown = range(min(8, len(found)))
    rows = {
        "picture": [painter(unseen.pixels[i]) for i in shown],
        "is there": [painter(unseen.pixels[i], unseen.masks[i]) for i in shown],
        "found": [painter(unseen.pixels[i], found[i]) for i in shown],
    }
    draw(arguments.out / "segmentation.png", rows, f"A binary network's file: mean intersection over union {mean:.2f}")
    return 0


def painter(pixels, mask=None):
    """What draws a picture, with the classes of its pixels on it."""

    def paint(axes):
        axes.imshow(pixels)
        if mask is not None:
            kinds = np.ma.masked_equal(mask, 0)
            axes.imshow(kinds, cmap=ListedColormap(COLOURS), vmin=1, vmax=len(CLASSES), alpha=0.75)

    return paint


if __name__ == "__main__":
    sys.exit(main())
