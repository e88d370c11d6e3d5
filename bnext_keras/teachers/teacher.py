"""A network that teaches: frozen, in inference mode, with its own idea of what an image looks like."""

from collections.abc import Callable, Iterable
from typing import Any

from bnext_keras.annotations import Annotation
from bnext_keras.precision import in_precision
from bnext_keras.text import counted, first_line

import tensorflow as tf


class Teacher:
    """A trained classifier whose soft labels a student learns.

    It always runs in inference mode and passes no gradient, so neither its weights nor its statistics change. Nothing
    about the model itself is changed either.

    Args:
        model: A Keras model with one input and one output, ``(batch, classes)``.
        preprocess: Makes what this model wants to see of the batch that the student sees, for example
            `bnext_keras.preprocessing.pixels_from_normalized`. Must consist of TensorFlow operations.
        from_logits: Whether the outputs are logits. By default they are unless the last layer's activation is softmax:
            then they are used as they are.
        name: Name in logs and caches; by default the model's.
        precision: What it computes in, where that is not what its model does: ``"mixed_bfloat16"``, say, see
            `bnext_keras.precision.in_precision`. Its answers are float32 in any.
        jit_compile: Whether XLA compiles it, by itself; in a student's step that XLA compiles it is anyway.

    Raises:
        ValueError: if its model cannot be made to compute in another precision.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, kernel_initializer="zeros", input_shape=(3,))])
        >>> bnext_keras.teachers.Teacher(model).soft_labels(tf.ones((1, 3))).numpy().tolist()
        [[0.5, 0.5]]
    """

    def __init__(
        self,
        model: tf.keras.Model,
        *,
        preprocess: Callable[[tf.Tensor], tf.Tensor] | None = None,
        from_logits: bool | None = None,
        name: str | None = None,
        precision: str | None = None,
        jit_compile: bool = False,
    ):
        self.name = name or model.name
        self.model = model if precision is None else _in_precision(self.name, model, precision)
        self.preprocess = preprocess
        self.from_logits = not ends_in_softmax(model) if from_logits is None else from_logits
        self.jit_compile = jit_compile
        self._outputs = self.compiled(lambda images: self.model(self.preprocessed(images), training=False))

    def __repr__(self):
        return f"Teacher({self.name!r})"

    @property
    def num_classes(self) -> int | None:
        """Number of classes; None if the model does not know before its first call."""
        return _last_dimension(self.model)

    def soft_labels(self, images: tf.Tensor, cached_logits: dict[str, tf.Tensor] | None = None) -> tf.Tensor:
        """Probabilities of the classes.

        Args:
            images: What the student sees.
            cached_logits: Not used; so that `CachedTeacher` can be called in the same way.

        Returns:
            float32 ``(batch, classes)``, without gradient.
        """
        return self.softened(self._outputs(images))

    def softened(self, outputs: tf.Tensor) -> tf.Tensor:
        """Probabilities of the classes, of what the model returns."""
        outputs = tf.cast(outputs, tf.float32)
        return tf.stop_gradient(tf.nn.softmax(outputs) if self.from_logits else outputs)

    def logits(self, images: tf.Tensor) -> tf.Tensor:
        """Logits of the classes; of probabilities their logarithms, at least -87.

        Returns:
            float32 ``(batch, classes)``, without gradient.
        """
        outputs = tf.cast(self._outputs(images), tf.float32)
        return tf.stop_gradient(outputs if self.from_logits else safe_log(outputs))

    def compiled(self, function: Callable[[tf.Tensor], Any]) -> Callable[[tf.Tensor], Any]:
        """A function of images that calls this teacher's layers, compiled by XLA if the teacher is."""
        return tf.function(function, jit_compile=True) if self.jit_compile else function

    def preprocessed(self, images: tf.Tensor) -> tf.Tensor:
        """The batch as this teacher's model wants to see it."""
        return images if self.preprocess is None else self.preprocess(images)

    def check(self, student: tf.keras.Model) -> None:
        """Checks that the student's images fit in and that both know the same number of classes.

        What an unbuilt model does not know yet is not checked.

        Raises:
            ValueError: naming this teacher.
        """
        check_classes(self.name, self.num_classes, _last_dimension(student))
        self.check_images(student)

    def check_images(self, student: tf.keras.Model) -> None:
        """Checks that the student's images fit in.

        Raises:
            ValueError: naming this teacher.
        """
        images, expected = getattr(student, "input_shape", None), getattr(self.model, "input_shape", None)
        if not isinstance(images, tuple) or not isinstance(expected, tuple):
            return
        specification = tf.TensorSpec(images, student.inputs[0].dtype)
        shape = tf.function(self.preprocessed).get_concrete_function(specification).structured_outputs.shape
        if not shape.is_compatible_with(expected):
            raise ValueError(
                f"teacher '{self.name}' takes images of shape {expected[1:]}, but the student's {images[1:]} become "
                f"{tuple(shape[1:])} for it; build it for that shape, or give Teacher a preprocess"
            )


