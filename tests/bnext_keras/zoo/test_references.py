"""The networks of the zoo against what the published code computes, and against what is published of their size.

Each is built once, in float64, for the order of its weights, its counts, its card and its logits: building takes longer
than all of these. One or two networks of each file are compared in every run of the tests, the others with
``pytest -m exhaustive``, which takes some minutes.
"""

import re

from bnext_keras import importers, models, zoo
from bnext_keras.cards import find

import numpy as np
import pytest
import tensorflow as tf
import zoo_references
from zero_weights import fill_with_zeros


def by_position(model, weights):
    zoo_references.assign_by_position(model, weights)


def pokebnn(model, weights):
    """By the names of the Flax variables."""

    def values(path, names):
        return [weights[f"{path}/{name}"] for name in names]

    def norm(path):
        return values(f"params/{path}", ("scale", "bias")) + values(f"batch_stats/{path}", ("mean", "var"))

    def activation(number):
        return values(f"params/DPReLU_{number}", ("bias_x", "bias_y", "neg_slope", "pos_slope"))

    def low_bit(path, names=("kernel", "bias")):
        return values(f"params/{path}", names) + values(f"get_bounds/{path}/GetBounds_0", ["bounds"])

    ends = {
        "stem_conv": lambda: low_bit("init_conv", ["kernel"]),
        "stem_bn": lambda: norm("init_bn"),
        "stem_act": lambda: activation(0),
        "stem_grouped": lambda: low_bit("init_conv_group", ["kernel"]),
        "stem_grouped_bn": lambda: norm("init_bn_group"),
        "stem_grouped_act": lambda: activation(1),
        "head": lambda: low_bit("DenseAqt_0"),
    }
    for layer in model.layers:
        if not layer.weights:
            continue
        if layer.name in ends:
            stored = ends[layer.name]()
        else:
            stage, block, conv, part = re.fullmatch(r"stage(\d)_block(\d)_(\d)_(\w+)", layer.name).groups()
            number = (0, 3, 7, 13)[int(stage)] + int(block)
            name = f"resblock{number}-{conv}"
            parts = {
                "conv": lambda name=name: values(f"params/conv-{name}", ["kernel"]),
                "bn1": lambda name=name: norm(f"bn{name}"),
                "act": lambda number=3 * number + int(conv) + 1: activation(number),
                "gate_squeeze": lambda name=name: low_bit(f"sefc1-{name}"),
                "gate_expand": lambda name=name: low_bit(f"sefc2-{name}"),
                "bn2": lambda name=name: norm(f"bn_split{name}"),
            }
            stored = parts[part]()
        for weight, value in zip(layer.weights, stored, strict=True):
            weight.assign(value.reshape(weight.shape))


BIREAL, REACT = importers.load_birealnet_state_dict, importers.load_reactnet_state_dict
BOOL, GROUP = importers.load_boolnet_state_dict, importers.load_groupnet_state_dict

