"""Arguments that all networks take, as in `tf.keras.applications`."""

import inspect
from pathlib import Path

import bnext_keras
from bnext_keras import models, networks, zoo
from bnext_keras.classes import annotate, classes_of, stated
from bnext_keras.errors import StateDictError, UserError
from bnext_keras.importers import import_bnext
from bnext_keras.model_files import load_model
from bnext_keras.orientation import add_rotation, is_rotating
from bnext_keras.preprocessing import Normalization

import narrow_bnext
import numpy as np
import pytest
import tensorflow as tf
from alike import with_more

#: A checkpoint that PyTorch wrote, with the released code's names, and with what a training run puts beside weights.
RELEASED = Path(__file__).parents[2] / "support" / "checkpoints" / "training.pth.tar"
SHAPE = (16, 16, 3)
KERAS = [
    *("input_shape", "input_tensor", "weights", "include_top", "pooling"),
    *("classes", "num_classes", "classifier_activation", "name"),
]


def network(widths=(8, 16), **options):
    return models.BNext(widths, **{"input_shape": SHAPE, "num_classes": 3, **options})


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)


@pytest.fixture(scope="module")
def trained():
    """A network whose weights are its own."""
    tf.keras.utils.set_random_seed(1)
    model = network()
    for weight in model.weights:
        if "temperature" not in weight.name:
            weight.assign(weight + tf.random.uniform(weight.shape, 0.1, 0.2))
    return model


@pytest.mark.parametrize("name", [name for name in networks.names() if name != "BinaryDLRM"])
def test_every_constructor_spells_out_its_arguments(name):
    function = networks.find(name)
    parameters = inspect.signature(function).parameters
    assert set(KERAS) <= set(parameters)
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters.values())
    assert parameters["classifier_activation"].default is None
    assert (parameters["num_classes"].default, parameters["input_shape"].default) in [
        (1000, (224, 224, 3)),
        (10, (32, 32, 3)),
    ]
    assert "``include_top``: Whether" in function.__doc__


def test_defaults_are_those_of_the_network():
    parameters = inspect.signature(zoo.BoolNet).parameters
    assert (parameters["slices"].default, parameters["classes"].default) == (4, "imagenet")
    assert (parameters["name"].default, parameters["weights"].default) == ("boolnet", None)
    assert inspect.signature(models.BNextTiny).parameters["elm_attention"].default is True


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"widht": 3}, TypeError, r"BNext\(\) got an unexpected keyword argument 'widht'"),
        ({"num_classes": 0}, ValueError, "num_classes must be a whole number above 0, got 0"),
        ({"num_classes": None}, ValueError, "num_classes must be a whole number above 0, got None"),
        ({"classes": 0}, ValueError, "classes must be a whole number above 0, got 0"),
        ({"classes": 2.5}, ValueError, "classes must be a whole number above 0, got 2.5"),
        ({"classes": 4}, ValueError, "classes 4 and num_classes 3 differ; give one"),
        ({"pooling": "sum"}, ValueError, "pooling must be None, 'avg' or 'max', got 'sum'"),
        ({"input_tensor": np.zeros((1, *SHAPE))}, ValueError, "input_tensor must be a Keras tensor"),
        ({"weights": "imagenet"}, UserError, "weights='imagenet': nothing is downloaded; give the path"),
        ({"weights": "missing.h5"}, UserError, "missing.h5: no such file"),
    ],
)
def test_what_makes_no_sense_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        network(**options)


def test_classes_are_a_number_or_a_data_set():
    assert models.BNext([8, 16], input_shape=SHAPE, classes=5).output_shape == (None, 5)
    assert classes_of(models.BNext([8, 16], input_shape=SHAPE, classes=1000)) is None
    assert classes_of(network(classes="imagenet")) == "imagenet"


@pytest.mark.parametrize(("pooling", "shape"), [(None, (None, 16, 16, 16)), ("avg", (None, 16)), ("max", (None, 16))])
def test_without_the_top_a_map_or_its_pool_is_returned(pooling, shape):
    model = network(include_top=False, pooling=pooling)
    assert model.output_shape == shape
    assert "head" not in {layer.name for layer in model.layers}


def test_the_dense_layers_of_an_alexnet_are_its_top():
    model = zoo.BinaryNet(include_top=False)
    assert model.output_shape == (None, 4, 4, 512)


def test_logits_get_an_activation_on_demand(images):
    answers = network(classifier_activation="softmax")(images).numpy()
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-6)


def test_a_network_is_built_on_a_tensor(trained, images):
    pixels = tf.keras.Input(SHAPE, name="pixels")
    model = network(input_tensor=tf.keras.layers.Rescaling(1 / 4)(pixels))
    model.set_weights(trained.get_weights())
    assert model.input_names == ["pixels"]
    np.testing.assert_array_equal(model(4 * images), trained(images))


@pytest.mark.parametrize("name", ["whole.h5", "whole.keras", "only.h5"])
def test_weights_come_from_a_file_of_ones_own(trained, images, tmp_path, name):
    save = trained.save_weights if name == "only.h5" else trained.save
    save(tmp_path / name)
    np.testing.assert_array_equal(network(weights=tmp_path / name)(images), trained(images))


