"""Weights of 4 bits in the engine: the answers of int8, to the bit, and damaged ones by name."""

from bnext_keras.errors import ConversionError

import numpy as np
import pytest
from tflite_graphs import SAME, Graph

from android_demo.runner import Interpreter, compile_plan
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.int4 import to_int4


def test_no_other_runtime_is_told_of_for_a_file_that_has_them():
    graph = Graph()
    weights = graph.add("DEQUANTIZE", [graph.constant(np.ones((4, 8), np.int8), [1.0])], (4, 8))
    x = graph.add("FULLY_CONNECTED", [graph.input((1, 8)), weights], (1, 4))
    file = Flatbuffer(graph.content(graph.add("CUMSUM", [x, graph.constant(np.int32(1))], (1, 4))))
    told = r"CUMSUM t5: the engine has no such operator; "
    with pytest.raises(ConversionError, match=f"^{told}run the file with TensorFlow Lite's interpreter$"):
        compile_plan(file.pack())
    remedy = "nothing else reads its weights of 4 bits: convert the model without --target engine"
    with pytest.raises(ConversionError, match=f"^{told}{remedy}$"):
        compile_plan(to_int4(file).pack())


def network():
    """A convolution, a depthwise one and a dense layer, all of an odd number of weights between -7 and 7."""
    random, graph = np.random.default_rng(0), Graph()

    def weights(*shape, axis=0):
        levels = random.integers(-7, 8, shape).astype(np.int8)
        scales = random.uniform(0.1, 1, shape[axis]).astype(np.float32)
        stored = graph.constant(levels, scales)
        graph._graph.tensors[stored].quantization.quantizedDimension = axis
        return graph.add("DEQUANTIZE", [stored], shape)

    window = {"padding": SAME, "strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1}
    x = graph.add("CONV_2D", [graph.input((1, 5, 5, 3)), weights(5, 3, 3, 3)], (1, 5, 5, 5), **window)
    kernel = weights(1, 3, 3, 5, axis=3)
    x = graph.add("DEPTHWISE_CONV_2D", [x, kernel], (1, 5, 5, 5), **window, depthMultiplier=1)
    x = graph.add("RESHAPE", [x, graph.constant(np.int32([1, 125]))], (1, 125))
    return Flatbuffer(graph.content(graph.add("FULLY_CONNECTED", [x, weights(3, 125)], (1, 3))))


@pytest.mark.parametrize("kernels", ["reference", None])
def test_answers_are_those_of_int8_to_the_bit(kernels):
    eight = network()
    four = to_int4(eight)
    types = [four.type(operation.inputs[0]) for operation in four.operations if operation.type == "DEQUANTIZE"]
    assert types == ["INT4"] * 3
    images = np.random.default_rng(1).normal(size=(3, 5, 5, 3)).astype(np.float32)
    answers, expected = (Interpreter(file.pack(), kernels=kernels).predict(images) for file in (four, eight))
    assert np.ptp(answers) > 1
    np.testing.assert_array_equal(answers, expected)


def test_a_plan_has_a_byte_for_each():
    eight = network()
    assert compile_plan(to_int4(eight)) == compile_plan(eight)


def test_damaged_weights_are_refused_by_name():
    file = to_int4(network())
    tensor = next(tensor for tensor, name in enumerate(file.names) if file.shape(tensor) == (5, 3, 3, 3))
    buffer = file.model.buffers[file.buffer(tensor)]
    assert (file.names[tensor], len(buffer.data)) == ("t1/int4", 68)
    for data in (buffer.data[:67], np.append(buffer.data, np.uint8(0)), buffer.data | np.uint8([0] * 67 + [0xF0])):
        buffer.data = data
        with pytest.raises(ConversionError, match=r"^weights 't1/int4': damaged: .*135 numbers of 4 bits"):
            compile_plan(file.pack())
