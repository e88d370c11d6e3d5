"""The recipes of the comparison networks, from their files to a trained network: on digits, and two steps of each.

The networks are narrow and short, so that building them takes seconds. Which settings were published is in
tests/bnext_keras/recipes/test_recipes.py.
"""

from dataclasses import replace

from bnext_keras import recipes, teachers, zoo
from bnext_keras.models.bnext import WIDTHS
from bnext_keras.quantizers import temperatures
from bnext_keras.teachers import resnet
from bnext_keras.training import run, train
from bnext_keras.zoo import _blocks, boolnet, pokebnn, quicknet, real_to_binary

import larq as lq
import numpy as np
import pytest
import tensorflow as tf
from zero_weights import fill_with_zeros

SMALL = ["data=digits", "num_classes=10", "image_size=32", "batch_size=16", "augmentation=shift", "epochs=1"]
TAUGHT = ["warmup_epochs=0", "strong_teacher=ConvNet4", "teacher_epochs=1"]


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Trains a recipe's network, a small one of its kind, for two steps; returns the model and what was logged."""
    monkeypatch.setitem(WIDTHS, "BNextTiny", (8, 16, 16))
    monkeypatch.setitem(quicknet.SECTIONS, "QuickNetSmall", ((32, 32), (1, 1)))
    for module, blocks, widths in ((boolnet, "RESNET18", (64, 128)), (pokebnn, "RESNET34", (16, 32))):
        monkeypatch.setattr(module, blocks, (1, 1))
        monkeypatch.setattr(module, "WIDTHS", widths)
    monkeypatch.setattr(real_to_binary, "stages", lambda x, _, block: _blocks.stages(x, (2,), block, (8,)))
    whole = resnet._resnet
    monkeypatch.setattr(resnet, "WIDTHS", (8,))
    monkeypatch.setattr(resnet, "_resnet", lambda _, ends: whole((1,), ends))
    of = run.Fitting.of
    monkeypatch.setattr(run.Fitting, "of", lambda *args: replace(of(*args), steps=2, validation_steps=1, console=None))

    def trained(name, *settings):
        recipe = recipes.read(name)[1].with_settings([*SMALL, "decay_epochs=", *settings])
        (row,) = train(recipe, tmp_path / name).rows
        assert np.isfinite(row["loss"])
        return tf.keras.models.load_model(tmp_path / name / "final.h5"), row

    return trained


def kernels(model):
    return {layer.name: layer.kernel.numpy() for layer in model.layers if isinstance(layer, lq.layers.QuantConv2D)}


def signs(model):
    """How many bits the inputs and kernels of binary convolutions have; None where nothing quantizes them."""
    return {
        tuple(getattr(each, "precision", None) for each in (layer.input_quantizer, layer.kernel_quantizer))
        for layer in model.layers
        if isinstance(layer, lq.layers.QuantConv2D)
    }


@pytest.mark.exhaustive
def test_reactnets_second_step_begins_with_the_firsts_kernels(trained, tmp_path):
    first, _ = trained("reactnet_1", *TAUGHT)
    assert signs(first) == {(1, None)}
    assert type(first.optimizer).__name__ == "TwoGroupAdam"
    # So little that a sign turns only by chance.
    second, row = trained("reactnet_2", *TAUGHT, f"init={tmp_path}/reactnet_1/final.h5", "learning_rate=1e-9")
    assert signs(second) == {(1, 1)}
    assert {"convnet4_loss", "distillation_loss"} <= set(row)
    for name, kernel in kernels(second).items():
        np.testing.assert_allclose(kernel, kernels(first)[name], atol=1e-6)


@pytest.mark.exhaustive
def test_real_to_binarys_four_steps(trained, tmp_path):
    quick = ["warmup_epochs=0"]
    trained("r2b_1", *quick)
    teacher = [f"strong_teacher={tmp_path}/r2b_1/best.h5", "attention=stage0_block1_add:stage0_block0_out"]
    second, row = trained("r2b_2", *quick, *teacher)
    assert signs(second) == {(32, None)}
    of_maps = row["stage0_block1_add_attention"]
    assert of_maps > 0
    assert row["distillation_loss"] == pytest.approx(3 * row["r2b_1_best_loss"] + 3.75 * of_maps, rel=1e-4)
    teacher = [f"strong_teacher={tmp_path}/r2b_2/best.h5", "attention=stage0_block1_add"]
    third, _ = trained("r2b_3", *quick, *teacher)
    assert signs(third) == {(1, None)}
    last = f"{tmp_path}/r2b_3/best.h5"
    fourth, row = trained("r2b_4", *quick, f"strong_teacher={last}", f"init={last}")
    assert signs(fourth) == {(1, 1)}
    assert not any("attention" in name for name in row)
    assert row["distillation_loss"] == pytest.approx(0.8 * row["r2b_3_best_loss"], rel=1e-5)


@pytest.mark.exhaustive
def test_real_to_binarys_maps_are_there_in_the_whole_networks(monkeypatch):
    fill_with_zeros(monkeypatch)
    options = {"input_shape": (32, 32, 3), "num_classes": 10}
    student, teacher = zoo.RealToBinaryNet(**options), teachers.ResNet18(**options)
    for own, its in recipes.read("r2b_2")[1].distillation.attention_pairs.items():
        assert student.get_layer(own).output_shape == teacher.get_layer(its).output_shape


@pytest.mark.exhaustive
def test_quicknets_two_rules(trained):
    model, row = trained("quicknet", "model=QuickNetSmall", "warmup_epochs=0")
    assert model.optimizer.get_config()["kernel_factor"] == pytest.approx(0.1)
    assert row["learning_rate"] == pytest.approx(0.1)
    # Adam's first steps are as long as its learning rate; momentum's are as small as the gradients.
    assert len(model.optimizer._velocities) == 2


@pytest.mark.exhaustive
def test_boolnets_kernels_are_soft_at_first(trained):
    model, row = trained("boolnet", *TAUGHT, "epochs=1", "temperature_decay=0")
    assert row["convnet4_loss"] > 0
    assert set(temperatures(model)) >= {"stage0_block0_conv1_0", "stage1_block0_conv2_3"}


@pytest.mark.exhaustive
def test_pokebnns_bounds_are_measured_between_its_steps(trained, tmp_path):
    first, _ = trained("pokebnn_1", *TAUGHT)
    assert signs(first) == {(1, None)}
    assert first.get_layer("head").bounds.numpy().max() == -1
    second, _ = trained("pokebnn_2", *TAUGHT, f"init={tmp_path}/pokebnn_1/final.h5")
    assert signs(second) == {(1, 1)}
    bounds = [layer.bounds.numpy() for layer in second.layers if hasattr(layer, "bounds")]
    assert len(bounds) == 2 + 2 * 2 * 3 + 1
    assert all(each.min() >= 0 for each in bounds)
