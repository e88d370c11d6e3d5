"""Runs that begin with weights from a file."""

import json

from bnext_keras import models, recipes
from bnext_keras.classes import annotate, stated
from bnext_keras.errors import RunError
from bnext_keras.files import sha256
from bnext_keras.orientation import add_rotation, is_rotating
from bnext_keras.quantizers import temperatures
from bnext_keras.training import train
from bnext_keras.training.student import build_model

import numpy as np
import pytest
import tensorflow as tf

NAMES = [str(digit) for digit in range(10)]
SMALL = {"widths": [8, 8], "stem_stride": 2, "info_recoupling": False}
SETTINGS = ["widths=8,8", "info_recoupling=false", "weak_teachers=", "strong_teacher=", "batch_size=256"]


def recipe(*settings):
    return recipes.read("digits")[1].with_settings([*SETTINGS, "warmup_epochs=0", *settings])


@pytest.fixture
def init(tmp_path):
    """A file of a network for the digits, with weights that a fresh one has not."""
    tf.keras.utils.set_random_seed(1)
    model = models.BNext(**SMALL, input_shape=(32, 32, 3), num_classes=10)
    for weight in model.weights:
        if "temperature" not in weight.name:
            weight.assign(weight + tf.random.uniform(weight.shape, 0.1, 0.2))
    annotate(model, class_names=NAMES).save(tmp_path / "init.h5")
    return tmp_path / "init.h5"


def head(model):
    return model.get_layer("head").kernel.numpy()


def of_file(path):
    model = tf.keras.models.load_model(path, compile=False)
    return {weight.name: weight.numpy() for weight in model.weights}


def test_a_head_is_kept_for_the_classes_of_the_file_alone(init, caplog):
    file = tf.keras.models.load_model(init, compile=False)
    np.testing.assert_array_equal(head(build_model(recipe(f"init={init}"), NAMES)), head(file))
    assert "keeps its fresh" not in caplog.text
    other = build_model(recipe(f"init={init}"), [f"class {name}" for name in NAMES])
    assert "init.h5 has no weights for these classes in head, which keeps its fresh ones: train it" in caplog.text
    assert abs(head(other) - head(file)).max() > 0.1
    assert stated(other).class_names[0] == "class 0"
    np.testing.assert_array_equal(other.get_layer("stem_conv").kernel, file.get_layer("stem_conv").kernel)


def test_soft_kernels_of_the_file_become_binary(init, caplog):
    model = tf.keras.models.load_model(init, compile=False)
    temperatures(model)["block1_3x3_conv"].assign(0.25)
    model.save(init)
    built = build_model(recipe(f"init={init}"), NAMES)
    assert float(temperatures(built)["block1_3x3_conv"]) == 0
    assert "init.h5: the kernels of 1 layers were not binary; they are now" in caplog.text


def test_a_file_that_does_not_fit_is_refused(init, tmp_path):
    with pytest.raises(RunError, match=r"init=.*init\.h5: bnext: .* layers have another shape: block1_"):
        build_model(recipe(f"init={init}", "widths=16,16"), NAMES)
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(RunError, match=r"init=.*text\.h5: "):
        build_model(recipe(f"init={tmp_path / 'text.h5'}"), NAMES)


@pytest.mark.exhaustive
def test_a_run_begins_with_its_weights_and_continues_without_their_file(init, tmp_path):
    """An imported network, which turns its images, and all of it but the head frozen."""
    turned = add_rotation(tf.keras.models.load_model(init, compile=False))
    turned.save(init)
    digest, before = sha256(init), of_file(init)
    start = recipe(f"init={init}", "freeze=backbone", "epochs=1", "final_learning_rate=2e-3")
    train(start, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    expected = {"init": str(init), "freeze": ["backbone"], "temperature": 0.0, "measure_bounds": False}
    assert record["recipe"]["start"] == expected
    assert record["init_sha256"] == digest
    for path in ("initial.h5", "final.h5"):
        after = of_file(tmp_path / "run" / path)
        assert set(after) == set(before)
        changed = {name for name in before if not np.array_equal(before[name], after[name])}
        assert changed == ({"head/kernel:0", "head/bias:0"} if path == "final.h5" else set())

    init.unlink()
    history = train(start.derive(schedule={"epochs": 2}), tmp_path / "run", resume=True)
    assert len(history.rows) == 2
    assert is_rotating(tf.keras.models.load_model(tmp_path / "run" / "final.h5", compile=False))
    (tmp_path / "run" / "initial.h5").unlink()
    with pytest.raises(RunError, match=r"initial\.h5: is missing; bring it back"):
        train(None, tmp_path / "run", resume=True)
