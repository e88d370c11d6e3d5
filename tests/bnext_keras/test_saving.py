"""Models survive being saved, bit for bit, and load without custom_objects."""

import subprocess
import sys
from pathlib import Path

from bnext_keras import models
from bnext_keras.constraints import Unbounded
from bnext_keras.quantizers import temperatures

import forked
import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from alike import with_more

CONTINUED_TRAINING = Path(__file__).parents[1] / "support" / "programs" / "continued_training.py"
IMAGES = np.random.default_rng(0).normal(size=(8, 32, 32, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    model = models.BNext([32, 64, 128], input_shape=(32, 32, 3), num_classes=10)
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(IMAGES, np.arange(8), verbose=0)
    for i, temperature in enumerate(temperatures(model).values()):
        temperature.assign(i / 8)
    return model


def assert_same(model, other):
    assert [layer.name for layer in model.layers] == [layer.name for layer in other.layers]
    for weight, copy in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), copy.numpy(), err_msg=weight.name)
    for training in (False, True):
        np.testing.assert_array_equal(model(IMAGES, training=training), other(IMAGES, training=training))


@pytest.mark.parametrize("name", with_more(["model.h5", "model.keras"], ["saved_model"]))
def test_a_whole_model_round_trips(trained, tmp_path, name):
    trained.save(tmp_path / name)
    copy = tf.keras.models.load_model(tmp_path / name)
    assert_same(trained, copy)
    assert copy.get_layer("block2_3x3_conv").kernel_constraint.clip_value == 1.5


@pytest.mark.parametrize("name", ["model.h5", "model.keras"])
def test_training_continues_as_if_nothing_had_happened(tmp_path, name):
    result = forked.run(CONTINUED_TRAINING, tmp_path / name)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["model.weights.h5", "weights.h5", "checkpoint"])
def test_weights_alone_round_trip(trained, tmp_path, name):
    trained.save_weights(tmp_path / name)
    copy = models.BNext([32, 64, 128], input_shape=(32, 32, 3), num_classes=10)
    copy.load_weights(tmp_path / name)
    assert_same(trained, copy)


def test_another_process_loads_it_knowing_nothing_but_the_import(trained, tmp_path):
    trained.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", IMAGES)
    program = (
        "import bnext_keras, numpy as np, tensorflow as tf\n"
        "model = tf.keras.models.load_model('model.keras')\n"
        "np.save('logits.npy', model.predict(np.load('images.npy'), verbose=0))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "logits.npy"), trained.predict(IMAGES, verbose=0))


@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
def test_a_kernel_without_a_bound_survives_a_file(tmp_path, file):
    """As BoolNet, Group-Net and PokeBNN have them."""
    options = {"kernel_quantizer": "ste_sign", "kernel_constraint": Unbounded(), "input_shape": (3,)}
    tf.keras.Sequential([lq.layers.QuantDense(2, **options)]).save(tmp_path / file)
    (layer,) = tf.keras.models.load_model(tmp_path / file).layers
    assert isinstance(layer.kernel_constraint, Unbounded)
