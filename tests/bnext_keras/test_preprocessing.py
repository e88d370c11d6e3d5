"""Images against Pillow's operations written out by hand, value for value."""

import os

from bnext_keras.preprocessing import (
    CROP,
    IMAGENET_MEAN,
    IMAGENET_STD,
    Normalization,
    load_image,
    open_image,
    pixels_from_normalized,
)

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, UnidentifiedImageError

MEAN, STD = np.array(IMAGENET_MEAN), np.array(IMAGENET_STD)


@pytest.fixture
def saved(tmp_path):
    """Saves random pixels as a PNG and returns its path and the image."""

    def save(height, width, mode="RGB", **options):
        shape = (height, width, len(mode)) if len(mode) > 1 else (height, width)
        image = Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), mode)
        image.save(tmp_path / "image.png", **options)
        return tmp_path / "image.png", image

    return save


def normalized(image):
    return (np.asarray(image) / 255 - MEAN) / STD


def test_the_published_evaluations_constants():
    assert CROP == 0.95
    assert IMAGENET_MEAN == (0.485, 0.456, 0.406)
    assert IMAGENET_STD == (0.229, 0.224, 0.225)


def test_one_number_normalizes_all_channels():
    assert Normalization(0.5, 0.25) == Normalization((0.5,), (0.25,))
    assert Normalization(0.5, (0.1, 0.2, 0.4)).mean == (0.5, 0.5, 0.5)
    assert Normalization(0.5, 0.25)(np.full((1, 1, 3), 255, np.uint8)).tolist() == [[[2.0, 2.0, 2.0]]]


@pytest.mark.parametrize(("mean", "std"), [(None, 1), (0, None), ((), ()), ([[0.5]], 1), (0, 0), ((0, 0), (1, 1, 1))])
def test_what_is_no_mean_and_deviation_is_refused(mean, std):
    with pytest.raises(ValueError, match="mean and std must be a number for each channel, or one for all of them"):
        Normalization(mean, std)


@pytest.mark.parametrize(
    ("height", "width", "size", "resized", "box"),
    [
        # 224 / 0.95 = 235.8; what is cut off is 6 pixels left and top and 6 right and bottom.
        (236, 236, 224, (236, 236), (6, 6, 230, 230)),
        (50, 40, 19, (20, 25), (0, 3, 19, 22)),  # portrait: the width is the shorter side
        (40, 50, 19, (25, 20), (3, 0, 22, 19)),  # landscape
        (40, 80, 38, (80, 40), (21, 1, 59, 39)),
        (5, 5, 38, (40, 40), (1, 1, 39, 39)),  # smaller than the result
        (1, 1, 8, (8, 8), (0, 0, 8, 8)),
    ],
)
def test_resize_crop_normalize(saved, height, width, size, resized, box):
    path, image = saved(height, width)
    expected = normalized(image.resize(resized, Image.Resampling.BICUBIC).crop(box))
    result = load_image(path, (size, size), crop=CROP)
    assert result.shape == (size, size, 3)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "resized", "box"),
    [
        ((64, 64), (64, 64), (0, 0, 64, 64)),
        ((224, 64), (224, 224), (80, 0, 144, 224)),
        # 65 / 0.95 = 68.4
        ((65, 65), (68, 68), (1, 1, 66, 66)),
        ((224, 224), (236, 236), (6, 6, 230, 230)),
    ],
)
def test_small_images_are_shown_whole_and_of_larger_ones_the_centre(saved, size, resized, box):
    path, image = saved(100, 100)
    expected = normalized(image.resize(resized, Image.Resampling.BICUBIC).crop(box))
    np.testing.assert_allclose(load_image(path, size), expected, atol=1e-6)


def test_a_size_that_is_not_square(saved):
    """The side that needs the larger scale decides: 38 of 40 rows here, while 19 of 40 columns are kept."""
    path, image = saved(20, 20)
    expected = normalized(image.resize((40, 40), Image.Resampling.BICUBIC).crop((10, 1, 29, 39)))
    np.testing.assert_allclose(load_image(path, (38, 19), crop=CROP), expected, atol=1e-6)


def test_without_cropping_pixels_stay_as_they_are(saved):
    path, image = saved(8, 8)
    result = load_image(path, (8, 8), crop=1.0, mean=(0, 0, 0), std=(1, 1, 1))
    np.testing.assert_array_equal(result, np.asarray(image, np.float32) / 255)


