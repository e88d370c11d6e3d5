"""What Larq Compute Engine does not document and the packages use: see docs/private-api.md."""

import subprocess
import sys

import larq as lq
import numpy as np
import pytest
import tensorflow as tf


@pytest.fixture(scope="module")
def file():
    """A binary convolution in a graph of its own, compiled."""
    from larq_compute_engine.mlir._tf_tfl_flatbuffer import convert_graphdef_to_tflite_flatbuffer

    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (1, 4, 4, 32), name="image")
        signs = lq.math.sign(image)
        kernel = tf.constant(np.where(np.arange(32 * 8) % 3, 1.0, -1.0).reshape(1, 1, 32, 8), tf.float32)
        conv = tf.nn.conv2d(signs, kernel, 1, "VALID", name="n7_")
        tf.identity(tf.sigmoid(conv), name="output")
    arguments = ["image"], ["DT_FLOAT"], [[1, 4, 4, 32]], ["output"], False, "arm", None
    return bytes(convert_graphdef_to_tflite_flatbuffer(graph.as_graph_def().SerializeToString(), *arguments))


def test_a_graph_is_compiled(file):
    assert file[4:8] == b"TFL3"
    assert b"LceBconv2d" in file
    assert b"LceQuantize" in file


def test_tensors_are_named_after_nodes(file):
    names = [name for name in file.split(b"\0") if b"n7_" in name]
    assert names, "no tensor is named after the convolution's node"
    assert all(b"n7_" in name.split(b";") for name in names), names


def test_the_interpreter_runs_without_its_package(file, tmp_path):
    (tmp_path / "model.tflite").write_bytes(file)
    # A process of its own: two copies of the module in one end it.
    program = """
import importlib.util, sys
from pathlib import Path
import numpy as np

(folder,) = importlib.util.find_spec("larq_compute_engine").submodule_search_locations
(path,) = Path(folder, "tflite/python").glob("interpreter_wrapper_lite.*")
specification = importlib.util.spec_from_file_location("interpreter_wrapper_lite", path)
module = importlib.util.module_from_spec(specification)
specification.loader.exec_module(module)
# Content, threads, reference kernels, indirect kernels, XNNPACK.
interpreter = module.LiteInterpreter(Path(sys.argv[1]).read_bytes(), 1, False, True, False)
assert [tuple(shape) for shape in interpreter.input_shapes] == [(1, 4, 4, 32)]
assert [tuple(shape) for shape in interpreter.output_shapes] == [(1, 4, 4, 8)]
assert [np.dtype(kind) for kind in interpreter.input_types + interpreter.output_types] == [np.float32, np.float32]
(output,) = interpreter.predict([np.ones((1, 4, 4, 32), np.float32)])
print(output.shape, "tensorflow" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "model.tflite")]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.stdout == "(1, 4, 4, 8) False\n", result.stderr
