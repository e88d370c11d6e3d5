"""What a model's outputs are classes of: stated by its head, never by what it is called."""

from bnext_keras import models
from bnext_keras.classes import annotate, classes_of, stated
from bnext_keras.importers.released import Architecture
from bnext_keras.labels import imagenet_labels

import pytest
import tensorflow as tf
from earlier_versions import without_statements

SMALL = {"input_shape": (32, 32, 3)}


def test_a_published_variant_of_1000_classes_is_for_imagenet():
    assert classes_of(models.BNextTiny(**SMALL)) == "imagenet"


def test_by_another_name_too():
    assert classes_of(models.BNextTiny(name="x", **SMALL)) == "imagenet"
    assert classes_of(models.MeliusNet22(name="x", **SMALL)) == "imagenet"
    assert classes_of(models.BNext18(name="x", **SMALL)) == "imagenet"


def test_not_with_other_classes():
    assert classes_of(models.BNext18(num_classes=10, **SMALL)) is None


def test_who_builds_it_may_say_otherwise():
    assert classes_of(models.BNext18(classes=None, **SMALL)) is None
    assert classes_of(models.BNext([8, 16], classes="imagenet", **SMALL)) == "imagenet"
    assert classes_of(models.MeliusNet([1], [], classes="imagenet", **SMALL)) == "imagenet"


def test_a_network_of_ones_own_is_for_nothing_known():
    assert classes_of(models.BNext([8, 16], name="bnext_tiny", **SMALL)) is None


def test_nor_is_a_strangers_called_like_a_published_one():
    image = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Dense(1000)(tf.keras.layers.Flatten()(image))
    assert classes_of(tf.keras.Model(image, x, name="bnext_tiny")) is None


def test_an_imported_variant_is_for_imagenet():
    architecture = Architecture("BNext18", (), 1000, 2, True, True)
    assert classes_of(architecture.build(64)) == "imagenet"


def test_the_statement_goes_with_the_head():
    base = models.BNext([8, 16], classes="imagenet", **SMALL)
    softmax = tf.keras.Model(base.input, tf.keras.layers.Softmax()(base.output))
    other = tf.keras.Model(base.input, tf.keras.layers.Dense(1000)(base.layers[-2].output))
    nested = tf.keras.Sequential([base, tf.keras.layers.Softmax()])
    assert [classes_of(model) for model in (softmax, other, nested)] == ["imagenet", None, "imagenet"]


@pytest.mark.parametrize(("num_classes", "expected"), [(1000, "imagenet"), (999, None)])
def test_networks_of_earlier_versions_are_known_by_their_parameters(num_classes, expected):
    model = without_statements(models.MeliusNet23(input_shape=(96, 96, 3), num_classes=num_classes, name="x"))
    assert classes_of(model) == expected
    # One that is told more keeps the names that it had.
    names = stated(annotate(model, mean=0.5, std=0.25)).class_names
    assert names == (None if expected is None else tuple(imagenet_labels()))


def test_a_network_of_earlier_versions_that_is_none_of_the_published():
    assert classes_of(without_statements(models.BNext([8, 16], name="bnext_tiny", **SMALL))) is None
