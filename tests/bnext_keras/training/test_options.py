"""What recipes may choose beside the method: half precision, XLA, averages of weights; and what it will cost."""

import itertools
import shutil

from bnext_keras import models, recipes
from bnext_keras.cli.train import main
from bnext_keras.recipes import Recipe
from bnext_keras.training import estimate
from bnext_keras.training.estimate import Estimate, Pace

import forked
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from converter import convert

SETTINGS = [
    "widths=8,16",
    "epochs=2",
    "batch_size=256",
    "teacher_epochs=1",
    "weak_teachers=ConvNet2",
    "strong_teacher=ConvNet2",
]


def run(folder, *arguments):
    result = forked.run("-m", "bnext_keras.cli.train", "digits", "--out", folder, *SETTINGS, *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.exhaustive
def test_a_run_of_float16_with_averages_continues_and_converts(tmp_path):
    options = ["precision=mixed_float16", "ema=0.9"]
    run(tmp_path / "run", *options)
    model = tf.keras.models.load_model(tmp_path / "run" / "final.h5")
    assert isinstance(model.optimizer, tf.keras.mixed_precision.LossScaleOptimizer)
    assert {weight.dtype for weight in model.weights} == {tf.float32}
    assert convert(model).verification.passed

    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    (copy / "final.h5").unlink()
    tf.compat.v1.train.update_checkpoint_state(copy / "checkpoints", str(copy / "checkpoints" / "ckpt-1"))
    output = run(copy, "--resume", *options)
    assert "Epoch 1/2" not in output
    for file in ("final.h5", "best.h5"):
        weights = [tf.keras.models.load_model(folder / file).get_weights() for folder in (tmp_path / "run", copy)]
        for one, other in zip(*weights, strict=True):
            np.testing.assert_array_equal(one, other)
    assert (copy / "history.csv").read_bytes() == (tmp_path / "run" / "history.csv").read_bytes()


@pytest.mark.exhaustive
def test_an_estimate_leaves_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(models, "BNext", lambda **options: _convnet(**options))
    assert main(["digits", "--estimate", *SETTINGS]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "images    1,437 to train on, 360 to evaluate with"
    assert lines[1] == "steps     10: 2 epochs, 5 steps of 256 images in each"
    assert lines[3] == "teachers  ConvNet2: trained first, 1 epoch each"
    assert [line.split()[0] for line in lines] == ["images", "steps", "a", "teachers", "time", "disk"]
    assert not list(tmp_path.iterdir())


def test_an_estimate_evaluates_no_more_batches_than_there_are(tmp_path, monkeypatch, caplog):
    """Keras would warn that its input ran out of data."""
    monkeypatch.setattr(models, "BNext", lambda **options: _convnet(**options))
    random = np.random.default_rng(0)
    for split, name in itertools.product(("train", "val"), ("dark", "light")):
        (tmp_path / split / name).mkdir(parents=True)
        for i in range(4):
            Image.fromarray(random.integers(256, size=(16, 16, 3), dtype=np.uint8)).save(
                tmp_path / split / name / f"{i}.png"
            )
    texts = ["widths=8,16", "num_classes=2", "image_size=16", "batch_size=4", "epochs=1", "warmup_epochs=0"]
    recipe = Recipe("BNext").with_settings(texts)
    found = estimate(recipe, str(tmp_path), seconds=0)
    assert (found.images, found.steps) == ((8, 8), 2)
    assert "ran out of data" not in caplog.text


def _convnet(input_shape, num_classes, widths, stem_stride=1):
    """For the estimate it is all the same what the student is."""
    image = tf.keras.Input(input_shape)
    x = tf.keras.layers.GlobalAveragePooling2D()(tf.keras.layers.Conv2D(widths[0], 3)(image))
    return tf.keras.Model(image, tf.keras.layers.Dense(num_classes)(x))


def test_an_estimate_in_words():
    pace = Pace(first_step=60.0, step=0.5, evaluation_step=0.25)
    estimated = Estimate((1_281_167, 50_000), 512, 2502, 512, pace, (), 0, pace.seconds(512, 2502, 98), 300 * 2**20)
    assert str(estimated) == (
        "images    1,281,167 to train on, 50,000 to evaluate with\n"
        "steps     1,281,024: 512 epochs, 2,502 steps of 512 images in each\n"
        "a step    0.5 s, 1,024 images/s; the first one 60 s\n"
        "time      7.6 days\n"
        "disk      300.00 MiB at most, TensorBoard's logs aside"
    )


def test_what_cannot_be_estimated_is_refused():
    recipe = recipes.read("digits")[1]
    with pytest.raises(Exception, match="an estimate is made by one process"):
        estimate(recipe, strategy="multi_worker")
    with pytest.raises(Exception, match="XLA cannot compile a step that devices share"):
        estimate(recipe.derive(compute={"jit_compile": True}), strategy="mirrored")
