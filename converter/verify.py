"""Does the converted file compute what the Keras model computes?

A binary network is not continuous: where a value lies within rounding of zero, Keras and LCE may take different signs
of it, and the answers then differ visibly though nobody erred. So a plain comparison of answers either accepts real
errors or refuses good files. Here the two are told apart. LCE runs the file and shows the signs that each binary
convolution saw (they are tensors of the file). Keras then runs with **those** signs in place of its own, and

1. wherever its own sign would have been another, its value must lie within rounding of zero, and
2. the answers must agree up to float rounding.

Together they say that every float operator of the file, and every convolution, does what its Keras layer does.
"""

from collections.abc import Callable
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
#: Inputs that Keras runs at once.
BATCH = 8


@dataclass
class Verification:
    """What a comparison found.

    Attributes:
        binary_convs: Layers whose convolution runs bitpacked, once for each call.
        float_convs: Layers that were meant to and do not.
        samples: Number of inputs compared.
        max_difference: Largest absolute difference of any output, with all its consequences of flipped signs.
        top1_agreement: Share of inputs whose largest output is the same.
        signs: Number of signs taken, all inputs and convolutions together.
        flips: How many of them Keras would have taken otherwise, being within rounding of zero.
        max_difference_same_signs: Largest absolute difference of any output computed from the same signs.
        errors: What neither rounding nor sign flips explain, a line each, naming layers. Empty if the file is right.
    """

    binary_convs: list[str] = field(default_factory=list)
    float_convs: list[str] = field(default_factory=list)
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
    model: tf.keras.Model,
    content: bytes,
    calls: list[tf.keras.layers.Layer],
    inputs: np.ndarray,
    progress: Callable[[str], None] = lambda step: None,
) -> Verification:
    """Compares a file with the model that it was made from.

    Args:
        model: The Keras model.
        content: The ``.tflite`` file.
        calls: The binary convolutions in the order in which the model calls them.
        inputs: float32 ``(samples, height, width, channels)``.
        progress: Called with a line for the user as inputs are compared.
    """
    comparison = _Comparison(model, content, calls)
    for start in range(0, len(inputs), BATCH):
        progress(f"verify, {start} of {len(inputs)} inputs")
        comparison.add(inputs[start : start + BATCH])
    return comparison.finish()


class _Comparison:
    def __init__(self, model, content, calls):
        self._model = model
        self._calls = calls
        flatbuffer = Flatbuffer(content)
        self._sites = match_binary_convs(calls, flatbuffer)
        self._tensors = sorted({tensor for site in self._sites if site for tensor in site})
        probed = flatbuffer.with_outputs(self._tensors)
        self._interpreters = {name: Interpreter(probed, **options) for name, options in KERNELS.items()}
        self._agreeing = dict.fromkeys(KERNELS, 0)
        self._errors: dict[str, str] = {}
        self._result = Verification()
        for layer, site in zip(calls, self._sites, strict=True):
            if site is None:
                self._result.float_convs.append(layer.name)
                self._errors[layer.name] = f"layer '{layer.name}': its convolution stayed float"
            else:
                self._result.binary_convs.append(layer.name)

    def add(self, inputs):
        expected = self._model(inputs, training=False).numpy()
        if not np.isfinite(expected).all():
            self._errors["finite"] = "the Keras model's own outputs are not finite"
        self._result.samples += len(inputs)
        seen = None
        for kernels, interpreter in self._interpreters.items():
            outputs = interpreter.predict(inputs)
            answers, *signs = outputs if isinstance(outputs, list) else [outputs]
            difference = float(np.abs(answers - expected).max())
            self._result.max_difference = max(self._result.max_difference, difference)
            self._agreeing[kernels] += int(np.sum(answers.argmax(axis=-1) == expected.argmax(axis=-1)))
            if seen is None or not all(map(np.array_equal, (answers, *signs), seen)):
                self._replay(inputs, answers, dict(zip(self._tensors, signs, strict=True)), f"LCE's {kernels} kernels")
            seen = answers, *signs

    def finish(self):
        positions = int(np.prod(self._model.output_shape[1:-1]))
        if self._result.samples:
            self._result.top1_agreement = min(self._agreeing.values()) / (self._result.samples * positions)
        self._result.errors = list(self._errors.values())
        return self._result

    def _replay(self, inputs, answers, signs, where):
        """Runs Keras with the file's signs and notes what they do not explain.

        Each input runs twice in one batch, once with the signs as they are and once shaken by a little more than
        rounding: what that changes downstream is how far rounding reaches there. In a trained network hardly beyond the
        last digits; in one that has just been initialized, whose values explode, a gate may tip over.
        """
        remaining = iter(zip(self._calls, self._sites, strict=True))
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
                self._compare_signs(layer.name, values.numpy(), own, taken, where)
                shaken = taken * (1 + SHAKE * noise.standard_normal(taken.shape, np.float32))
                return tf.constant(np.concatenate([taken, shaken]))

            return quantize

        with patched(list(dict.fromkeys(self._calls)), "input_quantizer", replace):
            outputs = self._model(np.concatenate([inputs, inputs]), training=False).numpy()
        expected, shaken = np.split(outputs, 2)
        tolerance = max(OUTPUT_TOLERANCE * np.abs(expected).max(), REACH * np.abs(shaken - expected).max())
        difference = np.abs(answers - expected).max()
        self._result.max_difference_same_signs = max(self._result.max_difference_same_signs, float(difference))
        if not difference <= tolerance:
            self._errors.setdefault(
                where,
                f"with {where} the outputs differ by {difference:.1e} (tolerance {tolerance:.1e}) though all signs are "
                "equal",
            )

    def _compare_signs(self, layer_name, values, own, taken, where):
        values, shaken = np.split(values, 2)
        flipped = own != taken
        self._result.signs += flipped.size
        self._result.flips += int(flipped.sum())
        if not flipped.any():
            return
        rounding = ROUNDING * np.sqrt(np.mean(np.square(values, dtype=np.float64)))
        # Gates are one value per image and channel, and so is what tips over with them.
        tolerance = np.maximum(rounding, REACH * np.abs(shaken - values).max(axis=(1, 2), keepdims=True))
        unexplained = flipped & ~(np.abs(values) <= tolerance)
        if unexplained.any():
            self._errors.setdefault(
                f"{layer_name} {where}",
                f"layer '{layer_name}': with {where} {int(unexplained.sum())} of {flipped.size} signs of its input "
                f"differ beyond rounding (values up to {np.abs(values[unexplained]).max():.2g}, rounding "
                f"{rounding:.1e})",
            )
