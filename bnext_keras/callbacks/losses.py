"""The formulas of distillation, free of models and callbacks.

Everywhere a loss is a vector of one value per example, and becomes a number as Keras' own losses do: each value times
its sample weight, summed, over the number of examples.
"""

from collections.abc import Sequence

from bnext_keras.recipes import ATTENTION_SCALES

import tensorflow as tf


def cross_entropy(soft_labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """The cross-entropy of a student with its teacher, per example.

    Args:
        soft_labels: The teacher's probabilities, ``(batch, classes)``.
        logits: The student's logits, ``(batch, classes)``; the temperature is 1.

    Returns:
        ``(batch,)``, in nats.

    Example:
        >>> import tensorflow as tf
        >>> round(float(cross_entropy(tf.constant([[0.5, 0.5]]), tf.constant([[3.0, 3.0]]))[0]), 4)
        0.6931
    """
    return tf.nn.softmax_cross_entropy_with_logits(tf.cast(soft_labels, logits.dtype), logits)


def batch_mean(values: tf.Tensor, sample_weight: tf.Tensor | None = None) -> tf.Tensor:
    """Sum of the weighted values over their number, Keras' reduction ``sum_over_batch_size``.

    Args:
        values: ``(batch,)``.
        sample_weight: ``(batch,)`` or ``(batch, 1)``; by default 1.

    Example:
        >>> import tensorflow as tf
        >>> float(batch_mean(tf.constant([1.0, 3.0]), tf.constant([2.0, 0.0])))
        1.0
    """
    if sample_weight is not None:
        values = values * tf.cast(tf.reshape(sample_weight, [-1]), values.dtype)
    return tf.reduce_mean(values)


def gap_sensitive_weights(gaps: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """How much each teacher counts: the softmax over teachers of their gaps, without gradient.

    The teacher that the student is furthest from counts most.

    Args:
        gaps: A cross-entropy per teacher, all of one shape.

    Example:
        >>> import math, tensorflow as tf
        >>> weights = gap_sensitive_weights([tf.constant(0.0), tf.constant(math.log(3.0))])
        >>> [round(float(weight), 4) for weight in weights]
        [0.25, 0.75]

    Reference:
        arXiv 2211.12933, section "Diversified Consecutive Knowledge Distillation".
    """
    return tf.unstack(tf.stop_gradient(tf.nn.softmax(tf.stack(gaps), axis=0)))


def gap_sensitive_loss(
    gaps: Sequence[tf.Tensor], sample_weight: tf.Tensor | None = None, *, per_example: bool = True
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    r"""The loss of an ensemble of $K$ teachers, $\frac{1}{K} \sum_i \alpha_i \mathrm{CE}_i$.

    Args:
        gaps: Cross-entropy per teacher and example, each ``(batch,)``.
        sample_weight: Weights of the examples.
        per_example: Whether every example has weights $\alpha$ of its own, as the method is described. False is the
            released code, which takes means over the batch first, by a typing error: $\alpha$ is the same for all.

    Returns:
        The loss, and each teacher's mean weight.

    Example:
        >>> import math, tensorflow as tf
        >>> gaps = [tf.constant([0.0, 1.0]), tf.constant([math.log(3.0), 1.0])]
        >>> loss, weights = gap_sensitive_loss(gaps)  # ((0.75 log 3) / 2 + (0.5 + 0.5) / 2) / 2
        >>> round(float(loss), 4), [float(weight) for weight in weights]
        (0.456, [0.375, 0.625])
    """
    if not per_example:
        gaps = [batch_mean(gap, sample_weight) for gap in gaps]
    alphas = gap_sensitive_weights(gaps)
    mixed = tf.add_n([alpha * gap for alpha, gap in zip(alphas, gaps, strict=True)]) / len(gaps)
    loss = batch_mean(mixed, sample_weight) if per_example else mixed
    return loss, [tf.reduce_mean(alpha) for alpha in alphas]


def attention_map(features: tf.Tensor, scaled_to: str = "length") -> tf.Tensor:
    """Where a feature map is active: its squares summed over channels, scaled to length 1.

    Args:
        features: ``(batch, height, width, channels)``.
        scaled_to: ``"length"``, as published, or ``"largest"``: so that the largest value is 1.

    Returns:
        ``(batch, height * width)``.

    Raises:
        ValueError: if it is scaled to something else.

    Example:
        >>> import tensorflow as tf
        >>> features = tf.reshape([2.0, 1.0, 0.0, 5.0**0.5], (1, 1, 2, 2))
        >>> attention_map(features).numpy().round(4), attention_map(2 * features, "largest").numpy().round(4)
        (array([[0.7071, 0.7071]], dtype=float32), array([[1., 1.]], dtype=float32))

    Reference:
        Zagoruyko and Komodakis, "Paying More Attention to Attention", arXiv 1612.03928, equation 2.
    """
    if scaled_to not in ATTENTION_SCALES:
        raise ValueError(f"attention maps are scaled to {' or '.join(ATTENTION_SCALES)}, not {scaled_to!r}")
    energy = tf.reduce_sum(tf.square(features), axis=-1)
    energy = tf.reshape(energy, [tf.shape(energy)[0], -1])
    if scaled_to == "length":
        return tf.math.l2_normalize(energy, axis=-1)
    return tf.math.divide_no_nan(energy, tf.reduce_max(energy, axis=-1, keepdims=True))


def attention_distance(student: tf.Tensor, teacher: tf.Tensor, scaled_to: str = "length") -> tf.Tensor:
    """Squared distance of two feature maps' attention maps, per example; their channels may differ.

    Args:
        student: ``(batch, height, width, channels)``.
        teacher: ``(batch, height, width, other channels)``.
        scaled_to: ``"length"``; or ``"largest"``, and the mean over positions instead of the sum, as Larq Zoo has it.

    Returns:
        ``(batch,)``, between 0 and 2; of maps scaled to their largest value between 0 and 1.

    Raises:
        ValueError: if maps are scaled to something else.

    Example:
        >>> import tensorflow as tf
        >>> left, right = tf.constant([[[[1.0], [0.5]]]]), tf.constant([[[[0.0], [5.0]]]])
        >>> [attention_distance(left, other, "largest").numpy().tolist() for other in (left, right)]
        [[0.0], [0.78125]]

    Reference:
        Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535, section
        4.2; Larq Zoo's training code, release 2.4.0.
    """
    difference = attention_map(student, scaled_to) - attention_map(tf.cast(teacher, student.dtype), scaled_to)
    squares = tf.square(difference)
    return tf.reduce_sum(squares, axis=-1) if scaled_to == "length" else tf.reduce_mean(squares, axis=-1)
