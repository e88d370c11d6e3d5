"""What a file says about itself, and who can read it."""

import hashlib
import io
import json
import zipfile

import bnext_keras
from bnext_keras.orientation import add_rotation
from bnext_keras.preprocessing import Normalization

import numpy as np
import pytest
from larq_compute_engine.tflite.python.interpreter import Interpreter
from PIL import Image

from converter import ConversionError, convert
from converter.cli.convert import main
from converter.cli.predict import main as predict
from converter.predict.classifier import Classifier
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.metadata import InputOrientation, Metadata, read_metadata, write_metadata

LABELS = [f"class {letter}" for letter in "abcdefghij"]


@pytest.fixture(scope="module")
def folder(compiled_engine, tmp_path_factory):
    """A small BNext that turns its images, a file of labels and a photo that is red on the left."""
    folder = tmp_path_factory.mktemp("metadata")
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10, name="net")
    add_rotation(model).save(folder / "model.h5")
    (folder / "labels.txt").write_text("\n".join(LABELS))
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:, :20, 0] = 255
    Image.fromarray(pixels).save(folder / "photo.png")
    return folder


@pytest.fixture(scope="module")
def labelled(folder):
    path = folder / "labelled.tflite"
    assert main([str(folder / "model.h5"), "-o", str(path), "--labels", str(folder / "labels.txt")]) == 0
    return path


def test_a_file_tells_where_it_comes_from(folder, labelled):
    assert read_metadata(labelled.read_bytes()) == Metadata(
        name="net",
        input_orientation=InputOrientation.UPRIGHT,
        channels=3,
        labels=LABELS,
        source_sha256=hashlib.sha256((folder / "model.h5").read_bytes()).hexdigest(),
        version=bnext_keras.__version__,
    )


def test_any_unzip_reads_the_labels(labelled):
    with zipfile.ZipFile(labelled) as archive:
        assert archive.namelist() == ["bnext.json", "labels.txt"]
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert archive.read("labels.txt").decode().splitlines() == LABELS
        assert json.loads(archive.read("bnext.json"))["input_orientation"] == "upright"


def test_the_interpreter_does_not_see_them(labelled):
    content = labelled.read_bytes()
    images = np.random.default_rng(0).normal(size=(2, 32, 32, 3)).astype(np.float32)
    without = Flatbuffer(content)
    archive = content.index(b"PK\x03\x04")
    np.testing.assert_array_equal(Interpreter(content).predict(images), Interpreter(content[:archive]).predict(images))
    np.testing.assert_array_equal(Interpreter(content).predict(images), Interpreter(without.pack()).predict(images))


def test_the_published_schema_is_kept(labelled):
    """Bytes taken apart by hand with the offsets of metadata_schema.fbs, not by the project's own reader."""
    flatbuffer = Flatbuffer(labelled.read_bytes())
    write_metadata(
        flatbuffer, Metadata("net", InputOrientation.UPRIGHT, 3, ["cat", "dog"], (0.5, 0.25, 0.0), (0.5, 0.5, 1.0))
    )
    data = Flatbuffer(flatbuffer.pack()).model.buffers[-1].data.tobytes()
    assert data[4:8] == b"M001"

    def follow(place):
        return place + int.from_bytes(data[place : place + 4], "little")

    def field(table, number):
        vtable = table - int.from_bytes(data[table : table + 4], "little", signed=True)
        entry = vtable + 4 + 2 * number
        assert entry < vtable + int.from_bytes(data[vtable : vtable + 2], "little")
        return table + int.from_bytes(data[entry : entry + 2], "little")

    def text(place):
        start = follow(place) + 4
        return data[start : data.index(b"\0", start)].decode()

    def first(place):
        return follow(follow(place) + 4)

    model = follow(0)
    assert text(field(model, 0)) == "net"
    subgraph = first(field(model, 3))
    image, scores = first(field(subgraph, 2)), first(field(subgraph, 3))
    assert text(field(image, 0)) == "image"
    unit = first(field(image, 4))
    assert data[field(unit, 0)] == 1  # NormalizationOptions
    options = follow(field(unit, 1))
    mean, std = (np.frombuffer(data, "<f4", 3, follow(field(options, number)) + 4) for number in (0, 1))
    assert mean.tolist() == [127.5, 63.75, 0.0]
    assert std.tolist() == [127.5, 127.5, 255.0]
    stats = follow(field(image, 5))
    largest, smallest = (np.frombuffer(data, "<f4", 3, follow(field(stats, number)) + 4) for number in (0, 1))
    assert largest.tolist() == [1.0, 1.5, 1.0]
    assert smallest.tolist() == [-1.0, -0.5, 0.0]
    content_table = follow(field(image, 3))
    assert data[field(content_table, 0)] == 2  # ImageProperties
    assert data[field(follow(field(content_table, 1)), 0)] == 1  # RGB
    labels = first(field(scores, 6))
    assert text(field(labels, 0)) == "labels.txt"
    assert data[field(labels, 2)] == 2  # TENSOR_AXIS_LABELS


def test_models_that_state_imagenets_classes_are_imagenets():
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), classes="imagenet", name="mine")
    metadata = read_metadata(convert(model).content)
    assert metadata.labels[388] == "giant panda"
    np.testing.assert_allclose(metadata.mean, [0.485, 0.456, 0.406], rtol=1e-6)
    np.testing.assert_allclose(metadata.std, [0.229, 0.224, 0.225], rtol=1e-6)


def test_a_models_name_tells_nothing():
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=1000, name="bnext_tiny")
    metadata = read_metadata(convert(model).content)
    assert (metadata.labels, metadata.mean, metadata.std) == (None, None, None)


