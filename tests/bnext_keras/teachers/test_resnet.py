"""torchvision's ResNets: the network, its checkpoints, and both as a run's teacher."""

import zipfile

from bnext_keras import teachers
from bnext_keras.classes import annotate
from bnext_keras.cli.import_ import main
from bnext_keras.importers import CheckpointError
from bnext_keras.importers.checkpoint import Checkpoint
from bnext_keras.importers.released_zoo import detect
from bnext_keras.importers.zoo import load_resnet_state_dict
from bnext_keras.orientation import is_rotating
from bnext_keras.preprocessing import Normalization
from bnext_keras.recipes import Data, Distillation, Recipe
from bnext_keras.teachers import resnet
from bnext_keras.training import RunError
from bnext_keras.training.teachers import published_teachers

import numpy as np
import pytest
import tensorflow as tf
from zero_weights import fill_with_zeros

#: An eighth of torchvision's.
WIDTHS = (8, 16, 32, 64)
BLOCKS = {"ResNet18": (2, 2, 2, 2), "ResNet34": (3, 4, 6, 3)}


def state_dict(blocks, num_classes=10):
    """What torchvision's network of so many blocks saves, with random weights."""
    rng = np.random.default_rng(0)
    state = {}

    def conv(path, bn, filters, channels, size):
        state[f"{path}.weight"] = rng.normal(size=(filters, channels, size, size)) * (2 / (channels * size**2)) ** 0.5
        state[f"{bn}.weight"], state[f"{bn}.running_var"] = rng.uniform(0.5, 1.5, (2, filters))
        state[f"{bn}.bias"], state[f"{bn}.running_mean"] = rng.normal(size=(2, filters)) / 10
        state[f"{bn}.num_batches_tracked"] = np.array(7)

    conv("conv1", "bn1", WIDTHS[0], 3, 7)
    for stage, (number, filters) in enumerate(zip(blocks, WIDTHS, strict=True)):
        for i in range(number):
            path, channels = f"layer{stage + 1}.{i}", filters if i or not stage else filters // 2
            conv(f"{path}.conv1", f"{path}.bn1", filters, channels, 3)
            conv(f"{path}.conv2", f"{path}.bn2", filters, filters, 3)
            if channels != filters:
                conv(f"{path}.downsample.0", f"{path}.downsample.1", filters, channels, 1)
    state["fc.weight"], state["fc.bias"] = rng.normal(size=(num_classes, WIDTHS[-1])) / 8, rng.normal(size=num_classes)
    return {key: value if value.dtype.kind == "i" else value.astype(np.float32) for key, value in state.items()}


def torchvisions(state, images, blocks):
    """What `torchvision.models.resnet` says that it computes, in TensorFlow's operators.

    Kernels of 3x3 are padded by 1, the stem by 3, shortcuts by nothing; a block's first convolution and its shortcut
    have the stride.
    """

    def conv(x, path, bn, stride=1, padding=0):
        x = tf.pad(x, [(0, 0), (padding, padding), (padding, padding), (0, 0)])
        x = tf.nn.conv2d(x, state[f"{path}.weight"].transpose(2, 3, 1, 0), stride, "VALID")
        leaves = (state[f"{bn}.{leaf}"] for leaf in ("running_mean", "running_var", "bias", "weight"))
        return tf.nn.batch_normalization(x, *leaves, 1e-5)

    x = tf.nn.relu(conv(images, "conv1", "bn1", 2, 3))
    x = tf.nn.max_pool2d(tf.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], constant_values=-np.inf), 3, 2, "VALID")
    for stage, number in enumerate(blocks):
        for i in range(number):
            path, stride = f"layer{stage + 1}.{i}", 2 if stage and not i else 1
            y = tf.nn.relu(conv(x, f"{path}.conv1", f"{path}.bn1", stride, 1))
            y = conv(y, f"{path}.conv2", f"{path}.bn2", 1, 1)
            if stride > 1:
                x = conv(x, f"{path}.downsample.0", f"{path}.downsample.1", stride)
            x = tf.nn.relu(y + x)
    return tf.linalg.matvec(state["fc.weight"], tf.reduce_mean(x, (1, 2))) + state["fc.bias"]


@pytest.fixture(autouse=True)
def _narrow(monkeypatch):
    monkeypatch.setattr(resnet, "WIDTHS", WIDTHS)


@pytest.mark.exhaustive
def test_as_many_parameters_as_torchvision_counts(monkeypatch):
    monkeypatch.undo()
    fill_with_zeros(monkeypatch)
    # Running statistics are no parameters there.
    assert teachers.ResNet18().count_params() - 2 * 4_800 == 11_689_512
    assert teachers.ResNet34().count_params() - 2 * 8_512 == 21_797_672


