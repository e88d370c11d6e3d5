"""The zoo's networks as users take them: names, small images, conversion, cards."""

import inspect
from pathlib import Path

from bnext_keras import models, networks, zoo
from bnext_keras.cards import CARDS, find
from bnext_keras.cli.models import as_text
from bnext_keras.errors import ConversionError
from bnext_keras.layers import MultiBaseConv2D
from bnext_keras.zoo import (
    binary_densenet,
    birealnet,
    boolnet,
    dorefanet,
    groupnet,
    pokebnn,
    quicknet,
    reactnet,
    real_to_binary,
    wrpn,
    xnornet,
)
from bnext_keras.zoo.dlrm import CRITEO_KAGGLE, pack

import numpy as np
import pytest
import tensorflow as tf
from zero_weights import fill_with_zeros

from converter import convert

NAMES = [name for names in zoo.FILES.values() for name in names]
IMAGE_NETWORKS = [name for name in NAMES if name != "BinaryDLRM"]
#: What their first layers leave nothing of at 32x32.
LARGE_ONLY = ("BinaryAlexNet", "DoReFaNet", "XNORNet")


def test_every_file_of_the_zoo_is_listed():
    files = {path.stem for path in Path(zoo.__file__).parent.glob("[a-z]*.py")}
    assert files == set(zoo.FILES)
    assert all(inspect.isfunction(getattr(zoo, name)) for name in NAMES)
    assert set(NAMES) <= set(dir(zoo))


def test_what_the_zoo_does_not_have():
    with pytest.raises(AttributeError, match="no attribute 'QuickNetHuge'"):
        _ = zoo.QuickNetHuge


def test_networks_are_found_by_name_in_either_room():
    assert networks.find("BNextTiny") is models.BNextTiny
    assert networks.find("QuickNet") is zoo.QuickNet
    assert networks.find("Costs") is networks.find("count") is networks.find("NoSuchNet") is None
    assert "MeliusNet" in networks.names()


def test_every_network_for_images_has_a_card():
    carded = {card.network for card in CARDS}
    # Narrow sisters of networks that are described alike.
    assert set(IMAGE_NETWORKS) - carded == {"WRPNResNet18"}
    assert {card.network for card in CARDS} <= set(networks.names())


def test_a_card_builds_its_variant():
    model = find("basenet-1").build(input_shape=(32, 32, 3), num_classes=3)
    assert (model.name, model.output_shape) == ("basenet", (None, 3))
    assert model.get_layer("stem_sign").slices == 1


def test_figures_that_were_not_checked_are_marked():
    line = next(line for line in as_text(CARDS).splitlines() if line.startswith("XNORResNet18"))
    assert line.split()[1:3] == ["~51.2", "~73.2"]
    assert "~" not in next(line for line in as_text(CARDS).splitlines() if line.startswith("QuickNetSmall"))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in IMAGE_NETWORKS if name not in LARGE_ONLY])
def test_every_network_takes_small_images(name, monkeypatch):
    fill_with_zeros(monkeypatch)
    options = {"activation_bases": 1, "weight_bases": 2} if name.startswith("ABC") else {}
    model = getattr(zoo, name)(input_shape=(32, 32, 3), num_classes=10, **options)
    assert model(tf.zeros((1, 32, 32, 3)), training=False).shape == (1, 10)


@pytest.mark.exhaustive
@pytest.mark.parametrize("card", [card for card in CARDS if card.network in NAMES], ids=lambda card: card.name)
def test_cards_tell_the_counts_of_the_built_network(card, monkeypatch):
    fill_with_zeros(monkeypatch)
    costs = models.count(card.build())
    assert (costs.parameters, costs.binary_parameters) == (card.parameters, card.binary_parameters)
    assert (costs.binary_macs, costs.macs - costs.binary_macs) == (card.binary_macs, card.other_macs)
    assert (round(costs.ops(card.bits)), round(costs.mebibytes(), 2)) == (card.ops, card.mebibytes)


