"""Does the converted file compute what the Keras model computes?

A binary network is not continuous: where a value lies within rounding of zero, Keras and LCE may take different signs
of it, and the answers then differ visibly though nobody erred. So a plain comparison of answers either accepts real
errors or refuses good files. Here the two are told apart exactly. LCE runs the file and shows the signs that each binary
convolution saw (they are tensors of the file). Keras then runs with **those** signs in place of its own, and

1. wherever its own sign would have been another, its value must lie within rounding of zero, and
2. the answers must agree up to float rounding.

Together they say that every float operator of the file, and every convolution, does what its Keras layer does.
"""

from dataclasses import dataclass, field

import numpy as np
import tensorflow as tf
from larq_compute_engine.tflite.python.interpreter import Interpreter

from converter import lowering
from converter.binary_layers import patched
from converter.flatbuffer import Flatbuffer, pack_signs, unpack_signs

#: LCE's convolution kernels: the one that devices use by default and the one that is fastest on x86.
KERNELS = {"default": {}, "indirect": {"use_indirect_bgemm": True}}

#: A value within this share of its map's root mean square is within rounding of zero.
ROUNDING = 1e-5
#: Largest difference of outputs computed from the same signs, relative to the largest output.
OUTPUT_TOLERANCE = 1e-4
#: Relative noise on the signs that shows how far rounding reaches, and the multiple of its effect that is let pass.
SHAKE = 1e-6
REACH = 10


@dataclass
class Verification:
    """What a comparison found.

    Attributes:
        samples: Number of inputs compared.
        max_difference: Largest absolute difference of any output, with all its consequences of flipped signs.
        top1_agreement: Share of inputs whose largest output is the same.
        signs: Number of signs taken, all inputs and convolutions together.
        flips: How many of them Keras would have taken otherwise, being within rounding of zero.
        max_difference_same_signs: Largest absolute difference of any output computed from the same signs.
        errors: What neither rounding nor sign flips explain, a line each, naming layers. Empty if the file is right.
    """

    samples: int = 0
    max_difference: float = 0.0
    top1_agreement: float = 1.0
    signs: int = 0
    flips: int = 0
    max_difference_same_signs: float = 0.0
    errors: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.errors


def match_binary_convs(calls: list[tf.keras.layers.Layer], flatbuffer: Flatbuffer) -> list[list[int] | None]:
    """Finds each call of a binary convolution in the file, by the bits of its kernel.

    Returns:
        For each call the tensors with the signs that it sees, one per group; None where it is not there: it has stayed
        float.
    """
    found: dict[bytes, list[int]] = {}
    for conv in flatbuffer.binary_convs:
        found.setdefault(conv.kernel.tobytes(), []).append(conv.input_tensor)

    def take(key):
        tensors = found[key]
        # Equal convolutions of the same signs are one operator in the file.
        return tensors.pop(0) if len(tensors) > 1 else tensors[0]

    sites = []
    for layer in calls:
        keys = [pack_signs(kernel).tobytes() for kernel in lowering.group_kernels(layer)]
        sites.append([take(key) for key in keys] if all(key in found for key in keys) else None)
    return sites


def verify(
    model: tf.keras.Model, content: bytes, calls: list[tf.keras.layers.Layer], inputs: np.ndarray
) -> Verification:
    """Compares a file with the model that it was made from.

    Args:
        model: The Keras model.
        content: The ``.tflite`` file.
        calls: The binary convolutions in the order in which the model calls them.
        inputs: float32 ``(samples, height, width, channels)``.
    """
    flatbuffer = Flatbuffer(content)
    sites = match_binary_convs(calls, flatbuffer)
    tensors = sorted({tensor for site in sites if site for tensor in site})
    probed = flatbuffer.with_outputs(tensors)
    result = Verification(samples=len(inputs))
    result.errors += [
        f"layer '{layer.name}': its convolution stayed float" for layer, site in zip(calls, sites, strict=True) if not site
    ]
    expected = model(inputs, training=False).numpy()
    if not np.isfinite(expected).all():
        result.errors.append("the Keras model's own outputs are not finite")
        return result
    seen = None
    for kernel, options in KERNELS.items():
        outputs = Interpreter(probed, **options).predict(inputs)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        if seen is not None and all(map(np.array_equal, outputs, seen)):
            continue
        seen = outputs
        answers, signs = outputs[0], dict(zip(tensors, outputs[1:], strict=True))
        result.max_difference = max(result.max_difference, float(np.abs(answers - expected).max()))
        result.top1_agreement = min(result.top1_agreement, _agreement(answers, expected))
        _replay(model, inputs, answers, calls, sites, signs, f"LCE's {kernel} kernels", result)
    return result


def _agreement(answers, expected):
    return float(np.mean(answers.argmax(axis=-1) == expected.argmax(axis=-1)))


def _replay(model, inputs, answers, calls, sites, signs, where, result):
    """Runs Keras with the file's signs and notes in ``result`` what they do not explain.

    Each input runs twice in one batch, once with the signs as they are and once shaken by a little more than rounding:
    what that changes downstream is how far rounding reaches there. In a trained network hardly beyond the last digits;
    in one that has just been initialized, whose values explode, a gate may tip over.
    """
    remaining = iter(zip(calls, sites, strict=True))
    noise = np.random.default_rng(0)

    def replace(layer):
        own_quantizer = layer.input_quantizer

        def quantize(values):
            called, site = next(remaining)
            if called is not layer:
                raise RuntimeError(f"{layer.name} was called where {called.name} was expected")
            if site is None:
                return own_quantizer(values)
            groups = [unpack_signs(signs[tensor], values.shape[-1] // layer.groups) for tensor in site]
            taken = np.concatenate(groups, axis=-1)
            own = own_quantizer(values).numpy()[: len(taken)]
            _compare_signs(layer, values.numpy(), own, taken, where, result)
            shaken = taken * (1 + SHAKE * noise.standard_normal(taken.shape, np.float32))
            return tf.constant(np.concatenate([taken, shaken]))

        return quantize

    with patched(list(dict.fromkeys(calls)), "input_quantizer", replace):
        expected, shaken = np.split(model(np.concatenate([inputs, inputs]), training=False).numpy(), 2)
    scale = np.abs(expected).max()
    tolerance = max(OUTPUT_TOLERANCE * scale, REACH * np.abs(shaken - expected).max())
    difference = np.abs(answers - expected).max()
    result.max_difference_same_signs = max(result.max_difference_same_signs, float(difference))
    if not difference <= tolerance:
        result.errors.append(
            f"with {where} the outputs differ by {difference:.1e} (tolerance {tolerance:.1e}) though all signs are equal"
        )


def _compare_signs(layer, values, own, taken, where, result):
    values, shaken = np.split(values, 2)
    flipped = own != taken
    result.signs += flipped.size
    result.flips += int(flipped.sum())
    if not flipped.any():
        return
    rounding = ROUNDING * np.sqrt(np.mean(np.square(values, dtype=np.float64)))
    # Gates are one value per image and channel, and so is what tips over with them.
    tolerance = np.maximum(rounding, REACH * np.abs(shaken - values).max(axis=(1, 2), keepdims=True))
    unexplained = flipped & ~(np.abs(values) <= tolerance)
    if unexplained.any():
        result.errors.append(
            f"layer '{layer.name}': with {where} {int(unexplained.sum())} of {flipped.size} signs of its input differ "
            f"beyond rounding (values up to {np.abs(values[unexplained]).max():.2g}, rounding {rounding:.1e})"
        )
