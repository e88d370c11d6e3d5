"""Which way up a model wants its images, and how to change that.

Networks that PyTorch trained are imported with all kernels turned by 180 degrees and want their images turned likewise
(`bnext_keras.importers.state_dict` says why). The one place that says so is a layer right behind the input: a model
with a `Rotate180` takes upright images and turns them itself, with one operator. Take the layer away, and the caller
has to turn them, who can often do so for nothing: a camera's driver, say, or the loop that normalizes pixels.

>>> import bnext_keras
>>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
>>> upright = bnext_keras.orientation.add_rotation(model)
>>> [layer.name for layer in upright.layers[:3]]
['image', 'rotate180', 'stem_conv']
>>> bnext_keras.orientation.is_rotating(upright), bnext_keras.orientation.is_rotating(model)
(True, False)
"""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable(package="bnext_keras")
class Rotate180(tf.keras.layers.Layer):
    """Turns feature maps ``(batch, height, width, channels)`` by 180 degrees.

    Example:
        >>> import bnext_keras, tensorflow as tf
        >>> image = tf.reshape(tf.range(4.0), (1, 2, 2, 1))
        >>> bnext_keras.orientation.Rotate180()(image).numpy().ravel().tolist()
        [3.0, 2.0, 1.0, 0.0]
    """

    def call(self, inputs):
        return tf.reverse(inputs, [1, 2])


def is_rotating(model: tf.keras.Model) -> bool:
    """Whether a model turns its images itself, so that it takes upright ones though its kernels are turned."""
    return any(isinstance(layer, Rotate180) for layer in model.layers)


def add_rotation(model: tf.keras.Model) -> tf.keras.Model:
    """A copy of a functional model of one input, with a `Rotate180` behind it; names and weights are the same.

    Raises:
        ValueError: if the model has one already, or several inputs.
    """
    if len(model.inputs) != 1:
        raise ValueError(f"model '{model.name}' must have one input, it has {len(model.inputs)}")
    if is_rotating(model):
        raise ValueError(f"model '{model.name}' turns its images already")
    config = model.get_config()
    image = config["input_layers"][0][0]
    rotation = Rotate180(name="rotate180")
    for layer in config["layers"]:
        layer["inbound_nodes"] = _rewired(layer["inbound_nodes"], image, rotation.name)
    entry = {**tf.keras.layers.serialize(rotation), "name": rotation.name, "inbound_nodes": [[[image, 0, 0, {}]]]}
    config["layers"].insert(1, entry)
    return _with_weights(model, config)


def remove_rotation(model: tf.keras.Model) -> tf.keras.Model:
    """A copy of a model without its `Rotate180`: from now on it is the caller who turns the images.

    Raises:
        ValueError: if the model has none.
    """
    rotation = next((layer for layer in model.layers if isinstance(layer, Rotate180)), None)
    if rotation is None:
        raise ValueError(f"model '{model.name}' does not turn its images")
    config = model.get_config()
    image = config["input_layers"][0][0]
    config["layers"] = [layer for layer in config["layers"] if layer["name"] != rotation.name]
    for layer in config["layers"]:
        layer["inbound_nodes"] = _rewired(layer["inbound_nodes"], rotation.name, image)
    return _with_weights(model, config)


def _rewired(nodes, old, new):
    """Nested lists of ``[layer, node, tensor, ...]`` with another layer in place of one."""
    if not isinstance(nodes, list | tuple):
        return nodes
    if len(nodes) > 2 and nodes[0] == old:
        return [new, *nodes[1:]]
    return [_rewired(node, old, new) for node in nodes]


def _with_weights(model, config):
    copy = type(model).from_config(config)
    copy.set_weights(model.get_weights())
    return copy