@pytest.mark.parametrize("name", LARGE_ONLY)
@pytest.mark.parametrize("input_shape", [(32, 32, 3), (None, None, 3)])
def test_alexnets_want_large_images(name, input_shape):
    with pytest.raises(ValueError, match="need a fixed size above 64 pixels"):
        getattr(zoo, name)(input_shape=input_shape)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: zoo.QuickNet(input_shape=(100, 96, 3)), "must be multiples of 32"),
        (lambda: zoo.ReActNetA(input_shape=(40, 40, 3)), "must be multiples of 16"),
        (lambda: zoo.BaseNet(slices=3, input_shape=(32, 32, 3)), "slices must be 1 or even"),
        (lambda: zoo.PokeBNN(0.1), "width must be at least 0.125"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def calibrated(image, x):
    """A model with gammas of either sign, and statistics that keep its values of order one."""
    model = tf.keras.Model(image, tf.keras.layers.GlobalAveragePooling2D()(x))
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.0
            if layer.scale:
                layer.gamma.assign(rng.uniform(-0.5, 1.5, layer.gamma.shape))
            layer.beta.assign(0.2 * rng.standard_normal(layer.beta.shape))
        for weight in layer.weights if hasattr(layer, "bounds") else []:
            if weight is layer.bounds:
                weight.assign(rng.uniform(1.0, 3.0, weight.shape))
    model(rng.standard_normal((4, *model.input_shape[1:])).astype(np.float32), training=True)
    return model


def residual_blocks():
    """One block of each residual network, strided and wider where it can be."""
    image = x = tf.keras.Input((12, 12, 32))
    x = quicknet.BLOCK(x, 32, "quicknet")
    x = quicknet._transition(x, 64, "quicknet_transition")
    x = real_to_binary.BLOCK(x, 64, "real_to_binary")
    x = reactnet.RESIDUAL(x, 64, "react")
    x = reactnet._pointwise(x, 128, "binary", "react_pointwise")
    x = binary_densenet.RESNET_E(x, 64, "resnet_e", strides=2)
    x = binary_densenet._block(x, 2, "densenet")
    x = wrpn._block(x, 64, "wrpn", strides=1)
    x = xnornet._block(x, 64, "xnor", strides=1)
    _, x = birealnet._bottleneck(x, x, 16, "bireal", 1)
    return calibrated(image, x), 15


def sums_of_bases():
    """Group-Net's bases with their shared shortcut, and ABC-Net's with their shared kernel."""
    image = tf.keras.Input((8, 8, 32))
    # Of one and the same map the shared shortcut would be computed once.
    other = tf.keras.layers.BatchNormalization()(image)
    first, second = groupnet._bases([image, other], 64, "group", strides=2)
    x = tf.keras.layers.Average()([first, second])
    x = MultiBaseConv2D(32, 3, weight_bases=2, activation_bases=2, name="abc")(x)
    return calibrated(image, x), 2 + 4 + 4


def boolnet_blocks():
    image = tf.keras.Input((8, 8, 64))
    options = {"interleaves": True, "rate": 1}
    x = boolnet.GhostSign(2)(image)
    x = boolnet._block(x, 64, 2, "a", strides=1, widens=False, is_wide=False, is_last=False, **options)
    x = boolnet._block(x, 128, 2, "b", strides=2, widens=True, is_wide=False, is_last=False, **options)
    x = boolnet._block(x, 128, 2, "c", strides=1, widens=False, is_wide=True, is_last=True, **options)
    return calibrated(image, x), 2 * 2 * 3 + 1


def poke_convs():
    image = tf.keras.Input((8, 8, 64))
    return calibrated(image, pokebnn._bottleneck(image, 32, "poke", 2)), 3


@pytest.mark.parametrize("build", [residual_blocks, sums_of_bases, boolnet_blocks, poke_convs])
def test_small_networks_convert_exactly(build):
    model, binary_convs = build()
    result = convert(model)
    assert result.verification.passed
    assert result.operators["LceBconv2d"] == binary_convs
    assert not result.verification.float_convs


def test_activations_of_two_bits_become_float_beside_binary_ones_and_that_is_said():
    image = tf.keras.Input((8, 8, 32))
    x = quicknet.BLOCK(dorefanet._layer(image, 32, 3, "conv1"), 32, "quicknet")
    result = convert(calibrated(image, x))
    assert result.verification.passed
    assert (result.operators["CONV_2D"], result.operators["LceBconv2d"]) == (1, 1)
    assert any("conv1" in str(advice) and "2 bits" in str(advice) for advice in result.advice)


def test_a_network_of_two_bits_is_refused_by_name():
    image = tf.keras.Input((8, 8, 32))
    with pytest.raises(ConversionError, match=r"layer 'conv1': .*DoReFa leaves more than two values \(2 bits\)"):
        convert(calibrated(image, dorefanet._layer(image, 32, 3, "conv1")))


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", [name for name in IMAGE_NETWORKS if name not in LARGE_ONLY])
def test_every_network_converts(name):
    """Fresh ones for small images; those of several bases with two of each."""
    options = {"activation_bases": 2, "weight_bases": 2} if name.startswith("ABC") else {}
    options |= {"bases": 2} if name.startswith("GroupNet") else {}
    options |= {"width": 0.5} if name == "PokeBNN" else {}
    tf.keras.utils.set_random_seed(0)
    result = convert(getattr(zoo, name)(input_shape=(32, 32, 3), num_classes=10, **options))
    assert not result.verification.float_convs
    assert "LceBconv2d" in result.operators


def test_features_and_rows_of_tables_are_two_inputs_of_a_file():
    result = convert(zoo.BinaryDLRM([3, 3], bottom=[4], top=[4]))
    assert result.inputs == {"dense": (1, 13), "sparse": (1, 2)}
    assert result.verification.passed


def test_a_binary_dlrm_learns_which_user_likes_what():
    """Two tables of four rows: the answer is one of parities, which neither table knows alone."""
    rng = np.random.default_rng(0)
    sparse = rng.integers(0, 4, (1000, 2)).astype(np.int32)
    dense = rng.standard_normal((1000, 4)).astype(np.float32)
    likes = ((sparse[:, 0] % 2) == (sparse[:, 1] % 2)).astype(np.float32)
    model = zoo.BinaryDLRM([4, 4], dense_features=4, bottom=[], top=[32])
    model.compile(tf.keras.optimizers.Adam(0.01), tf.keras.losses.BinaryCrossentropy(from_logits=True))
    model.fit([dense, sparse], likes, batch_size=50, epochs=5, verbose=0)
    assert np.mean((model([dense, sparse])[:, 0] > 0) == likes) > 0.9

    packed = pack(model)
    np.testing.assert_allclose(packed([dense, sparse]), model([dense, sparse]), rtol=0, atol=1e-5)
    assert packed.get_layer("table0").table.numpy().nbytes * 32 == model.get_layer("table0").table.numpy().nbytes


def test_criteos_tables_in_bits():
    assert len(CRITEO_KAGGLE) == 26
    assert 16 * sum(CRITEO_KAGGLE) == 540_201_232
