"""Names and normalization go from a folder of images through training and conversion to a prediction."""

import json

from bnext_keras.cli.train import main as train
from bnext_keras.preprocessing import CIFAR_MEAN, CIFAR_STD, load_image

import numpy as np
import tensorflow as tf
from PIL import Image

from converter.cli.convert import main as convert
from converter.cli.predict import main as predict
from converter.tflite.metadata import read_metadata

#: In the order of their names; none of them is fit to be shown or to be a line of a file as it is.
FOLDERS = ("\x1b[2Jcat", "größer 猫", "two\nlines")
SHOWN = ["\\x1b[2Jcat", "größer 猫", "two\\nlines"]
SETTINGS = {
    "model": "BNext",
    "widths": "8,16",
    "num_classes": 3,
    "image_size": 16,
    "augmentation": "cifar",
    "normalization": "cifar",
    "batch_size": 6,
    "epochs": 1,
    "warmup_epochs": 0,
    "weight_temperature": "false",
}


def test_a_folders_names_and_the_recipes_normalization_reach_the_prediction(tmp_path, capsys):
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in FOLDERS:
            (tmp_path / "data" / split / name).mkdir(parents=True)
            for i in range(2):
                pixels = random.integers(256, size=(16, 16, 3)).astype(np.uint8)
                Image.fromarray(pixels).save(tmp_path / "data" / split / name / f"{i}.png")
    settings = [f"{name}={value}" for name, value in SETTINGS.items()]
    assert train(["cifar10", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "run"), *settings]) == 0
    model, file, report = (tmp_path / name for name in ("run/best.h5", "best.tflite", "report.json"))
    assert convert([str(model), "-o", str(file), "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert found["normalization"] == {"mean": [0.507, 0.487, 0.441], "std": [0.267, 0.256, 0.276]}
    assert found["named_classes"] == 3
    assert read_metadata(file.read_bytes()).labels == SHOWN

    photo = next((tmp_path / "data" / "val").rglob("*.png"))
    image = load_image(photo, (16, 16), mean=CIFAR_MEAN, std=CIFAR_STD)[np.newaxis]
    logits = tf.keras.models.load_model(model).predict(image, verbose=0)[0].astype(float)
    expected = np.exp(logits) / np.exp(logits).sum()
    for path in (model, file):
        capsys.readouterr()
        assert predict([str(path), str(photo), "--json"]) == 0
        output = capsys.readouterr()
        assert output.err == ""
        answers = {entry["label"]: entry["probability"] for entry in json.loads(output.out)[0]["predictions"]}
        np.testing.assert_allclose([answers[name] for name in SHOWN], expected, atol=1e-5)
