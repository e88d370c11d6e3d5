"""A small binary detector, from nothing to a file for the phone: it finds discs, squares and triangles.

    python examples/detector.py
    python examples/detector.py --scenes 8000 --epochs 20 --out bigger

A narrow BNext and `bnext_keras.dense_prediction.detector` on two of its maps learn from pictures that are made on the
spot, with SSD's default boxes and offsets and with the focal loss. The trained network has four outputs, scores and
offsets of two maps. It is converted, every output is verified, and the file's average precision is
measured on pictures that it has not seen.

In the folder detector-output (--out) are afterwards detector.tflite and detector.png: pictures, what is in them, and
what the file found.

References:
    Liu et al., "SSD: Single Shot MultiBox Detector", arXiv 1512.02325; Lin et al., "Focal Loss for Dense Object
    Detection", arXiv 1708.02002; average precision as in PASCAL VOC 2010.
"""

import sys

import bnext_keras
from bnext_keras import dense_prediction

import numpy as np
import tensorflow as tf
from matplotlib.patches import Rectangle
from shapes import CLASSES, COLOURS, SIZE, Scenes, command, converted, draw, fit, report, scenes

from android_demo.runner import Interpreter

#: Side of the one default box at each place of each map.
SIDES = {"P2": 14.0, "P3": 26.0}
#: A default box is one of an object's from the first overlap on, and none of any up to the second.
MATCHED, UNMATCHED = 0.5, 0.4
#: What offsets are divided by, so that they are of order one: places, sizes.
SCALES = np.float32([0.1, 0.1, 0.2, 0.2])
#: Overlap from which on a found box is right, and above which the weaker of two found ones is dropped.
RIGHT, SAME = 0.5, 0.45
#: Found boxes of a lower probability are not drawn, though average precision counts them. Nor are those that a more
#: probable one of another class overlaps: the second guess at a place would hide the first.
SHOWN = 0.3


def build() -> tf.keras.Model:
    """The untrained detector."""
    network = bnext_keras.models.BNext([32, 32, 64, 128], input_shape=(SIZE, SIZE, 3), stem_stride=2, include_top=False)
    return dense_prediction.detector(bnext_keras.features(network, strides=(4, 8)), len(CLASSES), name="detector")


