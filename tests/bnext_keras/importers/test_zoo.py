"""Published weights of the comparison networks: which file holds which network, and that all of it arrives.

That networks with these weights compute what the originals do is seen in tests/bnext_keras/zoo/test_references.py.
"""

from bnext_keras import zoo
from bnext_keras.cli.import_ import main
from bnext_keras.importers import CheckpointError, StateDictError, import_zoo, larq_zoo
from bnext_keras.importers.checkpoint import Checkpoint
from bnext_keras.importers.released_zoo import detect
from bnext_keras.orientation import is_rotating

import h5py
import numpy as np
import pytest
import zoo_references
from alike import with_more
from zero_weights import fill_with_zeros

LARQ_ZOO = {
    "quicknet_small": "QuickNetSmall",
    "quicknet": "QuickNet",
    "quicknet_large": "QuickNetLarge",
    "birealnet": "BiRealNet",
    "binary_resnet_e18": "BinaryResNetE18",
    "binary_densenet28": "BinaryDenseNet28",
    "binary_densenet37": "BinaryDenseNet37",
    # Of the same shapes: only the published file itself is known as what it is.
    "binary_densenet37_dilated": "BinaryDenseNet37",
    "binary_densenet45": "BinaryDenseNet45",
    "r2b": "RealToBinaryNet",
    "binary_alexnet": "BinaryAlexNet",
    "xnornet": "XNORNet",
    "dorefanet": "DoReFaNet",
}

PYTORCH = {
    "reactnet_a": ("ReActNetA", {}),
    "reactnet_resnet18": ("ReActResNet18", {}),
    "birealnet18_pytorch": ("BiRealNet18", {}),
    "birealnet34_pytorch": ("BiRealNet34", {}),
    "birealnet50_pytorch": ("BiRealNet50", {}),
    "groupnet18_gates": ("GroupNet18", {"bases": 5, "gates": True, "scales": False}),
    "groupnet18_scales": ("GroupNet18", {"bases": 5, "gates": False, "scales": True}),
    "groupnet18_gates_scales": ("GroupNet18", {"bases": 5, "gates": True, "scales": True}),
    "basenet_k1": ("BaseNet", {"slices": 1}),
    "basenet_k4": ("BaseNet", {"slices": 4}),
    "boolnet_k4": ("BoolNet", {"slices": 4}),
    "boolnet_k4_star": ("BoolNetStar", {"slices": 4}),
}


def layers_of(name):
    """The shapes of each layer's weights in a file of Larq Zoo's."""
    layers = {}
    for key, shape in zoo_references.shapes(name).items():
        layers.setdefault(key.partition("/")[0], []).append(shape)
    return list(layers.values())


@pytest.fixture
def write(tmp_path):
    """Writes a file in the published layout: layers named by chance, with the shapes and order of a network."""

    def write(name, without_head=False):
        path = tmp_path / f"{name}.h5"
        rng = np.random.default_rng(0)
        with h5py.File(path, "w") as file:
            layers = layers_of(name)[: -1 if without_head else None]
            names = [f"quant_layer_{37 * i % 1000}" for i in range(len(layers))]
            file.attrs["layer_names"] = [layer.encode() for layer in ("input_9", *names)]
            file.create_group("input_9").attrs["weight_names"] = []
            for layer, shapes in zip(names, layers, strict=True):
                group = file.create_group(layer)
                group.attrs["weight_names"] = [f"{layer}/weight{i}:0".encode() for i in range(len(shapes))]
                for i, shape in enumerate(shapes):
                    group[f"{layer}/weight{i}:0"] = rng.random(shape, np.float32)
        return path

    return write


@pytest.mark.parametrize(("name", "network"), LARQ_ZOO.items())
def test_larq_zoos_networks_are_told_by_their_shapes(name, network):
    layers = layers_of(name)
    assert larq_zoo.SIGNATURES[larq_zoo.signature(layers)] == network
    if len(layers[-1][0]) == 2:
        assert larq_zoo.SIGNATURES[larq_zoo.signature(layers[:-1])] == network


def test_every_weight_arrives_by_its_position(write, monkeypatch, capsys, tmp_path):
    fill_with_zeros(monkeypatch)
    path = write("quicknet_small")
    assert main([str(path), "-o", str(tmp_path / "model.h5"), "--input-size", "96"]) == 0
    assert "QuickNetSmall" in capsys.readouterr().out
    rng = np.random.default_rng(0)
    with h5py.File(tmp_path / "model.h5") as file:
        written = file["model_weights"]
        for layer in written.attrs["layer_names"]:
            for name in written[layer].attrs["weight_names"]:
                value = written[layer][name][()]
                np.testing.assert_array_equal(value, rng.random(value.shape, np.float32), err_msg=name)


def test_without_a_head_the_classes_stay_fresh(write, monkeypatch):
    fill_with_zeros(monkeypatch)
    path = write("quicknet_small", without_head=True)
    model, fresh = larq_zoo.import_larq_zoo(path, larq_zoo.detect(path), 96, 7)
    assert (fresh, model.output_shape) == (["head"], (None, 7))


