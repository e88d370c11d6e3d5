"""Notes on a conversion: in which ways the file is not just the model, and what could be stored in less."""

from bnext_keras.quantizers import soft_kernels
from bnext_keras.text import format_bytes

import tensorflow as tf

from converter.advice.finding import NOTE, Advice
from converter.quantization.roles import weight_bytes
from converter.quantization.trained import TrainedWeights
from converter.tflite.flatbuffer import Flatbuffer

#: Bytes of float weights from which on they are worth a word, if they are also this share of the file.
LARGE, LARGE_SHARE = 2**20, 0.5


def hardened(model: tf.keras.Model) -> list[Advice]:
    """For each kernel that is taken as its signs though it was trained otherwise."""
    return [
        Advice(
            NOTE,
            name,
            f"its kernel was hardened: training ended at weight temperature {temperature:.2g}, the file has its signs",
            "answers are those of Keras' evaluation; their accuracy may be far from that in training, so measure it",
        )
        for name, temperature in soft_kernels(model).items()
    ]


def recalibrated(model: tf.keras.Model, images: int) -> list[Advice]:
    """For a model whose batch normalizations have the statistics of some images in the file; none for no images."""
    if not images:
        return []
    what = f"its batch normalizations have the statistics of {images:,} images in the file, not those of training"
    return [Advice(NOTE, model.name, what, "the Keras file has those of training still; measure the accuracy of both")]


def in_float32(model: tf.keras.Model, precision: str) -> list[Advice]:
    """For a model that was rebuilt in float32 from another precision; none where ``precision`` is empty."""
    if not precision:
        return []
    what = f"it computes in {precision}; the file, and the model that it was compared with, in float32"
    return [Advice(NOTE, model.name, what, "answers differ by the rounding of the other type, so measure the accuracy")]


def left_float(trained: TrainedWeights | None) -> list[Advice]:
    """For each layer that was trained in few bits and has float weights in the file."""
    what = "it was trained in few bits, but something was folded into its kernel that these cannot hold: it stays float"
    remedy = "answers are right, the file is larger; a batch normalization right before it, say, belongs behind it"
    return [Advice(NOTE, name, what, remedy) for name in (trained.left_float if trained else ())]


def large_floats(model: tf.keras.Model, flatbuffer: Flatbuffer, file: int) -> list[Advice]:
    """For a file that consists of float weights for the most part.

    Args:
        model: The model.
        flatbuffer: Its file, with float weights.
        file: Bytes of the file, with metadata.
    """
    sizes = {role: size for role, size in weight_bytes(flatbuffer).items() if size}
    total = sum(sizes.values())
    if total < LARGE or total < LARGE_SHARE * file:
        return []
    parts = ", ".join(f"{role} {format_bytes(size)}" for role, size in sizes.items())
    what = f"weights of its float layers take {format_bytes(total)} of the file's {format_bytes(file)} ({parts})"
    remedy = f"--weights int8 stores them in {format_bytes(total / 4)}; the report tells how that changes the answers"
    return [Advice(NOTE, model.name, what, remedy)]