def test_own_mean_and_standard_deviation(saved):
    path, image = saved(8, 8)
    result = load_image(path, (8, 8), crop=1.0, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    expected = (np.asarray(image) / 255 - [0.1, 0.2, 0.3]) / [0.5, 0.25, 2.0]
    np.testing.assert_allclose(result, expected, atol=1e-6)


def test_grey_images_for_colour_models(saved):
    path, image = saved(8, 8, "L")
    expected = normalized(np.stack([np.asarray(image)] * 3, axis=-1))
    np.testing.assert_allclose(load_image(path, (8, 8), crop=1.0), expected, atol=1e-6)


def test_colour_images_for_grey_models(saved):
    path, image = saved(8, 8)
    expected = (np.asarray(image.convert("L")) / 255 - MEAN.mean()) / STD.mean()
    result = load_image(path, (8, 8), channels=1, crop=1.0)
    assert result.shape == (8, 8, 1)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result[..., 0], expected, atol=1e-6)


def test_transparency_is_dropped(saved):
    path, image = saved(8, 8, "RGBA")
    np.testing.assert_allclose(load_image(path, (8, 8), crop=1.0), normalized(np.asarray(image)[..., :3]), atol=1e-6)


@pytest.mark.parametrize("name", ["grey.png", "grey.tif", "grey.pgm"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_16_bits_are_scaled_not_clipped(tmp_path, name, mode):
    """A full range: Pillow's conversion makes white of all values above 255."""
    values = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    if name.endswith(".pgm"):  # which early versions of Pillow read but do not write
        (tmp_path / name).write_bytes(b"P5 16 16 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    pixels = np.asarray(open_image(tmp_path / name, mode)).reshape(16, 16, -1)
    np.testing.assert_array_equal(pixels, np.repeat((values >> 8)[..., np.newaxis], len(mode), axis=-1))


def test_16_bits_of_the_other_byte_order(tmp_path):
    Image.frombytes("I;16B", (2, 1), b"\x80\x01\xff\xff").save(tmp_path / "big.tif")
    assert np.asarray(open_image(tmp_path / "big.tif", "L")).tolist() == [[128, 255]]


def test_16_bits_are_turned_upright_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.array([[0, 65535]], np.uint16)).save(tmp_path / "image.png", exif=exif)
    assert np.asarray(open_image(tmp_path / "image.png", "L", upright=True)).tolist() == [[0], [255]]


@pytest.mark.parametrize(
    ("dtype", "kind"), [(np.float32, "floats"), (np.int32, "whole numbers of 32 bits")], ids=["F", "I"]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_values_without_a_certain_scale_are_refused(tmp_path, dtype, kind, mode):
    Image.fromarray(np.ones((4, 4), dtype)).save(tmp_path / "image.tif")
    with pytest.raises(ValueError, match=f"its values are {kind}, of which nobody knows what is white"):
        open_image(tmp_path / "image.tif", mode)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(OSError, match="no regular file"):
        load_image(tmp_path / "pipe.png")


def test_photos_are_turned_only_on_request(saved):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    path, image = saved(8, 8, exif=exif)
    np.testing.assert_allclose(load_image(path, (8, 8), crop=1.0), normalized(image), atol=1e-6)
    turned = np.rot90(np.asarray(image), k=-1)
    np.testing.assert_allclose(load_image(path, (8, 8), crop=1.0, upright=True), normalized(turned), atol=1e-6)


def test_pixels_come_back_from_normalized_images(saved):
    path, image = saved(8, 8)
    pixels = pixels_from_normalized(load_image(path, (8, 8), crop=1.0))
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels, np.asarray(image), atol=1e-4)


def test_pixels_of_tensors_and_of_other_normalizations():
    images = tf.constant([[[-1.0], [1.0]]], tf.float16)
    pixels = pixels_from_normalized(images, mean=(0.5,), std=(0.5,))
    assert pixels.dtype == tf.float16
    assert pixels.numpy().ravel().tolist() == [0.0, 255.0]


def test_errors(saved, tmp_path):
    path, _ = saved(8, 8)
    for channels in (0, 2, 4):
        with pytest.raises(ValueError, match=f"channels must be 1 or 3, got {channels}"):
            load_image(path, channels=channels)
    with pytest.raises(FileNotFoundError):
        load_image(tmp_path / "missing.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(UnidentifiedImageError):
        load_image(tmp_path / "text.png")
    # Noise does not compress: half the file is half the pixels.
    path, _ = saved(64, 64)
    (tmp_path / "half.png").write_bytes(path.read_bytes()[:6000])
    with pytest.raises(OSError, match="truncated"):
        load_image(tmp_path / "half.png")
