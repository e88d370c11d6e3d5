"""Roles of layers, found from how they are connected: for networks whose author states none.

A layer's own statement goes first (`bnext_keras.roles.stated_role`), so networks of this project need no search. Any
other Larq network gets its roles by the definitions below, which `converter.quantization.roles` applies to the
operators of a file:

* **binary** are layers that binarize both their input and their kernel;
* the **stem** are the float convolutions and dense layers that the first binary convolutions are computed from;
* the **head** is the convolution or dense layer that the output is computed from, without another one or a sum of two
  branches in between;
* **squeeze-and-expand** is what maps of one pixel go through on their way to a sigmoid whose result is a factor;
* all else is **other**.
"""

from collections.abc import Callable, Iterable, Iterator

from bnext_keras.layer_graph import LayerGraph, has_graph, has_kernel, kernel_precision, precision
from bnext_keras.layers import BinaryConv2D, LearnableBias
from bnext_keras.roles import BINARY, HEAD, OTHER, SQUEEZE_EXPAND, STEM, Role, stated_role
from bnext_keras.sublayers import sublayers

import tensorflow as tf

Layers = tf.keras.layers

_GLOBAL_POOLING = (Layers.GlobalAveragePooling2D, Layers.GlobalMaxPooling2D)


def find_roles(model: tf.keras.Model) -> dict[tf.keras.layers.Layer, Role]:
    """The role of every convolution and dense layer of a model, nested models included.

    Args:
        model: A built functional or sequential model. Of any other kind only stated roles are found.

    Example:
        >>> import bnext_keras, larq as lq, tensorflow as tf
        >>> binary = {"input_quantizer": "ste_sign", "kernel_quantizer": "ste_sign"}
        >>> model = tf.keras.Sequential([
        ...     tf.keras.layers.Conv2D(8, 3, input_shape=(8, 8, 3)),
        ...     lq.layers.QuantConv2D(8, 3, **binary),
        ...     tf.keras.layers.Flatten(),
        ...     tf.keras.layers.Dense(10),
        ... ])
        >>> list(find_roles(model).values())
        ['stem', 'binary', 'head']
    """
    if not has_graph(model):
        layers = [layer for layer in sublayers(model) if has_kernel(layer)]
        return {layer: stated_role(layer) or OTHER for layer in layers}
    graph = LayerGraph(model)
    layers = [layer for layer in graph.layers if has_kernel(layer)]
    found: dict[tf.keras.layers.Layer, Role] = {layer: role for layer in layers if (role := stated_role(layer))}
    found.update({layer: BINARY for layer in layers if _is_binary(layer)})
    if len(found) < len(layers):
        head, stem = set(_head(graph)), _stem(graph)
        found.update({layer: _role(graph, layer, head, stem) for layer in layers if layer not in found})
    return {layer: found[layer] for layer in layers}


def _role(graph: LayerGraph, layer: tf.keras.layers.Layer, head: set, stem: set) -> Role:
    if layer in head:
        return HEAD
    if layer in stem or _is_shortcut_of_bnext18(graph, layer):
        return STEM
    return SQUEEZE_EXPAND if _is_gate(graph, layer) else OTHER


def _head(graph: LayerGraph) -> Iterator[tf.keras.layers.Layer]:
    for output in graph.outputs:
        *_, layer = graph.backwards(output)
        if has_kernel(layer):
            yield layer


def _stem(graph: LayerGraph) -> set[tf.keras.layers.Layer]:
    binary = [layer for layer in graph.layers if _is_binary(layer)]
    behind = _reachable(binary, graph.consumers)
    return _reachable([layer for layer in binary if layer not in behind], graph.producers)


def _reachable(layers: Iterable, neighbours: Callable) -> set[tf.keras.layers.Layer]:
    """What can be reached from the layers; they themselves only if there is a way from another."""
    found: set[tf.keras.layers.Layer] = set()
    pending = list(layers)
    while pending:
        new = [layer for layer in neighbours(pending.pop()) if layer not in found]
        found.update(new)
        pending += new
    return found


def _is_binary(layer):
    reads_signs = precision(getattr(layer, "input_quantizer", None)) == 1
    return has_kernel(layer) and reads_signs and kernel_precision(layer) == 1


def _is_gate(graph, layer):
    """Whether its result, never larger than one pixel, reaches a sigmoid that is multiplied with something."""
    pending, seen = [(layer, False)], set()
    while pending:
        current, is_factor = pending.pop()
        if (current, is_factor) in seen:
            continue
        seen.add((current, is_factor))
        if is_factor and _computes(current, Layers.Multiply, "math.multiply"):
            return True
        shape = current.get_output_shape_at(0)
        if isinstance(shape, tuple) and len(shape) == 4 and shape[1:3] != (1, 1):
            continue
        # Where the last maps have one pixel, gates of one block are computed from maps that those of another multiply.
        if current is not layer and (_computes(current, _GLOBAL_POOLING, "math.reduce_mean") or _is_binary(current)):
            continue
        is_factor = is_factor or _ends_in_sigmoid(current)
        pending += [(reader, is_factor) for reader in graph.consumers(current)]
    return False


def _ends_in_sigmoid(layer):
    is_sigmoid = getattr(getattr(layer, "activation", None), "__name__", "") == "sigmoid"
    return is_sigmoid or _computes(layer, (), "math.sigmoid")


def _computes(layer, types, function):
    """Whether it is one of Keras' layers, or what Keras makes of a call of TensorFlow's function."""
    is_call = type(layer).__name__ == "TFOpLambda"
    return isinstance(layer, types) or (is_call and layer.get_config()["function"] == function)


def _is_shortcut_of_bnext18(graph, layer):
    """Whether this is a 1x1 convolution beside a `LearnableBias` and `BinaryConv2D`.

    The paper's table counts BNext-18's as stem; those that earlier versions saved do not state it.
    """
    if not isinstance(layer, Layers.Conv2D) or layer.kernel_size != (1, 1) or _is_binary(layer):
        return False
    before = [layer]
    while len(producers := graph.producers(before[-1])) == 1:
        before += producers
        if not isinstance(producers[0], Layers.AveragePooling2D | Layers.PReLU):
            break
    thresholds = [reader for other in before[1:] for reader in graph.consumers(other)]
    thresholds = [reader for reader in thresholds if isinstance(reader, LearnableBias)]
    return any(isinstance(conv, BinaryConv2D) for threshold in thresholds for conv in graph.consumers(threshold))
