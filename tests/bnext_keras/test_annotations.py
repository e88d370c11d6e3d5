"""What a model is for: stated by a layer, kept by every file format, whoever made the model."""

from bnext_keras import models
from bnext_keras.annotations import Annotation
from bnext_keras.classes import Statement, annotate, classes_of, stated
from bnext_keras.errors import FileError
from bnext_keras.labels import imagenet_labels
from bnext_keras.layers import Dense
from bnext_keras.model_files import load_model
from bnext_keras.preprocessing import Normalization
from bnext_keras.teachers import Teacher

import numpy as np
import pytest
import tensorflow as tf
from foreign_models import configuration

Layers = tf.keras.layers
NAMES = ("cat", "größer 猫", "two\\nlines")
SCALE = Normalization((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
HALVES = Normalization((0.5,) * 3, (0.5,) * 3)
STATED = {"class_names": NAMES, "mean": SCALE.mean, "std": SCALE.std}


def own(**options):
    return models.BNext([8, 16], **{"input_shape": (32, 32, 3), "num_classes": 3, **options})


def strangers(*behind, channels=3, outputs=3):
    pooled = [Layers.Conv2D(4, 3, input_shape=(32, 32, channels)), Layers.GlobalAveragePooling2D()]
    return tf.keras.Sequential([*pooled, Layers.Dense(outputs), *behind], name="net")


BUILT = {"own": own, "stranger's": strangers, "stranger's with softmax": lambda: strangers(Layers.Softmax())}


@pytest.fixture(params=BUILT)
def annotated(request):
    return annotate(BUILT[request.param](), **STATED)


def test_nothing_is_known_unless_it_is_stated():
    assert stated(own()) == stated(strangers()) == Statement(None, None)


def test_a_model_that_was_told_states_it(annotated):
    assert stated(annotated) == Statement(NAMES, SCALE)


@pytest.mark.parametrize("file", ["model.h5", "model.keras"])
def test_every_file_keeps_it(annotated, tmp_path, file):
    annotated.save(tmp_path / file)
    assert stated(tf.keras.models.load_model(tmp_path / file)) == Statement(NAMES, SCALE)


def test_so_does_a_folder(tmp_path):
    """That of a network of ours is looked at together with its roles."""
    annotate(strangers(), **STATED).save(tmp_path / "saved_model")
    for load in (tf.keras.models.load_model, load_model):
        assert stated(load(tmp_path / "saved_model")) == Statement(NAMES, SCALE)


def test_so_do_copies_and_models_that_contain_it(annotated):
    nested = tf.keras.Sequential([annotated, Layers.Softmax()])
    nested.build((None, 32, 32, 3))
    for model in (tf.keras.models.clone_model(annotated), nested):
        assert stated(model) == Statement(NAMES, SCALE)


def test_a_head_of_ours_states_it_itself_and_a_strangers_network_gets_an_identity():
    model = own()
    assert annotate(model, **STATED) is model
    model = strangers()
    annotated = annotate(model, **STATED)
    assert annotated.name == "net"
    assert [type(layer) for layer in annotated.layers[-2:]] == [Layers.Dense, Annotation]
    assert annotated.layers[-2] is model.layers[-1]
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(annotated.predict(images, verbose=0), model.predict(images, verbose=0))


def test_what_is_not_named_stays_as_it_was(annotated):
    again = annotate(annotated, mean=[0.5], std=[0.5])
    assert again is annotated
    assert stated(again) == Statement(NAMES, HALVES)
    assert stated(annotate(again, class_names=["a", "b", "c"])) == Statement(("a", "b", "c"), HALVES)


def test_names_take_the_place_of_imagenets_and_leave_its_normalization():
    model = annotate(own(num_classes=1000, classes="imagenet"), class_names=[f"class {i}" for i in range(1000)])
    assert classes_of(model) is None
    assert stated(model).class_names[999] == "class 999"
    assert stated(model).normalization == Normalization.imagenet()


def test_another_normalization_leaves_imagenets_names():
    model = annotate(own(num_classes=1000, classes="imagenet"), mean=[0.5], std=[0.5])
    assert classes_of(model) == "imagenet"
    assert stated(model) == Statement(tuple(imagenet_labels()), HALVES)


@pytest.mark.parametrize(
    ("scale", "expected"), [(1 / 255, 1 / 255), (1 / 127.5, 1 / 255), (1 / 0.225, None), (2, None)]
)
def test_a_network_that_begins_by_rescaling_pixels_wants_pixels(scale, expected):
    model = tf.keras.Sequential([Layers.Rescaling(scale, offset=-1, input_shape=(32, 32, 3)), *strangers().layers])
    found = stated(model).normalization
    assert found == (None if expected is None else Normalization((0.0,) * 3, (expected,) * 3))
    assert stated(annotate(model, mean=0.5, std=0.5)).normalization == HALVES


def test_it_goes_with_the_head():
    base = annotate(own(), **STATED)
    assert stated(tf.keras.Model(base.input, Layers.Dense(3)(base.layers[-2].output))) == Statement(None, None)


def test_another_head_behind_a_backbone_keeps_what_the_backbone_states_of_images():
    backbone = annotate(own(include_top=False, pooling="avg"), mean=SCALE.mean, std=SCALE.std)
    by_hand = tf.keras.Model(backbone.input, Layers.Dense(3)(backbone.output))
    ours = tf.keras.Model(backbone.input, Dense(3, role="head")(backbone.output))
    image = tf.keras.Input((48, 48, 3))
    moved = Layers.Resizing(32, 32)(Layers.RandomFlip()(image))
    nested = tf.keras.Model(image, Layers.Dense(3)(backbone(moved)))
    for model in (by_hand, ours, nested, tf.keras.Sequential([backbone, Layers.Dense(3)])):
        assert stated(model) == Statement(None, SCALE)
    assert stated(annotate(by_hand, class_names=NAMES)) == Statement(NAMES, SCALE)
    assert stated(annotate(by_hand, mean=0.5, std=0.5)).normalization == HALVES


def test_what_a_part_says_of_other_images_than_the_models_is_not_taken():
    backbone = annotate(own(include_top=False, pooling="avg"), mean=SCALE.mean, std=SCALE.std)
    other = annotate(strangers(), mean=0.5, std=0.5)
    image = tf.keras.Input((32, 32, 3))
    scaled = tf.keras.Model(image, Layers.Dense(3)(backbone(image * 2)))
    both = tf.keras.Model(image, Layers.Dense(3)(Layers.Concatenate()([backbone(image), other(image)])))
    grey = tf.keras.Input((32, 32, 1))
    coloured = tf.keras.Model(grey, Layers.Dense(3)(backbone(Layers.Concatenate()([grey, grey, grey]))))
    assert [stated(model).normalization for model in (scaled, both, coloured)] == [None] * 3


def test_what_a_terminal_would_obey_is_visible():
    model = annotate(own(), class_names=["\x1b[2J", "a\nb", "\u202ec"])
    assert stated(model).class_names == ("\\x1b[2J", "a\\nb", "\\u202ec")


def test_grey_images_get_the_average():
    model = annotate(strangers(channels=1), mean=[0.25, 0.5, 0.75], std=[0.25])
    assert stated(model).normalization == Normalization((0.5,), (0.25,))


def test_layers_that_state_nothing_mention_nothing():
    """So their files can be read by versions that know of no such statements."""
    assert {"class_names", "mean", "std"}.isdisjoint(Dense(3).get_config())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_names": ["a", "b"]}, r"model 'net': there are 2 class_names for outputs of shape \(None, 3\)"),
        ({"class_names": "abc"}, "class_names must be texts, one for each class, none of them empty"),
        ({"class_names": ["a", "", "c"]}, "class_names must be texts"),
        ({"class_names": ["a", 2, "c"]}, "class_names must be texts"),
        ({"mean": [0.5]}, "mean and std are stated together"),
        ({"mean": [0.5], "std": [0.0]}, "those of std above 0"),
        ({"mean": [0.5, 0.5], "std": [0.5]}, "mean and std have 2 numbers, but images 3 channels"),
        ({"mean": [0.5, 0.5], "std": [0.5, 0.5, 0.5]}, "mean and std must be a number for each channel"),
        ({"mean": [float("nan")], "std": [0.5]}, "mean and std must be a number for each channel"),
        ({"mean": ["x"], "std": [0.5]}, "could not convert string to float"),
        ({"mean": {"x": 1}, "std": [0.5]}, "mean and std must be numbers"),
        ({"class_names": 3}, "class_names must be texts"),
    ],
)
def test_what_cannot_be_stated_changes_nothing(options, message):
    model = annotate(strangers(), **STATED)
    with pytest.raises(ValueError, match=message):
        annotate(model, **options)
    assert stated(model) == Statement(NAMES, SCALE)


