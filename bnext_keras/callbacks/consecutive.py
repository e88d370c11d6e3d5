"""BNext's diversified consecutive knowledge distillation."""

from collections.abc import Sequence
from functools import partial

from bnext_keras.callbacks.distillation import AnyTeacher, SoftLabelTerm
from bnext_keras.callbacks.losses import batch_mean, gap_sensitive_loss
from bnext_keras.logs import get_logger
from bnext_keras.schedules import boosting_index

import tensorflow as tf

log = get_logger(__name__)


class DiversifiedConsecutiveDistillation(SoftLabelTerm):
    r"""Trains a student with a strong teacher and a weak one, the weak ones taking turns.

    While ``fit`` runs, the student's loss is the mean over examples of $\frac{1}{2} \sum_i \alpha_i \mathrm{CE}_i$ over
    the strong and the active weak teacher. The weights $\alpha$ are the softmax over both of $\mathrm{CE}_i$: the
    teacher that the student is furthest from counts most (*gap-sensitive ensemble*). The weak teachers, weakest first,
    are active for equal parts of the training (*knowledge boosting*). Only the active one is evaluated. Which one that
    is depends on nothing but the epoch, so a run continues where it stopped.

    ``logs`` carry ``loss``, ``label_loss`` and ``distillation_loss`` as with `Distillation`, ``weak_teacher``, the
    index of the active one, and for every teacher ``<name>_loss``, its cross-entropy, and ``<name>_weight``, its mean
    $\alpha$. A weak teacher that is not active has the weight 0 and the loss, which nobody computed, NaN.

    Args:
        weak: Weak teachers in their order. One of them may be the strong one, as in BNext-L's curriculum: it is then
            evaluated once, and appears in ``logs`` as ``<name>_as_weak`` too.
        strong: The teacher that stays.
        epochs: Number of epochs in which the weak teachers take turns; by default that of ``fit``.
        per_example: Whether every example weights the teachers by its own gaps, as the method is described. False
            reproduces the released code, which by a typing error takes means over the batch before weighting.
        label_weight: Weight of the compiled loss; the published method does without labels.

    Raises:
        ValueError: if there is no weak teacher, or if teachers and student do not fit, before the first step.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> dense = lambda name: tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))], name=name)
        >>> student = dense("student")
        >>> student.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        >>> callback = bnext_keras.callbacks.DiversifiedConsecutiveDistillation(
        ...     weak=[dense("b0"), dense("b4")], strong=dense("convnext")
        ... )
        >>> fit = student.fit(np.ones((4, 3)), np.zeros(4), epochs=2, callbacks=[callback], verbose=0)
        >>> fit.history["weak_teacher"]
        [0, 1]

    Reference:
        arXiv 2211.12933, section "Diversified Consecutive Knowledge Distillation", and its released training code.
    """

    def __init__(
        self,
        weak: Sequence[AnyTeacher],
        strong: AnyTeacher,
        epochs: int | None = None,
        per_example: bool = True,
        label_weight: float | None = 0.0,
    ):
        if not weak:
            raise ValueError(
                "DiversifiedConsecutiveDistillation needs a weak teacher; for one teacher use Distillation"
            )
        if epochs is not None and epochs < 1:
            raise ValueError(f"epochs must be positive, got {epochs}")
        super().__init__([*weak, strong], label_weight)
        *self.weak, self.strong = self.teachers
        if len(set(self.weak)) < len(self.weak):
            raise ValueError(f"a teacher occurs twice among the weak teachers {self.weak}")
        self.epochs = epochs
        self.per_example = per_example

    def weak_teacher_at(self, epoch: int) -> int:
        """Index of the weak teacher that is active in an epoch, counted from 0."""
        return boosting_index(epoch, self.epochs or self.params["epochs"], len(self.weak))

    def prepare(self):
        super().prepare()
        epochs = self.epochs or self.params["epochs"]
        if epochs < len(self.weak):
            log.warning("epochs=%d is too few for %d weak teachers: some will never teach", epochs, len(self.weak))
        self._active = self.add_variable(0, tf.int64)
        self._names = [f"{teacher.name}_as_weak" if teacher is self.strong else teacher.name for teacher in self.weak]
        for name in (*self._names, self.strong.name):
            self.add_mean(f"{name}_loss")
            self.add_mean(f"{name}_weight")

    def on_epoch_begin(self, epoch, logs=None):
        self._active.assign(self.weak_teacher_at(epoch))

    def loss(self, step):
        # Where a weak teacher is the strong one too, its branch finds the soft labels that are there already.
        strong = step.soft_labels(self.strong)
        gaps = [self._weak_gap(step), self.gap(self.strong, strong, step)]
        loss, alphas = gap_sensitive_loss(gaps, step.sample_weight, per_example=self.per_example)
        examples = tf.shape(gaps[0])[0]
        weak_loss, strong_loss = (batch_mean(gap, step.sample_weight) for gap in gaps)
        for i, name in enumerate(self._names):
            active = tf.cast(self._active == i, tf.float32)
            self.means[f"{name}_loss"].update_state(weak_loss, sample_weight=active * tf.cast(examples, tf.float32))
            self.means[f"{name}_weight"].update_state(active * tf.cast(alphas[0], tf.float32), sample_weight=examples)
        self.means[f"{self.strong.name}_loss"].update_state(strong_loss, sample_weight=examples)
        self.means[f"{self.strong.name}_weight"].update_state(alphas[1], sample_weight=examples)
        return loss

    def _weak_gap(self, step):
        branches = [partial(step.soft_labels, teacher) for teacher in self.weak]
        if len(branches) == 1:
            return self.gap(self.weak[0], branches[0](), step)
        soft_labels = tf.switch_case(tf.cast(self._active, tf.int32), branches)
        return self.gap(self.weak[0], soft_labels, step)

    def results(self):
        results = super().results()
        for i, name in enumerate(self._names):
            results[f"{name}_loss"] = tf.where(self._active == i, results[f"{name}_loss"], float("nan"))
        return {**results, "weak_teacher": tf.identity(self._active)}
