"""A file is read, described and run in a process that never starts TensorFlow; and one that has may go on with it."""

import os
import subprocess
import sys

import bnext_keras

import numpy as np
import pytest

from converter import convert


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A file of two classes, and the answer for an image of ones."""
    path = tmp_path_factory.mktemp("file") / "model.tflite"
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=2)
    convert(model, path, labels=["cat", "dog"])
    return path, model.predict_on_batch(np.ones((1, 32, 32, 3), np.float32))


def run(program, *arguments):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


READ = """
import importlib, pkgutil, sys
from pathlib import Path
import converter.tflite
for module in pkgutil.iter_modules(converter.tflite.__path__):
    importlib.import_module(f"converter.tflite.{module.name}")
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.tflite.metadata import read_metadata
content = Path(sys.argv[1]).read_bytes()
flatbuffer, metadata = Flatbuffer(content), read_metadata(content)
print(flatbuffer.operators["LceBconv2d"], metadata.labels, metadata.input_orientation)
import numpy as np
print(*Interpreter(content).run_each(np.ones((1, 32, 32, 3), np.float32))[0][0])
assert "tensorflow" not in sys.modules
"""

THEN_TENSORFLOW = """
import bnext_keras
from larq_compute_engine.tflite.python.interpreter import Interpreter as LceInterpreter
from tensorflow.lite.python import schema_py_generated
from converter.tflite import schema
assert schema_py_generated.ModelT is not schema.ModelT
assert schema_py_generated.ModelT.InitFromObj(schema_py_generated.Model.GetRootAsModel(content, 0)).version == 3
print(*LceInterpreter(content).predict(np.ones((1, 32, 32, 3), np.float32))[0])
"""


def test_the_room_reads_and_runs_a_file(converted):
    path, expected = converted
    facts, answer = run(READ, path).splitlines()
    assert facts == "3 ['cat', 'dog'] as the Keras model"
    np.testing.assert_allclose([float(value) for value in answer.split()], expected[0], rtol=1e-3)


def test_tensorflow_and_lces_own_classes_may_come_later(converted):
    _, answer, same = run(READ + THEN_TENSORFLOW, converted[0]).splitlines()
    assert answer == same


@pytest.mark.parametrize("arguments", ["['--help']", "['{model}', '{photo}', '--json']"], ids=["help", "image"])
def test_predictions_of_a_file_need_no_tensorflow(converted, tmp_path, arguments):
    from PIL import Image

    Image.new("RGB", (40, 40), (255, 0, 0)).save(tmp_path / "photo.png")
    arguments = arguments.format(model=converted[0], photo=tmp_path / "photo.png")
    program = f"""
import sys
from converter.cli.predict import main
try:
    status = main({arguments})
except SystemExit as end:
    status = end.code
assert status == 0
assert "tensorflow" not in sys.modules
"""
    assert run(program)
