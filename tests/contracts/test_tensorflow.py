"""What TensorFlow does not document and the packages use: see docs/private-api.md."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture
def weight():
    return tf.Variable(3.0)


@pytest.fixture
def concrete_function(weight):
    """``y = w x + more``, with a mark on the multiplication."""

    @tf.function(input_signature=[tf.TensorSpec((2,), name="image"), [tf.TensorSpec(())]], autograph=False)
    def function(x, more):
        product = tf.multiply(x, weight, name="product")
        product.op._set_attr("_mark", tf.compat.v1.AttrValue(i=7))
        return tf.identity(product + more[0])

    return function.get_concrete_function()


def frozen(function):
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    return convert_variables_to_constants_v2(function, lower_control_flow=False)


def test_a_concrete_function_is_frozen(concrete_function):
    function = frozen(concrete_function)
    assert "VarHandleOp" not in {operation.type for operation in function.graph.get_operations()}
    image, more = (tensor for tensor in function.inputs if tensor.dtype != tf.resource)
    assert image.op.name == "image", "inputs must come in the order of the signature"
    assert more.shape == ()
    assert len(function.outputs) == 1


def test_a_mark_on_an_operation_survives_freezing(concrete_function):
    nodes = frozen(concrete_function).graph.as_graph_def().node
    assert [node.attr["_mark"].i for node in nodes if "_mark" in node.attr] == [7]


def test_a_context_has_a_handle_once_something_has_been_computed():
    from tensorflow.python.eager import context

    tf.constant(1.0)
    assert context.context()._context_handle is not None
    assert context.Context()._context_handle is None, "a context that has computed nothing has none"


def test_the_registry_tells_which_attributes_follow_from_inputs():
    from tensorflow.python.framework import op_def_registry

    assert [argument.type_attr for argument in op_def_registry.get("Pad").input_arg] == ["T", "Tpaddings"]


def test_the_schema_reads_and_writes_a_file():
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [schema.SubGraphT()], [schema.BufferT()]
    model.buffers[0].data = np.arange(4, dtype=np.uint8)
    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.type = b"weights", [1, 2], schema.TensorType.FLOAT32
    model.subgraphs[0].tensors = [tensor]
    builder = flatbuffers.Builder(64)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")

    lazy = schema.Model.GetRootAsModel(bytes(builder.Output()), 0)
    assert (lazy.SubgraphsLength(), lazy.BuffersLength(), lazy.Subgraphs(0).TensorsLength()) == (1, 1, 1)
    read = schema.ModelT.InitFromObj(lazy)
    assert read.subgraphs[0].tensors[0].name == b"weights"
    assert list(read.subgraphs[0].tensors[0].shape) == [1, 2]
    assert bytes(read.buffers[0].data) == bytes(range(4))


def test_the_schema_needs_no_tensorflow():
    program = """
import importlib.util, runpy, sys

(folder,) = importlib.util.find_spec("tensorflow").submodule_search_locations
classes = runpy.run_path(f"{folder}/lite/python/schema_py_generated.py")
print(classes["ModelT"].__name__, "tensorflow" in sys.modules)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.stdout == "ModelT False\n", result.stderr


def test_an_exception_in_a_numpy_function_is_quoted():
    def load(number):
        raise ValueError("photos/cat.jpg: label 12 is none of 10 classes")

    data = tf.data.Dataset.range(1).map(lambda number: tf.numpy_function(load, [number], tf.float32))
    with pytest.raises(tf.errors.OpError) as raised:
        next(iter(data))
    assert "ValueError: photos/cat.jpg: label 12 is none of 10 classes\n" in raised.value.message


def test_a_custom_gradient_can_be_taken_from_the_registry():
    from tensorflow.python.framework.ops import gradient_registry

    same = tf.custom_gradient(lambda x: (tf.identity(x), lambda upstream: upstream))
    asked = []
    with tf.Graph().as_default():
        x = tf.constant(1.0)
        y = same(x)
        name = y.op.get_attr("_gradient_op_type").decode()
        entry = gradient_registry._registry[name]
        gradient = entry["type"]
        entry["type"] = lambda *args: asked.append(name) or gradient(*args)
        tf.compat.v1.gradients(y, [x])
    assert asked == [name]
    assert gradient_registry._registry.pop(name) is entry
