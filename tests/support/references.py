"""Regenerates the weights and images that the outputs in `tests/reference` were computed from.

Every tensor has its own generator, seeded by its name; values are drawn in float64 and rounded to float32. Running
statistics match the fan-in of what they normalize, so that activations stay of order one through the whole network.
BNext's weights and MeliusNet's (`_bnext_weights`, `_melius_weights`) follow rules of their own.
"""

import json
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[1] / "reference"


@dataclass
class Block:
    """Samples of one block's output, an array of ``shape`` (batch, channels, height, width), flattened."""

    shape: tuple[int, ...]
    mean: float
    std: float
    index: np.ndarray
    value: np.ndarray


@dataclass
class Reference:
    """One network's weights by PyTorch's names, its upright NCHW images, and what it computed."""

    meta: dict
    weights: dict[str, np.ndarray]
    images: np.ndarray
    blocks: dict[str, Block]
    logits: np.ndarray

    @property
    def turned_images(self) -> np.ndarray:
        """The images as an imported model wants them: NHWC and turned by 180 degrees."""
        return np.ascontiguousarray(self.images.transpose(0, 2, 3, 1)[:, ::-1, ::-1])


def load(name: str) -> Reference:
    file = np.load(FOLDER / f"{name}_seed0.npz")
    meta = json.loads(str(file["meta_json"]))
    shapes = {key: tuple(shape) for key, shape in json.loads(str(file["keys_json"]))}
    draw = _melius_weights if name.startswith("melius") else _bnext_weights
    weights = {key: _rounded(key, value) for key, value in draw(shapes, meta["weight_seed"])}
    images = np.random.default_rng(1000 + meta["input_seed"]).standard_normal(meta["input_shape_nchw"])
    images = images.astype(np.float32)
    assert zlib.crc32(images.tobytes()) == meta["input_crc32"]
    for key, checksum in meta["weights_crc32"].items():
        assert zlib.crc32(weights[key].tobytes()) == checksum, key
    columns = ("block_shapes", "block_mean", "block_std", "block_sample_index", "block_sample_value")
    rows = zip(*(file[column] for column in columns), strict=True)
    blocks = {str(key): Block(*row) for key, row in zip(file["block_names"], rows, strict=True)}
    return Reference(meta, weights, images, blocks, file["logits_f64"])


def _rounded(key, value):
    return np.ascontiguousarray(value, np.int64 if key.endswith("num_batches_tracked") else np.float32)


def _generator(key, seed):
    return np.random.default_rng(zlib.crc32(key.encode()) + seed)


def _without_zeros(values):
    return np.where(values >= 0, 1.0, -1.0) * (0.01 + 0.3 * np.abs(values))


def _melius_weights(shapes, seed):
    """Draws in the order of the state dict, which is the network's, with the variance of each channel on the way."""
    variance = np.ones(3)
    for key, shape in shapes.items():
        normal = _generator(key, seed).standard_normal
        leaf = key.rpartition(".")[2]
        if leaf == "num_batches_tracked":
            yield key, np.zeros(shape)
        elif leaf == "running_mean":
            yield key, 0.5 * normal(shape) * np.sqrt(variance)
        elif leaf == "running_var":
            yield key, (0.5 + _generator(key, seed).random(shape)) * variance
        elif leaf == "bias":
            yield key, (0.1 if key == "_model.output.bias" else 0.2) * normal(shape)
        elif len(shape) == 1:
            yield key, 0.5 + _generator(key, seed).random(shape)
        elif "DenseLayer" in key:
            yield key, _without_zeros(normal(shape))
            variance = np.concatenate([variance, np.full(shape[0], np.prod(shape[1:]))])
        elif "ImprovementBlock" in key:
            yield key, _without_zeros(normal(shape))
            added = np.zeros(len(variance))
            added[-shape[0] :] = np.prod(shape[1:])
            variance = variance + added
        else:  # stem, transitions, head: of variance one for inputs of variance one
            yield key, normal(shape) / np.sqrt(np.prod(shape[1:]))
            variance = np.ones(shape[0])


def _bnext_weights(shapes, seed):
    for key, shape in shapes.items():
        path, _, leaf = key.rpartition(".")
        owner, _, module = path.rpartition(".")
        yield key, _bnext_values(key, owner, module, leaf, shape, shapes, _generator(key, seed))


def _bnext_values(key, owner, module, leaf, shape, shapes, rng):
    normal = rng.standard_normal

    def uniform(low, high):
        return low + (high - low) * rng.random(shape)

    def with_negatives(values):
        return np.where(rng.random(shape) < 1 / 8, -values, values)

    if leaf == "num_batches_tracked":
        return np.zeros(shape)
    if leaf == "temperature":
        return np.full(shape, 1e-8)
    if module == "binary_conv":
        return _without_zeros(normal(shape))
    if leaf == "scale":
        return uniform(0.0, 1.0)
    if module == "move":
        return 0.2 * normal(shape)
    if module in ("activation1", "activation2", "prelu"):
        return uniform(-0.1, 0.5)
    if module == "norm1":
        fan_in = np.prod(shapes[f"{owner}.binary_conv.weight"][1:])
        return {
            "weight": lambda: with_negatives(uniform(0.5, 1.5)),
            "bias": lambda: 0.2 * normal(shape),
            "running_mean": lambda: 0.2 * np.sqrt(fan_in) * normal(shape),
            "running_var": lambda: fan_in * uniform(0.5, 1.5),
        }[leaf]()
    if module == "norm2":
        return {
            "weight": lambda: with_negatives(uniform(0.2, 0.6)),
            "running_var": lambda: uniform(0.2, 0.6),
        }.get(leaf, lambda: 0.1 * normal(shape))()
    if module == "bn1" or "downsample.2" in key:
        if leaf in ("weight", "running_var"):
            return uniform(0.5, 1.5)
        return (0.2 if leaf == "bias" else 0.1) * normal(shape)
    if leaf == "weight":  # stem, squeeze-and-expand, head
        return normal(shape) / np.sqrt(np.prod(shape[1:])) * (2.0 if ".se.3" in key else 1.0)
    return 0.1 * normal(shape)
