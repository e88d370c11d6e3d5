"""From what the command line says about data to examples for training and for evaluation."""

from dataclasses import replace

from bnext_keras import data
from bnext_keras.data.examples import fingerprint
from bnext_keras.data.sources.by_name import TRAINING_SPLIT, VALIDATION_SPLITS, open_split
from bnext_keras.errors import RunError
from bnext_keras.recipes import Recipe

import tensorflow as tf


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
    if train.num_classes == 1:
        names = f", {train.class_names[0]}" if train.class_names else ""
        raise RunError(
            f"has one class alone{names}, of which a network learns nothing",
            where=f"--data {source}",
            remedy="give a folder of images for each of two classes or more",
        )
    if train.num_classes != recipe.data.num_classes:
        raise RunError(
            f"--data {source}: has {train.num_classes:,} classes, but the recipe {recipe.data.num_classes:,}; "
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
    examples: data.Examples,
    recipe: Recipe,
    first_epoch=0,
    epochs=None,
    shard=(0, 1),
    broken=None,
    processes=0,
    normalized=True,
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
        normalized=normalized,
        seed=recipe.seed,
        shard=shard,
        processes=processes,
        broken=broken,
    )


def validation_batches(
    examples: data.Examples, recipe: Recipe, shard=(0, 1), broken=None, processes=0, normalized=True
) -> tf.data.Dataset:
    """Every image for evaluation once, see `bnext_keras.data.evaluation_data`.

    If training images are mixed, labels are one-hot here too: a model has one loss for both.
    """
    # What was trained whole is shown whole.
    crop = {"crop": 1.0} if augmentation(recipe).crop == "padded" else {}
    batches = data.evaluation_data(
        examples,
        image_size=recipe.data.image_size,
        batch_size=recipe.data.batch_size,
        normalization=normalization(recipe),
        normalized=normalized,
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
    options = {"num_classes": recipe.data.num_classes, "label_offset": recipe.data.label_offset}
    train = open_split(source, [TRAINING_SPLIT], **options)
    return train, open_split(source, VALIDATION_SPLITS, class_names=train.class_names, **options)
