"""Weights of 4 bits: what their bytes are, and files that have them."""

from bnext_keras.errors import ConversionError

import numpy as np
import pytest
from tflite_graphs import Graph

from converter.quantization.levels import with_int8
from converter.runtimes.litert import LiteRTInterpreter
from converter.tflite import int4, parsing
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter


def dense(levels, scales):
    """A file of one dense layer, whose weights are int8."""
    graph = Graph()
    x, weights = graph.input((1, levels.shape[1])), graph.constant(np.zeros(levels.shape, np.float32))
    file = Flatbuffer(graph.content(graph.add("FULLY_CONNECTED", [x, weights], (1, len(levels)))))
    return with_int8(file, {weights: (0, levels, np.float32(scales))})


def odd():
    """Three rows of five weights, and what they make of an image."""
    levels = (np.arange(15, dtype=np.int8) - 7).clip(-7, 7).reshape(3, 5)
    image = np.float32([[1, 2, -3, 0.5, 1]])
    return dense(levels, [0.1, 0.2, 0.3]), image, image @ (levels * np.float32([[0.1], [0.2], [0.3]])).T


def test_the_first_number_is_in_the_low_half():
    assert int4.pack(np.int8([1, -1, 7, -8])).tolist() == [0xF1, 0x87]
    assert int4.unpack(np.uint8([0xF1, 0x87]), 4).tolist() == [1, -1, 7, -8]


def test_every_byte_is_two_numbers_from_minus_8_to_7():
    data = np.arange(256, dtype=np.uint8)
    numbers = int4.unpack(data, 512)
    assert (numbers.min(), numbers.max(), len(numbers)) == (-8, 7, 512)
    np.testing.assert_array_equal(int4.pack(numbers), data)


def test_of_an_odd_number_the_last_half_byte_is_zero():
    assert int4.pack(np.int8([[1], [2], [-3]])).tolist() == [0x21, 0x0D]
    assert int4.unpack(np.uint8([0x21, 0x0D]), 3).tolist() == [1, 2, -3]
    with pytest.raises(ValueError, match="of 3 numbers of 4 bits the last half byte is not 0"):
        int4.unpack(np.uint8([0x21, 0x1D]), 3)


@pytest.mark.parametrize(("count", "bytes"), [(3, 1), (3, 3), (4, 1), (4, 3), (0, 1)])
def test_another_number_of_bytes_is_refused(count, bytes):
    needed = (count + 1) // 2
    with pytest.raises(ValueError, match=f"{count} numbers of 4 bits take {needed} bytes, not {bytes}"):
        int4.unpack(np.zeros(bytes, np.uint8), count)


def test_a_file_shrinks_by_half_a_byte_for_each_weight():
    levels = np.random.default_rng(0).integers(-7, 8, (64, 64)).astype(np.int8)
    before = dense(levels, [0.5] * 64)
    after = int4.to_int4(before)
    assert len(before.pack()) - len(after.pack()) == 64 * 64 // 2
    (operation,) = (each for each in after.operations if each.type == "DEQUANTIZE")
    (tensor,) = operation.inputs
    assert (after.type(tensor), after.nbytes(tensor), after.shape(tensor)) == ("INT4", 2048, (64, 64))
    np.testing.assert_array_equal(int4.read(after, tensor), levels)
    assert [code.version for code in after.model.operatorCodes] == [1, 6]


def test_the_file_that_it_is_made_of_stays_as_it_is():
    before, _, _ = odd()
    content = before.pack()
    assert int4.to_int4(before).has_int4
    assert before.pack() == content


@pytest.mark.parametrize("largest", [8, 127, -9])
def test_what_4_bits_do_not_hold_stays_int8(largest):
    levels = np.zeros((2, 3), np.int8)
    levels[1, 2] = largest
    assert not int4.to_int4(dense(levels, [1.0, 1.0])).has_int4


def test_what_something_else_reads_or_the_file_gives_stays_int8():
    graph = Graph()
    levels = graph.constant(np.ones((1, 4), np.int8), [1.0])
    floats = graph.add("DEQUANTIZE", [levels], (1, 4))
    both = graph.add("DEQUANTIZE", [other := graph.constant(np.ones((1, 4), np.int8), [1.0])], (1, 4))
    again = graph.add("RESHAPE", [levels, graph.constant(np.int32([4]))], (4,), dtype="INT8")
    assert not int4.to_int4(Flatbuffer(graph.content(floats, both, again, other))).has_int4


def test_equal_constants_go_on_sharing_their_bytes():
    graph = Graph()
    x = graph.input((1, 32))
    levels = [graph.constant(np.ones((32, 32), np.int8), [scale]) for scale in (1.0, 2.0)]
    for each in levels:
        x = graph.add("FULLY_CONNECTED", [x, graph.add("DEQUANTIZE", [each], (32, 32))], (1, 32))
    file = Flatbuffer(graph.content(x))
    file.model.subgraphs[0].tensors[levels[1]].buffer = file.buffer(levels[0])
    after = int4.to_int4(file)
    stored = [operation.inputs[0] for operation in after.operations if operation.type == "DEQUANTIZE"]
    assert [after.type(tensor) for tensor in stored] == ["INT4", "INT4"]
    assert after.buffer(stored[0]) == after.buffer(stored[1])


def test_damaged_weights_are_named():
    before, _, _ = odd()
    file = int4.to_int4(before)
    tensor = next(tensor for tensor in range(len(file.names)) if file.type(tensor) == "INT4")
    buffer = file.model.buffers[file.buffer(tensor)]
    for data, reason in (
        (buffer.data[:-1], "15 numbers of 4 bits take 8 bytes, not 7"),
        (np.append(buffer.data, np.uint8(0)), "15 numbers of 4 bits take 8 bytes, not 9"),
        (buffer.data | np.uint8([0] * 7 + [0x10]), "of 15 numbers of 4 bits the last half byte is not 0"),
    ):
        buffer.data = data
        with pytest.raises(ConversionError, match=f"^weights 't1/int4': damaged: {reason}$"):
            int4.read(file, tensor)


def test_litert_reads_them_as_we_write_them():
    before, image, expected = odd()
    content = int4.to_int4(before).pack()
    answer = LiteRTInterpreter(content, kernels="builtin").run([image])[0]
    np.testing.assert_allclose(answer, expected, rtol=1e-6)
    np.testing.assert_array_equal(answer, LiteRTInterpreter(before.pack(), kernels="builtin").run([image])[0])


def test_lce_refuses_them():
    """If this fails, a newer interpreter reads them, and they need not be for the engine alone."""
    before, image, _ = odd()
    assert Interpreter(before.pack()).run([image])[0].shape == (1, 3)
    with pytest.raises(RuntimeError, match="interpreter_ != nullptr"):
        Interpreter(int4.to_int4(before).pack())


def test_they_are_found_without_unpacking_the_file():
    before, _, _ = odd()
    assert parsing.has_int4(int4.to_int4(before).pack())
    assert not parsing.has_int4(before.pack())
    with pytest.raises(parsing.DamagedFile, match="does not begin like one"):
        parsing.has_int4(b"none")
    with pytest.raises(parsing.DamagedFile):
        parsing.has_int4(before.pack()[:100])
