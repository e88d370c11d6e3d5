"""``bnext-landscape``: pictures of real losses, and what it refuses."""

import bnext_keras
from bnext_keras.analysis import read_landscape
from bnext_keras.cli.landscape import main

import pytest
import tensorflow as tf


@pytest.fixture
def model(tmp_path):
    image = tf.keras.Input((32, 32, 3))
    x = tf.keras.layers.AveragePooling2D(8)(image)
    x = bnext_keras.layers.BinaryConv2D(4, 3, name="conv")(x)
    network = tf.keras.Model(image, tf.keras.layers.Dense(10)(tf.keras.layers.Flatten()(x)))
    network.save(tmp_path / "tiny.h5")
    return tmp_path / "tiny.h5"


def test_models_are_drawn_and_their_losses_kept(model, tmp_path, capsys):
    picture = tmp_path / "picture.svg"
    arguments = ["--data", "digits", "--images", "20", "--steps", "3", "--mean", "0.5", "--std", "0.5"]
    assert main([str(model), "-o", str(picture), *arguments]) == 0
    out, err = capsys.readouterr()
    losses = tmp_path / "picture-tiny.npz"
    landscape = read_landscape(losses)
    row = ["tiny", f"{landscape.centre:.4f}", f"{100 * landscape.centre_accuracy:.2f}", f"{landscape.roughness:.3f}"]
    assert row in [line.split() for line in out.splitlines()]
    assert f"wrote {picture}, {losses}" in out
    assert err == ""
    assert "tiny" in picture.read_text()

    again = tmp_path / "again.png"
    assert main([str(losses), "-o", str(again), "--no-surface"]) == 0
    assert again.read_bytes()[:4] == b"\x89PNG"


def test_images_are_of_all_classes(model, tmp_path, monkeypatch):
    found = []

    def noted(model, batches, **options):
        found.extend(int(label) for _, labels in batches for label in labels)
        raise ValueError("enough")

    monkeypatch.setattr("bnext_keras.analysis.landscape.loss_landscape", noted)
    arguments = ["--data", "digits", "--images", "50", "--steps", "3", "--scale", "1"]
    assert main([str(model), "-o", str(tmp_path / "x.png"), *arguments]) == 2
    assert 50 <= len(found) < 60
    assert set(found) == set(range(10))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "picture.gif", "--data", "digits"], "picture.gif: a picture ends in .png, .svg, .pdf"),
        ([], "--data: say which images the loss is measured on"),
        (["--data", "no-such-folder"], "--data no-such-folder: no such folder"),
        (["--data", "digits", "--steps", "4"], "steps must be an odd number of at least 3, got 4"),
    ],
)
def test_what_cannot_be_drawn_is_refused(model, refused_by, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert message in refused_by(main)(model, *arguments, "--scale", "1")


def test_a_model_of_other_classes_is_refused(tmp_path, refused_by, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = tf.keras.Input((8, 8, 3))
    tf.keras.Model(image, tf.keras.layers.Dense(3)(tf.keras.layers.Flatten()(image))).save("three.h5")
    message = refused_by(main)("three.h5", "--data", "digits", "--scale", "1")
    assert message.endswith("three.h5: has 3 outputs, and the data 10 classes")
