"""Regenerates the weights and images that the outputs in `tests/reference/zoo` were computed from.

As in `references`, every tensor is a pure function of its name, shape and kind, and the files hold what the original
code made of them; those of one network each. Running statistics are drawn around two numbers for each normalization,
which are on record, so that activations stay of order one. `draw` is the rule.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parents[1] / "reference" / "zoo"


@dataclass
class Reference:
    """One network's weights by their original names, its upright images, and the logits that it computed.

    Keras' names are ``"<position of the layer among those with weights>/<variable>"``.
    """

    meta: dict
    weights: dict[str, np.ndarray]
    images: np.ndarray
    logits: np.ndarray

    @property
    def is_turned(self) -> bool:
        """Whether PyTorch computed it, so that the rebuilt network wants images turned by 180 degrees."""
        return self.meta["framework"] == "pytorch"

    @property
    def model_images(self) -> np.ndarray:
        """The images as the rebuilt network wants them, ``(2, height, width, 3)``."""
        return np.ascontiguousarray(self.images[:, ::-1, ::-1]) if self.is_turned else self.images


def shapes(name: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a network's weights by their original names, in their order."""
    entries = json.loads(str(np.load(FOLDER / f"{name}_seed0.npz")["entries_json"]))
    return {key: tuple(shape) for key, shape, *_ in entries}


def load(name: str) -> Reference:
    file = np.load(FOLDER / f"{name}_seed0.npz")
    meta = json.loads(str(file["meta_json"]))
    statistics = dict(
        zip(file["bn_layers"].tolist(), zip(file["bn_center"], file["bn_scale"], strict=True), strict=True)
    )
    weights = {}
    for key, shape, kind, layer in json.loads(str(file["entries_json"])):
        center, scale = map(float, statistics.get(layer, (0.0, 1.0)))
        rng = np.random.default_rng(zlib.crc32(key.encode()) + meta["seed"])
        options = {"is_keras": meta["framework"] == "keras", "center": center, "scale": scale}
        value = draw(rng, tuple(shape), kind, constant=meta.get("constants", {}).get(key), **options)
        weights[key] = np.asarray(value, np.float64).astype(np.float32)
    side = meta["side"]
    pictures = np.random.default_rng(1000 + meta["seed"]).standard_normal((2, 3, side, side)).astype(np.float32)
    upright = np.ascontiguousarray(pictures.transpose(0, 2, 3, 1))
    stored = upright if meta["framework"] == "keras" else pictures
    for key, checksum in meta["crc32"].items():
        array = stored if key == "images" else weights[key]
        assert zlib.crc32(np.ascontiguousarray(array).tobytes()) == checksum, key
    return Reference(meta, weights, upright, file["logits_f64"])


def draw(rng, shape, kind, *, is_keras, center, scale, constant):
    """The value of one tensor, in float64."""
    normal, uniform = rng.standard_normal, rng.random
    if kind == "binary":
        values = normal(shape)
        return np.where(values >= 0, 1.0, -1.0) * (0.01 + 0.3 * np.abs(values))
    if kind == "gamma":
        values = 0.5 + uniform(shape)
        return np.where(uniform(shape) < 0.125, -values, values)
    rules = {
        "kernel": lambda: normal(shape) / np.sqrt(np.prod(shape[:-1] if is_keras else shape[1:])),
        "depthwise": lambda: normal(shape) / np.sqrt(np.prod(shape[:2] if is_keras else shape[2:])),
        "bias": lambda: 0.1 * normal(shape),
        "beta": lambda: 0.2 * normal(shape),
        "shift": lambda: 0.2 * normal(shape),
        "mean": lambda: center + 0.2 * scale * normal(shape),
        "variance": lambda: scale**2 * (0.5 + uniform(shape)),
        "bound": lambda: scale * (0.5 + uniform(shape)),
        "slope": lambda: -0.1 + 0.6 * uniform(shape),
        "blur": lambda: np.broadcast_to((np.outer([1, 2, 1], [1, 2, 1]) / 16)[:, :, None, None], shape),
        "constant": lambda: np.full(shape, constant),
    }
    return rules[kind]()


def assign_by_position(model: tf.keras.Model, weights: dict[str, np.ndarray]) -> None:
    """Sets the weights of a model from those by Keras' names; a dense layer's may be a 1x1 convolution's here."""
    stored: dict[int, list[np.ndarray]] = {}
    for key, value in weights.items():
        stored.setdefault(int(key.partition("/")[0]), []).append(value)
    layers = [layer for layer in model.layers if layer.weights]
    assert len(layers) == len(stored)
    for position, layer in enumerate(layers):
        for weight, value in zip(layer.weights, stored[position], strict=True):
            assert tuple(weight.shape)[-value.ndim :] == value.shape, layer.name
            weight.assign(value.reshape(weight.shape))
