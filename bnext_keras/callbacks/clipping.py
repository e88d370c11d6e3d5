"""Clipping at the end of every train step, for models whose layers lack the constraints that the method needs.

BNext's own layers have them as Keras constraints.
"""

from bnext_keras.callbacks.installation import StepCallback
from bnext_keras.logs import get_logger
from bnext_keras.sublayers import sublayers

import tensorflow as tf

log = get_logger(__name__)


class _Clipping(StepCallback):
    """Clips some of a model's variables after every train step."""

    low: float
    high: float

    def variables(self) -> list[tf.Variable]:
        raise NotImplementedError

    def prepare(self):
        self._found = self.variables()
        if not self._found:
            log.warning("%s has nothing to clip: %s does nothing", self.model.name, type(self).__name__)

    def after_step(self):
        def clip(strategy):
            for variable in self._found:
                strategy.extended.update(
                    variable, lambda copy: copy.assign(tf.clip_by_value(copy, self.low, self.high))
                )

        # Copies of a variable on several replicas are changed together, as an optimizer does.
        tf.distribute.get_replica_context().merge_call(clip)


class LatentWeightClipping(_Clipping):
    """Keeps the latent weights of binary layers in [-clip_value, clip_value].

    The pseudo-gradient of a binary kernel is not cut off as those of activations are: without clipping, latent weights
    grow until no gradient can change their sign any more. Acts on the kernels of Larq's quantized layers that have a
    quantizer of 1 bit and no constraint of their own.

    Args:
        clip_value: BNext uses 1.5, Larq's own examples 1.

    Example:
        >>> import bnext_keras, larq as lq, numpy as np, tensorflow as tf
        >>> dense = lq.layers.QuantDense(2, kernel_quantizer="ste_sign", input_shape=(3,))
        >>> model = tf.keras.Sequential([dense])
        >>> model.compile(tf.keras.optimizers.SGD(100.0), "mse")
        >>> clipping = bnext_keras.callbacks.LatentWeightClipping(1.5)
        >>> fit = model.fit(np.ones((4, 3)), np.full((4, 2), 50.0), callbacks=[clipping], verbose=0)
        >>> float(abs(dense.kernel.numpy()).max())
        1.5

    Reference:
        Released training code of arXiv 2211.12933.
    """

    def __init__(self, clip_value: float = 1.5):
        super().__init__()
        if clip_value <= 0:
            raise ValueError(f"clip_value must be positive, got {clip_value}")
        self.low, self.high = -clip_value, clip_value

    def variables(self):
        return [
            variable
            for layer in sublayers(self.model)
            for variable, quantizer, constraint in _quantized(layer)
            if getattr(quantizer, "precision", None) == 1 and constraint is None
        ]


class ScaleClipping(_Clipping):
    """Keeps scales in [low, high], BNext's mixing scales for example, whose complement is used too.

    Args:
        name: Attribute of the layers that holds the scale; those that have a constraint of their own are left alone.
        low: Smallest value.
        high: Largest value.

    Example:
        >>> import bnext_keras, numpy as np, tensorflow as tf
        >>> class Scaled(tf.keras.layers.Layer):
        ...     def build(self, shape):
        ...         self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        ...     def call(self, inputs):
        ...         return self.scale * inputs
        >>> model = tf.keras.Sequential([Scaled(input_shape=(3,))])
        >>> model.compile("sgd", "mse")
        >>> clipping = bnext_keras.callbacks.ScaleClipping()
        >>> fit = model.fit(np.ones((4, 3)), np.full((4, 3), 9.0), callbacks=[clipping], verbose=0)
        >>> float(model.layers[0].scale)
        1.0
    """

    def __init__(self, name: str = "scale", low: float = 0.0, high: float = 1.0):
        super().__init__()
        if low >= high:
            raise ValueError(f"low must be below high, got {low} and {high}")
        self.name, self.low, self.high = name, low, high

    def variables(self):
        found = (getattr(layer, self.name, None) for layer in sublayers(self.model))
        return [variable for variable in found if isinstance(variable, tf.Variable) and variable.constraint is None]


def _quantized(layer):
    """Kernels of a layer with their quantizers and constraints."""
    for name in ("kernel", "depthwise_kernel", "pointwise_kernel"):
        quantizer = {"kernel": "kernel", "depthwise_kernel": "depthwise", "pointwise_kernel": "pointwise"}[name]
        if hasattr(layer, name) and hasattr(layer, f"{quantizer}_quantizer"):
            yield getattr(layer, name), getattr(layer, f"{quantizer}_quantizer"), getattr(layer, name).constraint