@pytest.mark.parametrize(("without_head", "num_classes"), with_more([(False, 5)], [(True, 5)]))
def test_a_constructor_takes_larq_zoos_file(write, monkeypatch, without_head, num_classes):
    """By its published layout, whose layers are named by chance; the head of other classes stays fresh."""
    fill_with_zeros(monkeypatch)
    path = write("quicknet_small", without_head)
    model = zoo.QuickNetSmall(input_shape=(96, 96, 3), num_classes=num_classes, weights=path)
    rng = np.random.default_rng(0)
    for layer in (layer for layer in model.layers if layer.weights):
        is_fresh = layer.name == "head"
        for weight in larq_zoo.ordered_weights(layer):
            expected = 0 if is_fresh else rng.random(tuple(weight.shape), np.float32)
            np.testing.assert_array_equal(weight, expected, err_msg=weight.name)
    assert model.output_shape == (None, num_classes)


@pytest.mark.exhaustive
def test_a_constructor_takes_a_released_checkpoint_of_the_zoo(monkeypatch, tmp_path):
    fill_with_zeros(monkeypatch)
    weights = zoo_references.load("reactnet_resnet18").weights
    path = tmp_path / "reactnet.pth"
    path.write_bytes(b"")
    monkeypatch.setattr(
        "bnext_keras.importers.pretrained.read_checkpoint", lambda path: Checkpoint(weights, temperature=None)
    )
    model = zoo.ReActResNet18(input_shape=(96, 96, 3), num_classes=7, weights=path)
    assert is_rotating(model)
    kernel = weights["layer1.0.binary_conv.weight"]
    np.testing.assert_array_equal(model.get_layer("stage0_block0_conv").get_weights()[0][2, 2].T, kernel[:, :, 0, 0])
    np.testing.assert_array_equal(model.get_layer("head").kernel, np.zeros((512, 7)))


def test_another_network_of_the_same_shapes_can_be_named(write, monkeypatch):
    fill_with_zeros(monkeypatch)
    path = write("binary_densenet37_dilated")
    monkeypatch.setattr(larq_zoo, "import_larq_zoo", lambda *arguments: arguments)
    assert larq_zoo.detect(path) == "BinaryDenseNet37"
    monkeypatch.setattr(larq_zoo, "DILATED", larq_zoo.sha256(path))
    assert larq_zoo.detect(path) == "BinaryDenseNet37Dilated"


def test_a_file_that_does_not_fit(write, monkeypatch):
    fill_with_zeros(monkeypatch)
    with pytest.raises(StateDictError, match=r"quicknet_small\.h5: quicknet: \d+ layers have another shape"):
        larq_zoo.import_larq_zoo(write("quicknet_small"), "QuickNet", 96)
    with pytest.raises(CheckpointError, match="QuickNet is for images above 64"):
        larq_zoo.import_larq_zoo("any.h5", "QuickNet", 32)


@pytest.mark.parametrize(("name", "expected"), PYTORCH.items())
def test_pytorch_networks_are_told_by_their_entries(name, expected):
    entries = {key: np.broadcast_to(np.float32(0), shape) for key, shape in zoo_references.shapes(name).items()}
    found = detect(entries)
    assert (found.network, found.options) == expected


def test_a_group_net_of_34_layers_is_refused():
    with pytest.raises(CheckpointError, match="a Group-Net of 34 layers or more"):
        detect({"layer1.0.conv1.0.weight": None, "layer1.2.conv1.0.weight": None})


def test_the_imported_network_turns_upright_images(monkeypatch):
    fill_with_zeros(monkeypatch)
    weights = zoo_references.load("reactnet_resnet18").weights
    weights["layer1.0.binary_conv.weight"][0, 0, 0] = 0
    model, warnings = import_zoo("file.pth", weights, detect(weights), 96)
    assert warnings == ["3 of 10,985,472 binary weights are exactly 0, which one bit cannot hold: they became +1, and "
                        "answers differ from PyTorch's"]  # fmt: skip
    assert is_rotating(model)
    assert model.input_shape == (None, 96, 96, 3)
    # What stands in the file at the top left is at the bottom right of a turned kernel.
    kernel = weights["layer1.0.binary_conv.weight"]
    np.testing.assert_array_equal(model.get_layer("stage0_block0_conv").get_weights()[0][2, 2].T, kernel[:, :, 0, 0])


def test_checkpoints_that_do_not_fit(monkeypatch):
    fill_with_zeros(monkeypatch)
    weights = {key: np.zeros(shape, np.float32) for key, shape in zoo_references.shapes("reactnet_resnet18").items()}
    found = detect(weights)
    with pytest.raises(CheckpointError, match="ReActResNet18's released code is for images above 64"):
        import_zoo("file.pth", weights, found, 32)
    headless = {key: value for key, value in weights.items() if not key.startswith("fc.")}
    with pytest.raises(CheckpointError, match=r"file\.pth: a ReActResNet18 without a head"):
        import_zoo("file.pth", headless, found)
    del weights["layer1.0.prelu.weight"]
    with pytest.raises(StateDictError, match=r"1 entries are missing: layer1\.0\.prelu\.weight"):
        import_zoo("file.pth", weights, found, 96)


def test_variants_that_there_are_not(refused_by, write):
    path = write("quicknet_small")
    message = refused_by(main)(path, "-o", path.with_name("out.h5"), "--variant", "QuickNetHuge")
    assert "--variant QuickNetHuge: not one of MeliusNet22, QuickNetSmall" in message
