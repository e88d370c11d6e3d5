"""Batches for training and evaluation: the same ones after an interruption, on several workers, with broken images."""

import io
import logging

from bnext_keras import data
from bnext_keras.data.augment.mixing import draw_mix
from bnext_keras.data.examples import Order
from bnext_keras.data.pipeline import normalize
from bnext_keras.data.randomness import generator
from bnext_keras.data.views import decode
from bnext_keras.preprocessing import load_image

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

UNCHANGED = data.Normalization((0, 0, 0), (1 / 255,) * 3)
#: Every option at once: whatever draws a random number takes part.
ALL = {"color_jitter": 0.4, "random_erasing": 0.5}


def numbered(count, size=12):
    """Random images; the label is the image's number."""
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)
    return data.from_arrays(images, np.arange(count))


def collect(batches):
    return [(images.numpy(), labels.numpy()) for images, labels in batches]


def assert_same(batches, expected):
    assert len(batches) == len(expected)
    for pair, expected_pair in zip(batches, expected, strict=True):
        np.testing.assert_array_equal(pair[0], expected_pair[0])
        np.testing.assert_array_equal(pair[1], expected_pair[1])


def labels_of(batches):
    return [int(label) for _, labels in batches for label in labels]


def interleaved(shards):
    """The global batches that the workers' local ones make up: worker r holds positions r, r + n, ..."""
    return [
        tuple(np.stack(parts, axis=1).reshape(-1, *parts[0].shape[1:]) for parts in zip(*batches, strict=True))
        for batches in zip(*shards, strict=True)
    ]


def test_an_epoch_has_full_batches_of_different_examples():
    batches = collect(data.training_data(numbered(22), image_size=8, batch_size=4, epochs=3))
    assert len(batches) == 3 * 5 == 3 * data.steps_per_epoch(numbered(22), 4)
    for images, labels in batches:
        assert images.shape == (4, 8, 8, 3)
        assert images.dtype == np.float32
        assert labels.dtype == np.int32
    epochs = np.reshape(labels_of(batches), (3, 20))
    assert all(len(set(epoch)) == 20 for epoch in epochs.tolist())
    assert len({tuple(epoch) for epoch in epochs.tolist()}) == 3
    # Which two are left over changes.
    assert set(epochs.ravel().tolist()) == set(range(22))


@pytest.mark.parametrize("mixing", [{}, {"mixup": 0.2, "cutmix": 1.0}], ids=["unmixed", "mixed"])
def test_a_run_resumed_at_an_epoch_sees_the_batches_of_an_uninterrupted_one(mixing):
    options = {"image_size": 8, "batch_size": 4, "seed": 5, "augmentation": data.Augmentation(**ALL, **mixing)}
    whole = collect(data.training_data(numbered(18), epochs=4, **options))
    assert_same(collect(data.training_data(numbered(18), epochs=4, first_epoch=2, **options)), whole[8:])
    assert_same(collect(data.training_data(numbered(18), epochs=2, **options)), whole[:8])


def test_batches_do_not_depend_on_threads_or_global_seeds():
    options = {"image_size": 8, "batch_size": 6, "epochs": 2, "augmentation": data.Augmentation(**ALL)}
    expected = collect(data.training_data(numbered(30), threads=1, **options))
    tf.random.set_seed(7)
    np.random.seed(7)  # noqa: NPY002 - the global state that must not matter
    assert_same(collect(data.training_data(numbered(30), threads=8, **options)), expected)


def test_another_seed_gives_another_order_and_augmentation():
    options = {"image_size": 8, "batch_size": 6, "epochs": 1}
    first, second = (collect(data.training_data(numbered(12), seed=seed, **options)) for seed in (0, 1))
    assert labels_of(first) != labels_of(second)
    by_label = [
        {int(label): image for images, labels in run for image, label in zip(images, labels, strict=True)}
        for run in (first, second)
    ]
    assert not any(np.array_equal(by_label[0][label], by_label[1][label]) for label in range(12))


def test_each_epoch_augments_an_image_anew():
    one = data.from_arrays(np.random.default_rng(0).integers(0, 256, (1, 16, 16, 3), np.uint8), [0])
    epochs = collect(data.training_data(one, image_size=8, batch_size=1, epochs=5))
    assert len({images.tobytes() for images, _ in epochs}) == 5