class CachedTeacher:
    """Stands for a teacher whose logits come with the data, from `with_cached_logits`.

    Args:
        name: The key under which they come.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> teacher = bnext_keras.teachers.CachedTeacher("b0")
        >>> teacher.soft_labels(None, {"b0": tf.constant([[1.0, 1.0]])}).numpy().tolist()
        [[0.5, 0.5]]
    """

    #: Known when the data are.
    num_classes = None

    def __init__(self, name: str):
        self.name = name

    def __repr__(self):
        return f"CachedTeacher({self.name!r})"

    def soft_labels(self, images, cached_logits: dict[str, tf.Tensor]) -> tf.Tensor:
        """Probabilities of the classes.

        Raises:
            ValueError: if the data carry no logits of this teacher.
        """
        if self.name not in cached_logits:
            raise ValueError(
                f"teacher '{self.name}' is cached, but the data carry logits of "
                f"{sorted(cached_logits) or 'no teacher'}; train on with_cached_logits(dataset, {...})"
            )
        return tf.stop_gradient(tf.nn.softmax(tf.cast(cached_logits[self.name], tf.float32)))

    def check(self, student: tf.keras.Model) -> None:
        """Nothing is known of it before the first batch."""


def as_teachers(teachers: Iterable[Teacher | CachedTeacher | tf.keras.Model]) -> list[Teacher | CachedTeacher]:
    """Wraps plain models; one that occurs twice becomes one teacher.

    Raises:
        TypeError: if something is neither a teacher nor a model.
        ValueError: if different teachers have one name.

    Example:
        >>> import tensorflow as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))], name="teacher")
        >>> as_teachers([model, CachedTeacher("b0")])
        [Teacher('teacher'), CachedTeacher('b0')]
    """
    wrapped, found = {}, []
    for teacher in teachers:
        if isinstance(teacher, tf.keras.Model):
            teacher = wrapped.setdefault(id(teacher), Teacher(teacher))
        elif not isinstance(teacher, Teacher | CachedTeacher):
            raise TypeError(f"a teacher is a Teacher, a CachedTeacher or a tf.keras.Model, got {teacher!r}")
        if any(other.name == teacher.name and other is not teacher for other in found):
            raise ValueError(f"two teachers are called '{teacher.name}'; give them names: Teacher(model, name=...)")
        found.append(teacher)
    return found


def check_classes(teacher: str, of_teacher: int | None, of_student: int | None) -> None:
    """Raises ValueError if both are known and differ."""
    if None not in (of_teacher, of_student) and of_teacher != of_student:
        known = counted(of_teacher, "class", "classes")
        raise ValueError(f"teacher '{teacher}' has {known}, but the student has {of_student}")


def _in_precision(name, model, precision):
    try:
        return in_precision(model, precision)
    except ValueError as error:
        raise ValueError(f"teacher '{name}' cannot compute in {precision}: {first_line(error)}") from error


def ends_in_softmax(model: tf.keras.Model) -> bool:
    """Whether the outputs are probabilities, as far as the last layer tells.

    Example:
        >>> import tensorflow as tf
        >>> ends_in_softmax(tf.keras.Sequential([tf.keras.layers.Dense(2, activation="softmax")]))
        True
    """
    layer = model
    while isinstance(layer, tf.keras.Model) and layer.layers:
        *_, layer = (inner for inner in layer.layers if not isinstance(inner, Annotation))
    activation = getattr(layer, "activation", None)
    return isinstance(layer, tf.keras.layers.Softmax) or activation is tf.keras.activations.softmax


def safe_log(probabilities: tf.Tensor) -> tf.Tensor:
    """Their logarithm, at least -87, below which float32 has no normal numbers."""
    return tf.math.log(tf.maximum(probabilities, 1.2e-38))


def _last_dimension(model):
    shape = getattr(model, "output_shape", None) if model.built else None
    return shape[-1] if isinstance(shape, tuple) else None
