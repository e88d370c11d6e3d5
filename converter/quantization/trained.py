"""Weights that were trained in few bits, in the file just as they were trained.

A layer of ``kernel_bits`` (`bnext_keras.weight_bits`) computes with whole numbers q times one step s for each output
channel, ``|q| <= n = 2^(bits - 1) - 1``. On its way into the file a kernel is multiplied by a batch normalization's
factor a, which makes steps a s of them and leaves q as it is. Passes keep other factors away
(`converter.passes._match.scaled_kernel`).

So q is found again in the float file: the largest weight of a channel is n steps. If it is that of a layer, up to the
sign of a channel, and all weights are whole steps up to the rounding of a few float32 products, the file gets q as
int8 with the steps as scales, and a ``DEQUANTIZE`` that makes the same floats of them when the file is loaded. That
holds for 4 bits too: int8 has room for them, and the scale is ``max / 7``. Interpreters of LCE do not load INT4.

Nothing is lost, so the file is verified against Keras as any other, by the bounds of rounding. A kernel that cannot be
found stays float, and the report tells which.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from bnext_keras.layer_graph import trained_bits
from bnext_keras.sublayers import sublayers

import numpy as np
import tensorflow as tf

from converter.quantization.roles import WEIGHTED
from converter.tflite.adding import add_constant, new_code, new_operator, quantization_of
from converter.tflite.flatbuffer import Flatbuffer

#: By so much of itself a weight may differ from a whole number of steps: the rounding of eight products.
_TOLERANCE = 8 * 2.0**-24
#: That in which ``DEQUANTIZE`` learned a scale for each channel.
_DEQUANTIZE = 5


@dataclass
class TrainedWeights:
    """What became of weights that were trained in few bits.

    Attributes:
        layers: Bits of the layers whose weights the file has as they were trained, by name.
        left_float: Names of those whose weights are floats in it.
        bytes_before: What the former would take as floats.
        bytes_after: What they take, a byte for each.
    """

    layers: dict[str, int] = field(default_factory=dict)
    left_float: list[str] = field(default_factory=list)
    bytes_before: int = 0
    bytes_after: int = 0


def store_trained(flatbuffer: Flatbuffer, model: tf.keras.Model) -> tuple[Flatbuffer, TrainedWeights | None]:
    """Stores the weights of layers that were trained in few bits as int8.

    Args:
        flatbuffer: The float file, which stays as it is.
        model: The Keras model that it was made of.

    Returns:
        The new file and what became of which layer; the file itself and None if no layer was trained so.
    """
    layers = [layer for layer in sublayers(model) if trained_bits(layer) is not None]
    if not layers:
        return flatbuffer, None
    file, result = Flatbuffer(flatbuffer.pack()), TrainedWeights()
    kernels = {layer.name: _Kernel(layer) for layer in layers}
    stored: dict[int, tuple[int, np.ndarray, np.ndarray]] = {}
    for tensor, axis in _weights(file):
        weights = _values(file, tensor)
        rows = np.moveaxis(weights, axis, 0)
        for name, kernel in kernels.items():
            found = kernel.steps_of(rows.reshape(len(rows), -1))
            if found is not None:
                levels, steps = found
                stored[tensor] = axis, np.moveaxis(levels.reshape(rows.shape), 0, axis), steps
                # Equal kernels may be one constant of the file, so this goes on to the other layers.
                result.layers[name] = kernel.bits
    result.bytes_after = sum(levels.nbytes for _, levels, _ in stored.values())
    result.bytes_before = 4 * result.bytes_after
    result.left_float = [name for name in kernels if name not in result.layers]
    return _with_int8(file, stored), result


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


def in_steps(rows: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights as whole numbers times a step for each row, the largest of which is ``2^(bits - 1) - 1`` steps.

    Args:
        rows: float32 ``(output channels, weights of one)``.
        bits: 2 to 8.

    Returns:
        The whole numbers, int8, and the steps, float32, of which the products with whole numbers are nearest to the
        weights: the last digit of a step is not lost, so that weights which are such products come out as they are.

    Example:
        >>> levels, steps = in_steps(np.array([[0.3, -0.7, 0.0]], np.float32), 4)
        >>> levels.tolist(), steps.tolist() == [np.float32(0.1)]
        ([[3, -7, 0]], True)
    """
    largest = 2 ** (bits - 1) - 1
    steps = (np.abs(rows).max(axis=1).astype(np.float64) / largest).astype(np.float32)
    steps = np.where(steps >= np.finfo(np.float32).tiny, steps, np.float32(1))
    levels = np.rint(rows / steps[:, np.newaxis].astype(np.float64)).clip(-largest, largest).astype(np.int8)
    candidates = [steps, *(np.nextafter(steps, np.float32(end), dtype=np.float32) for end in (0, np.inf))]
    errors = [np.abs(levels * step[:, np.newaxis] - rows).sum(axis=1, dtype=np.float64) for step in candidates]
    return levels, np.choose(np.argmin(errors, axis=0), candidates)


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
            yield tensor, 3 if operation.type == "DEPTHWISE_CONV_2D" else 0


def _values(file, tensor):
    data = file.model.buffers[file.buffer(tensor)].data
    return np.asarray(data, np.uint8).view(np.float32).reshape(file.shape(tensor))


def _with_int8(file, stored):
    """The file with these weights as int8, and what was a constant as the result of an operator."""
    if not stored:
        return file
    model, graph = file.model, file.model.subgraphs[0]
    code, operators = len(model.operatorCodes), []
    model.operatorCodes.append(new_code("DEQUANTIZE", _DEQUANTIZE))
    for tensor, (axis, levels, steps) in stored.items():
        quantization = quantization_of(steps, np.zeros(len(steps)), axis)
        constant = add_constant(model, f"{file.names[tensor]}/int8", levels, quantization)
        graph.tensors[tensor].buffer = 0
        operators.append(new_operator("DEQUANTIZE", code, [constant], [tensor]))
    graph.operators = [*operators, *graph.operators]
    new = Flatbuffer(file.pack())
    new.prune()
    return new
