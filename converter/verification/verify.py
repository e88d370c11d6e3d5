"""Does the converted file compute what the Keras model computes?

**Problem.** A binary network is not continuous. Where a value lies within rounding of zero, Keras and LCE may take
different signs of it, and the answers then differ visibly though nothing is wrong. A plain comparison of answers would
either accept real errors or refuse good files.

**Idea.** LCE runs the file and shows the signs that each binary convolution saw: they are tensors of the file. Keras
then runs with *those* signs in place of its own. Any other interpreter of the file is verified alike.

**Conditions.**

1. Wherever Keras' own sign would have been another, its value lies within rounding of zero.
2. The answers agree up to float rounding.

Together they say that every float operator of the file, and every convolution, does what its Keras layer does.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bnext_keras.layer_graph import LayerGraph

import numpy as np
import tensorflow as tf

from converter.graph import BinaryCall
from converter.runtimes import RUNTIMES
from converter.source.binary_layers import binary_convs, patched
from converter.tflite.bits import unpack_signs
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Opener
from converter.verification.shaking import (
    REACH,
    rounding_of,
    rounding_of_zero,
    shaken_result,
    takes_signs,
    with_uncertain_signs_turned,
)
from converter.verification.synthetic import sign_sides

#: Largest difference of outputs computed from the same signs, relative to the largest output.
OUTPUT_TOLERANCE = 1e-4
#: Relative size of the noise on signs, which shows how far rounding reaches.
SHAKE = 1e-6
#: How often noise is drawn before a difference counts as more than rounding. Where a gate hangs in the balance, noise
#: of one size tips it over in one draw of several, and rounding by the same chance.
DRAWS = 12
#: Logits of trained networks stay below it by far; those of a network whose values explode do not.
EXPLODED = 1e4
#: Outputs that vary less between inputs, as a share of the largest one, do not depend on the input.
CONSTANT = 1e-3
#: Inputs that Keras runs at once.
BATCH = 8
#: What runs the file unless a caller says otherwise: both of LCE's kernels, by the names that errors give them.
LCE: Mapping[str, Opener] = RUNTIMES["lce"].interpreters


@dataclass
class Verification:
    """What a comparison found.

    Attributes:
        binary_convs: Layers whose convolution runs bitpacked, once for each call.
        float_convs: Layers whose convolution was meant to run bitpacked and stayed float, once for each call.
        samples: Number of inputs compared.
        largest_output: Largest absolute output of Keras, which differences are to be compared with.
        output_range: Largest difference of one output between two of the inputs, in Keras.
        max_difference: Largest absolute difference of any output, including what flipped signs change.
        top1_agreement: Share of inputs whose largest output is the same.
        signs: Number of signs taken, for all inputs and convolutions together.
        flips: Number of signs of which Keras took the other one.
        max_difference_same_signs: Largest absolute difference of any output computed from the same signs.
        sign_channels: Number of channels that binary convolutions take signs of.
        sign_channels_covered: How many of them had both signs: a fault in another might not show.
        errors: What neither rounding nor flipped signs explain, a line each, naming layers. Empty if the file is right.
    """

    binary_convs: list[str] = field(default_factory=list)
    float_convs: list[str] = field(default_factory=list)
    samples: int = 0
    largest_output: float = 0.0
    output_range: float = 0.0
    max_difference: float = 0.0
    top1_agreement: float = 1.0
    signs: int = 0
    flips: int = 0
    max_difference_same_signs: float = 0.0
    sign_channels: int = 0
    sign_channels_covered: int = 0
    errors: list[str] = field(default_factory=list)

    @property
    def hangs_on_rounding(self) -> bool:
        """Whether the file is right and still answers visibly otherwise: signs within rounding of zero decide."""
        differs = self.max_difference > 0.05 * self.largest_output or self.top1_agreement < 1
        return self.passed and self.flips > 0 and differs

    @property
    def looks_untrained(self) -> str:
        """What in Keras' own outputs shows that training has not begun, or has failed; "" if nothing does."""
        if self.largest_output > EXPLODED:
            return f"for its outputs reach {self.largest_output:.1e}"
        if self.samples > 1 and self.output_range < CONSTANT * self.largest_output:
            return f"for it gives all {self.samples} inputs nearly the same outputs"
        return ""

    @property
    def passed(self) -> bool:
        return not self.errors


