"""Which layer of a Keras model feeds which, nested models unfolded."""

from collections.abc import Callable, Iterator
from typing import Any

from bnext_keras.annotations import Annotation

import larq as lq
import numpy as np
import tensorflow as tf
from larq.models import mac_containing_layers

#: Layers whose output holds only values of their input, and perhaps zeros.
PASSING_ON = (
    Annotation,
    tf.keras.layers.Concatenate,
    tf.keras.layers.Cropping2D,
    tf.keras.layers.Dropout,
    tf.keras.layers.Flatten,
    tf.keras.layers.MaxPooling2D,
    tf.keras.layers.Permute,
    tf.keras.layers.Reshape,
    tf.keras.layers.UpSampling2D,
    tf.keras.layers.ZeroPadding2D,
)


class LayerGraph:
    """The layers of a functional or sequential model and the ways between them.

    Args:
        model: A built model. Models within it count as their layers.

    Attributes:
        layers: Every layer but inputs and models, in the model's order.
        inputs: The model's symbolic inputs.
        outputs: The layers whose results the model returns.
        origins: The same for each output by its place: None for one that is an input.

    Example:
        >>> import bnext_keras
        >>> graph = LayerGraph(bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2))
        >>> conv = next(layer for layer in graph.layers if layer.name == "block1_3x3_conv")
        >>> [layer.name for layer in graph.producers(conv)], [layer.name for layer in graph.consumers(conv)]
        (['block1_3x3_bias'], ['block1_3x3_bn1'])
        >>> graph.reads_image(conv)
        False
    """

    def __init__(self, model: tf.keras.Model):
        self.layers: list[tf.keras.layers.Layer] = []
        self._producers: dict[int, list[tf.keras.layers.Layer]] = {}
        self._consumers: dict[int, list[tf.keras.layers.Layer]] = {}
        self._add(model, [])
        self.inputs: list[Any] = list(model.inputs)
        self.origins: list[tf.keras.layers.Layer | None] = [_origin(tensor) for tensor in model.outputs]
        self.outputs: list[tf.keras.layers.Layer] = [origin for origin in self.origins if origin is not None]
        for layer in self.layers:
            for producer in self.producers(layer):
                self._consumers.setdefault(id(producer), []).append(layer)

    def producers(self, layer: tf.keras.layers.Layer) -> list[tf.keras.layers.Layer]:
        """The layers that a layer reads; the model's input is none."""
        return self._producers.get(id(layer), [])

    def consumers(self, layer: tf.keras.layers.Layer) -> list[tf.keras.layers.Layer]:
        """The layers that read a layer."""
        return self._consumers.get(id(layer), [])

    def sources(self, layer: tf.keras.layers.Layer) -> list[tf.keras.layers.Layer]:
        """The layers that computed the values which a layer reads, beyond those that only pass them on."""
        found = []
        for producer in self.producers(layer):
            found += self.sources(producer) if isinstance(producer, PASSING_ON) else [producer]
        return list(dict.fromkeys(found))

    def backwards(self, layer: tf.keras.layers.Layer) -> Iterator[tf.keras.layers.Layer]:
        """A layer and those before it, up to a convolution or dense layer, or to where ways meet."""
        yield layer
        while not has_kernel(layer) and len(producers := self.producers(layer)) == 1:
            (layer,) = producers
            yield layer

    def reads_image(self, layer: tf.keras.layers.Layer) -> bool:
        """Whether no convolution or dense layer lies before it."""
        return not any(has_kernel(other) for other in self._reachable(layer, self.producers))

    def gives_answer(self, layer: tf.keras.layers.Layer) -> bool:
        """Whether no convolution or dense layer lies behind it."""
        return not any(has_kernel(other) for other in self._reachable(layer, self.consumers))

    def follows(self, layer: tf.keras.layers.Layer, predicate: Callable[[tf.keras.layers.Layer], bool]) -> bool:
        """Whether a layer that fulfils the predicate lies before it."""
        return any(predicate(other) for other in self._reachable(layer, self.producers))

    def only_before(self, part: tf.keras.Model, kinds: tuple[type, ...]) -> bool:
        """Whether nothing but layers of some kinds lies between the model's inputs and those of a model within it."""
        first = [layer for layer in LayerGraph(part).layers if not self._inbound(part, layer)]
        return not any(self.follows(layer, lambda other: not isinstance(other, kinds)) for layer in first)

    def _add(self, model, outer_producers):
        for layer in model.layers:
            producers = self._inbound(model, layer) or outer_producers
            # A subclassed model has no graph to unfold: it stands for itself, as a layer.
            if isinstance(layer, tf.keras.Model) and has_graph(layer):
                self._add(layer, producers)
            elif not isinstance(layer, tf.keras.layers.InputLayer):
                self.layers.append(layer)
                self._producers[id(layer)] = producers

    @staticmethod
    def _inbound(model, layer):
        tensors = [tensor for node in _calls(model, layer) for tensor in node.keras_inputs]
        origins = [_origin(tensor) for tensor in tensors]
        return list({id(origin): origin for origin in origins if origin is not None}.values())

    def _reachable(self, layer: tf.keras.layers.Layer, neighbours: Callable) -> Iterator[tf.keras.layers.Layer]:
        seen, waiting = {id(layer)}, [layer]
        while waiting:
            for other in neighbours(waiting.pop()):
                if id(other) not in seen:
                    seen.add(id(other))
                    waiting.append(other)
                    yield other


