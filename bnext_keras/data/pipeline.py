"""Batches for training and evaluation, the same ones whenever and wherever they are made.

    examples = data.from_folder("imagenet/train")
    batches = data.training_data(examples, image_size=224, batch_size=512, epochs=512, first_epoch=start)
    steps = data.steps_per_epoch(examples, 512)
    model.fit(batches, epochs=512, initial_epoch=start, steps_per_epoch=steps)

One dataset runs through all epochs, so that the next epoch is already being loaded when one ends. What an example's
augmentation draws depends on the seed, the epoch and the example's position in the epoch alone, so a run resumed at
epoch k sees what an uninterrupted one sees from there on.

An epoch has ``len(examples) // batch_size`` steps; which examples are left over changes with every epoch. In the place
of a broken image stands the next sound one of the epoch, augmented in its own way: everything else stays where it
is, on every worker.
"""

import os

from bnext_keras.data.augment import Augmentation
from bnext_keras.data.augment.erasing import erase
from bnext_keras.data.augment.mixing import mix_batch
from bnext_keras.data.broken import BrokenImages
from bnext_keras.data.examples import Examples
from bnext_keras.data.loading import LONGEST_BROKEN_RUN, Loader
from bnext_keras.data.randomness import generator
from bnext_keras.preprocessing import CROP, Normalization, centre_crop

import numpy as np
import tensorflow as tf


def steps_per_epoch(examples: Examples, batch_size: int) -> int:
    """How many full batches an epoch has.

    Raises:
        ValueError: if there are fewer examples than one batch needs.
    """
    if not 1 <= batch_size <= len(examples):
        raise ValueError(f"batch_size must be from 1 to the number of examples, {len(examples)}, got {batch_size}")
    return len(examples) // batch_size


