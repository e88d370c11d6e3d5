"""Learning from the soft labels of any number of teachers."""

from collections.abc import Callable, Sequence

from bnext_keras.callbacks.installation import LossTerm, Step
from bnext_keras.callbacks.losses import batch_mean, cross_entropy
from bnext_keras.teachers.teacher import (
    CachedTeacher,
    Teacher,
    as_teachers,
    check_classes,
    ends_in_softmax,
    safe_log,
)

import tensorflow as tf

AnyTeacher = Teacher | CachedTeacher | tf.keras.Model
Weight = float | Callable[[int], float]


class SoftLabelTerm(LossTerm):
    """What callbacks that measure a student's cross-entropy with teachers have in common.

    Args:
        teachers: All of them; one may occur twice.
        label_weight: What the compiled loss is multiplied with; None leaves that to another callback.
    """

    def __init__(self, teachers: Sequence[AnyTeacher], label_weight: float | None):
        super().__init__()
        if label_weight is not None and label_weight < 0:
            raise ValueError(f"label_weight must not be negative, got {label_weight}")
        self.teachers = as_teachers(teachers)
        self.label_weight = label_weight

    def prepare(self):
        outputs = getattr(self.model, "outputs", None)
        if outputs is not None and len(outputs) != 1:
            raise ValueError(f"{type(self).__name__}: {self.model.name} has {len(outputs)} outputs; it must have one")
        for teacher in self.teachers:
            teacher.check(self.model)
        self._student_has_logits = not ends_in_softmax(self.model)

    def gap(self, teacher: Teacher | CachedTeacher, soft_labels: tf.Tensor, step: Step) -> tf.Tensor:
        """The student's cross-entropy with a teacher, per example."""
        check_classes(teacher.name, soft_labels.shape[-1], step.outputs.shape[-1])
        logits = step.outputs if self._student_has_logits else safe_log(step.outputs)
        return cross_entropy(soft_labels, tf.cast(logits, tf.float32) if logits.dtype.size < 4 else logits)


class Distillation(SoftLabelTerm):
    """Adds the cross-entropy with each teacher's soft labels to a student's loss.

    While ``fit`` runs, and only then, the student minimizes

        label_weight * (compiled loss) + sum over teachers of weight * cross-entropy(teacher, student) + penalties

    at temperature 1, where penalties are what regularizers and ``add_loss`` contribute. Sample and class weights apply
    to all cross-entropies. Teachers see the student's images, through their own ``preprocess``. ``val_loss`` remains
    the compiled loss.

    ``logs`` carry ``loss``, which is what is minimized, ``label_loss`` and ``distillation_loss``, the two parts of it
    before ``label_weight``, and for every teacher ``<name>_loss`` and ``<name>_weight``.

    Args:
        teachers: `bnext_keras.teachers.Teacher`, `bnext_keras.teachers.CachedTeacher` or plain Keras models that take
            the student's images.
        weights: For each teacher a number or a function of the epoch; by default equal parts of 1.
        label_weight: Weight of the compiled loss. 1 by default: whoever compiles a loss expects it to count. ReActNet's
            training uses 0. None leaves it to another callback.

    Raises:
        ValueError: if teachers and weights do not fit together, before the first step if teachers and student do not.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> dense = lambda name: tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))], name=name)
        >>> student, teacher = dense("student"), dense("teacher")
        >>> student.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> distillation = bnext_keras.callbacks.Distillation([teacher], label_weight=0.5)
        >>> history = student.fit(np.ones((4, 3)), np.zeros(4), callbacks=[distillation], verbose=0).history
        >>> sorted(history)
        ['distillation_loss', 'label_loss', 'loss', 'teacher_loss', 'teacher_weight']

    Reference:
        Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", arXiv 1503.02531.
        Liu et al., "ReActNet", arXiv 2003.03488, section 4.3 (one teacher, no labels).
    """

    def __init__(
        self,
        teachers: Sequence[AnyTeacher],
        weights: Sequence[Weight] | None = None,
        label_weight: float | None = 1.0,
    ):
        super().__init__(teachers, label_weight)
        if not self.teachers:
            raise ValueError("Distillation needs a teacher")
        if len(set(self.teachers)) < len(self.teachers):
            raise ValueError(f"a teacher occurs twice in {self.teachers}; give it a larger weight instead")
        self.weights = [1 / len(self.teachers)] * len(self.teachers) if weights is None else list(weights)
        if len(self.weights) != len(self.teachers):
            raise ValueError(f"{len(self.teachers)} teachers have {len(self.weights)} weights")

    def weights_at(self, epoch: int) -> list[float]:
        """The teachers' weights in an epoch, counted from 0."""
        return [float(weight(epoch) if callable(weight) else weight) for weight in self.weights]

    def prepare(self):
        super().prepare()
        self._weights = [self.add_variable(0.0, tf.float32) for _ in self.teachers]
        for teacher in self.teachers:
            self.add_mean(f"{teacher.name}_loss")

    def on_epoch_begin(self, epoch, logs=None):
        for variable, weight in zip(self._weights, self.weights_at(epoch), strict=True):
            variable.assign(weight)

    def loss(self, step):
        terms = []
        for teacher, weight in zip(self.teachers, self._weights, strict=True):
            gap = self.gap(teacher, step.soft_labels(teacher), step)
            loss = batch_mean(gap, step.sample_weight)
            self.means[f"{teacher.name}_loss"].update_state(loss, sample_weight=tf.shape(gap)[0])
            terms.append(tf.cast(weight, loss.dtype) * loss)
        return tf.add_n(terms)

    def results(self):
        weights = zip(self.teachers, self._weights, strict=True)
        return {**super().results(), **{f"{teacher.name}_weight": tf.identity(weight) for teacher, weight in weights}}