def _calls(model, layer):
    """The nodes of a layer in a model; it may have been called outside this model too."""
    names = model._network_nodes
    nodes = enumerate(layer.inbound_nodes)
    return [node for i, node in nodes if f"{layer.name}_ib-{i}" in names and not node.is_input]


def number_of_calls(model: tf.keras.Model, layer: tf.keras.layers.Layer) -> int:
    """How often a functional or sequential model calls one of its layers.

    Example:
        >>> image = tf.keras.Input((4,))
        >>> shared = tf.keras.layers.Dense(4)
        >>> number_of_calls(tf.keras.Model(image, shared(shared(image))), shared)
        2
    """
    return len(_calls(model, layer))


def has_graph(model: tf.keras.Model) -> bool:
    """Whether a model is functional or a built sequential one, so that its layers' ways are known."""
    return hasattr(model, "_network_nodes")


def has_kernel(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer multiplies and accumulates: a convolution of any kind or a dense layer."""
    return isinstance(layer, (*mac_containing_layers, tf.keras.layers.Conv2DTranspose))


def precision(quantizer: Any) -> int:
    """Bits that a quantizer leaves of a value; 32 where there is none. Larq's state it; a function is tried."""
    if quantizer is None:
        return 32
    stated = getattr(quantizer, "precision", None)
    if stated is None and not isinstance(quantizer, tf.keras.layers.Layer) and is_sign(quantizer):
        return 1
    return stated or 32


#: What `tried` returns for the sign, that of both zeros being +1.
SIGNS = [-1.0, -1.0, 1.0, 1.0, 1.0, 1.0]


def tried(function: Callable, scale: float = 1.0) -> list[float]:
    """What a function or layer makes of -2, -1/2, -0, 0, 1/2 and 2, all times a scale.

    Example:
        >>> tried(tf.nn.relu)
        [0.0, 0.0, -0.0, 0.0, 0.5, 2.0]
    """
    values = function(scale * tf.constant([[[[-2.0], [-0.5], [-0.0], [0.0], [0.5], [2.0]]]]))
    return [float(value) for value in tf.reshape(values, [-1])]


def is_sign(function: Callable) -> bool:
    """Whether a function or layer is the sign, with +1 for zero, as trying it shows.

    Example:
        >>> import larq as lq
        >>> is_sign(lambda x: lq.math.sign(x)), is_sign(tf.sign), is_sign(tf.nn.relu)
        (True, False, False)
    """
    try:
        return tried(function) == SIGNS
    except Exception:  # a user's function, made for other shapes: whatever it raises, it is no plain sign
        return False


def kernel_quantizer(layer: tf.keras.layers.Layer) -> Any:
    """The quantizer of a Larq layer's kernel, None if it has none."""
    names = ("kernel_quantizer", "depthwise_quantizer", "pointwise_quantizer")
    return next((getattr(layer, name) for name in names if getattr(layer, name, None) is not None), None)


def kernel_precision(layer: tf.keras.layers.Layer) -> int:
    """Bits that a layer's kernel has, as `weight_precision` says; 32 where nothing quantizes it.

    Example:
        >>> import larq as lq
        >>> layer = lq.layers.QuantConv2D(4, 3, kernel_quantizer=lambda kernel: 0.5 * lq.math.sign(kernel))
        >>> layer.build((None, 8, 8, 2))
        >>> kernel_precision(layer)
        1
    """
    quantizer = kernel_quantizer(layer)
    if quantizer is None or getattr(quantizer, "precision", None) is not None:
        return precision(quantizer)
    bits = [weight_precision(weight) for weight in layer.weights if hasattr(weight, "quantizer")]
    return max(bits, default=precision(quantizer))


def trained_bits(layer: tf.keras.layers.Layer) -> int | None:
    """Bits that a float layer's kernel is trained in, as `bnext_keras.layers.kernel_bits` says; None where in float32.

    Example:
        >>> import bnext_keras
        >>> trained_bits(bnext_keras.layers.Conv2D(4, 3, kernel_bits=8)), trained_bits(tf.keras.layers.Conv2D(4, 3))
        (8, None)
    """
    # A stranger's layer may have an attribute of that name with a meaning of its own.
    return getattr(layer, "kernel_bits", None) if getattr(layer, "takes_kernel_bits", False) else None


def weight_precision(weight: tf.Variable) -> int:
    """Bits that a weight has in evaluation: stated by Larq's quantizers, of a function shown by what it returns."""
    stated = getattr(weight, "precision", 32)
    return stated or (1 if is_one_bit(evaluated(weight)) else 32)


def evaluated(weight: tf.Variable) -> np.ndarray:
    """What a weight is in evaluation: that of a layer of Larq's goes through its quantizer."""
    # Larq lists the latent variable among the layer's weights and quantizes on access, inside a forward pass only.
    with tf.init_scope(), lq.context.quantized_scope(True):
        return tf.convert_to_tensor(weight).numpy()


def is_one_bit(kernel: np.ndarray) -> bool:
    """Whether the values for each output channel are ``+c`` and ``-c``, with a ``c`` of that channel's above 0.

    Example:
        >>> is_one_bit(np.array([[2.0, 0.5], [-2.0, 0.5]])), is_one_bit(np.array([[2.0], [1.0]]))
        (True, False)
    """
    magnitudes = np.abs(kernel).reshape(-1, kernel.shape[-1])
    if not magnitudes.size:
        return False
    scale = magnitudes.max(axis=0)
    # One pass over what may be a hundred million weights, and no comparison of the size of all of them.
    return bool(scale.min() > 0 and (magnitudes.min(axis=0) >= scale * (1 - 1e-6)).all())


def is_quant_layer(layer: tf.keras.layers.Layer) -> bool:
    """Whether a layer is one of Larq's, made to be quantized."""
    return type(layer).__module__.startswith(lq.layers.__name__) or hasattr(layer, "input_quantizer")


def _origin(tensor):
    layer = tensor._keras_history.layer
    if isinstance(layer, tf.keras.layers.InputLayer):
        return None
    if isinstance(layer, tf.keras.Model) and has_graph(layer):
        return _origin(layer.outputs[tensor._keras_history.tensor_index])
    return layer
