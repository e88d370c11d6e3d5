"""The types that networks compute in, and copies of models that compute in another one.

Under Keras' policies ``mixed_float16`` and ``mixed_bfloat16`` maps and products are of 16 bits. What matters is of 32,
or exact:

- *Variables* are float32, latent weights, thresholds and statistics among them: a step of an optimizer is often less
  than the last digit of a 16-bit number, and would be lost. Files and checkpoints are those of a float32 network.
- *Latent weights* are quantized in float32, see `bnext_keras.quantizers.latent`.
- *Signs* are -1 and 1, which every type holds, and so are their products. float16 holds their sums exactly up to 2048
  terms; accelerators accumulate in float32 and round once.
- *Thresholds* are added in 16 bits: a sum that is rounded keeps its sign, so that what a sign sees is as exact as the
  map itself.
- *Batch normalizations* compute means and variances in float32, fused or synchronized: sums of squares would overflow.
- *Logits*, and so all losses, of labels and teachers alike, are float32: the networks of `bnext_keras.models` and
  `bnext_keras.zoo` state it of their heads.
- *Gradients* of maps are of 16 bits. Keras multiplies the loss under ``mixed_float16``, lest they vanish.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

#: Keras' policies whose weights are float32.
POLICIES = ("float32", "mixed_float16", "mixed_bfloat16")
#: Names of types, and of Keras' policies, that are no plain float32.
OTHER_FLOATS = ("float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16")


@contextmanager
def global_policy(name: str) -> Iterator[None]:
    """Layers that are made within compute by this policy of Keras.

    Example:
        >>> with global_policy("mixed_bfloat16"):
        ...     tf.keras.layers.Dense(2).compute_dtype
        'bfloat16'
        >>> tf.keras.layers.Dense(2).compute_dtype
        'float32'
    """
    before = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(name)
    try:
        yield
    finally:
        tf.keras.mixed_precision.set_global_policy(before)


def full_precision() -> str:
    """The type of variables, in which logits and so the loss stay under mixed precision."""
    return tf.keras.mixed_precision.global_policy().variable_dtype


def in_precision(model: tf.keras.Model, policy: str) -> tf.keras.Model:
    """A copy of a model that computes by another policy of Keras, for inference.

    The layers that its outputs come from are of float32. The copy has weights of its own, those that the model has now.

    Args:
        model: A functional or sequential model with float32 weights.
        policy: One of `POLICIES`.

    Raises:
        ValueError: if the model is neither, or a layer cannot be made from its configuration.

    Example:
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(4, input_shape=(3,)), tf.keras.layers.Dense(2)])
        >>> [layer.compute_dtype for layer in in_precision(model, "mixed_float16").layers]
        ['float16', 'float32']
    """

    def copied(layer):
        if isinstance(layer, tf.keras.Model):
            return in_precision(layer, policy)
        config = layer.get_config()
        replace_precision(config, POLICIES, "float32" if layer.name in (model.output_names or ()) else policy)
        return layer.__class__.from_config(config)

    copy = tf.keras.models.clone_model(model, clone_function=copied)
    if model.built and not copy.built:  # a sequential model whose layers do not state its input
        copy.build(model.input_shape)
    copy.set_weights(model.get_weights())
    return copy


def replace_precision(config: dict[str, Any], old: tuple[str, ...], new: str) -> None:
    """Changes the types of a layer's or a model's configuration, and of all layers within it.

    Args:
        config: What ``get_config`` returns. It is changed.
        old: The names of types and policies that become another one.
        new: The name of that.

    Example:
        >>> config = tf.keras.layers.Dense(2, dtype="mixed_float16").get_config()
        >>> replace_precision(config, OTHER_FLOATS, "float32")
        >>> config["dtype"]
        'float32'
    """
    for settings in dictionaries(config):
        kind = settings.get("dtype")
        name = kind.get("config", {}).get("name") if isinstance(kind, dict) else kind
        if name in old:
            settings["dtype"] = new


def dictionaries(value: Any) -> Iterator[dict[str, Any]]:
    """A dictionary and all dictionaries in it, through lists and tuples.

    Example:
        >>> [sorted(each) for each in dictionaries({"a": [{"b": 1}], "c": {}})]
        [['a', 'c'], ['b'], []]
    """
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from dictionaries(item)