def test_other_models_have_no_labels(small_bnext):
    metadata = read_metadata(convert(small_bnext).content)
    assert (metadata.labels, metadata.mean, metadata.source_sha256) == (None, None, "")


def test_predictions_bear_the_files_labels(folder, labelled, capsys):
    assert predict([str(labelled), str(folder / "photo.png"), "--top", "1"]) == 0
    output = capsys.readouterr()
    assert "  class " in output.out.splitlines()[-1]
    assert output.out.splitlines()[-1].split("  ")[-1] in LABELS
    assert output.err == (
        "bnext-predict: the model does not say how its images are normalized; ImageNet's mean and deviation are "
        "assumed, --mean, --std and --scale give others\n"
    )


def test_what_the_command_says_of_a_model_becomes_part_of_its_file(folder, tmp_path, capsys):
    options = ("--labels", folder / "labels.txt", "--mean", "127.5", "--std=51,102,255", "--scale", "255")
    assert main([str(argument) for argument in (folder / "model.h5", "-o", tmp_path / "o.tflite", *options)]) == 0
    assert "mean 0.5 and std 0.2, 0.4, 1 of values in [0, 1]" in capsys.readouterr().out
    metadata = read_metadata((tmp_path / "o.tflite").read_bytes())
    np.testing.assert_allclose(metadata.mean, [0.5, 0.5, 0.5], rtol=1e-6)
    np.testing.assert_allclose(metadata.std, [0.2, 0.4, 1.0], rtol=1e-6)
    assert predict([str(tmp_path / "o.tflite"), str(folder / "photo.png")]) == 0
    assert capsys.readouterr().err == ""


def test_a_normalization_for_other_channels(folder, refused_by, tmp_path):
    message = refused_by(main)(folder / "model.h5", "-o", tmp_path / "o.tflite", "--mean=1,2")
    assert "model 'net': mean and std have 2 numbers, but images 3 channels" in message


def test_one_number_of_others_metadata_holds_for_all_channels(labelled):
    """As in many a published file."""
    flatbuffer = Flatbuffer(labelled.read_bytes())
    flatbuffer.model.metadata = []
    metadata = Metadata("net", InputOrientation.UPRIGHT, 3, mean=(0.5,), std=(0.25,))
    written = read_metadata(write_metadata(flatbuffer, metadata))
    assert Classifier((8, 8, 3), 2, np.asarray, written).normalization == Normalization((0.5,) * 3, (0.25,) * 3)


def test_others_call_their_file_of_labels_as_they_like(labelled, monkeypatch):
    flatbuffer = Flatbuffer(labelled.read_bytes())
    flatbuffer.model.metadata = []
    with monkeypatch.context() as patch:
        patch.setattr("converter.tflite.metadata.LABELS_FILE", "labelmap.txt")
        written = write_metadata(flatbuffer, Metadata("net", InputOrientation.UPRIGHT, 3, ["cat\r", "dog"]))
    assert read_metadata(written).labels == ["cat", "dog"]


def test_files_that_want_turned_images_get_them(folder, capsys):
    """Without the rotation in the file, bnext-predict turns the photo itself, and the answer is the same."""
    answers = []
    for options in ((), ("--no-rotation",)):
        path = folder / f"{len(answers)}.tflite"
        assert main([str(folder / "model.h5"), "-o", str(path), *options]) == 0
        capsys.readouterr()
        assert predict([str(path), str(folder / "photo.png"), "--top", "10", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)[0]["predictions"])
    probabilities = [{entry["class"]: entry["probability"] for entry in answer} for answer in answers]
    assert probabilities[0] == pytest.approx(probabilities[1], abs=1e-6)


def test_labels_that_do_not_fit(folder, refused_by, tmp_path):
    (tmp_path / "two.txt").write_text("cat\ndog\n")
    message = refused_by(main)(folder / "model.h5", "-o", tmp_path / "o.tflite", "--labels", tmp_path / "two.txt")
    assert "there are 2 labels, but model 'net' has 10 classes" in message
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\xff")
    message = refused_by(main)(folder / "model.h5", "-o", tmp_path / "o.tflite", "--labels", tmp_path / "binary.txt")
    assert "cannot be read as a file of labels" in message


@pytest.mark.parametrize("orientation", ["upright", "rotated by 180 degrees", "as the Keras model"])
def test_orientations_are_what_they_have_always_been(labelled, orientation):
    """Files of all versions hold one of these; whoever takes them apart without this project reads them, too."""
    written = write_metadata(Flatbuffer(labelled.read_bytes()), Metadata("net", InputOrientation(orientation), 3))
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert json.loads(archive.read("bnext.json"))["input_orientation"] == orientation
    flatbuffer = Flatbuffer(written)
    flatbuffer.model.metadata = flatbuffer.model.metadata[1:]
    assert read_metadata(flatbuffer.pack() + written[written.index(b"PK") :]).input_orientation == orientation


def test_an_unknown_orientation_is_not_guessed(labelled):
    content = labelled.read_bytes()
    with pytest.raises(ConversionError, match="metadata is damaged"):
        read_metadata(content.replace(b'"upright"', b'"askew!!"'))


def test_damaged_metadata(labelled):
    flatbuffer = Flatbuffer(labelled.read_bytes())
    flatbuffer.set_metadata("TFLITE_METADATA", b"\xff" * 20)
    entries = flatbuffer.model.metadata
    flatbuffer.model.metadata = [entries[0], entries[-1]]
    with pytest.raises(ConversionError, match="metadata is damaged"):
        read_metadata(flatbuffer.pack())


def test_files_without_metadata(labelled):
    flatbuffer = Flatbuffer(labelled.read_bytes())
    flatbuffer.model.metadata = []
    assert read_metadata(flatbuffer.pack()) is None
