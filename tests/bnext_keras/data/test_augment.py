"""Augmentation: operations against Pillow or numbers worked out by hand, and how often each thing is drawn."""

import math
from collections import Counter

from bnext_keras.data import Augmentation, Normalization, RandAugment
from bnext_keras.data.augment.crop import draw_rectangle, padded_crop, random_resized_crop
from bnext_keras.data.augment.erasing import erase
from bnext_keras.data.augment.jitter import color_jitter
from bnext_keras.data.augment.mixing import draw_mix, mix
from bnext_keras.data.augment.operations import OPERATIONS, SIGNED
from bnext_keras.data.randomness import generator

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

BICUBIC = Image.Resampling.BICUBIC
AFFINE = Image.Transform.AFFINE
MEAN_COLOUR = (124, 116, 104)


@pytest.fixture(scope="module")
def image():
    """60 x 40 with shapes and grain, in all three channels."""
    random = np.random.default_rng(0)
    shapes = Image.fromarray(random.integers(0, 256, (5, 7, 3), np.uint8)).resize((60, 40), BICUBIC)
    return Image.fromarray((np.asarray(shapes) // 2 + random.integers(0, 100, (40, 60, 3))).astype(np.uint8))


def row(*values):
    """A grey RGB image of one row."""
    return Image.fromarray(np.repeat(np.asarray(values, np.uint8)[None, :, None], 3, axis=2))


def reds(image):
    return np.asarray(image)[..., 0].ravel().tolist()


def affine(image, coefficients):
    return image.transform(image.size, AFFINE, coefficients, resample=BICUBIC, fillcolor=MEAN_COLOUR)


def rotated(image, degrees):
    return image.rotate(degrees, resample=BICUBIC, fillcolor=MEAN_COLOUR)


# Each operation's argument, from the published formulas by hand. Width 60, height 40.
EXPECTED = {
    ("auto_contrast", 7): lambda image: ImageOps.autocontrast(image),
    ("equalize", 7): lambda image: ImageOps.equalize(image),
    ("invert", 7): lambda image: ImageOps.invert(image),
    ("rotate", 0): lambda image: image,
    ("rotate", 7): lambda image: rotated(image, 21),
    ("rotate", -7): lambda image: rotated(image, -21),
    ("rotate", 10): lambda image: rotated(image, 30),
    ("posterize", 0): lambda image: ImageOps.posterize(image, 4),
    ("posterize", 7): lambda image: ImageOps.posterize(image, 2),  # 4 - int(2.8)
    ("posterize", 10): lambda image: Image.new("RGB", (60, 40)),  # no bits
    ("solarize", 0): lambda image: image,
    ("solarize", 7): lambda image: ImageOps.solarize(image, 77),  # 256 - int(179.2)
    ("solarize", 10): lambda image: ImageOps.invert(image),
    ("solarize_add", 0): lambda image: image,
    ("color", 0): lambda image: image,
    ("color", 7): lambda image: ImageEnhance.Color(image).enhance(1.63),
    ("color", -7): lambda image: ImageEnhance.Color(image).enhance(0.37),
    ("color", -10): lambda image: ImageEnhance.Color(image).enhance(0.1),
    ("contrast", 7): lambda image: ImageEnhance.Contrast(image).enhance(1.63),
    ("contrast", -7): lambda image: ImageEnhance.Contrast(image).enhance(0.37),
    ("brightness", 7): lambda image: ImageEnhance.Brightness(image).enhance(1.63),
    ("brightness", -7): lambda image: ImageEnhance.Brightness(image).enhance(0.37),
    ("brightness", 10): lambda image: ImageEnhance.Brightness(image).enhance(1.9),
    ("sharpness", 7): lambda image: ImageEnhance.Sharpness(image).enhance(1.63),
    ("sharpness", -7): lambda image: ImageEnhance.Sharpness(image).enhance(0.37),
    ("shear_x", 7): lambda image: affine(image, (1, 0.21, 0, 0, 1, 0)),
    ("shear_x", -7): lambda image: affine(image, (1, -0.21, 0, 0, 1, 0)),
    ("shear_y", 7): lambda image: affine(image, (1, 0, 0, 0.21, 1, 0)),
    ("shear_y", -10): lambda image: affine(image, (1, 0, 0, -0.3, 1, 0)),
    ("translate_x", 7): lambda image: affine(image, (1, 0, 18.9, 0, 1, 0)),  # 0.315 of 60
    ("translate_x", -7): lambda image: affine(image, (1, 0, -18.9, 0, 1, 0)),
    ("translate_y", 7): lambda image: affine(image, (1, 0, 0, 0, 1, 12.6)),  # 0.315 of 40
    ("translate_y", -10): lambda image: affine(image, (1, 0, 0, 0, 1, -18)),
}


@pytest.mark.parametrize(("name", "magnitude"), EXPECTED)
def test_an_operation_is_pillows_with_the_published_argument(image, name, magnitude):
    np.testing.assert_array_equal(OPERATIONS[name](image, magnitude), EXPECTED[name, magnitude](image))


@pytest.mark.parametrize(
    ("name", "magnitude", "before", "after"),
    [
        ("auto_contrast", 7, (50, 100, 150), (0, 127, 255)),
        ("invert", 7, (0, 1, 200), (255, 254, 55)),
        ("posterize", 0, (15, 16, 255), (0, 16, 240)),
        ("posterize", 7, (63, 64, 255), (0, 64, 192)),
        ("posterize", 10, (15, 16, 255), (0, 0, 0)),
        ("solarize", 7, (76, 77, 200), (76, 178, 55)),
        ("solarize", 10, (0, 100, 255), (255, 155, 0)),
        ("solarize_add", 7, (0, 100, 127, 128), (77, 177, 204, 128)),
        ("solarize_add", 10, (0, 127, 128, 255), (110, 237, 128, 255)),
        ("brightness", 10, (0, 100, 200), (0, 190, 255)),
        ("brightness", -10, (0, 100, 200), (0, 10, 20)),
        # A mean of 100 stays, distances from it become 1.9 and 0.1 times as large.
        ("contrast", 10, (80, 100, 120), (62, 100, 138)),
        ("contrast", -10, (80, 100, 120), (98, 100, 102)),
    ],
)
def test_an_operation_gives_the_values_worked_out_by_hand(name, magnitude, before, after):
    assert reds(OPERATIONS[name](row(*before), magnitude)) == list(after)


@pytest.mark.parametrize(("name", "axis"), [("translate_x", 1), ("translate_y", 0)])
def test_translation_moves_whole_pixels_and_fills_with_the_mean_colour(image, name, axis):
    square = image.resize((40, 40))
    moved, pixels = np.asarray(OPERATIONS[name](square, 10)), np.asarray(square)  # 0.45 of 40 is 18
    moved, pixels = np.moveaxis(moved, axis, 0), np.moveaxis(pixels, axis, 0)
    np.testing.assert_array_equal(moved[:22], pixels[18:])
    assert (moved[22:] == MEAN_COLOUR).all()


def test_rotation_is_counter_clockwise_and_fills_corners_with_the_mean_colour():
    pixels = np.zeros((41, 41, 3), np.uint8)
    pixels[20, 35] = 255  # 15 to the right of the centre
    turned = np.asarray(OPERATIONS["rotate"](Image.fromarray(pixels), 10))
    assert tuple(turned[0, 0]) == MEAN_COLOUR
    inner = np.where(np.hypot(*np.indices((41, 41)) - 20) < 19, turned[..., 1], 0)
    y, x = np.unravel_index(inner.argmax(), inner.shape)
    assert (x, y) == (33, 12)  # 20 + 15 cos 30 = 33.0, 20 - 15 sin 30 = 12.5


def test_there_are_fifteen_operations_of_which_nine_have_a_sign():
    assert len(OPERATIONS) == 15
    assert len(SIGNED) == 9
    assert set(OPERATIONS) > SIGNED


def test_unsigned_magnitudes_keep_size_and_mode(image):
    for operation in OPERATIONS.values():
        result = operation(image, 7)
        assert (result.size, result.mode) == ((60, 40), "RGB")


def test_randaugment_draws_each_operation_equally_often_and_applies_half():
    drawn = [RandAugment().draw(generator(0, 0, number)) for number in range(6000)]
    lengths = Counter(map(len, drawn))
    # Two trials of probability 1/2: 1500, 3000, 1500; deviations up to 39.
    assert lengths.keys() == {0, 1, 2}
    assert abs(lengths[0] - 1500) < 160
    assert abs(lengths[1] - 3000) < 160
    names = Counter(name for operations in drawn for name, _ in operations)
    # 12000 draws, half of them applied, a fifteenth each: 400 with a deviation of 20.
    assert names.keys() == OPERATIONS.keys()
    assert all(abs(count - 400) < 80 for count in names.values())
    # With replacement: a fifteenth of the pairs are twins; 100 of 1500, deviation 10.
    twins = sum(len(operations) == 2 and operations[0][0] == operations[1][0] for operations in drawn)
    assert abs(twins - 100) < 40


def test_randaugments_magnitudes_have_mean_7_and_deviation_a_half_and_random_signs():
    drawn = [pair for number in range(4000) for pair in RandAugment().draw(generator(1, 0, number))]
    magnitudes = np.array([magnitude for _, magnitude in drawn])
    assert abs(np.abs(magnitudes).mean() - 7) < 0.03
    assert abs(np.abs(magnitudes).std() - 0.5) < 0.03
    assert all(magnitude > 0 for name, magnitude in drawn if name not in SIGNED)
    signs = np.array([magnitude > 0 for name, magnitude in drawn if name in SIGNED])
    assert abs(signs.mean() - 0.5) < 0.05


def test_randaugments_magnitudes_are_clipped_to_0_and_10():
    wild = RandAugment(magnitude=9, std=5, probability=1)
    magnitudes = [abs(m) for number in range(300) for _, m in wild.draw(generator(0, 0, number))]
    assert max(magnitudes) == 10
    assert min(magnitudes) >= 0
    assert min(magnitudes) == 0


def test_randaugment_applies_what_it_draws_in_order(image):
    augment = RandAugment(operations=3, probability=1)
    expected = image
    for name, magnitude in augment.draw(generator(5)):
        expected = OPERATIONS[name](expected, magnitude)
    np.testing.assert_array_equal(augment(image, generator(5)), expected)
    assert not np.array_equal(expected, image)


def test_a_random_rectangle_keeps_within_area_ratio_and_image():
    areas, ratios = [], []
    for number in range(2000):
        left, top, width, height = draw_rectangle((400, 400), generator(number), (0.08, 1.0), (3 / 4, 4 / 3))
        assert left >= 0
        assert top >= 0
        assert left + width <= 400
        assert top + height <= 400
        areas.append(width * height / 400**2)
        ratios.append(width / height)
    # Within rounding to whole pixels of rectangles of at least 98 pixels.
    assert 0.078 < min(areas) < 0.1
    assert 0.9 < max(areas) <= 1
    assert 0.74 < min(ratios) < 0.77
    assert 1.30 < max(ratios) < 1.35
    assert abs(np.log(ratios).mean()) < 0.02


@pytest.mark.parametrize(
    ("size", "expected"),
    [((300, 100), (83, 0, 133, 100)), ((100, 300), (0, 83, 100, 133)), ((120, 100), (0, 0, 120, 100))],
    ids=["wide", "tall", "allowed"],
)
def test_a_rectangle_that_never_fits_becomes_the_largest_central_one(size, expected):
    # Four times the image's area fits nowhere.
    assert draw_rectangle(size, generator(0), (4, 4), (3 / 4, 4 / 3)) == expected


def test_a_random_resized_crop_is_pillows_crop_and_bicubic_resize(image):
    left, top, width, height = draw_rectangle(image.size, generator(3), (0.08, 1.0), (3 / 4, 4 / 3))
    expected = image.crop((left, top, left + width, top + height)).resize((30, 20), BICUBIC)
    np.testing.assert_array_equal(random_resized_crop(image, (20, 30), generator(3)), expected)


def test_a_padded_crop_shifts_by_up_to_four_pixels_onto_black():
    pixels = np.full((32, 32, 3), 255, np.uint8)
    seen = set()
    for number in range(1500):
        shifted = np.asarray(padded_crop(Image.fromarray(pixels), generator(number)))[..., 0]
        ys, xs = np.nonzero(shifted)
        offset = (ys[0] or ys[-1] - 31, xs[0] or xs[-1] - 31)
        seen.add(offset)
        assert shifted.shape == (32, 32)
        assert len(ys) == (32 - abs(offset[0])) * (32 - abs(offset[1]))
    assert seen == {(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)}


def test_half_of_the_images_are_flipped():
    image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    augmentation = Augmentation(crop="centre", centre=1.0, randaugment=None)
    results = [np.asarray(augmentation(image, (4, 4), generator(number))) for number in range(400)]
    flipped = [np.array_equal(result, np.asarray(image)[:, ::-1]) for result in results]
    assert all(is_flipped or np.array_equal(result, image) for is_flipped, result in zip(flipped, results, strict=True))
    assert 160 < sum(flipped) < 240  # 200 with a deviation of 10


def test_the_default_is_the_published_augmentation():
    published = Augmentation.imagenet()
    assert (published.crop, published.scale, published.ratio) == ("random-resized", (0.08, 1.0), (3 / 4, 4 / 3))
    assert published.flip == 0.5
    assert published.randaugment == RandAugment(magnitude=7, std=0.5, operations=2, probability=0.5)
    assert (published.color_jitter, published.random_erasing, published.mixup, published.cutmix) == (0, 0, 0, 0)
    assert not published.mixes


@pytest.mark.parametrize(
    "mistake",
    [{"crop": "random"}, {"flip": 1.5}, {"scale": (1.0, 0.5)}, {"ratio": (0, 1)}, {"mixup": -1}, {"centre": 0}],
    ids=str,
)
def test_an_impossible_augmentation_is_refused_by_its_field(mistake):
    with pytest.raises(ValueError, match=next(iter(mistake))):
        Augmentation(**mistake)


def test_impossible_randaugments_are_refused():
    with pytest.raises(ValueError, match="magnitude must be from 0 to 10, got 11"):
        RandAugment(magnitude=11)
    with pytest.raises(ValueError, match="probability"):
        RandAugment(probability=2)


def test_no_augmentation_is_evaluations_crop(image):
    wide = image.resize((400, 200), BICUBIC)
    # 95% of the shorter side: 200 becomes 236, 400 becomes 472 (224 / 0.95 = 235.8).
    expected = wide.resize((472, 236), BICUBIC).crop((124, 6, 348, 230))
    np.testing.assert_array_equal(Augmentation.none()(wide, (224, 224), generator(0)), expected)


def test_colour_jitter_enhances_brightness_contrast_and_saturation_in_random_order(image):
    random = generator(4)
    expected = image
    for choice in random.permutation(3):
        enhancement = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[choice]
        expected = enhancement(expected).enhance(random.uniform(0.6, 1.4))
    np.testing.assert_array_equal(color_jitter(image, generator(4), 0.4), expected)


def test_colour_jitter_of_brightness_stays_in_its_range():
    grey = Image.new("RGB", (4, 4), (100, 100, 100))  # contrast and saturation leave it alone
    values = [reds(color_jitter(grey, generator(number), 0.4))[0] for number in range(300)]
    assert 58 <= min(values) <= 65
    assert 135 <= max(values) <= 141


def test_erasing_replaces_one_rectangle_of_2_to_33_percent_by_normal_noise():
    pixels = np.full((60, 80, 3), 9.0, np.float32)
    shares, noise = [], []
    for number in range(200):
        erased = erase(pixels, generator(number), probability=1.0)
        changed = (erased != 9).all(axis=-1)
        ys, xs = np.nonzero(changed)
        assert changed[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].all()
        assert 0.28 < (np.ptp(ys) + 1) / (np.ptp(xs) + 1) < 3.6
        shares.append(changed.mean())
        noise.append(erased[changed].ravel())
    assert 0.018 < min(shares) < 0.04
    assert 0.28 < max(shares) < 0.345
    noise = np.concatenate(noise)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert (pixels == 9).all()


def test_erasing_happens_with_its_probability():
    pixels = np.full((16, 16, 3), 9.0, np.float32)
    changed = sum(erase(pixels, generator(number), 0.25) is not pixels for number in range(400))
    assert 65 < changed < 135  # 100 with a deviation of 9


def test_mixup_blends_images_and_labels_with_those_from_the_end():
    images = tf.reshape([0.0, 10.0, 100.0], (3, 1, 1, 1))
    mixed, labels = mix(images, tf.eye(3), tf.constant(0.75), tf.zeros(4, tf.int32))
    assert mixed.numpy().ravel().tolist() == [25, 10, 75]
    assert labels.numpy().tolist() == [[0.75, 0, 0.25], [0, 1, 0], [0.25, 0, 0.75]]


def test_cutmix_pastes_a_box_and_shares_labels_by_area():
    images = tf.stack([tf.zeros((4, 4, 1)), tf.ones((4, 4, 1))])
    mixed, labels = mix(images, tf.eye(2), tf.constant(0.625), tf.constant([0, 1, 3, 3]))
    expected = [[0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    assert mixed[0, ..., 0].numpy().tolist() == expected
    assert (1 - mixed[1, ..., 0].numpy()).tolist() == expected
    assert labels.numpy().tolist() == [[0.625, 0.375], [0.375, 0.625]]


def test_cutmixs_share_is_what_its_box_leaves_after_clipping():
    clipped = 0
    for number in range(300):
        drawn = draw_mix(generator(number), (32, 48), mixup=0, cutmix=1.0)
        top, left, bottom, right = drawn.box
        assert 0 <= top <= bottom <= 32
        assert 0 <= left <= right <= 48
        assert math.isclose(drawn.share, 1 - (bottom - top) * (right - left) / (32 * 48))
        clipped += top == 0 or left == 0 or bottom == 32 or right == 48
    assert clipped > 100


def test_mixups_share_follows_its_beta_distribution():
    shares = [draw_mix(generator(number), (8, 8), mixup=0.2, cutmix=0).share for number in range(2000)]
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1)) = 0.1786 for a = 0.2.
    assert abs(np.mean(shares) - 0.5) < 0.04
    assert abs(np.var(shares) - 0.1786) < 0.01


def test_with_both_either_mixture_is_as_likely():
    boxes = [draw_mix(generator(number), (8, 8), mixup=0.2, cutmix=1.0).box is not None for number in range(400)]
    assert 160 < sum(boxes) < 240


@pytest.mark.parametrize(
    ("normalization", "expected"),
    [
        # (1 - 0.485) / 0.229, ...; (1 - 0.507) / 0.267, ...
        (Normalization.imagenet(), (2.2489, 2.4286, 2.64)),
        (Normalization.cifar(), (1.8464, 2.0039, 2.0254)),
    ],
    ids=["imagenet", "cifar"],
)
def test_white_is_normalized_to_the_published_numbers(normalization, expected):
    white = normalization(np.full((1, 1, 3), 255, np.uint8))
    assert white.dtype == np.float32
    np.testing.assert_allclose(white[0, 0], expected, atol=5e-5)


def test_a_deviation_of_zero_is_refused():
    with pytest.raises(ValueError, match="std above 0"):
        Normalization(std=(0.2, 0.2, 0.0))


def test_random_numbers_depend_on_every_part_of_their_place():
    def draw(*place):
        return generator(*place).integers(2**62)

    places = [(0,), (0, 0), (0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 0, 1), (2**40, 0, 0)]
    assert len({draw(*place) for place in places}) == len(places)
    assert draw(1, 2, 3) == draw(1, np.int64(2), np.int64(3))
