"""Constraints that keep trained parameters where the method needs them.

Latent binary weights are kept small by Larq's own `larq.constraints.WeightClip`.
"""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class Unbounded(tf.keras.constraints.Constraint):
    """No bound, on purpose: for latent binary weights whose gradient is never cut off.

    Larq warns of a binary kernel without a constraint, since most would get stuck.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.constraints.Unbounded()(tf.constant([-50.0])).numpy().tolist()
        [-50.0]
    """

    def __call__(self, weights):
        return weights


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class UnitInterval(tf.keras.constraints.Constraint):
    """Clips a parameter to [0, 1]: mixing scales, of which one minus the value is used too.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> bnext_keras.constraints.UnitInterval()(tf.constant([-0.5, 0.25, 1.5])).numpy().tolist()
        [0.0, 0.25, 1.0]
    """

    def __call__(self, weights):
        return tf.clip_by_value(weights, 0.0, 1.0)


# Layers of Keras and Larq write a constraint into .h5 files by its bare name.
tf.keras.utils.get_custom_objects().update(Unbounded=Unbounded)