def test_another_head_stays_fresh_and_a_missing_one_is_left_out(trained, images, tmp_path, caplog):
    path = tmp_path / "trained.h5"
    trained.save_weights(path)
    backbone = tf.keras.Model(trained.inputs, trained.get_layer("head_prelu").output)
    other = network(weights=path, num_classes=7)
    assert "has no weights for head, which keeps its fresh ones" in caplog.text
    for model in (
        tf.keras.Model(other.inputs, other.get_layer("head_prelu").output),
        network(weights=path, include_top=False),
    ):
        np.testing.assert_array_equal(model(images), backbone(images))


def test_a_pool_needs_no_classifier(trained, images, tmp_path):
    trained.save_weights(tmp_path / "trained.h5")
    pooled = network(weights=tmp_path / "trained.h5", include_top=False, pooling="max")
    maps = tf.keras.Model(trained.inputs, trained.get_layer("head_prelu").output)(images)
    np.testing.assert_array_equal(pooled(images), tf.reduce_max(maps, (1, 2)))


def test_another_head_states_the_normalization_of_the_old_one(tmp_path):
    path = tmp_path / "trained.h5"
    annotate(network(), class_names=["a", "b", "c"], mean=0.5, std=0.25).save(path)
    found = stated(network(weights=path, num_classes=7))
    assert found.class_names is None
    assert (found.normalization.mean, found.normalization.std) == ((0.5,) * 3, (0.25,) * 3)


def test_so_does_a_network_without_a_head_and_what_is_built_on_it(tmp_path):
    path = tmp_path / "trained.h5"
    annotate(network(), class_names=["a", "b", "c"], mean=0.5, std=0.25).save(path)
    backbone = network(weights=path, include_top=False, pooling="avg")
    tf.keras.Model(backbone.input, tf.keras.layers.Dense(5)(backbone.output)).save(path)
    found = stated(load_model(path))
    assert (found.class_names, found.normalization) == (None, Normalization((0.5,) * 3, (0.25,) * 3))
    image = tf.keras.Input(SHAPE)
    rescaled = network(weights=path, include_top=False, input_tensor=tf.keras.layers.Rescaling(2.0)(image))
    assert stated(rescaled).normalization is None


def test_weights_of_another_network_are_refused_and_change_nothing(trained, tmp_path):
    path = tmp_path / "trained.h5"
    trained.save_weights(path)
    message = r"are missing: block1_1x1_.* have no place: block1_1x1a_.* another shape: block1"
    with pytest.raises(StateDictError, match=message):
        network((16, 16, 32), weights=path)
    with pytest.raises(StateDictError, match="have no place: block1_1x1"):
        network((8, 8), weights=path, include_top=False)


def test_weights_that_want_turned_images_bring_the_layer_that_turns_them(trained, images, tmp_path):
    path = tmp_path / "turned.h5"
    add_rotation(trained).save(path)
    model = network(weights=path)
    assert [layer.name for layer in model.layers[:2]] == ["image", "rotate180"]
    np.testing.assert_array_equal(model(images), trained(images[:, ::-1, ::-1]))


def test_maps_by_stride_are_turned_back(trained, tmp_path):
    path = tmp_path / "turned.h5"
    widths, shape = [8, 16, 32], (32, 32, 3)
    upright = network(widths, input_shape=shape, stem_stride=2)
    add_rotation(upright).save(path)
    image = np.random.default_rng(1).standard_normal((1, *shape)).astype(np.float32)
    maps = bnext_keras.features(network(widths, input_shape=shape, stem_stride=2, weights=path))(image)
    expected = bnext_keras.features(upright)(image[:, ::-1, ::-1])
    assert list(maps) == list(expected) == ["P2"]
    np.testing.assert_array_equal(maps["P2"], expected["P2"][:, ::-1, ::-1])


@pytest.mark.parametrize(
    ("options", "output"), with_more([({"num_classes": 5}, "head_prelu")], [({"pooling": "avg"}, None)])
)
def test_weights_of_a_released_checkpoint(images, caplog, options, output):
    """With another head, and without one."""
    whole = import_bnext(RELEASED, 16).model
    model = network(narrow_bnext.WIDTHS, weights=RELEASED, include_top=output is not None, **options)
    assert is_rotating(model)
    assert ("training.pth.tar has no weights for head, which keeps its fresh ones: train it" in caplog.text) is (
        "num_classes" in options
    )
    if output is None:
        pool = tf.keras.layers.GlobalAveragePooling2D()(whole.get_layer("head_prelu").output)
        expected, found = tf.keras.Model(whole.inputs, pool), model
    else:
        expected, found = (tf.keras.Model(each.inputs, each.get_layer(output).output) for each in (whole, model))
    np.testing.assert_array_equal(found(images), expected(images))


@pytest.mark.exhaustive
def test_a_released_checkpoint_of_another_network_is_refused():
    with pytest.raises(StateDictError, match=r"layers are missing: block1_1x1_bias.* have no place: block1_1x1a_"):
        network((4, 4), weights=RELEASED, num_classes=2)
