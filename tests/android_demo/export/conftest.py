"""One browser for all tests, and pages of two small networks."""

import bnext_keras

import browser as browsers
import numpy as np
import pytest
import tensorflow as tf
from rewrites import randomize

from android_demo.export.model import read_model
from android_demo.export.web import render
from android_demo.runner import Interpreter
from converter import convert

LABELS = ["tench", "goldfish", "<b>shark</b>", "hammerhead", "ray", "cock", "hen", "ostrich", "brambling", "junco"]


class Network:
    """A converted network, what a page carries of it, and what the engine answers."""

    def __init__(self, folder, model, **options):
        self.file = folder / f"{model.name}.tflite"
        convert(randomize(model, seed=1), self.file, **options)
        self.model = read_model(self.file)
        self.page = folder / f"{model.name}.html"
        self.page.write_text(render(self.model))
        self.engine = Interpreter(self.file)

    def answer(self, pixels):
        """The engine's answer for pixels that are resized already."""
        return self.engine.run([self.model.normalization(pixels)[np.newaxis]])[0][0]


@pytest.fixture(scope="session")
def colour(tmp_path_factory):
    model = bnext_keras.models.BNext([32, 64], input_shape=(32, 48, 3), num_classes=10, name="fish")
    normalization = bnext_keras.preprocessing.Normalization((0.5, 0.4, 0.3), (0.25, 0.2, 0.3))
    return Network(tmp_path_factory.mktemp("colour"), model, labels=LABELS, normalization=normalization)


@pytest.fixture(scope="session")
def grey(tmp_path_factory):
    layers = tf.keras.layers
    image = tf.keras.Input((12, 9, 1))
    x = layers.Conv2D(32, 3, padding="same")(image)
    x = layers.GlobalAveragePooling2D()(x + bnext_keras.layers.BinaryConv2D(32, 3)(x))
    return Network(tmp_path_factory.mktemp("grey"), tf.keras.Model(image, layers.Dense(3)(x), name="grey"))


@pytest.fixture(scope="session")
def large(tmp_path_factory):
    """Of more than 64 pixels, so that it sees the centre of a picture only."""
    layers = tf.keras.layers
    image = tf.keras.Input((65, 72, 1))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))
    return Network(tmp_path_factory.mktemp("large"), tf.keras.Model(image, layers.Dense(3)(x), name="large"))


@pytest.fixture(scope="session")
def browser():
    if browsers.find() is None:
        pytest.skip("Chromium is not installed (Debian package chromium)")
    with browsers.Browser("--js-flags=--expose-gc") as running:
        yield running


@pytest.fixture
def open_page(browser):
    """Opens a file, or an address, in a tab of its own and waits until the page has made up its mind."""
    tabs = []

    def open_address(file, **screen):
        tabs.append(browser.open(file if isinstance(file, str) else file.as_uri(), **screen))
        tabs[-1].wait_for("!document.getElementById('controls').hidden || !document.getElementById('error').hidden")
        return tabs[-1]

    yield open_address
    for tab in tabs:
        tab.close()


@pytest.fixture(scope="module")
def page(browser, colour):
    """The page of the network in colour, ready."""
    tab = browser.open(colour.page.as_uri())
    tab.wait_for("!document.getElementById('controls').hidden")
    yield tab
    tab.close()
