"""Models as versions before 0.2 saved them: plain Keras layers, which state nothing."""

import json

import tensorflow as tf

_STATEMENTS = ("role", "classes", "class_names", "mean", "std")


def without_statements(model):
    """A copy of a model, fresh weights, with Keras' own Conv2D and Dense in place of this project's."""
    config = json.loads(model.to_json())
    for layer in config["config"]["layers"]:
        if layer.get("registered_name", layer["class_name"]) in ("bnext_keras>Conv2D", "bnext_keras>Dense"):
            layer["class_name"] = layer["class_name"].removeprefix("bnext_keras>")
            layer.update(module="keras.layers", registered_name=None)
            for name in _STATEMENTS:
                layer["config"].pop(name, None)
    copy = tf.keras.models.model_from_json(json.dumps(config))
    assert not any(hasattr(layer, name) for layer in copy.layers for name in _STATEMENTS)
    return copy
