"""Weights of a file as whole numbers and steps: how they are found, and how the file stores them."""

from collections.abc import Mapping

import numpy as np

from converter.tflite.adding import add_constant, new_code, new_operator, quantization_of
from converter.tflite.flatbuffer import Flatbuffer, Operation

#: The version in which ``DEQUANTIZE`` learned a scale for each channel.
_DEQUANTIZE = 5


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


def output_axis(operation: Operation) -> int:
    """The axis of the output channels in the weights of a float operator."""
    return 3 if operation.type == "DEPTHWISE_CONV_2D" else 0


def float_weights(file: Flatbuffer, tensor: int) -> np.ndarray:
    """The values of a constant of float32."""
    data = file.model.buffers[file.buffer(tensor)].data
    return np.asarray(data, np.uint8).view(np.float32).reshape(file.shape(tensor))


def with_int8(file: Flatbuffer, stored: Mapping[int, tuple[int, np.ndarray, np.ndarray]]) -> Flatbuffer:
    """The file with other constants, as int8, and what was a constant as the result of a ``DEQUANTIZE``.

    Args:
        file: The file, which is changed.
        stored: By the tensor of floats: the axis of the output channels, whole numbers, and a step for each channel.
    """
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
