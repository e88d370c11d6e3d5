"""Matching of spatial attention maps: where a student looks is where its teacher looks."""

import difflib
from collections.abc import Mapping

from bnext_keras.callbacks.installation import LossTerm
from bnext_keras.callbacks.losses import attention_distance, batch_mean
from bnext_keras.recipes import ATTENTION_SCALES
from bnext_keras.teachers.teacher import Teacher, as_teachers

import tensorflow as tf


class AttentionMatching(LossTerm):
    """Adds the distance between a student's and a teacher's attention maps to the student's loss.

    The attention map of a layer's output is the sum of its squares over channels, scaled to length 1. For each pair of
    layers the squared distance of both maps is added, times ``weight``. The compiled loss stays as it is, and
    `Distillation` may be used beside it: together they are the last two steps of Real-to-Binary's training, one ``fit``
    per step, the student of one being the teacher of the next.

    ``logs`` carry ``<student layer>_attention``, the distance of each pair.

    Args:
        teacher: A functional model, or a `bnext_keras.teachers.Teacher` of one.
        layers: Names of the teacher's layers by names of the student's. Their outputs must agree in height and width.
        weight: What the sum of distances is multiplied with.
        scaled_to: What maps are scaled to, see `bnext_keras.callbacks.losses.attention_distance`: ``"length"``, as
            published, or ``"largest"``.

    Raises:
        ValueError: if maps are scaled to something else; before the first step, if a layer does not exist or maps
            differ in size.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> def build(name):
        ...     image = tf.keras.Input((4, 4, 3))
        ...     features = tf.keras.layers.Conv2D(2, 3, padding="same", name="conv")(image)
        ...     return tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(features), name=name)
        >>> student = build("student")
        >>> student.compile("sgd", "mse")
        >>> matching = bnext_keras.callbacks.AttentionMatching(build("teacher"), {"conv": "conv"})
        >>> history = student.fit(np.ones((4, 4, 4, 3)), np.zeros((4, 2)), callbacks=[matching], verbose=0).history
        >>> sorted(history)
        ['conv_attention', 'distillation_loss', 'label_loss', 'loss']

    Reference:
        Martinez et al., "Training Binary Neural Networks with Real-to-Binary Convolutions", arXiv 2003.11535.
    """

    def __init__(
        self,
        teacher: Teacher | tf.keras.Model,
        layers: Mapping[str, str],
        weight: float = 1.0,
        scaled_to: str = "length",
    ):
        super().__init__()
        if scaled_to not in ATTENTION_SCALES:
            raise ValueError(
                f"AttentionMatching: maps are scaled to {' or '.join(ATTENTION_SCALES)}, not {scaled_to!r}"
            )
        (self.teacher,) = as_teachers([teacher])
        if not isinstance(self.teacher, Teacher) or not getattr(self.teacher.model, "inputs", None):
            raise ValueError(
                f"AttentionMatching: {self.teacher} must be a functional model to give its layers' outputs"
            )
        if not layers:
            raise ValueError("AttentionMatching needs a pair of layers")
        self.layers = dict(layers)
        self.weight = weight
        self.scaled_to = scaled_to
        model = self.teacher.model
        outputs = [*(_layer(model, name).output for name in self.layers.values()), model.output]
        self._features = tf.keras.Model(model.inputs, outputs)
        self._answers = self.teacher.compiled(
            lambda images: self._features(self.teacher.preprocessed(images), training=False)
        )

    def prepare(self):
        self.teacher.check_images(self.model)
        self.recorded_layers = tuple(_layer(self.model, name) for name in self.layers)
        for layer, of_teacher in zip(self.recorded_layers, self._features.outputs[:-1], strict=True):
            _check_maps(layer.name, layer.output_shape, self.layers[layer.name], of_teacher.shape)
        for name in self.layers:
            self.add_mean(f"{name}_attention")

    def ask(self, step):
        *step.answers[self], outputs = self._answers(step.images)
        # The same forward pass has its logits, should another term want them.
        step.answers[self.teacher] = self.teacher.softened(outputs)

    def loss(self, step):
        distances = []
        for name, of_teacher in zip(self.layers, step.answers[self], strict=True):
            own = _full_precision(step.features[name])
            distance = attention_distance(own, tf.stop_gradient(of_teacher), self.scaled_to)
            distances.append(batch_mean(distance, step.sample_weight))
            self.means[f"{name}_attention"].update_state(distances[-1], sample_weight=tf.shape(distance)[0])
        return self.weight * tf.add_n(distances)


def _layer(model, name):
    try:
        return model.get_layer(name)
    except ValueError:
        names = [layer.name for layer in model.layers]
        near = difflib.get_close_matches(name, names, n=3) or names[:3]
        raise ValueError(f"{model.name} has no layer '{name}'; it has {', '.join(near)}, ...") from None


def _check_maps(student, student_shape, teacher, teacher_shape):
    shapes = tuple(student_shape), tuple(teacher_shape)
    if any(len(shape) != 4 for shape in shapes) or not tf.TensorShape(shapes[0][1:3]).is_compatible_with(
        shapes[1][1:3]
    ):
        raise ValueError(
            f"AttentionMatching: the maps of '{student}' {shapes[0][1:]} and of the teacher's '{teacher}' "
            f"{shapes[1][1:]} must agree in height and width"
        )


def _full_precision(features):
    return tf.cast(features, tf.float32) if features.dtype.size < 4 else features
