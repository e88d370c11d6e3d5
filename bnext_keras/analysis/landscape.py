"""Loss landscapes: how the loss changes around trained weights, on a plane through them.

A plane is spanned by two random directions, scaled filter by filter to the weights (Li et al. 2018). That takes out
what means nothing: a network whose weights are ten times as large, with batch normalizations behind them, is the same.

Binary kernels are signs of latent weights. Moved by a latent direction, they change in jumps, as they do in training;
relaxed, the signs themselves are moved, as real numbers, and nothing jumps that the activations do not.
"""

import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bnext_keras.array_files import read_arrays
from bnext_keras.errors import FileError
from bnext_keras.files import check_writable, write_atomically
from bnext_keras.patching import attribute

import numpy as np
import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

#: Grid points between two savings of an unfinished landscape.
_SAVED_AFTER = 20


@dataclass(frozen=True)
class LossLandscape:
    """Losses on a square grid around a network's weights.

    Attributes:
        name: What the network is called in pictures.
        positions: Multiples of a direction, ``(steps,)``, from ``-span`` to ``span``.
        losses: Mean loss ``(steps, steps)``; the row is the first direction's multiple, the column the second's. It may
            be no finite number.
        accuracies: Share of images whose largest output is their class, of the same shape.
    """

    name: str
    positions: np.ndarray
    losses: np.ndarray
    accuracies: np.ndarray

    @property
    def centre(self) -> float:
        """The network's own loss."""
        middle = len(self.positions) // 2
        return float(self.losses[middle, middle])

    @property
    def centre_accuracy(self) -> float:
        """The network's own accuracy on these images."""
        middle = len(self.positions) // 2
        return float(self.accuracies[middle, middle])

    @property
    def roughness(self) -> float:
        r"""How much further up and down a straight walk across the plane goes than it must.

        Along all rows and columns of the grid together, that is the sum of all changes of the loss over the least that
        curves with these ends and these minima can have, less 1. It is 0 where every walk falls to one minimum and
        rises again, whatever the slopes, and 1 where walks are twice as long as that. It grows with the number of steps
        as long as there are jumps between two of them: compare equal grids only.

        Example:
            >>> import numpy as np
            >>> across = np.linspace(-1, 1, 5)
            >>> bowl = across[:, None] ** 2 + across ** 2
            >>> LossLandscape("bowl", across, bowl, bowl).roughness
            0.0
            >>> bumps = bowl + [0, 1, 0, 1, 0]
            >>> round(LossLandscape("bumps", across, bumps, bumps).roughness, 2)
            0.25
        """
        length = least = 0.0
        for walk in (*self.losses, *self.losses.T):
            walk = walk[np.isfinite(walk)].astype(np.float64)
            if len(walk) > 1:
                length += float(np.abs(np.diff(walk)).sum())
                least += float(walk[0] + walk[-1] - 2 * walk.min())
        # Rounding may make the longest way a little shorter than the least one.
        return max(length / least - 1, 0.0) if least > 0 else 0.0


