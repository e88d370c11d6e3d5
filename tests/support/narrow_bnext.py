"""A BNext with the released code's names and shapes, narrow enough to commit checkpoints of it."""

import zlib

import numpy as np

WIDTHS = (4, 8, 16)
NUM_CLASSES = 3


def state_dict(widths=WIDTHS, num_classes=NUM_CLASSES):
    """Arrays by PyTorch's names; each is drawn by its name."""
    return {key: _weight(key, shape) for key, shape in _shapes(widths, num_classes).items()}


def _shapes(widths, num_classes):
    shapes = {"feature.0.conv1.weight": (widths[0], 3, 3, 3), **_batch_norm("feature.0.bn1", widths[0])}
    shapes["feature.0.prelu.weight"] = (widths[0],)
    for i in range(1, len(widths)):
        width = widths[i - 1]
        shapes |= _processor(f"feature.{i}.Attention", width, 3)
        for name in ("FFN",) if widths[i] == width else ("FFN_1", "FFN_2"):
            shapes |= _processor(f"feature.{i}.{name}", width, 1)
    return shapes | {"prelu.weight": widths[-1:], "fc.weight": (num_classes, widths[-1]), "fc.bias": (num_classes,)}


def _processor(path, width, kernel_size):
    hidden = max(1, width // 8)
    shapes = {
        "scale": (1, width, 1, 1),
        "move.bias": (1, width, 1, 1),
        "binary_activation.temperature": (1,),
        "binary_conv.weight": (width, width, kernel_size, kernel_size),
        "binary_conv.temperature": (1,),
        **_batch_norm("norm1", width),
        **_batch_norm("norm2", width),
        "activation1.weight": (width,),
        "activation2.weight": (width,),
        "se.se.1.weight": (hidden, width, 1, 1),
        "se.se.1.bias": (hidden,),
        "se.se.3.weight": (width, hidden, 1, 1),
        "se.se.3.bias": (width,),
    }
    return {f"{path}.{key}": shape for key, shape in shapes.items()}


def _batch_norm(path, width):
    leaves = ("weight", "bias", "running_mean", "running_var")
    return {f"{path}.{leaf}": (width,) for leaf in leaves} | {f"{path}.num_batches_tracked": ()}


def _weight(key, shape):
    if key.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if key.endswith("temperature"):
        return np.full(shape, 1e-8, np.float32)
    values = np.random.default_rng(zlib.crc32(key.encode())).uniform(-1, 1, shape)
    return (1 + np.abs(values) if key.endswith("running_var") else values).astype(np.float32)
