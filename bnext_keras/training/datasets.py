"""From what the command line says about data to examples for training and for evaluation."""

from dataclasses import replace
from pathlib import Path

from bnext_keras import data
from bnext_keras.data.examples import fingerprint
from bnext_keras.data.sources import is_cifar
from bnext_keras.errors import RunError
from bnext_keras.extras import how_to_install
from bnext_keras.recipes import Recipe

import numpy as np
import tensorflow as tf

#: What the validation images are called, in the order of preference.
VALIDATION_SPLITS = ("validation", "val", "test")


def open_data(source: str, recipe: Recipe) -> tuple[data.Examples, data.Examples]:
    """The examples to train on and to evaluate with.

    Args:
        source: A folder with the folders ``train`` and ``val`` (or ``validation``, ``test``) of one folder per class;
            a folder of CIFAR's binary version; ``tfrecord:PATTERN`` with ``{split}`` in the pattern; ``tfds:NAME``; or
            ``digits``.
        recipe: Tells the number of classes.

    Raises:
        RunError: if they cannot be opened or have other classes.
    """
    try:
        train, validation = _open(source, recipe)
    except (ImportError, OSError, ValueError) as error:
        raise RunError(f"--data {source}: {error}") from error
    if train.num_classes != recipe.data.num_classes:
        raise RunError(
            f"--data {source}: has {train.num_classes} classes, but the recipe {recipe.data.num_classes}; "
            f"if that is meant, add num_classes={train.num_classes}"
        )
    return train, validation


def fingerprints(train: data.Examples, validation: data.Examples) -> dict[str, dict[str, int | str]]:
    """What a run's record holds of its data: see `bnext_keras.data.examples.fingerprint`."""
    return {"training": fingerprint(train), "validation": fingerprint(validation)}


def augmentation(recipe: Recipe) -> data.Augmentation:
    """What happens to training images."""
    published = {
        "imagenet": data.Augmentation.imagenet(),
        "crop_and_flip": data.Augmentation(randaugment=None),
        "cifar": data.Augmentation.cifar(),
        "shift": data.Augmentation(crop="padded", padding=2, flip=0.0, randaugment=None),
    }[recipe.data.augmentation]
    return replace(
        published,
        color_jitter=recipe.data.color_jitter,
        random_erasing=recipe.data.random_erasing,
        mixup=recipe.data.mixup,
        cutmix=recipe.data.cutmix,
    )


def training_batches(
    examples: data.Examples, recipe: Recipe, first_epoch=0, epochs=None, shard=(0, 1), broken=None, processes=0
) -> tf.data.Dataset:
    """The batches of a run from an epoch on, see `bnext_keras.data.training_data`."""
    return data.training_data(
        examples,
        image_size=recipe.data.image_size,
        batch_size=recipe.data.batch_size,
        epochs=recipe.schedule.epochs if epochs is None else epochs,
        first_epoch=first_epoch,
        augmentation=augmentation(recipe),
        normalization=normalization(recipe),
        seed=recipe.seed,
        shard=shard,
        processes=processes,
        broken=broken,
    )


def validation_batches(
    examples: data.Examples, recipe: Recipe, shard=(0, 1), broken=None, processes=0
) -> tf.data.Dataset:
    """Every image for evaluation once, see `bnext_keras.data.evaluation_data`.

    If training images are mixed, labels are one-hot here too: a model has one loss for both.
    """
    # Small images are shown whole; of photos the centre, as published.
    crop = {"crop": 1.0} if augmentation(recipe).crop == "padded" else {}
    batches = data.evaluation_data(
        examples,
        image_size=recipe.data.image_size,
        batch_size=recipe.data.batch_size,
        normalization=normalization(recipe),
        shard=shard,
        processes=processes,
        broken=broken,
        **crop,
    )
    if not augmentation(recipe).mixes:
        return batches
    return batches.map(lambda images, labels: (images, tf.one_hot(labels, recipe.data.num_classes)))


def normalization(recipe: Recipe) -> data.Normalization:
    """What happens to the pixels of all images."""
    return {"imagenet": data.Normalization.imagenet, "cifar": data.Normalization.cifar}[recipe.data.normalization]()


def _open(source, recipe):
    if source == "digits":
        return _digits()
    kind, colon, rest = source.partition(":")
    if colon and kind == "tfds":
        return data.from_tfds(rest, "train"), _first_that_exists(
            lambda split: data.from_tfds(rest, split), missing=ValueError
        )
    if colon and kind == "tfrecord":
        if "{split}" not in rest:
            raise ValueError("write {split} where file names say train or validation: tfrecord:imagenet/{split}-*")
        options = {"num_classes": recipe.data.num_classes, "label_offset": recipe.data.label_offset}

        def of_split(split):
            return data.from_tfrecords(rest.replace("{split}", split), **options)

        return of_split("train"), _first_that_exists(of_split)
    folder = Path(source)
    if not folder.is_dir():
        raise FileNotFoundError("no such folder")
    if is_cifar(folder):
        return data.from_cifar(folder, "train"), data.from_cifar(folder, "test")
    train = data.from_folder(folder / "train")
    return train, _first_that_exists(lambda split: data.from_folder(folder / split, class_names=train.class_names))


def _first_that_exists(open_split, missing=FileNotFoundError):
    errors = []
    for split in VALIDATION_SPLITS:
        try:
            return open_split(split)
        except missing as error:
            errors.append(error)
    raise errors[0]


def _digits():
    """The 1797 handwritten digits of scikit-learn, a fifth of them held out, always the same ones."""
    try:
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(f"scikit-learn is not installed: {how_to_install('train')}") from error
    digits = load_digits()
    # Each of the 8 x 8 pixels has 17 shades and becomes 4 x 4 of the usual ones.
    images = np.round(digits.images * 255 / 16).astype(np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    split = train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
    train_images, held_out_images, train_labels, held_out_labels = split
    names = [str(digit) for digit in digits.target_names]
    return (
        data.from_arrays(train_images, train_labels, class_names=names),
        data.from_arrays(held_out_images, held_out_labels, class_names=names),
    )