def loss_landscape(
    model: tf.keras.Model,
    batches: Iterable[tuple[Any, Any]],
    *,
    steps: int = 21,
    span: float = 1.0,
    seed: int = 0,
    relaxed: bool = False,
    loss: Loss | None = None,
    name: str = "",
    path: str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> LossLandscape:
    r"""Measures the loss on a plane through a network's weights.

    The plane's points are $W + \alpha D_1 + \beta D_2$. Directions are normal random numbers, each filter of them (the
    kernel of one output) scaled to the norm of the weights' filter; what has one number for each channel, biases and
    batch normalizations, stays. The network works as in evaluation.

    Args:
        model: A classifier of one input and one output. Its weights are moved while this runs, and are then what they
            were, however it ends.
        batches: Images ``(batch, height, width, channels)``, normalized, and classes ``(batch,)`` or shares
            ``(batch, classes)``. All are held in memory.
        steps: Points along each side, an odd number: the middle one is the network itself.
        span: The largest multiple of a direction. At 1 the directions are as long as the weights.
        seed: Of the directions. Networks with the same layers get the same directions but for their lengths.
        relaxed: Whether the signs of binary kernels are moved, as real numbers, in place of their latent weights.
        loss: A function of labels and outputs, by default the cross-entropy of logits; a number or one for each image.
        name: What the network is called in pictures; by default the model's name.
        path: A file (``.npz``) to which the landscape is written as it grows. If there is one already, of the same
            weights, images and settings, this goes on where that ended.
        progress: Called with the number of points that are done and of all.

    Raises:
        ValueError: if an argument is out of bounds or there are no images.
        FileError: if the file holds something else, or cannot be written.

    Example:
        >>> import bnext_keras
        >>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
        >>> images = np.random.default_rng(0).standard_normal((4, 32, 32, 3)).astype(np.float32)
        >>> landscape = loss_landscape(model, [(images, np.array([0, 1, 0, 1]))], steps=3)
        >>> landscape.losses.shape
        (3, 3)

    Reference:
        Li et al., "Visualizing the Loss Landscape of Neural Nets", arXiv 1712.09913, section 4; directions of biases
        and batch normalizations are 0 in its released code, too.
    """
    if steps < 3 or steps % 2 == 0:
        raise ValueError(f"steps must be an odd number of at least 3, got {steps}")
    if not 0 < span < math.inf:
        raise ValueError(f"span must be a positive number, got {span}")
    held = [(tf.convert_to_tensor(images), tf.convert_to_tensor(labels)) for images, labels in batches]
    if not held:
        raise ValueError("there are no images to measure the loss of")
    positions = np.linspace(-span, span, steps)
    with _movable_kernels(model, relaxed) as kernels:
        origin = [kernel.numpy() for kernel in kernels]
        generator = np.random.default_rng(seed)
        first, second = ([_direction(kernel, generator) for kernel in kernels] for _ in range(2))
        grid = _Grid(positions, None if path is None else Path(path), name or model.name)
        grid.open(_fingerprint(model, held, (steps, span, seed, relaxed)))
        evaluate = _evaluation(model, held, loss or _cross_entropy)
        try:
            for number, (row, column) in enumerate(grid.missing(), start=1):
                progress(grid.done, steps * steps)
                for kernel, weight, one, other in zip(kernels, origin, first, second, strict=True):
                    kernel.assign(weight + positions[row] * one + positions[column] * other)
                grid.note(row, column, *evaluate())
                if number % _SAVED_AFTER == 0:
                    grid.save()
        finally:
            for kernel, weight in zip(kernels, origin, strict=True):
                kernel.assign(weight)
            grid.save()
        progress(grid.done, steps * steps)
    return grid.landscape()


def read_landscape(path: str | Path) -> LossLandscape:
    """Reads a landscape that `loss_landscape` has written.

    Raises:
        FileError: if it is none, or not finished.
    """
    landscape, done, _ = _read(Path(path))
    if not done.all():
        raise FileError(f"has {int(done.sum())} of {done.size} points; let it be finished first", where=str(path))
    return landscape


@contextmanager
def _movable_kernels(model: tf.keras.Model, relaxed: bool) -> Iterator[list[tf.Variable]]:
    """The kernels that directions move; relaxed, those of binary layers hold their signs for as long."""
    kernels = [weight for weight in model.weights if math.prod(weight.shape) > math.prod(_filters(weight))]
    with ExitStack() as stack:
        for kernel in kernels:
            if relaxed and getattr(kernel, "quantizer", None) is not None:
                latent = kernel.numpy()
                stack.callback(kernel.assign, latent)
                kernel.assign(kernel.quantizer(latent))
                # Larq's layers quantize whatever variable says how.
                stack.enter_context(attribute(kernel, "quantizer", None))
        yield kernels


def _filters(weight: tf.Variable) -> tuple[int, ...]:
    """The shape of a weight's filters, which stands last: depthwise kernels have a filter for each input, too."""
    number = 2 if "depthwise" in weight.name else 1
    return tuple(weight.shape[-number:])


def _direction(weight: tf.Variable, generator: np.random.Generator) -> np.ndarray:
    """A random direction with the norm of the weight in each filter."""
    values = weight.numpy()
    direction = generator.standard_normal(values.shape)
    axes = tuple(range(values.ndim - len(_filters(weight))))
    own, others = (np.sqrt(np.square(array, dtype=np.float64).sum(axes)) for array in (values, direction))
    return (direction * (own / others)).astype(values.dtype)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    logits = tf.cast(logits, tf.float32)
    if len(labels.shape) > 1:
        return tf.nn.softmax_cross_entropy_with_logits(tf.cast(labels, tf.float32), logits)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), logits)


