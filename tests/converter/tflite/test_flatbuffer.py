"""Files that anybody may have made: read, or refused in one line."""

import bnext_keras

import flatbuffers
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from larq_compute_engine.tflite.python.interpreter import Interpreter
from tensorflow.lite.python import schema_py_generated as schema

from converter import ConversionError, convert
from converter.tflite.adding import new_code
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.metadata import read_metadata
from converter.tflite.parsing import custom_operators, has_int4


@pytest.fixture(scope="module")
def content():
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=2)
    return convert(model, labels=["cat", "dog"]).content


def read_or_refuse(content):
    """Everything that is asked about a file before it runs."""
    message = other = ""
    found = None
    try:
        flatbuffer = Flatbuffer(content)
        found = (flatbuffer.operators, flatbuffer.names, flatbuffer.operations, flatbuffer.binary_convs)
        read_metadata(content)
    except ConversionError as error:
        found, message = None, str(error)
    assert not message or (message.isprintable() and len(message) < 300)
    try:
        custom_operators(content)
        has_int4(content)
    except ConversionError as error:
        other = str(error)
    assert not other or other.isprintable()
    return found


RELAXED = settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


def test_a_whole_file(content):
    operators, names, operations, convs = read_or_refuse(content)
    assert operators["LceBconv2d"] == len(convs) == 3
    assert len(operations) == sum(operators.values())
    assert "image" in names


def test_packing_changes_nothing(content):
    flatbuffer = Flatbuffer(content)
    packed = flatbuffer.pack()
    assert Flatbuffer(packed).pack() == packed
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(Interpreter(packed).predict(images), Interpreter(content).predict(images))


def test_every_truncation(content):
    size = len(Flatbuffer(content).pack())
    for length in range(0, size, size // 200):
        assert read_or_refuse(content[:length]) is None


@RELAXED
@given(data=st.data())
def test_flipped_bits(content, data):
    damaged = bytearray(content)
    # The tables are at the front, and constants, whose bits may be any, behind.
    for position, bit in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 7)), min_size=1, max_size=30)
    ):
        damaged[position] ^= 1 << bit
    read_or_refuse(bytes(damaged))


@RELAXED
@given(data=st.data())
def test_words_that_are_other_words(content, data):
    """Lengths, offsets and indices of every size, where those of the file were."""
    damaged = np.frombuffer(content[: len(content) // 4 * 4], np.uint32).copy()
    words = st.sampled_from([0, 1, 2, 4, 255, 2**16, 2**20, 2**28, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1])
    for position, word in data.draw(
        st.lists(st.tuples(st.integers(0, len(damaged) - 1), words), min_size=1, max_size=10)
    ):
        damaged[position] = word
    read_or_refuse(damaged.tobytes())


@RELAXED
@given(content=st.binary(max_size=200))
def test_any_bytes(content):
    assert read_or_refuse(content) is None
    assert read_or_refuse(b"\x10\0\0\0TFL3" + content) is None


def bomb(operators=1, tensors=1, name=b"x", subgraphs=1):
    """A small file whose lists have the same entry many times."""
    builder = flatbuffers.Builder(1024)
    shared = builder.CreateString(name)

    def repeated(offset, count):
        builder.StartVector(4, count, 4)
        for _ in range(count):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    schema.TensorStart(builder)
    schema.TensorAddName(builder, shared)
    tensor_list = repeated(schema.TensorEnd(builder), tensors)
    schema.OperatorStart(builder)
    operator_list = repeated(schema.OperatorEnd(builder), operators)
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensor_list)
    schema.SubGraphAddOperators(builder, operator_list)
    graph_list = repeated(schema.SubGraphEnd(builder), subgraphs)
    schema.ModelStart(builder)
    schema.ModelAddSubgraphs(builder, graph_list)
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"operators": 200_000}, "it has 200000 operators"),
        ({"subgraphs": 50_000, "operators": 1000}, "it has 50000 subgraphs"),
        ({"tensors": 50_000, "name": b"x" * 1_000_000}, "its names overlap"),
    ],
)
def test_bombs(options, reason):
    with pytest.raises(ConversionError, match=reason):
        Flatbuffer(bomb(**options))


def test_custom_operators_of_a_file_of_several_subgraphs():
    """Other tools write them, for loops; a benchmark may still want to know what such a file needs."""
    assert custom_operators(bomb(subgraphs=3)) == set()
    with pytest.raises(ConversionError, match="it has 3 subgraphs"):
        Flatbuffer(bomb(subgraphs=3))
    with pytest.raises(ConversionError, match="it has 200000 operators"):
        custom_operators(bomb(operators=200_000))


def test_types_of_operators_of_old_files(content):
    """Before 2021 the type's number stood in another field."""
    old = Flatbuffer(content)
    expected = old.operators
    for code in old.model.operatorCodes:
        assert code.builtinCode == code.deprecatedBuiltinCode
        code.builtinCode = 0
    assert Flatbuffer(old.pack()).operators == expected


def test_types_of_operators_for_old_readers(content):
    """Some tools fill the field that there is since 2021 alone, and tf2onnx looks at the older one."""
    new = Flatbuffer(content)
    new.model.operatorCodes.append(new_code("DEQUANTIZE"))
    new.model.operatorCodes.append(new_code("GELU"))
    for code in new.model.operatorCodes:
        code.deprecatedBuiltinCode = 0
    packed = Flatbuffer(new.pack()).model.operatorCodes
    assert [code.deprecatedBuiltinCode for code in packed[-2:]] == [6, 127]
    assert [code.builtinCode for code in packed[-2:]] == [6, 150]


def test_constants_that_are_the_same_bytes():
    """Fifty thousand buffers of the same megabyte would be 50 GB if they were packed again."""
    builder = flatbuffers.Builder(2**21)
    data = builder.CreateByteVector(bytes(2**20))
    schema.BufferStart(builder)
    schema.BufferAddData(builder, data)
    buffer = schema.BufferEnd(builder)
    schema.SubGraphStart(builder)
    graph = schema.SubGraphEnd(builder)
    lists = []
    for offset, count in ((buffer, 50_000), (graph, 1)):
        builder.StartVector(4, count, 4)
        for _ in range(count):
            builder.PrependUOffsetTRelative(offset)
        lists.append(builder.EndVector())
    schema.ModelStart(builder)
    schema.ModelAddBuffers(builder, lists[0])
    schema.ModelAddSubgraphs(builder, lists[1])
    builder.Finish(schema.ModelEnd(builder), file_identifier=b"TFL3")
    with pytest.raises(ConversionError, match="its constants overlap"):
        Flatbuffer(bytes(builder.Output()))


def test_a_file_lists_no_types_of_operators_that_it_has_none_of(small_bnext):
    """LCE writes constants of one value, which stand in for kernels, with FILL; none is left."""
    flatbuffer = Flatbuffer(convert(small_bnext).content)
    assert len(flatbuffer.model.operatorCodes) == len(flatbuffer.operators)
    assert "FILL" not in flatbuffer.operators
