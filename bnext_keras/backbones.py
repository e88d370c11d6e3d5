"""Feature maps of a network, for detection and segmentation.

>>> import bnext_keras
>>> network = bnext_keras.zoo.QuickNetSmall(input_shape=(96, 96, 3), include_top=False)
>>> backbone = features(network)
>>> {name: tuple(map.shape[1:]) for name, map in backbone.output.items()}
{'P2': (24, 24, 32), 'P3': (12, 12, 64), 'P4': (6, 6, 256), 'P5': (3, 3, 512)}
"""

from collections.abc import Sequence

from bnext_keras.layer_graph import has_graph
from bnext_keras.orientation import Rotate180, is_rotating

import tensorflow as tf


def features(model: tf.keras.Model, strides: Sequence[int] | None = None) -> tf.keras.Model:
    """A model that returns a network's maps by stride, as necks of detectors and decoders of segmentation read them.

    The map of a stride is the last one of its resolution that everything behind it is computed from: the end of a
    stage. Where several streams leave a stage, it is the widest of them. Layers and weights are shared with ``model``,
    so that training one trains the other. Maps of an imported network, which turns its images by 180 degrees, are
    turned back.

    Args:
        model: A network of this package or any other functional one for images of a fixed size, with or without its
            top.
        strides: Which maps to return, by default all of strides 4, 8, 16 and 32 that the network has.

    Returns:
        A model from an image to a dictionary: ``"P2"`` has stride 2^2, ``"P3"`` 2^3 and so on, as in KerasHub's
        ``pyramid_outputs``.

    Raises:
        ValueError: if the model has no map of a stride that was named, or none at all.

    Example:
        >>> import bnext_keras
        >>> network = bnext_keras.models.BNext([8, 16, 32, 64], input_shape=(64, 64, 3), stem_stride=2, num_classes=2)
        >>> maps = bnext_keras.features(network, strides=(4, 8))(tf.zeros((1, 64, 64, 3)))
        >>> {name: map.shape.as_list() for name, map in maps.items()}
        {'P2': [1, 16, 16, 32], 'P3': [1, 8, 8, 64]}
    """
    if not has_graph(model) or len(model.inputs) != 1 or None in model.input_shape[1:]:
        raise ValueError(f"model '{model.name}' must be a functional one for one image of a fixed size")
    found = _maps(model)
    wanted = [stride for stride in (4, 8, 16, 32) if stride in found] if strides is None else list(strides)
    missing = [stride for stride in wanted if stride not in found or stride & (stride - 1)]
    if missing or not wanted:
        raise ValueError(
            f"model '{model.name}' has no map of stride {', '.join(map(str, missing)) or '4 to 32'}, "
            f"it has maps of {', '.join(map(str, sorted(found))) or 'none'}"
        )
    outputs = {f"P{stride.bit_length() - 1}": found[stride] for stride in sorted(wanted)}
    if is_rotating(model):
        outputs = {name: Rotate180(name=f"rotate180_{name}")(tensor) for name, tensor in outputs.items()}
    return tf.keras.Model(model.inputs, outputs, name=f"{model.name}_features")


def _maps(model):
    """The map of each stride by the definition of `features`.

    In an order in which every tensor comes behind those that it is computed from, all that follows is computed from a
    tensor if and only if no tensor before it is read behind it.
    """
    nodes = [node for depth in sorted(model._nodes_by_depth, reverse=True) for node in model._nodes_by_depth[depth]]
    position = {id(tensor): i for i, node in enumerate(nodes) for tensor in tf.nest.flatten(node.outputs)}
    last_reader = dict.fromkeys(range(len(nodes)), -1)
    for i, node in enumerate(nodes):
        for tensor in tf.nest.flatten(node.keras_inputs):
            last_reader[position[id(tensor)]] = i
    height = model.input_shape[1]
    found, width_of_cut, reach = {}, {}, -1
    for i, node in enumerate(nodes):
        tensors = tf.nest.flatten(node.outputs)
        if len(tensors) == 1 and not node.is_input and len(tensors[0].shape) == 4 and tensors[0].shape[1] > 1:
            (tensor,) = tensors
            stride, channels = -(-height // tensor.shape[1]), tensor.shape[-1]
            if reach <= i:
                found[stride], width_of_cut[stride] = tensor, channels
            elif channels > width_of_cut.get(stride, 0) and (
                stride not in found or channels >= found[stride].shape[-1]
            ):
                # One of several streams, wider than where they parted.
                found[stride] = tensor
        reach = max(reach, last_reader[i])
    return found