def default_boxes(level: str) -> np.ndarray:
    """Top, left, bottom, right of each default box of a map, ``(height, width, 4)``."""
    stride = 2 ** int(level[1:])
    centres = (np.arange(SIZE // stride) + 0.5) * stride
    y, x = np.meshgrid(centres, centres, indexing="ij")
    half = SIDES[level] / 2
    return np.stack([y - half, x - half, y + half, x + half], axis=-1).astype(np.float32)


def overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of each box with each other one, ``(boxes, others)``."""
    boxes = boxes[:, np.newaxis]
    sides = np.minimum(boxes[..., 2:], others[:, 2:]) - np.maximum(boxes[..., :2], others[:, :2])
    common = np.prod(np.maximum(sides, 0), axis=-1)
    areas = [np.prod(each[..., 2:] - each[..., :2], axis=-1) for each in (boxes, others)]
    return common / (areas[0] + areas[1] - common)


def targets(data: Scenes) -> dict[str, np.ndarray]:
    """What the outputs are to be: scores 1, 0 or, where nobody minds, -1; offsets, and whether they count."""
    anchors = {level: default_boxes(level) for level in SIDES}
    flat = np.concatenate([each.reshape(-1, 4) for each in anchors.values()])
    scores = np.zeros((len(data.boxes), len(flat), len(CLASSES)), np.float32)
    offsets = np.zeros((len(data.boxes), len(flat), 5), np.float32)
    for image, (boxes, classes) in enumerate(zip(data.boxes, data.classes, strict=True)):
        if not len(boxes):
            continue
        overlap = overlaps(flat, boxes)
        # Each object has its best default box, however small the overlap.
        overlap[overlap.argmax(axis=0), np.arange(len(boxes))] = 1
        best, most = overlap.argmax(axis=1), overlap.max(axis=1)
        scores[image, most > UNMATCHED] = -1
        matched = np.flatnonzero(most >= MATCHED)
        scores[image, matched] = np.eye(len(CLASSES))[classes[best[matched]]]
        offsets[image, matched, :4] = encode(boxes[best[matched]], flat[matched])
        offsets[image, matched, 4] = 1
    found, start = {}, 0
    for level, each in anchors.items():
        height, width = each.shape[:2]
        part = slice(start, start := start + height * width)
        found[f"scores_{level}"] = scores[:, part].reshape(-1, height, width, len(CLASSES))
        found[f"boxes_{level}"] = offsets[:, part].reshape(-1, height, width, 5)
    return found


def encode(boxes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Offsets of boxes from default boxes: of the centre, and logarithms of the sides."""
    sides, own = boxes[..., 2:] - boxes[..., :2], anchors[..., 2:] - anchors[..., :2]
    centres, own_centres = (each[..., :2] + each[..., 2:] for each in (boxes, anchors))
    return np.concatenate([(centres - own_centres) / 2 / own, np.log(sides / own)], axis=-1) / SCALES


def decode(offsets: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Boxes of offsets: the reverse of `encode`."""
    offsets, own = offsets * SCALES, anchors[..., 2:] - anchors[..., :2]
    centres = (anchors[..., :2] + anchors[..., 2:]) / 2 + offsets[..., :2] * own
    half = np.exp(offsets[..., 2:]) * own / 2
    return np.concatenate([centres - half, centres + half], axis=-1)


def score_loss(expected: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The focal loss, for each default box that is an object's."""
    right = tf.where(expected == 1, tf.sigmoid(logits), 1 - tf.sigmoid(logits))
    loss = tf.nn.sigmoid_cross_entropy_with_logits(tf.maximum(expected, 0.0), logits)
    weight = tf.where(expected == 1, 0.25, 0.75) * tf.cast(expected >= 0, tf.float32)
    found = tf.reduce_sum(tf.cast(expected == 1, tf.float32))
    return tf.reduce_sum(weight * (1 - right) ** 2 * loss) / tf.maximum(found, 1.0)


def box_loss(expected: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
    """Huber's loss of the offsets of default boxes that are an object's."""
    counts = expected[..., 4:]
    difference = tf.abs(expected[..., :4] - offsets)
    loss = tf.where(difference < 1, 0.5 * difference**2, difference - 0.5)
    return 0.2 * tf.reduce_sum(counts * loss) / tf.maximum(tf.reduce_sum(counts), 1.0)


def train(model: tf.keras.Model, data: Scenes, epochs: int, verbose: int = 2) -> None:
    """Trains a detector; its kernels are binary from the first step."""
    losses = {name: score_loss if name.startswith("scores") else box_loss for name in model.output}
    fit(model, losses, (data.inputs, targets(data)), epochs, verbose)


def detect(outputs: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes ``(found, 4)``, classes and probabilities in one picture's outputs, the most probable first."""
    boxes = np.concatenate([decode(outputs[f"boxes_{level}"], default_boxes(level)).reshape(-1, 4) for level in SIDES])
    logits = np.concatenate([outputs[f"scores_{level}"].reshape(-1, len(CLASSES)) for level in SIDES])
    probabilities = 1 / (1 + np.exp(-logits))
    places, classes = np.nonzero(probabilities > 0.02)
    order = np.argsort(-probabilities[places, classes])[:100]
    places, classes = places[order], classes[order]
    kept = strongest(boxes[places], classes)
    return boxes[places[kept]], classes[kept], probabilities[places[kept], classes[kept]]


def strongest(boxes: np.ndarray, classes: np.ndarray) -> list[int]:
    """Places of those boxes, the most probable first, that none before overlaps with the same class."""
    overlap, kept = overlaps(boxes, boxes), []
    for i in range(len(boxes)):
        if not any(classes[i] == classes[j] and overlap[i, j] > SAME for j in kept):
            kept.append(i)
    return kept


def average_precision(found: list[tuple], data: Scenes) -> dict[str, float]:
    """The area under the curve of precision over recall, for each class."""
    result = {}
    for kind, name in enumerate(CLASSES):
        objects = [boxes[classes == kind] for boxes, classes in zip(data.boxes, data.classes, strict=True)]
        taken = [np.zeros(len(each), bool) for each in objects]
        rows = sorted(
            (-probability, image, place)
            for image, (_, classes, probabilities) in enumerate(found)
            for place, probability in enumerate(probabilities)
            if classes[place] == kind
        )
        right = []
        for _, image, place in rows:
            overlap = overlaps(found[image][0][place : place + 1], objects[image])[0]
            best = int(overlap.argmax()) if len(overlap) else -1
            right.append(best >= 0 and overlap[best] >= RIGHT and not taken[image][best])
            if right[-1]:
                taken[image][best] = True
        hits = np.cumsum(right)
        recall = np.concatenate([[0.0], hits / max(1, sum(map(len, objects)))])
        precision = hits / (1 + np.arange(len(hits)))
        best_beyond = np.maximum.accumulate(precision[::-1])[::-1]
        result[name] = float(np.sum(np.diff(recall) * best_beyond))
    return result


def main(argv: list[str] | None = None) -> int:
    return command(__doc__, "detector", run, argv, count=4000)


def run(arguments) -> int:
    """Trains, converts, measures and draws; returns the exit status."""
    data, unseen = scenes(arguments.scenes, seed=1), scenes(arguments.unseen, seed=2)
    model = build()
    train(model, data, arguments.epochs)
    file = arguments.out / "detector.tflite"
    result = converted(model, file, unseen)
    for output in result.verification.outputs:
        report(f"  {output.name}", f"{output.shape}, within {output.max_difference:.1e} of Keras")
    engine = Interpreter(file)
    answers = engine.predict(unseen.inputs)
    found = [detect(dict(zip(engine.output_names, each, strict=True))) for each in zip(*answers, strict=True)]
    precisions = average_precision(found, unseen)
    for name, precision in precisions.items():
        report(f"average precision, {name}", f"{precision:.3f}")
    mean = float(np.mean(list(precisions.values())))
    report("mean average precision", f"{mean:.3f} on {len(found)} pictures, at an overlap of {RIGHT}")
    truth = [(boxes, classes, np.ones(len(boxes))) for boxes, classes in zip(unseen.boxes, unseen.classes, strict=True)]
    rows = {
        name: [painter(unseen.pixels[i], *each[i]) for i in range(min(8, len(found)))]
        for name, each in (("is there", truth), ("found", found))
    }
    draw(arguments.out / "detector.png", rows, f"A binary detector's file: mean average precision {mean:.2f}")
    return 0


def painter(pixels, boxes, classes, probabilities):
    """What draws a picture with boxes."""

    def paint(axes):
        axes.imshow(pixels, extent=(0, SIZE, SIZE, 0))
        for i in strongest(boxes, np.zeros_like(classes)):
            if probabilities[i] >= SHOWN:
                top, left, bottom, right = boxes[i]
                edge = COLOURS[classes[i]]
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, ec=edge, lw=2))

    return paint


if __name__ == "__main__":
    sys.exit(main())