def training_data(
    examples: Examples,
    *,
    image_size: int | tuple[int, int],
    batch_size: int,
    epochs: int,
    first_epoch: int = 0,
    augmentation: Augmentation | None = None,
    normalization: Normalization | None = None,
    seed: int = 0,
    shard: tuple[int, int] = (0, 1),
    threads: int | None = None,
    broken: BrokenImages | None = None,
) -> tf.data.Dataset:
    """Shuffled, augmented batches of the epochs from ``first_epoch`` on.

    Args:
        examples: The data set.
        image_size: Height and width in pixels, or one number for both.
        batch_size: Images in one batch, of all workers together.
        epochs: The number of the last epoch, plus one.
        first_epoch: Number of the first epoch, counted from 0.
        augmentation: What happens to the images; by default `Augmentation.imagenet`.
        normalization: What happens to the pixels; by default `Normalization.imagenet`.
        seed: Seed of order and augmentation, 0 or more.
        shard: This worker's number and how many there are: ``(0, 1)`` for all of the data. With ``n`` workers,
            the union of their k-th batches, ``batch_size / n`` images each, is the k-th batch of a single process.
            (Only mixup and cutmix differ: they mix within a worker's images.) Made for
            ``strategy.distribute_datasets_from_function``, which leaves batches as they are.
        threads: How many images are prepared at the same time; by default one per core.
        broken: Collects the names of images that cannot be read, while the dataset is iterated.

    Returns:
        A dataset of ``(images, labels)``: float32 ``(batch, height, width, 3)``, normalized, and int32 ``(batch,)``;
        or, if images are mixed, float32 ``(batch, classes)``, the share of every class.

    Raises:
        ValueError: if numbers do not fit together.

    Example:
        >>> from bnext_keras import data
        >>> examples = data.from_arrays(np.zeros((10, 8, 8, 3), np.uint8), np.arange(10) % 2)
        >>> batches = data.training_data(examples, image_size=8, batch_size=4, epochs=3)
        >>> [(images.shape, len(labels)) for images, labels in batches][0], len(list(batches))
        ((TensorShape([4, 8, 8, 3]), 4), 6)
    """
    augmentation = Augmentation.imagenet() if augmentation is None else augmentation
    normalization = Normalization.imagenet() if normalization is None else normalization
    size = _size(image_size)
    length = steps_per_epoch(examples, batch_size) * batch_size
    index, count = _checked_shard(shard, batch_size)
    if not 0 <= first_epoch <= epochs:
        raise ValueError(f"first_epoch must be from 0 to epochs, {epochs}, got {first_epoch}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, got {seed}")

    def transform(image, epoch, position):
        random = generator(seed, epoch, position)
        pixels = normalization(np.asarray(augmentation(image, size, random)))
        return erase(pixels, random, augmentation.random_erasing) if augmentation.random_erasing else pixels

    loader = Loader(examples, transform, size, BrokenImages() if broken is None else broken)

    def keys_of(epoch):
        # Begins again where the epoch ends, for the spares of its last examples.
        keys = _windows(examples.keys(epoch, seed).repeat(), 1 + LONGEST_BROKEN_RUN).take(length)
        return tf.data.Dataset.zip((tf.data.Dataset.from_tensors(epoch).repeat(), tf.data.Dataset.range(length), keys))

    def load(epoch, position, keys):
        return (epoch, position, *loader.load_first_sound(epoch, position, keys))

    def finish(epochs, positions, images, labels):
        if not augmentation.mixes:
            return images, labels
        step = positions[0] // batch_size
        shares = tf.one_hot(labels, examples.num_classes)
        return mix_batch(images, shares, augmentation, seed, epochs[0], step)

    data = tf.data.Dataset.range(first_epoch, epochs).flat_map(keys_of).shard(count, index)
    data = data.map(load, num_parallel_calls=threads or os.cpu_count(), deterministic=True)
    data = data.batch(batch_size // count, drop_remainder=True).map(finish)
    data = data.apply(tf.data.experimental.assert_cardinality((epochs - first_epoch) * (length // batch_size)))
    return data.prefetch(2).with_options(_options(count))


def evaluation_data(
    examples: Examples,
    *,
    image_size: int | tuple[int, int],
    batch_size: int,
    crop: float = CROP,
    normalization: Normalization | None = None,
    shard: tuple[int, int] = (0, 1),
    threads: int | None = None,
    broken: BrokenImages | None = None,
) -> tf.data.Dataset:
    """Every example once, in the source's order, as `bnext_keras.preprocessing.load_image` reads it.

    Broken images are left out; the last batch may be smaller.

    Args:
        examples: The data set.
        image_size: Height and width in pixels, or one number for both.
        batch_size: Images in one batch, of all workers together.
        crop: Share of the shorter side that the centre crop keeps; 1 for CIFAR.
        normalization: What happens to the pixels; by default `Normalization.imagenet`.
        shard: As in `training_data`.
        threads: As in `training_data`.
        broken: As in `training_data`.

    Returns:
        A dataset of ``(images, labels)``: float32 ``(batch, height, width, 3)`` and int32 ``(batch,)``.

    Raises:
        ValueError: if numbers do not fit together.

    Example:
        >>> from bnext_keras import data
        >>> examples = data.from_arrays(np.zeros((3, 8, 8, 3), np.uint8), [0, 1, 0])
        >>> [labels.numpy().tolist() for _, labels in data.evaluation_data(examples, image_size=8, batch_size=2)]
        [[0, 1], [0]]
    """
    normalization = Normalization.imagenet() if normalization is None else normalization
    size = _size(image_size)
    index, count = _checked_shard(shard, batch_size)
    if not 0 < crop <= 1:
        raise ValueError(f"crop must be a share above 0 and up to 1, got {crop}")

    def transform(image, epoch, position):
        return normalization(np.asarray(centre_crop(image, size, crop=crop)))

    loader = Loader(examples, transform, size, BrokenImages() if broken is None else broken)

    def load(*key):
        return loader.load(0, 0, key)

    def is_sound(image, label, sound):
        return sound

    def without_mark(image, label, sound):
        return image, label

    data = examples.keys().shard(count, index)
    data = data.map(load, num_parallel_calls=threads or os.cpu_count(), deterministic=True)
    data = data.filter(is_sound).map(without_mark)
    return data.batch(batch_size // count).prefetch(2).with_options(_options(count))


def _windows(keys, size):
    """Each key together with those that follow it: tuples of ``size`` keys, which are tuples themselves."""
    spec = keys.element_spec if isinstance(keys.element_spec, tuple) else (keys.element_spec,)
    blank = tuple(tf.zeros(part.shape, part.dtype) for part in spec)

    def slide(window, key):
        window = (*window[1:], key if isinstance(key, tuple) else (key,))
        return window, window

    return keys.scan((blank,) * size, slide).skip(size - 1)


def _size(image_size):
    size = (image_size, image_size) if isinstance(image_size, int) else tuple(image_size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"image_size must be a number of pixels, or a height and a width, got {image_size}")
    return size


def _checked_shard(shard, batch_size):
    index, count = shard
    if not 0 <= index < count:
        raise ValueError(f"shard must be a worker's number from 0 on and how many there are, got {shard}")
    if batch_size < 1 or batch_size % count:
        raise ValueError(f"batch_size must be a multiple of the number of workers, {count}, got {batch_size}")
    return index, count


def _options(workers):
    options = tf.data.Options()
    options.deterministic = True
    # The autotuner has nothing to gain here, but an iterator may have to wait for it at its end, up to half a minute.
    options.autotune.enabled = False
    # What is divided already must not be divided again; what is not, only by batches: a file belongs to all workers.
    policy = tf.data.experimental.AutoShardPolicy
    options.experimental_distribute.auto_shard_policy = policy.OFF if workers > 1 else policy.DATA
    return options