@pytest.mark.parametrize(
    "change",
    [{"class_names": 7}, {"class_names": {"a": 1}}, {"class_names": [["a"]] * 3}, {"mean": "x"}, {"std": [-1.0]}],
)
def test_a_file_that_states_nonsense_is_refused(tmp_path, change):
    annotate(own(), **STATED).save(tmp_path / "model.h5")
    configuration(tmp_path / "model.h5", lambda config: config["config"]["layers"][-1]["config"].update(change))
    with pytest.raises(FileError, match=r"model.h5: not readable as a Keras model .*(class_names|mean and std|float)"):
        load_model(tmp_path / "model.h5")


@pytest.mark.parametrize(
    "layer",
    [lambda names: Dense(3, class_names=names), lambda names: Annotation(class_names=names)(tf.zeros((1, 3)))],
)
def test_as_many_names_as_outputs(layer):
    with pytest.raises(ValueError, match="there are 2 class_names for 3 outputs"):
        layer(["a", "b"])


def test_a_model_of_several_outputs_is_refused():
    image = tf.keras.Input((8,), name="image")
    model = tf.keras.Model(image, [Layers.Dense(2)(image), Layers.Dense(3)(image)], name="two")
    with pytest.raises(ValueError, match="model 'two' must be a functional or sequential one of one input and one"):
        annotate(model, class_names=["a", "b"])
    assert stated(model) == Statement(None, None)


def test_logits_keep_their_precision(mixed_float16):
    assert annotate(own(), **STATED).output.dtype == tf.float32
    assert Annotation()(tf.zeros((1, 3))).dtype == tf.float32


def test_a_teacher_that_states_it_still_ends_in_its_softmax(annotated):
    ends = isinstance(annotated.layers[-2], Layers.Softmax)
    assert Teacher(annotated).from_logits is not ends