@pytest.mark.parametrize("workers", [2, 3])
def test_workers_batches_together_are_the_batches_of_one_process(workers):
    options = {"image_size": 8, "batch_size": 6, "epochs": 2, "augmentation": data.Augmentation(**ALL)}
    whole = collect(data.training_data(numbered(20), **options))
    shards = [collect(data.training_data(numbered(20), shard=(i, workers), **options)) for i in range(workers)]
    assert all(images.shape[0] == 6 // workers for shard in shards for images, _ in shard)
    assert_same(interleaved(shards), whole)


def test_workers_evaluate_every_example_once():
    options = {"image_size": 8, "batch_size": 4}
    shards = [labels_of(data.evaluation_data(numbered(11), shard=(i, 2), **options)) for i in range(2)]
    assert shards == [[0, 2, 4, 6, 8, 10], [1, 3, 5, 7, 9]]


def test_a_strategys_workers_take_their_shards_as_they_are():
    strategy = tf.distribute.OneDeviceStrategy("/cpu:0")

    def worker(context):
        shard = (context.input_pipeline_id, context.num_input_pipelines)
        return data.training_data(numbered(12), image_size=8, batch_size=4, epochs=1, shard=shard)

    distributed = collect(strategy.distribute_datasets_from_function(worker))
    assert_same(distributed, collect(data.training_data(numbered(12), image_size=8, batch_size=4, epochs=1)))


# Broken images


def photo(path, mode="RGB", size=(20, 16), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], bands) if bands > 1 else (size[1], size[0])
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels, mode).save(path, **options)
    return path


@pytest.fixture
def mixed_folder(tmp_path):
    """Per class four sound images; and three broken ones among those of class a."""
    for name in ("a", "b", "c"):
        for number in range(4):
            photo(tmp_path / "photos" / name / f"{number}.jpg")
    whole = (tmp_path / "photos" / "a" / "0.jpg").read_bytes()
    (tmp_path / "photos" / "a" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "photos" / "a" / "empty.jpg").write_bytes(b"")
    (tmp_path / "photos" / "a" / "text.jpg").write_text("This is no photo.")
    return tmp_path / "photos"


def broken_names(folder):
    return [str(folder / "a" / name) for name in ("cut.jpg", "empty.jpg", "text.jpg")]


def test_broken_images_are_named_once_counted_and_left_out_of_an_evaluation(mixed_folder, caplog):
    broken = data.BrokenImages()
    with caplog.at_level(logging.WARNING, "bnext_keras.data"):
        for _ in range(2):
            batches = data.evaluation_data(data.from_folder(mixed_folder), image_size=8, batch_size=5, broken=broken)
            assert labels_of(batches) == [0] * 4 + [1] * 4 + [2] * 4
    assert sorted(broken.errors) == broken_names(mixed_folder)
    assert len(broken) == 3
    cut, empty, text = (broken.errors[name] for name in broken_names(mixed_folder))
    assert "truncated" in cut.lower()
    assert (empty, text) == ("the file is empty", "no image that Pillow knows")
    assert len(caplog.records) == 3
    assert f"{mixed_folder / 'a' / 'text.jpg'}: broken image, skipped (no image that Pillow knows)" in caplog.text
    assert broken.summary(most=2).startswith("3 broken images skipped: ")
    assert broken.summary(most=2).endswith(" and 1 more")


def test_a_broken_images_name_does_nothing_to_the_terminal(caplog):
    broken = data.BrokenImages()
    broken.report("a\x1b[2J.png", OSError("bad \u202e file"))
    assert caplog.messages == [r"a\x1b[2J.png: broken image, skipped (bad \u202e file)"]
    assert broken.summary() == r"1 broken image skipped: a\x1b[2J.png"


def test_an_epoch_is_full_in_spite_of_broken_images(mixed_folder):
    examples, broken = data.from_folder(mixed_folder), data.BrokenImages()
    labels = labels_of(data.training_data(examples, image_size=8, batch_size=5, epochs=4, broken=broken))
    assert len(labels) == 4 * 15
    assert sorted(broken.errors) == broken_names(mixed_folder)