def _evaluation(model, held, loss):
    """A function that returns the mean loss and the accuracy with the weights as they are."""

    @tf.function(reduce_retracing=True)
    def sums(images, labels):
        outputs = model(images, training=False)
        classes = tf.argmax(labels, axis=-1) if len(labels.shape) > 1 else tf.cast(labels, tf.int64)
        right = tf.reduce_sum(tf.cast(tf.argmax(outputs, axis=-1) == classes, tf.float32))
        return tf.reduce_mean(loss(labels, outputs)) * tf.cast(tf.shape(images)[0], tf.float32), right

    number = sum(len(images) for images, _ in held)

    def evaluate():
        results = [sums(images, labels) for images, labels in held]
        return tuple(sum(float(result[i]) for result in results) / number for i in range(2))

    return evaluate


def _fingerprint(model, held, settings) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    for array in (*(weight.numpy() for weight in model.weights), *(part.numpy() for pair in held for part in pair)):
        digest.update(repr((array.shape, array.dtype.str)).encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


class _Grid:
    """A landscape that grows, and its file."""

    def __init__(self, positions: np.ndarray, path: Path | None, name: str):
        self._path = path
        self._positions = positions
        self._name = name
        self._shape = len(positions), len(positions)
        self._losses = np.zeros(self._shape)
        self._accuracies = np.zeros(self._shape)
        self._done = np.zeros(self._shape, bool)
        self._fingerprint = ""

    @property
    def done(self) -> int:
        return int(self._done.sum())

    def open(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint
        if self._path is None:
            return
        check_writable(self._path)
        if not self._path.exists():
            return
        landscape, done, of = _read(self._path)
        if of != fingerprint:
            raise FileError(
                "holds the landscape of other weights, images or settings; name another file or delete it",
                where=str(self._path),
            )
        self._losses, self._accuracies, self._done = landscape.losses, landscape.accuracies, done

    def missing(self) -> list[tuple[int, int]]:
        return [(int(row), int(column)) for row, column in np.argwhere(~self._done)]

    def note(self, row: int, column: int, loss: float, accuracy: float) -> None:
        self._losses[row, column], self._accuracies[row, column], self._done[row, column] = loss, accuracy, True

    def save(self) -> None:
        if self._path is None:
            return
        content = io.BytesIO()
        np.savez(
            content,
            positions=self._positions,
            losses=self._losses,
            accuracies=self._accuracies,
            done=self._done,
            name=np.array(self._name),
            fingerprint=np.array(self._fingerprint),
        )
        write_atomically(self._path, content.getvalue())

    def landscape(self) -> LossLandscape:
        return LossLandscape(self._name, self._positions, self._losses, self._accuracies)


def _read(path: Path) -> tuple[LossLandscape, np.ndarray, str]:
    try:
        names = ("positions", "losses", "accuracies", "done", "name", "fingerprint")
        positions, losses, accuracies, done, name, fingerprint = read_arrays(path, names).values()
        shape = (len(positions), len(positions))
        if not losses.shape == accuracies.shape == done.shape == shape or done.dtype != bool:
            raise ValueError("its arrays do not fit together")
        landscape = LossLandscape(str(name), positions, losses.astype(float), accuracies.astype(float))
    except (FileError, TypeError, ValueError) as error:
        raise FileError(f"is no loss landscape ({getattr(error, 'what', error)})", where=str(path)) from error
    return landscape, done, str(fingerprint)