@pytest.mark.parametrize("name", ["ResNet18", pytest.param("ResNet34", marks=pytest.mark.exhaustive)])
def test_a_checkpoint_computes_what_torchvision_says(name):
    state = state_dict(BLOCKS[name])
    found = detect(state)
    assert (found.network, found.is_turned) == (name, False)
    model = getattr(teachers, name)(input_shape=(96, 96, 3), num_classes=10)
    load_resnet_state_dict(model, state)
    images = np.random.default_rng(1).standard_normal((2, 96, 96, 3)).astype(np.float32)
    expected = torchvisions(state, images, BLOCKS[name]).numpy()
    assert expected.std() > 0.5
    np.testing.assert_allclose(model(images), expected, rtol=1e-3, atol=1e-3)


def test_other_resnets_are_refused():
    state = dict.fromkeys(state_dict((2, 2, 2, 3)))
    with pytest.raises(CheckpointError, match="a ResNet of 2, 2, 2, 3 blocks; known are ResNet-18 and ResNet-34"):
        detect(state)
    state = {**dict.fromkeys(state_dict((3, 4, 6, 3))), "layer1.0.conv3.weight": None}
    with pytest.raises(CheckpointError, match="a ResNet of 3, 4, 6, 3 blocks"):
        detect(state)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A folder with a file that is read as torchvision's checkpoint of ten classes."""
    state = state_dict(BLOCKS["ResNet18"])
    for module in ("checkpoint", "pretrained"):
        monkeypatch.setattr(f"bnext_keras.importers.{module}.read_checkpoint", lambda path: Checkpoint(state, {}))
    monkeypatch.setattr("bnext_keras.importers.read_checkpoint", lambda path: Checkpoint(state, {}))
    with zipfile.ZipFile(tmp_path / "resnet18-f37072fd.pth", "w"):
        pass
    return tmp_path


def recipe(teacher, classes=10, normalization="imagenet"):
    data = Data(num_classes=classes, image_size=96, normalization=normalization)
    return Recipe("QuickNet", data=data, distillation=Distillation(strong_teacher=teacher))


def test_a_run_takes_its_teacher_from_torchvisions_file(weights, tmp_path, capsys):
    (teacher,) = published_teachers(recipe("ResNet18", normalization="cifar"), weights).values()
    images = np.random.default_rng(1).standard_normal((1, 96, 96, 3)).astype(np.float32)
    cifar, imagenet = Normalization.cifar(), Normalization.imagenet()
    as_imagenet = (images * cifar.std + cifar.mean - imagenet.mean) / imagenet.std
    np.testing.assert_allclose(teacher.logits(images), teacher.model(as_imagenet), rtol=1e-3, atol=1e-3)

    with pytest.raises(RunError, match="teacher ResNet18: knows 10 classes, but the recipe has 3"):
        published_teachers(recipe("ResNet18", 3), weights)
    with pytest.raises(RunError, match=r"has no resnet34-b627a593\.pth; put torchvision's file for it"):
        published_teachers(recipe("ResNet34"), weights)
    with pytest.raises(
        RunError, match="teacher ResNet34: its weights are not downloaded; put torchvision's file for it"
    ):
        published_teachers(recipe("ResNet34"), None)

    output = tmp_path / "resnet18.h5"
    assert main([str(weights / "resnet18-f37072fd.pth"), "-o", str(output), "--input-size", "96"]) == 0
    report = capsys.readouterr().out
    assert "ResNet18" in report
    assert "turns images" not in report
    imported = tf.keras.models.load_model(output, compile=False)
    assert not is_rotating(imported)
    np.testing.assert_allclose(imported(as_imagenet), teacher.logits(images), rtol=1e-3, atol=1e-3)


def test_a_model_of_ones_own_teaches(tmp_path):
    image = tf.keras.Input((96, 96, 3))
    logits = tf.keras.layers.Dense(10, name="head")(tf.keras.layers.GlobalAveragePooling2D()(image))
    model = annotate(tf.keras.Model(image, logits), mean=(0.5,) * 3, std=(0.5,) * 3)
    path = tmp_path / "step" / "best.h5"
    path.parent.mkdir()
    model.save(path)
    (teacher,) = published_teachers(recipe(str(path)), None).values()
    assert teacher.name == "step_best"
    images = np.random.default_rng(1).standard_normal((2, 96, 96, 3)).astype(np.float32)
    imagenet = Normalization.imagenet()
    as_taught = (images * imagenet.std + imagenet.mean - 0.5) / 0.5
    np.testing.assert_allclose(teacher.logits(images), model(as_taught), rtol=1e-4, atol=1e-5)
    with pytest.raises(RunError, match=r"best\.h5: knows 10 classes, but the recipe has 3"):
        published_teachers(recipe(str(path), 3), None)
    with pytest.raises(RunError, match=r"takes images of shape \(96, 96, 3\), not of 32 x 32"):
        published_teachers(recipe(str(path)).derive(data={"image_size": 32}), None)
    with pytest.raises(RunError, match=r"teacher .*nowhere\.h5: "):
        published_teachers(recipe(str(tmp_path / "nowhere.h5")), None)
