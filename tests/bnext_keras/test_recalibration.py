"""Statistics of batch normalizations, measured anew."""

from bnext_keras import models
from bnext_keras.classes import annotate
from bnext_keras.errors import UserError
from bnext_keras.preprocessing import Normalization
from bnext_keras.quantizers import temperatures
from bnext_keras.recalibration import read_batches, recalibrate, recalibrate_on, recalibrated

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

Layers = tf.keras.layers
RNG = np.random.default_rng(0)


def normed(*layers):
    norm = Layers.BatchNormalization(name="norm")
    return tf.keras.Sequential([tf.keras.Input((4,)), *layers, norm]), norm


def test_statistics_become_the_averages_of_the_batches():
    model, norm = normed()
    batches = [RNG.normal(3, 2, (16, 4)).astype(np.float32) for _ in range(3)]
    assert recalibrate(model, tf.data.Dataset.from_tensor_slices((np.stack(batches), [0, 1, 2]))) is model
    np.testing.assert_allclose(norm.moving_mean, np.mean([batch.mean(0) for batch in batches], 0), rtol=1e-5)
    np.testing.assert_allclose(norm.moving_variance, np.mean([batch.var(0) for batch in batches], 0), rtol=1e-5)
    assert norm.momentum == 0.99
    assert "call" not in vars(norm)


def test_a_frozen_layer_is_measured_and_stays_frozen():
    model, norm = normed(Layers.Dropout(0.5))
    norm.trainable = False
    recalibrate(model, [np.full((8, 4), 2, np.float32)])
    assert not norm.trainable
    # Nothing is dropped.
    np.testing.assert_allclose(norm.moving_mean, 2)


def test_soft_kernels_are_measured_as_binary_ones():
    model = models.BNext([8, 16], input_shape=(16, 16, 3), num_classes=2)
    images = RNG.standard_normal((8, 16, 16, 3)).astype(np.float32)
    recalibrate(model, [images])
    expected = model.get_layer("block1_3x3_bn1").moving_variance.numpy()
    for variable in temperatures(model).values():
        variable.assign(0.5)
    recalibrate(model, [images])
    np.testing.assert_array_equal(model.get_layer("block1_3x3_bn1").moving_variance, expected)


@pytest.mark.parametrize(
    ("batches", "message"),
    [([], "there is no batch"), ([np.full((8, 4), np.nan, np.float32)], "a statistic is not a finite number")],
)
def test_what_cannot_be_measured_changes_nothing(batches, message):
    model, norm = normed()
    with pytest.raises(ValueError, match=message):
        recalibrate(model, batches)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(4))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(4))


@pytest.fixture
def photos(tmp_path):
    """An image of each shade of grey that there is in 70 steps."""
    for i in range(70):
        (tmp_path / "photos" / f"{i % 7}").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20), (i, i, i)).save(tmp_path / "photos" / f"{i % 7}" / f"{i:03}.png")
    return tmp_path / "photos"


def test_a_folder_of_images_is_read_in_batches_of_equal_size(photos, monkeypatch):
    scale = Normalization((0.0,), (1 / 255,))
    batches = list(read_batches(photos, (8, 8, 3), scale))
    assert [batch.shape for batch in batches] == [(35, 8, 8, 3), (35, 8, 8, 3)]
    assert sorted(np.concatenate(batches)[:, 0, 0, 0].round().astype(int)) == list(range(70))
    monkeypatch.setattr("bnext_keras.recalibration.MOST", 10)
    # From all over the folder, whose first ten images are of two classes.
    some = np.concatenate(list(read_batches(photos, (8, 8, 3), scale)))[:, 0, 0, 0].round().astype(int)
    assert len(some) == 10
    assert set(some % 7) == set(range(7))


def test_images_that_cannot_be_read_are_named_and_left_out(photos, caplog, monkeypatch):
    monkeypatch.setattr("bnext_keras.recalibration.BATCH", 1)
    for i in range(2, 70):
        (photos / f"{i % 7}" / f"{i:03}.png").write_bytes(b"no image")
    batches = list(read_batches(photos, (8, 8, 3), Normalization((0.0,), (1 / 255,))))
    assert [batch[:, 0, 0, 0].round().tolist() for batch in batches] == [[0], [1]]
    skipped = [record.getMessage().split(": broken image, skipped")[0] for record in caplog.records]
    assert sorted(skipped) == sorted(str(photos / f"{i % 7}" / f"{i:03}.png") for i in range(2, 70))


def test_a_model_is_recalibrated_for_as_long_as_the_context_lasts(photos, tmp_path):
    image = tf.keras.Input((8, 8, 3))
    norm = Layers.BatchNormalization(name="norm")
    model = annotate(tf.keras.Model(image, Layers.Flatten()(norm(image))), mean=0.0, std=1 / 255)
    with recalibrated(model, photos) as number:
        assert number == 70
        np.testing.assert_allclose(norm.moving_mean, 34.5, rtol=1e-5)
    np.testing.assert_array_equal(norm.moving_mean, 0)
    np.save(tmp_path / "images.npy", np.full((5, 8, 8, 3), 7.0))
    assert recalibrate_on(model, tmp_path / "images.npy") == 5
    np.testing.assert_allclose(norm.moving_mean, 7)


def test_images_that_do_not_fit_change_nothing(photos, tmp_path):
    image = tf.keras.Input((8, 8, 3))
    model = tf.keras.Model(image, Layers.BatchNormalization(name="norm")(image), name="plain")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "text.png").write_bytes(b"no image")
    np.save(tmp_path / "other.npy", np.zeros((5, 9, 9, 3)))
    (tmp_path / "text.npy").write_text("text")
    scale = Normalization((0.0,), (1.0,))
    for data, normalization, message in (
        (photos, None, r"photos: the model does not state .* normalized; state it with bnext_keras.classes.annotate\("),
        (tmp_path / "broken", scale, r"broken: none of the images can be read; 1 broken image skipped: .*text.png"),
        (tmp_path / "other.npy", None, r"has float64 of shape \(5, 9, 9, 3\), but the model takes .*\(8, 8, 3\)"),
        (tmp_path / "text.npy", None, "neither a folder of images nor a readable .npy file"),
        (np.full((4, 8, 8, 3), np.nan), None, "cannot be recalibrated .*a statistic is not a finite number"),
    ):
        with pytest.raises(UserError, match=message):
            recalibrate_on(model, data, normalization)
        np.testing.assert_array_equal(model.get_layer("norm").moving_mean, 0)
    bare = tf.keras.Model(image, Layers.Flatten()(image), name="bare")
    with pytest.raises(UserError, match="model 'bare': has no batch normalization"):
        recalibrate_on(bare, photos, scale)