def verify(
    model: tf.keras.Model,
    flatbuffer: Flatbuffer,
    conv_names: Mapping[BinaryCall, tuple[str, ...]],
    inputs: np.ndarray,
    progress: Callable[[str], None] = lambda step: None,
    interpreters: Mapping[str, Opener] = LCE,
) -> Verification:
    """Compares a file, as some interpreters run it, with the model that it was made from.

    Args:
        model: The Keras model.
        flatbuffer: The file.
        conv_names: Names of the ``LceBconv2d`` operators of each call of a binary convolution, one per group. A call
            that is not among them is left to Keras: nobody needs its result.
        inputs: ``(samples, height, width, channels)`` of the model's own type.
        progress: Called with a line for the user as inputs are compared.
        interpreters: What makes interpreters of the file, by the name that errors give them. Each must give the file's
            outputs, bit-packed signs among them.
    """
    comparison = _Comparison(model, flatbuffer, conv_names, interpreters)
    for start in range(0, len(inputs), BATCH):
        progress(f"verify, {start} of {len(inputs)} inputs")
        comparison.add(inputs[start : start + BATCH])
    return comparison.finish()


class _Comparison:
    def __init__(self, model, flatbuffer, conv_names, interpreters):
        self._model = model
        self._binary_layers = binary_convs(model)
        self._float_layers = [layer for layer in LayerGraph(model).layers if layer not in self._binary_layers]
        self._agreeing = dict.fromkeys(interpreters, 0)
        self._errors: dict[str, str] = {}
        self._result = Verification()
        #: The smallest and the largest value of each output so far.
        self._bounds: tuple[np.ndarray, np.ndarray] | None = None
        #: Each binary call by its number, with the tensors of the signs that it sees, one per group.
        self._seen_by: dict[int, tuple[BinaryCall, list[int]]] = {}
        found = {conv.name: conv.input_tensor for conv in flatbuffer.binary_convs}
        for call, names in conv_names.items():
            layer = call.layer.name
            if all(name in found for name in names):
                self._seen_by[call.number] = call, [found[name] for name in names]
                self._result.binary_convs.append(layer)
            else:
                self._result.float_convs.append(layer)
                self._errors[layer] = f"layer '{layer}': its convolution stayed float"
        self._tensors = sorted({tensor for _, tensors in self._seen_by.values() for tensor in tensors})
        probed = flatbuffer.pack(more_outputs=self._tensors)
        self._sides: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._interpreters = {name: make(probed) for name, make in interpreters.items()}

    def add(self, inputs):
        expected = self._model(inputs, training=False).numpy()
        if not np.isfinite(expected).all():
            self._errors["finite"] = "the Keras model's own outputs are not finite"
        self._result.samples += len(inputs)
        self._result.largest_output = max(self._result.largest_output, float(np.abs(expected).max()))
        lowest, highest = self._bounds or (expected[0], expected[0])
        self._bounds = np.minimum(lowest, expected.min(axis=0)), np.maximum(highest, expected.max(axis=0))
        seen = None
        for name, interpreter in self._interpreters.items():
            answers, *signs = interpreter.run_each(inputs)
            difference = float(np.abs(answers - expected).max())
            self._result.max_difference = max(self._result.max_difference, difference)
            self._agreeing[name] += int(np.sum(answers.argmax(axis=-1) == expected.argmax(axis=-1)))
            # Mostly they agree to the last bit, and one replay does for both.
            if seen is None:
                for tensor, words in zip(self._tensors, signs, strict=True):
                    sides = sign_sides(words)
                    self._sides[tensor] = tuple(map(np.logical_or, self._sides.get(tensor, sides), sides))
            if seen is None or not all(map(np.array_equal, (answers, *signs), seen)):
                self._replay(inputs, answers, dict(zip(self._tensors, signs, strict=True)), name)
            seen = answers, *signs

    def finish(self):
        positions = int(np.prod(self._model.output_shape[1:-1]))
        if self._result.samples:
            self._result.top1_agreement = min(self._agreeing.values()) / (self._result.samples * positions)
        channels = {
            tensor: call.channels // call.layer.groups for call, tensors in self._seen_by.values() for tensor in tensors
        }
        for tensor, (minus, plus) in self._sides.items():
            self._result.sign_channels += channels[tensor]
            self._result.sign_channels_covered += int((minus & plus)[: channels[tensor]].sum())
        if self._bounds is not None:
            self._result.output_range = float(np.subtract(*self._bounds[::-1]).max())
        self._result.errors = list(self._errors.values())
        return self._result

    def _replay(self, inputs, answers, signs, where):
        """Runs Keras with the file's signs and notes what neither they nor rounding explain.

        Each input runs twice in one batch, once with the signs as they are and once shaken by a little more than
        rounding. What that changes downstream is how far rounding reaches there: in a trained network hardly beyond the
        last digits; in one that has just been initialized, whose values explode, far enough to tip a gate over. What
        one draw of the noise leaves unexplained, another one may explain.
        """
        unexplained: dict[int, _Flips] = {}
        tolerance = 0.0
        for draw in range(DRAWS):
            expected, shaken = self._shake(inputs, signs, np.random.default_rng(draw), unexplained, is_first=draw == 0)
            reach = REACH * np.abs(shaken - expected).max()
            tolerance = max(tolerance, OUTPUT_TOLERANCE * np.abs(expected).max(), reach)
            difference = np.abs(answers - expected).max()
            if difference <= tolerance and not any(flips.where.any() for flips in unexplained.values()):
                break
        self._result.max_difference_same_signs = max(self._result.max_difference_same_signs, float(difference))
        for flips in unexplained.values():
            if flips.where.any():
                self._errors.setdefault(
                    f"{flips.layer} {where}",
                    f"layer '{flips.layer}': with {where} {int(flips.where.sum())} of {flips.where.size} signs of its "
                    f"input differ beyond rounding (values up to {np.abs(flips.values[flips.where]).max():.2g}, "
                    f"rounding {flips.rounding:.1e})",
                )
        if not difference <= tolerance:
            self._errors.setdefault(
                where,
                f"with {where} the outputs differ by {difference:.1e} (tolerance {tolerance:.1e}) though all signs are "
                "equal",
            )

    def _shake(self, inputs, signs, noise, unexplained, *, is_first):
        """Outputs of Keras with the file's signs, as they are and shaken; signs that this does not explain are noted.

        Each sign is shaken by itself, the results of float layers as `shaken_result` says; of a layer that takes signs
        by itself, those that rounding might turn are turned.
        """
        numbers = itertools.count()

        def replace(layer):
            own_quantizer = layer.input_quantizer

            def quantize(values):
                # Quantizers run in the order of the calls. Of some calls the file has no signs: they have stayed
                # float, or nobody needs their results.
                number = next(numbers)
                if number not in self._seen_by:
                    return own_quantizer(values)
                call, tensors = self._seen_by[number]
                groups = [unpack_signs(signs[tensor], call.channels // call.layer.groups) for tensor in tensors]
                taken = np.concatenate(groups, axis=-1)
                if call.flips is not None:
                    taken *= call.flips.astype(np.float32)
                if call.form is not None:
                    taken = call.form.signs(taken, (len(taken), *values.shape[1:]))
                flipped = own_quantizer(values).numpy()[: len(taken)] != taken
                if is_first:
                    self._result.signs += flipped.size
                    self._result.flips += int(flipped.sum())
                    unexplained[number] = _Flips(layer.name, flipped)
                unexplained[number].explain(values.numpy())
                shaken = taken * (1 + SHAKE * noise.standard_normal(taken.shape, np.float32))
                return tf.constant(np.concatenate([taken, shaken]))

            return quantize

        def shake(layer):
            own_call = layer.call

            def call(inputs, *args, **kwargs):
                result = own_call(inputs, *args, **kwargs)
                if not tf.is_tensor(result):
                    return result
                if takes_signs(inputs, result):
                    return with_uncertain_signs_turned(lambda values: own_call(values, *args, **kwargs), inputs, result)
                return shaken_result(result, inputs, noise)

            return call

        with (
            patched(self._binary_layers, "input_quantizer", replace),
            patched(self._float_layers, "call", shake),
        ):
            outputs = self._model(np.concatenate([inputs, inputs]), training=False).numpy()
        return np.split(outputs, 2)


@dataclass
class _Flips:
    """Signs of one call that Keras took otherwise, those left that no rounding explains.

    Attributes:
        layer: The layer's name.
        where: Which of the signs, bool ``(images, height, width, channels)``.
        values: What the signs were taken of.
        rounding: Size of values within rounding of zero, whatever the layers before.
    """

    layer: str
    where: np.ndarray
    values: np.ndarray | None = None
    rounding: float = 0.0

    def explain(self, values: np.ndarray) -> None:
        """Leaves out what lies within reach of rounding, given the values and behind them shaken ones."""
        if not self.where.any():
            return
        self.values, shaken = np.split(values, 2)
        self.rounding = rounding_of(self.values)
        self.where &= ~(np.abs(self.values) <= rounding_of_zero(self.values, shaken))
