"""Weights of 8 and 4 bits in a network's float layers, by what these layers are there for.

The BNext paper counts its stem with 8 bits, squeeze-and-expand with 4, the head with 8, and trains them so:

>>> import bnext_keras
>>> model = bnext_keras.models.BNext([8, 16], input_shape=(32, 32, 3), num_classes=2)
>>> bits = quantize_weights(model, "8/4/8")
>>> bits["stem_conv"], bits["block1_3x3_se_squeeze"], bits["head"]
(8, 4, 8)

What a file of the trained network holds is exactly what was trained, see `converter.quantization.trained`.
"""

from collections.abc import Mapping

from bnext_keras.layer_graph import trained_bits
from bnext_keras.layers.kernel_bits import KernelBits
from bnext_keras.roles import FLOAT_BITS, parse_bits
from bnext_keras.structure import find_roles

import tensorflow as tf


def quantize_weights(model: tf.keras.Model, bits: str | Mapping[str, int]) -> dict[str, int]:
    """Lets a network compute with the values of its float kernels that few bits can hold, in training and evaluation.

    Compile it afterwards. The layers state it in their configuration, so that files and copies of the model do the
    same. Weights are kept in float32, as those of binary kernels are; biases and activations stay floats.

    Args:
        model: A network whose stem, squeeze-and-expand and head are layers of `bnext_keras.layers`. It is changed.
        bits: Bits of stem, squeeze-and-expand and head, such as ``"8/4/8"``: 2 to 8, or 32 for floats. Or by role,
            ``{"stem": 8, "se": 4}``; what is not named stays as it is.

    Returns:
        The bits of each layer that has fewer than 32 now, by its name.

    Raises:
        ValueError: if there are no such bits or roles, the model has no layer of a role, or one that cannot do it.
    """
    wanted = parse_bits(bits)
    roles = find_roles(model)
    for role, number in wanted.items():
        layers = [layer for layer, found in roles.items() if found == role]
        if number == FLOAT_BITS:
            continue
        if not layers:
            raise ValueError(f"model '{model.name}' has no {role} to quantize; write {FLOAT_BITS} for it")
        for layer in layers:
            if not (isinstance(layer, KernelBits) and layer.takes_kernel_bits):
                kind = f"{type(layer).__module__.split('.')[0]}'s {type(layer).__name__}"
                raise ValueError(
                    f"layer '{layer.name}' ({role}) is {kind}, which cannot be trained in {number} bits; build it of "
                    f"bnext_keras.layers, or write {FLOAT_BITS} for {role}"
                )
    for layer, role in roles.items():
        if role in wanted and isinstance(layer, KernelBits) and layer.takes_kernel_bits:
            layer.kernel_bits = None if wanted[role] == FLOAT_BITS else wanted[role]
    # What Keras has compiled of the model so far computes with the former kernels.
    model.train_function = model.test_function = model.predict_function = None
    return {layer.name: width for layer in roles if (width := trained_bits(layer)) is not None}
