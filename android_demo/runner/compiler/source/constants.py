"""Constants that operators make: weights that are stored in fewer bits, and large ones of a single value."""

import numpy as np

from android_demo.runner.compiler.source.elements import Translation


def _dequantize(reader, operation, options):
    data = reader.array(operation.inputs[0])
    reader.require(data is not None, operation, "it is not of weights")
    if data.dtype == np.float16:
        reader.arrays[operation.outputs[0]] = data.astype(np.float32)
        return
    quantization = reader.file.model.subgraphs[0].tensors[operation.inputs[0]].quantization
    reader.require(data.dtype == np.int8 and quantization is not None, operation, "it is not of int8 or int4 weights")
    reader.require(not np.any(quantization.zeroPoint), operation, "its weights are not symmetric")
    scale = np.asarray(quantization.scale, np.float32)
    axis = int(quantization.quantizedDimension)
    shape = [1] * data.ndim
    if len(scale) > 1:
        shape[axis] = len(scale)
    reader.arrays[operation.outputs[0]] = data.astype(np.float32) * scale.reshape(shape)
    if data.ndim == 2 and (axis == 0 or len(scale) == 1):
        reader.int8[operation.outputs[0]] = data, np.broadcast_to(scale, len(data))


def _fill(reader, operation, options):
    shape, value = (reader.constant(index) for index in operation.inputs)
    reader.arrays[operation.outputs[0]] = np.broadcast_to(value, shape.ravel())


TRANSLATIONS: dict[str, Translation] = {"DEQUANTIZE": _dequantize, "FILL": _fill}
