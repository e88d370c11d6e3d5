"""Weights that were trained in few bits, in the file just as they were trained.

A layer of ``kernel_bits`` (`bnext_keras.weight_bits`) computes with whole numbers q times one step s for each output
channel, ``|q| <= n = 2^(bits - 1) - 1``. On its way into the file a kernel is multiplied by a batch normalization's
factor a, which makes steps a s of them and leaves q as it is. Passes keep other factors away
(`converter.passes._match.scaled_kernel`).

So q is found again in the float file: the largest weight of a channel is n steps. If it is that of a layer, up to the
sign of a channel, and all weights are whole steps up to the rounding of a few float32 products, the file gets q as
int8 with the steps as scales, and a ``DEQUANTIZE`` that makes the same floats of them when the file is loaded. That
holds for 4 bits too: int8 has room for them, and the scale is ``max / 7``. Interpreters of LCE do not load INT4; for
this project's engine `converter.tflite.int4.to_int4` makes it of them.

Nothing is lost, so the file is verified against Keras as any other, by the bounds of rounding. A kernel that cannot be
found stays float, and the report tells which.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bnext_keras.layer_graph import trained_bits
from bnext_keras.sublayers import sublayers

import numpy as np
import tensorflow as tf

from converter.quantization.levels import float_weights, in_steps, output_axis, with_int8
from converter.quantization.roles import WEIGHTED
from converter.tflite import int4
from converter.tflite.flatbuffer import Flatbuffer

#: By so much of itself a weight may differ from a whole number of steps: the rounding of eight products.
_TOLERANCE = 8 * 2.0**-24


@dataclass
class TrainedWeights:
    """What became of weights that were trained in few bits.

    Attributes:
        layers: Bits of the layers whose weights the file has as they were trained, by name.
        left_float: Names of those whose weights are floats in it.
        bytes_before: What the former would take as floats.
        bytes_after: What they take, a byte or half a byte for each.
        least_bits: The fewest bits that a weight takes in the file: 8, or 4 for this project's engine.
    """

    layers: dict[str, int] = field(default_factory=dict)
    left_float: list[str] = field(default_factory=list)
    bytes_before: int = 0
    bytes_after: int = 0
    least_bits: int = 8


def store_trained(
    flatbuffer: Flatbuffer, model: tf.keras.Model, least_bits: int = 8
) -> tuple[Flatbuffer, TrainedWeights | None]:
    """Stores the weights of layers that were trained in few bits as int8.

    Args:
        flatbuffer: The float file, which stays as it is.
        model: The Keras model that it was made of.
        least_bits: 4 if the file becomes one of int4 before it is written; bytes are counted accordingly.

    Returns:
        The new file and what became of which layer; the file itself and None if no layer was trained so.
    """
    layers = [layer for layer in sublayers(model) if trained_bits(layer) is not None]
    if not layers:
        return flatbuffer, None
    file, result = Flatbuffer(flatbuffer.pack()), TrainedWeights(least_bits=least_bits)
    kernels = {layer.name: _Kernel(layer) for layer in layers}
    stored: dict[int, tuple[int, np.ndarray, np.ndarray]] = {}
    for tensor, axis in _weights(file):
        weights = float_weights(file, tensor)
        rows = np.moveaxis(weights, axis, 0)
        for name, kernel in kernels.items():
            found = kernel.steps_of(rows.reshape(len(rows), -1))
            if found is not None:
                levels, steps = found
                stored[tensor] = axis, np.moveaxis(levels.reshape(rows.shape), 0, axis), steps
                # Equal kernels may be one constant of the file, so this goes on to the other layers.
                result.layers[name] = kernel.bits
    for _, levels, _ in stored.values():
        result.bytes_before += 4 * levels.size
        halved = least_bits == 4 and int4.fits(levels)
        result.bytes_after += int4.packed_bytes(levels.size) if halved else levels.size
    result.left_float = [name for name in kernels if name not in result.layers]
    return with_int8(file, stored), result


class _Kernel:
    """A layer's kernel as whole numbers, a row for each output channel."""

    def __init__(self, layer):
        _, axes = layer.weights_of_channels
        kernel = tf.convert_to_tensor(layer.effective_kernel()).numpy()
        kernel = kernel.reshape(*kernel.shape[:-axes], -1)
        rows = np.moveaxis(kernel, -1, 0)
        self.bits: int = layer.kernel_bits
        self.levels, _ = in_steps(rows.reshape(len(rows), -1), self.bits)

    def steps_of(self, rows):
        """The whole numbers and steps of weights in a file, if they are this kernel's; None otherwise."""
        if rows.shape != self.levels.shape:
            return None
        first, _ = in_steps(rows[:1], self.bits)
        if not _same(first, self.levels[:1]):
            return None  # most are told apart by their first channel
        levels, steps = in_steps(rows, self.bits)
        differences = np.abs(levels * steps[:, np.newaxis] - rows)
        fits = _same(levels, self.levels) and bool((differences <= _TOLERANCE * np.abs(rows)).all())
        return (levels, steps) if fits else None


def _same(levels, trained):
    """Whether whole numbers are those of training, but for the sign of a channel; one times zero is any."""
    alike = [(levels == other).all(axis=1) for other in (trained, -trained)]
    return bool((alike[0] | alike[1] | ~levels.any(axis=1)).all())


def _weights(file: Flatbuffer) -> Iterator[tuple[int, int]]:
    """The constant weights of float operators, each once, and the axis of their output channels."""
    seen = set()
    for operation in file.operations:
        if operation.type not in WEIGHTED or (tensor := operation.inputs[1]) in seen:
            continue
        seen.add(tensor)
        if file.is_constant(tensor) and file.type(tensor) == "FLOAT32":
            yield tensor, output_axis(operation)
