"""Loss landscapes: what they measure, that they leave a network as it was, and go on where they ended."""

import bnext_keras
from bnext_keras.analysis import LossLandscape, loss_landscape, read_landscape
from bnext_keras.errors import FileError

import numpy as np
import pytest
import tensorflow as tf

IMAGES = np.random.default_rng(0).standard_normal((8, 4)).astype(np.float32)
CLASSES = np.arange(8) % 3


@pytest.fixture
def dense():
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(4,), name="dense")])
    model.layers[0].set_weights([np.arange(12, dtype=np.float32).reshape(4, 3) - 5, np.ones(3, np.float32)])
    return model


@pytest.fixture(scope="module")
def binary():
    """One binary convolution, whose means are the answers."""
    image = tf.keras.Input((6, 6, 3))
    x = bnext_keras.layers.BinaryConv2D(2, 3, name="conv")(image)
    model = tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(x))
    model.get_layer("conv").kernel.assign(np.random.default_rng(2).choice([-1e-3, 1e-3], (3, 3, 3, 2)))
    return model


@pytest.fixture(scope="module")
def photos():
    return [(np.random.default_rng(1).standard_normal((4, 6, 6, 3)).astype(np.float32), np.array([0, 1, 1, 0]))]


def filters_of_length(weight, direction):
    return direction * np.linalg.norm(weight, axis=0) / np.linalg.norm(direction, axis=0)


def test_points_are_multiples_of_two_directions_as_long_as_each_filter(dense):
    weight, bias = dense.get_weights()
    generator = np.random.default_rng(7)
    one, other = (filters_of_length(weight, generator.standard_normal((4, 3))) for _ in range(2))

    landscape = loss_landscape(dense, [(IMAGES[:5], CLASSES[:5]), (IMAGES[5:], CLASSES[5:])], steps=3, span=0.5, seed=7)

    np.testing.assert_array_equal(landscape.positions, [-0.5, 0, 0.5])
    logits = IMAGES @ (weight + 0.5 * one - 0.5 * other) + bias
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(8), CLASSES]
    np.testing.assert_allclose(landscape.losses[2, 0], expected.mean(), rtol=1e-5)
    assert landscape.accuracies[2, 0] == np.mean(logits.argmax(axis=1) == CLASSES)
    own = IMAGES @ weight + bias
    np.testing.assert_allclose(
        landscape.centre, (np.log(np.exp(own).sum(axis=1)) - own[np.arange(8), CLASSES]).mean(), rtol=1e-5
    )


def test_depthwise_kernels_have_a_filter_for_each_channel():
    model = tf.keras.Sequential([tf.keras.layers.DepthwiseConv2D(2, input_shape=(2, 2, 3)), tf.keras.layers.Flatten()])
    kernel = np.zeros((2, 2, 3, 1), np.float32)
    kernel[..., 1, 0] = 1  # the others have no length, and stay
    model.layers[0].set_weights([kernel, np.zeros(3, np.float32)])
    answers = []

    def noted(_, outputs):
        answers.append(outputs)
        return tf.reduce_sum(tf.abs(outputs[:, ::2]))

    landscape = loss_landscape(model, [(np.ones((1, 2, 2, 3), np.float32), np.array([0]))], steps=3, loss=noted)
    np.testing.assert_array_equal(landscape.losses, np.zeros((3, 3)))


def test_latent_weights_move_in_jumps_and_relaxed_signs_at_once(binary, photos):
    latent = loss_landscape(binary, photos, steps=3, span=1e-3)
    relaxed = loss_landscape(binary, photos, steps=3, span=1e-3, relaxed=True)
    assert relaxed.centre == latent.centre
    assert np.unique(latent.losses).tolist() == [latent.centre]
    assert len(np.unique(relaxed.losses)) == 9
    kernel = binary.get_layer("conv").kernel
    assert kernel.quantizer is binary.get_layer("conv").kernel_quantizer


@pytest.mark.parametrize("relaxed", [False, True])
def test_the_network_is_left_as_it_was_however_it_ends(binary, photos, relaxed):
    before = binary.get_weights()

    def stop(done, _):
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loss_landscape(binary, photos, steps=3, relaxed=relaxed, progress=stop)
    for weight, was in zip(binary.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)


def test_an_interrupted_landscape_goes_on_where_it_ended(dense, tmp_path):
    whole = loss_landscape(dense, [(IMAGES, CLASSES)], steps=5)
    path = tmp_path / "landscape.npz"

    def stop(done, _):
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        loss_landscape(dense, [(IMAGES, CLASSES)], steps=5, path=path, progress=stop)
    with pytest.raises(FileError, match="has 7 of 25 points"):
        read_landscape(path)
    counts = []
    resumed = loss_landscape(
        dense, [(IMAGES, CLASSES)], steps=5, path=path, progress=lambda done, total: counts.append((done, total))
    )
    assert counts[0] == (7, 25)
    assert counts[-1] == (25, 25)
    np.testing.assert_array_equal(resumed.losses, whole.losses)
    np.testing.assert_array_equal(read_landscape(path).accuracies, whole.accuracies)


def test_a_file_of_something_else_is_kept(dense, tmp_path):
    path = tmp_path / "landscape.npz"
    loss_landscape(dense, [(IMAGES, CLASSES)], steps=3, path=path)
    content = path.read_bytes()
    with pytest.raises(FileError, match="landscape of other weights, images or settings"):
        loss_landscape(dense, [(IMAGES, CLASSES)], steps=3, seed=1, path=path)
    assert path.read_bytes() == content
    path.write_bytes(b"no archive")
    with pytest.raises(FileError, match="is no loss landscape"):
        loss_landscape(dense, [(IMAGES, CLASSES)], steps=3, path=path)
    assert path.read_bytes() == b"no archive"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"steps": 4}, "odd number"), ({"steps": 1}, "odd number"), ({"span": 0.0}, "positive number")],
)
def test_arguments_out_of_bounds_are_refused(dense, arguments, message):
    with pytest.raises(ValueError, match=message):
        loss_landscape(dense, [(IMAGES, CLASSES)], **arguments)


def test_no_images_are_refused(dense):
    with pytest.raises(ValueError, match="no images"):
        loss_landscape(dense, [])


def test_pictures_take_losses_that_are_no_numbers_and_foreign_names():
    from bnext_keras.analysis.landscape_figure import draw_landscapes

    positions = np.array([-1.0, 0.0, 1.0])
    losses = np.array([[3.0, 2.0, np.inf], [2.0, 1.0, 2.0], [np.nan, 2.0, 3.0]])
    landscape = LossLandscape("net <b>\x1b[2J", positions, losses, losses)
    assert draw_landscapes([landscape, landscape])[:4] == b"\x89PNG"
    svg = draw_landscapes([landscape], surface=False, format="svg").decode()
    assert "\x1b" not in svg
    assert "<b>" not in svg
    assert landscape.roughness == 0