def test_in_place_of_a_broken_image_stands_the_next_sound_one_and_nothing_else_moves():
    class Fragile:
        """Numbered images of which some cannot be read."""

        def __init__(self, count, lost=()):
            self._examples, self._lost = numbered(count), lost
            self.num_classes, self.class_names = count, None
            self.keys, self.name = self._examples.keys, self._examples.name

        def __len__(self):
            return len(self._examples)

        def read(self, number):
            if int(number) in self._lost:
                raise OSError("lost")
            return self._examples.read(number)

    options = {"image_size": 8, "batch_size": 5, "epochs": 2}
    sound = collect(data.training_data(Fragile(10), **options))
    order = np.reshape(labels_of(sound), (2, 10)).tolist()
    lost = {order[0][3], order[0][4], order[0][9]}
    expected = []
    for epoch in order:
        for position in range(10):
            following = epoch[position:] + epoch[:position]
            expected.append(next(number for number in following if number not in lost))
    replaced = collect(data.training_data(Fragile(10, lost), **options))
    assert labels_of(replaced) == expected
    assert expected[3:5] == [order[0][5]] * 2
    assert expected[9] == order[0][0]
    # What is sound is augmented as ever, on one worker as on two.
    np.testing.assert_array_equal(replaced[0][0][:3], sound[0][0][:3])
    options["batch_size"] = 2
    whole = collect(data.training_data(Fragile(10, lost), **options))
    shards = [collect(data.training_data(Fragile(10, lost), shard=(i, 2), **options)) for i in range(2)]
    assert_same(interleaved(shards), whole)


def test_an_epochs_keys_are_built_once_however_many_of_its_images_are_broken():
    """A second time to see of which type they are."""
    examples, built = numbered(10), []

    class Counted:
        def keys(self, epoch, seed):
            built.append(epoch)
            return examples.keys(epoch, seed)

    order = Order(Counted(), seed=0)
    found = [[int(number) for (number,) in order.after(1, position, 2)] for position in range(9)]
    epoch = [int(number) for number in examples.keys(1, 0)]
    assert found == [[epoch[position + 1], epoch[(position + 2) % 10]] for position in range(9)]
    assert len(built) == 2


def test_only_broken_images_are_an_error_that_names_them(tmp_path):
    (tmp_path / "a").mkdir()
    for number in range(3):
        (tmp_path / "a" / f"{number}.jpg").write_bytes(b"")
    with pytest.raises(tf.errors.OpError, match=r"16 broken images in a row; 3 broken images skipped: .*\d\.jpg"):
        collect(data.training_data(data.from_folder(tmp_path), image_size=8, batch_size=2, epochs=1))


def test_a_file_that_vanishes_is_a_broken_image(mixed_folder):
    examples, broken = data.from_folder(mixed_folder), data.BrokenImages()
    (mixed_folder / "b" / "2.jpg").unlink()
    labels_of(data.evaluation_data(examples, image_size=8, batch_size=5, broken=broken))
    assert "No such file" in broken.errors[str(mixed_folder / "b" / "2.jpg")]


def test_a_mistake_in_augmentation_is_not_taken_for_a_broken_image():
    class Mistaken(data.Augmentation):
        def __call__(self, image, size, generator):
            raise OSError("a mistake")

    batches = data.training_data(numbered(4), image_size=8, batch_size=2, epochs=1, augmentation=Mistaken())
    with pytest.raises(tf.errors.OpError, match="a mistake"):
        collect(batches)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("cmyk.jpg", "CMYK", {}),
        ("grey.jpg", "L", {}),
        ("grey.png", "L", {}),
        ("alpha.png", "RGBA", {}),
        ("alpha.webp", "RGBA", {"lossless": True}),
        ("progressive.jpg", "RGB", {"progressive": True}),
        ("photo.tiff", "RGB", {}),
        ("photo.bmp", "RGB", {}),
    ],
)
def test_images_of_any_kind_are_read_as_pillow_converts_them(tmp_path, name, mode, options):
    path = photo(tmp_path / "a" / name, mode, size=(20, 16), **options)
    assert_read_as(tmp_path, np.asarray(Image.open(path).convert("RGB")))


