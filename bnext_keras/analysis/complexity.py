"""Knowledge complexity: which teacher suits a small student."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bnext_keras.console import SafeConsole
from bnext_keras.sublayers import sublayers
from bnext_keras.summary import parameters
from bnext_keras.teachers.teacher import Teacher, as_teachers

import tensorflow as tf
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class KnowledgeComplexity:
    """A teacher's measurements and what its knowledge costs: millions of parameters per nat about the class.

    Before an image is seen, log(classes) nats about its class are unknown; to a reader of the teacher's soft label, as
    many as the cross-entropy remain unknown. The teacher has paid its parameters for the difference:

        complexity = parameters / 10^6 / (log(classes) - cross_entropy)

    It is infinite if the soft labels tell nothing.

    The best teacher is not the most accurate one. Large networks pay more and more parameters for the last percents,
    for distinctions that need a capacity which a binary student does not have: led by such a teacher it overfits. So a
    curriculum begins with teachers of low complexity and leaves the complex ones for later.

    This is this project's reading of the article on BNext, which describes the metric as relating how good a teacher's
    soft labels are to the parameters that it needed for them; its own formula was not at hand.

    Attributes:
        name: The teacher's name.
        parameters: Learned parameters, without running statistics.
        cross_entropy: Cross-entropy of its soft labels with the true labels of held-out data, in nats.
        classes: Number of classes.
        accuracy: Top-1, from 0 to 1, if known.

    Example:
        >>> import math
        >>> KnowledgeComplexity("teacher", 5_000_000, cross_entropy=math.log(1000) - 5, classes=1000).value
        1.0
        >>> KnowledgeComplexity("guesser", 5_000_000, cross_entropy=math.log(1000), classes=1000).value
        inf
    """

    name: str
    parameters: int
    cross_entropy: float
    classes: int
    accuracy: float | None = None

    @property
    def information(self) -> float:
        """Nats about the class that a soft label tells, on average; negative if it misleads."""
        return math.log(self.classes) - self.cross_entropy

    @property
    def value(self) -> float:
        """Millions of parameters per nat."""
        return self.parameters / 1e6 / self.information if self.information > 0 else math.inf


def cross_entropy_of_accuracy(accuracy: float, classes: int) -> float:
    """An estimate of a teacher's cross-entropy from its published accuracy.

    The estimate is for a teacher that gives its first guess the probability ``accuracy``, always, and all other classes
    the same share of the rest: no calibrated teacher of this accuracy tells less.

    Args:
        accuracy: Top-1, above 0 and up to 1.
        classes: Number of classes.

    Raises:
        ValueError: if the accuracy is out of bounds.

    Example:
        >>> round(cross_entropy_of_accuracy(0.5, 1000), 3)  # log 2 + log(999) / 2
        4.147
    """
    if not 0 < accuracy <= 1:
        raise ValueError(f"accuracy must be above 0 and at most 1, got {accuracy}")
    rest = 1 - accuracy
    return -accuracy * math.log(accuracy) - (rest * math.log(rest / (classes - 1)) if rest else 0.0)


def knowledge_complexity(teacher: Teacher | tf.keras.Model, data: tf.data.Dataset) -> KnowledgeComplexity:
    """Measures a teacher on held-out data.

    Args:
        teacher: The teacher, or a plain model that takes these images.
        data: Batches of ``(images, labels)``; labels are class numbers, or one-hot of shape ``(batch, classes)``.

    Raises:
        ValueError: if there are no data.

    Example:
        >>> import numpy as np, tensorflow as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, kernel_initializer="zeros", input_shape=(3,))])
        >>> data = tf.data.Dataset.from_tensors((np.ones((4, 3), np.float32), np.array([0, 0, 0, 1])))
        >>> measured = knowledge_complexity(model, data)  # it finds both classes equally probable
        >>> measured.parameters, round(measured.cross_entropy, 4), measured.accuracy, measured.value
        (8, 0.6931, 0.75, inf)
    """
    (teacher,) = as_teachers([teacher])
    soft_labels = tf.function(teacher.soft_labels, reduce_retracing=True)
    cross_entropy, accuracy = tf.keras.metrics.Mean(), tf.keras.metrics.Mean()
    classes = None
    for images, labels, *_ in data:
        predicted = soft_labels(images)
        classes = predicted.shape[-1]
        if labels.shape.rank == 2 and labels.shape[-1] == classes:
            labels = tf.argmax(labels, axis=-1)
        labels = tf.reshape(labels, [-1])
        cross_entropy.update_state(tf.keras.losses.sparse_categorical_crossentropy(labels, predicted))
        accuracy.update_state(tf.keras.metrics.sparse_categorical_accuracy(labels, predicted))
    if classes is None:
        raise ValueError(f"teacher '{teacher.name}' cannot be measured: there are no data")
    return KnowledgeComplexity(
        teacher.name,
        count_parameters(teacher.model),
        float(cross_entropy.result()),
        classes,
        float(accuracy.result()),
    )


def count_parameters(model: tf.keras.Model) -> int:
    """Learned parameters of a model, whether frozen or not, without running statistics.

    Example:
        >>> import tensorflow as tf
        >>> count_parameters(tf.keras.Sequential([tf.keras.layers.BatchNormalization(input_shape=(3,))]))
        6
    """
    found = {}
    for layer in sublayers(model):
        # Those of a layer that contains others are found there.
        if not isinstance(layer, tf.keras.Model | tf.keras.layers.Normalization):
            found.update({id(weight): weight.shape.num_elements() for weight in parameters(layer)})
    return sum(found.values())


def rank_teachers(
    teachers: Iterable[Teacher | tf.keras.Model | KnowledgeComplexity],
    data: tf.data.Dataset | None = None,
    *,
    figure: str | Path | None = None,
    console: Console | None = None,
) -> list[KnowledgeComplexity]:
    """Measures teachers and prints them in the order of their complexity: the order of a curriculum.

    Args:
        teachers: Teachers, models, or measurements made before.
        data: Held-out batches, as for `knowledge_complexity`; not needed for measurements.
        figure: File for a figure of complexity against accuracy; the ending says which kind. Needs matplotlib.
        console: Where to print; by default the standard output.

    Returns:
        The measurements, least complex first.

    Raises:
        ImportError: if a figure is wanted and matplotlib is missing, before anything is measured.
        ValueError: if there are no teachers, or something must be measured but there are no data.

    Example:
        >>> published = {"EfficientNetB0": (5_288_548, 0.771), "ConvNeXtTiny": (28_589_128, 0.813)}
        >>> measured = [
        ...     KnowledgeComplexity(name, count, cross_entropy_of_accuracy(accuracy, 1000), 1000, accuracy)
        ...     for name, (count, accuracy) in published.items()
        ... ]
        >>> [teacher.name for teacher in rank_teachers(measured, console=Console(quiet=True))]
        ['EfficientNetB0', 'ConvNeXtTiny']
    """
    teachers = list(teachers)
    if not teachers:
        raise ValueError("there are no teachers to rank")
    if figure is not None:
        # Now, rather than after an hour of measuring.
        from bnext_keras.analysis.figures import draw_complexity
    measured = []
    for teacher in teachers:
        if not isinstance(teacher, KnowledgeComplexity):
            if data is None:
                raise ValueError(f"{teacher!r} must be measured: pass data")
            teacher = knowledge_complexity(teacher, data)
        measured.append(teacher)
    measured.sort(key=lambda teacher: teacher.value)
    (console or SafeConsole()).print(_table(measured))
    if figure is not None:
        draw_complexity(figure, measured)
    return measured


def _table(measured):
    table = Table(title="Teachers, least complex first", caption="complexity: millions of parameters per nat")
    table.add_column("teacher", no_wrap=True)
    for column in ("parameters", "accuracy", "CE, nats", "nats told", "complexity"):
        table.add_column(column, justify="right")
    for teacher in measured:
        table.add_row(
            teacher.name,
            f"{teacher.parameters:,}",
            "" if teacher.accuracy is None else f"{teacher.accuracy:.2%}",
            f"{teacher.cross_entropy:.3f}",
            f"{teacher.information:.3f}",
            f"{teacher.value:.3g}",
        )
    return table