#: Reference, card, where its weights go; parameters, of these binary; binary MACs / 1e9, others / 1e6; MiB. What the
#: released PyTorch code has and never uses is in none of these: 1,024 parameters of Bi-Real Net 50, 2,816 of BoolNet.
NETWORKS = [
    ("quicknet_small", "QuickNetSmall", by_position, 12_655_672, 11_980_800, 1.156, 15.9, 4.00),
    ("quicknet", "QuickNet", by_position, 13_234_056, 12_533_760, 1.850, 29.7, 4.17),
    ("quicknet_large", "QuickNetLarge", by_position, 23_342_216, 22_634_496, 3.699, 29.7, 5.40),
    ("birealnet", "BiRealNet", by_position, 11_689_512, 10_985_472, 1.676, 137.8, 4.00),
    ("birealnet18_pytorch", "BiRealNet18", BIREAL, 11_689_512, 10_985_472, 1.676, 137.8, 4.00),
    ("birealnet34_pytorch", "BiRealNet34", BIREAL, 21_797_672, 21_086_208, 3.526, 137.8, 5.23),
    ("birealnet50_pytorch", "BiRealNet50", BIREAL, 25_729_064, 20_672_512, 3.597, 569.6, 21.75),
    ("binary_resnet_e18", "BinaryResNetE18", by_position, 11_689_640, 10_985_472, 1.676, 137.8, 4.00),
    ("binary_densenet28", "BinaryDenseNet28", by_position, 5_131_496, 4_202_496, 3.587, 202.5, 4.04),
    ("binary_densenet37", "BinaryDenseNet37", by_position, 8_702_248, 7_593_984, 4.507, 199.7, 5.13),
    ("binary_densenet37_dilated", "BinaryDenseNet37Dilated", by_position, 8_702_248, 7_593_984, 7.774, 452.6, 5.13),
    ("binary_densenet45", "BinaryDenseNet45", by_position, 13_889_512, 12_349_440, 6.431, 244.1, 7.35),
    ("r2b", "RealToBinaryNet", by_position, 11_986_920, 10_985_472, 1.676, 138.1, 5.13),
    ("binarynet_cifar10", "LarqBinaryNet", by_position, 10_355_850, 10_352_000, 0.511, 3.1, 1.25),
    ("binary_alexnet", "BinaryAlexNet", by_position, 61_838_248, 61_827_776, 0.769, 72.9, 7.41),
    ("xnornet", "XNORNet", by_position, 62_377_440, 58_236_928, 1.026, 113.4, 22.74),
    ("dorefanet", "DoReFaNet", by_position, 62_384_968, 58_236_928, 2.925, 125.0, 22.77),
    ("reactnet_resnet18", "ReActResNet18", REACT, 11_704_424, 10_985_472, 1.676, 137.8, 4.05),
    ("reactnet_a", "ReActNetA", REACT, 29_343_592, 28_253_184, 4.817, 11.9, 7.53),
    ("basenet_k1", "BaseNet-1", BOOL, 11_692_072, 11_157_504, 1.753, 118.5, 3.37),
    ("basenet_k4", "BaseNet-4", BOOL, 12_208_168, 11_673_600, 1.985, 118.5, 3.43),
    ("boolnet_k4", "BoolNet", BOOL, 14_445_416, 13_910_016, 2.466, 120.3, 3.70),
    ("boolnet_k4_star", "BoolNetStar", BOOL, 14_445_416, 13_910_016, 3.854, 120.3, 3.70),
    ("groupnet18_gates_scales", "GroupNet18", GROUP, 55_662_231, 55_099_392, 8.478, 118.5, 8.72),
    ("groupnet18_gates", "GroupNet18-gates", GROUP, 55_662_127, 55_099_392, 8.478, 118.5, 8.72),
    ("groupnet18_scales", "GroupNet18-scales", GROUP, 55_662_224, 55_099_392, 8.478, 118.5, 8.72),
    ("pokebnn_0_5x", "PokeBNN-0.5x", pokebnn, 7_209_784, 5_170_176, 0.906, 8.6, 8.40),
    ("pokebnn_1x", "PokeBNN-1x", pokebnn, 26_567_424, 20_676_608, 3.609, 12.3, 24.94),
]


#: Compared in every run: AlexNets are not, whose weights alone take seconds to draw.
FIRST = {
    *("quicknet_small", "birealnet18_pytorch", "binary_densenet28", "binarynet_cifar10", "reactnet_a", "basenet_k1"),
}


@pytest.mark.parametrize(
    ("name", "card_name", "assign", "parameters", "binary", "gmacs", "other_mmacs", "mebibytes"),
    [
        pytest.param(*network, id=network[0], marks=[] if network[0] in FIRST else pytest.mark.exhaustive)
        for network in NETWORKS
    ],
)
@pytest.mark.usefixtures("float64")
def test_order_counts_and_logits_are_those_of_the_published_code(
    name, card_name, assign, parameters, binary, gmacs, other_mmacs, mebibytes, monkeypatch
):
    fill_with_zeros(monkeypatch)
    # None of these layers needs its control flow rewritten, which takes a quarter of the time.
    monkeypatch.setattr(tf.__internal__.autograph, "tf_convert", lambda function, *_, **__: function)
    card, reference = find(card_name), zoo_references.load(name)
    side = reference.meta["side"]
    assert side == card.input_size
    model = getattr(zoo, card.network)(**card.options)
    assert model.input_shape == (None, side, side, 3)
    assign(model, reference.weights)

    costs = models.count(model)
    assert (costs.parameters, costs.binary_parameters) == (parameters, binary)
    other_macs = costs.macs - costs.binary_macs
    assert (round(costs.binary_macs / 1e9, 3), round(other_macs / 1e6, 1)) == (gmacs, other_mmacs)
    assert round(costs.mebibytes(), 2) == mebibytes

    counted = (costs.parameters, costs.binary_parameters, costs.binary_macs, other_macs, round(costs.ops(card.bits)))
    assert counted == (card.parameters, card.binary_parameters, card.binary_macs, card.other_macs, card.ops)
    assert card.mebibytes == mebibytes

    logits = model(reference.model_images, training=False)
    np.testing.assert_allclose(logits, reference.logits, rtol=0, atol=1e-9)