def test_grey_images_of_16_bits_are_scaled_and_floats_are_broken():
    files = io.BytesIO(), io.BytesIO()
    Image.fromarray(np.array([[0, 32768, 65535]], np.uint16)).save(files[0], "PNG")
    assert np.asarray(decode(files[0].getvalue()))[0, :, 2].tolist() == [0, 128, 255]
    Image.fromarray(np.zeros((2, 2), np.float32)).save(files[1], "TIFF")
    with pytest.raises(ValueError, match="its values are floats"):
        decode(files[1].getvalue())


def test_palettes_are_read_in_colour(tmp_path):
    path = tmp_path / "a" / "palette.gif"
    photo(tmp_path / "a" / "photo.png")
    Image.open(tmp_path / "a" / "photo.png").quantize(16).save(path)
    (tmp_path / "a" / "photo.png").unlink()
    assert_read_as(tmp_path, np.asarray(Image.open(path).convert("RGB")))


def test_a_cameras_orientation_is_not_applied_as_in_the_published_training(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    path = photo(tmp_path / "a" / "turned.jpg", exif=exif)
    assert_read_as(tmp_path, np.asarray(Image.open(path).convert("RGB")))


def assert_read_as(folder, expected):
    """Training and evaluation without any change see the pixels expected."""
    options = {"image_size": expected.shape[:2], "batch_size": 1, "normalization": UNCHANGED}
    broken = data.BrokenImages()
    unchanged = data.Augmentation(crop="centre", centre=1.0, flip=0, randaugment=None)
    examples = data.from_folder(folder)
    for batches in (
        data.training_data(examples, epochs=1, augmentation=unchanged, broken=broken, **options),
        data.evaluation_data(examples, crop=1, broken=broken, **options),
    ):
        ((images, _),) = collect(batches)
        np.testing.assert_allclose(images[0], expected, atol=1e-4)
    assert broken.summary() == "no broken images"


# Values


def test_evaluation_sees_what_load_image_reads(tmp_path):
    path = photo(tmp_path / "a" / "photo.png", size=(70, 50))
    ((images, _),) = collect(data.evaluation_data(data.from_folder(tmp_path), image_size=(32, 40), batch_size=4))
    np.testing.assert_array_equal(images[0], load_image(path, (32, 40)))


def test_an_image_is_augmented_with_the_generator_of_its_place():
    examples = numbered(6)
    batches = collect(data.training_data(examples, image_size=8, batch_size=3, epochs=2, first_epoch=1, seed=9))
    for position, label in enumerate(labels_of(batches)):
        image = Image.fromarray(examples.read(label)[0])
        expected = data.Augmentation.imagenet()(image, (8, 8), generator(9, 1, position))
        normalized = data.Normalization.imagenet()(np.asarray(expected))
        np.testing.assert_array_equal(batches[position // 3][0][position % 3], normalized)


def test_cifars_augmentation_shifts_and_flips_and_nothing_else():
    examples = numbered(4, size=32)
    options = {"augmentation": data.Augmentation.cifar(), "normalization": UNCHANGED}
    ((images, labels),) = collect(data.training_data(examples, image_size=32, batch_size=4, epochs=1, **options))
    for image, label in zip(images, labels, strict=True):
        padded = np.pad(examples.read(label)[0], [(4, 4), (4, 4), (0, 0)])
        candidates = [padded[y : y + 32, x : x + 32] for y in range(9) for x in range(9)]
        assert any(np.allclose(image, c, atol=1e-4) or np.allclose(image[:, ::-1], c, atol=1e-4) for c in candidates)


def test_mixed_labels_are_shares_of_both_classes():
    options = {"image_size": 8, "batch_size": 4, "epochs": 1, "seed": 3}
    plain = collect(data.training_data(numbered(8), **options))
    mixed = collect(data.training_data(numbered(8), augmentation=data.Augmentation(mixup=0.8), **options))
    for step in range(2):
        share = draw_mix(generator(3, 0, step, 1), (8, 8), mixup=0.8, cutmix=0).share
        images, one_hot = plain[step][0], np.eye(8)[plain[step][1]]
        np.testing.assert_allclose(mixed[step][0], share * images + (1 - share) * images[::-1], atol=1e-5)
        np.testing.assert_allclose(mixed[step][1], share * one_hot + (1 - share) * one_hot[::-1], atol=1e-6)


def test_erasing_happens_after_normalization():
    black = data.from_arrays(np.zeros((1, 16, 16, 3), np.uint8), [0])
    erasing = data.Augmentation(randaugment=None, random_erasing=1.0)
    ((images, _),) = collect(
        data.training_data(black, image_size=16, batch_size=1, epochs=1, augmentation=erasing, normalization=UNCHANGED)
    )
    noise = images[images != 0]
    assert 0 < len(noise) < 0.4 * images.size
    assert noise.min() < 0


# Use


def test_fit_goes_through_one_dataset_epoch_by_epoch():
    class Recorder(tf.keras.layers.Layer):
        """Keeps the first pixel of every image that it has seen."""

        def __init__(self):
            super().__init__()
            self.seen = []

        def call(self, images):
            self.seen += images[:, 0, 0, 0].numpy().tolist()
            return tf.keras.layers.Flatten()(images)

    def fit(first_epoch):
        recorder = Recorder()
        model = tf.keras.Sequential([recorder, tf.keras.layers.Dense(12)])
        model.compile("sgd", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True), run_eagerly=True)
        batches = data.training_data(numbered(12), image_size=8, batch_size=5, epochs=3, first_epoch=first_epoch)
        steps = data.steps_per_epoch(numbered(12), 5)
        model.fit(batches, epochs=3, initial_epoch=first_epoch, steps_per_epoch=steps, verbose=0)
        return recorder.seen

    images = np.concatenate([x for x, _ in data.training_data(numbered(12), image_size=8, batch_size=5, epochs=3)])
    expected = images[:, 0, 0, 0].tolist()
    assert len(expected) == 30
    assert fit(0) == expected
    assert fit(2) == expected[20:]
    assert fit(1) == expected[10:]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 11}, "batch_size must be from 1 to the number of examples, 10, got 11"),
        ({"batch_size": 0}, "got 0"),
        ({"shard": (0, 3)}, "batch_size must be a multiple of the number of workers, 3, got 4"),
        ({"shard": (2, 2)}, r"shard must be a worker's number .* got \(2, 2\)"),
        ({"first_epoch": 3}, "first_epoch must be from 0 to epochs, 2, got 3"),
        ({"seed": -1}, "seed must be 0 or more, got -1"),
        ({"image_size": (8, 8, 3)}, r"image_size must be .* got \(8, 8, 3\)"),
        ({"image_size": 0}, "image_size must be"),
    ],
    ids=str,
)
def test_numbers_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        data.training_data(numbered(10), **{"image_size": 8, "batch_size": 4, "epochs": 2} | options)


def test_an_impossible_evaluation_is_refused():
    with pytest.raises(ValueError, match="crop must be a share above 0 and up to 1, got 0"):
        data.evaluation_data(numbered(4), image_size=8, batch_size=2, crop=0)
    with pytest.raises(ValueError, match="batch_size must be a multiple of the number of workers, 2, got 3"):
        data.evaluation_data(numbered(4), image_size=8, batch_size=3, shard=(0, 2))


@pytest.mark.parametrize("processes", [0, 1])
def test_pixels_may_be_left_for_the_train_step_to_normalize(processes):
    options = {"image_size": 12, "batch_size": 4, "processes": processes}
    training = data.training_data(numbered(8), epochs=2, normalized=False, **options)
    evaluation = data.evaluation_data(numbered(8), normalized=False, **options)
    for batches, expected in (
        (training, data.training_data(numbered(8), epochs=2, **options)),
        (evaluation, data.evaluation_data(numbered(8), **options)),
    ):
        assert batches.element_spec[0].dtype == tf.uint8
        assert_same(
            [(normalize(images, data.Normalization.imagenet()), labels) for images, labels in batches],
            collect(expected),
        )


@pytest.mark.parametrize("changes", [{"mixup": 0.2}, {"random_erasing": 1.0}], ids=str)
def test_pixels_that_are_mixed_or_erased_are_normalized_before(changes):
    options = {"image_size": 12, "batch_size": 4, "epochs": 1, "augmentation": data.Augmentation(**changes)}
    assert_same(
        data.training_data(numbered(8), normalized=False, **options),
        collect(data.training_data(numbered(8), **options)),
    )
