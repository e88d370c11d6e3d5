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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bnext_keras.text import counted

import numpy as np
import tensorflow as tf

from converter.graph import BinaryCall
from converter.runtimes import RUNTIMES
from converter.source import interface
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Opener, batches
from converter.verification.replay import Replay
from converter.verification.synthetic import sign_sides

#: Logits of trained networks stay below it by far; those of a network whose values explode do not.
EXPLODED = 1e4
#: Outputs that vary less between inputs, as a share of the largest one, do not depend on the input.
CONSTANT = 1e-3
#: Inputs that Keras runs at once.
BATCH = 8
#: What runs the file unless a caller says otherwise: both of LCE's kernels, by the names that errors give them.
LCE: Mapping[str, Opener] = RUNTIMES["lce"].interpreters


@dataclass
class OutputVerification:
    """What a comparison found of one output of several; fields are those of `Verification`.

    Attributes:
        name: Its name in the file.
        shape: Its shape for one image.
        largest_output: See there.
        output_range: See there.
        max_difference: See there.
        max_difference_same_signs: See there.
        top1_agreement: None if it is no classifier's: it is not one number for each of several classes.
    """

    name: str
    shape: tuple[int, ...]
    largest_output: float = 0.0
    output_range: float = 0.0
    max_difference: float = 0.0
    max_difference_same_signs: float = 0.0
    top1_agreement: float | None = None


@dataclass(repr=False)
class Verification:
    """What a comparison found. Of several outputs, figures are the largest of any, and agreement is the least.

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
        outputs: What was found of each output.
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
    outputs: list[OutputVerification] = field(default_factory=list)

    def __repr__(self) -> str:
        found = f"not passed, {counted(len(self.errors), 'error')}" if self.errors else "passed"
        return f"<Verification on {counted(self.samples, 'input')}: {found}>"

    @property
    def each(self) -> "Sequence[Verification | OutputVerification]":
        """The figures of each output by itself; differences are to be compared with the largest value of the same."""
        return self.outputs or [self]

    @property
    def hangs_on_rounding(self) -> bool:
        """Whether the file is right and still answers visibly otherwise: signs within rounding of zero decide."""
        differs = any(output.max_difference > 0.05 * output.largest_output for output in self.each)
        return self.passed and self.flips > 0 and (differs or self.top1_agreement < 1)

    @property
    def looks_untrained(self) -> str:
        """What in Keras' own outputs shows that training has not begun, or has failed; "" if nothing does."""
        if self.largest_output > EXPLODED:
            return f"for its outputs reach {self.largest_output:.1e}"
        if self.samples > 1 and all(output.output_range < CONSTANT * output.largest_output for output in self.each):
            return f"for it gives all {self.samples} inputs nearly the same outputs"
        return ""

    @property
    def passed(self) -> bool:
        return not self.errors


def verify(
    model: tf.keras.Model,
    flatbuffer: Flatbuffer,
    conv_names: Mapping[BinaryCall, tuple[str, ...]],
    inputs: np.ndarray | Sequence[np.ndarray],
    progress: Callable[[str], None] = lambda step: None,
    interpreters: Mapping[str, Opener] = LCE,
) -> Verification:
    """Compares a file, as some interpreters run it, with the model that it was made from.

    Args:
        model: The Keras model.
        flatbuffer: The file.
        conv_names: Names of the ``LceBconv2d`` operators of each call of a binary convolution, one per group. A call
            that is not among them is left to Keras: nobody needs its result.
        inputs: ``(samples, height, width, channels)`` of the model's own type; of a model of several inputs a list with
            an array for each.
        progress: Called with a line for the user as inputs are compared.
        interpreters: What makes interpreters of the file, by the name that errors give them. Each must give the file's
            outputs, bit-packed signs among them.
    """
    comparison = _Comparison(model, flatbuffer, conv_names, interpreters)
    inputs = batches(inputs)
    for start in range(0, len(inputs[0]), BATCH):
        progress(f"verify, {start} of {len(inputs[0])} inputs")
        comparison.add([values[start : start + BATCH] for values in inputs])
    return comparison.finish()


class _Comparison:
    def __init__(self, model, flatbuffer, conv_names, interpreters):
        self._model = model
        self._agreeing = {name: [0] * len(model.outputs) for name in interpreters}
        self._errors: dict[str, str] = {}
        shapes = [(1, *output.shape[1:]) for output in model.outputs]
        self._result = Verification(
            outputs=[OutputVerification(*each) for each in zip(interface.output_names(model), shapes, strict=True)]
        )
        #: The smallest and the largest value of each number of each output so far.
        self._bounds: list[tuple[np.ndarray, np.ndarray]] = []
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
        self._replayed = Replay(model, self._seen_by)
        self._tensors = sorted({tensor for _, tensors in self._seen_by.values() for tensor in tensors})
        probed = flatbuffer.pack(more_outputs=self._tensors)
        self._sides: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self._interpreters = {name: make(probed) for name, make in interpreters.items()}

    def add(self, inputs):
        expected = [output.numpy() for output in interface.call(self._model, inputs)]
        if not all(np.isfinite(values).all() for values in expected):
            self._errors["finite"] = "the Keras model's own outputs are not finite"
        self._result.samples += len(inputs[0])
        bounds = self._bounds or [(values[0], values[0]) for values in expected]
        self._bounds = [
            (np.minimum(lowest, values.min(axis=0)), np.maximum(highest, values.max(axis=0)))
            for values, (lowest, highest) in zip(expected, bounds, strict=True)
        ]
        for output, values in zip(self._result.outputs, expected, strict=True):
            output.largest_output = max(output.largest_output, float(np.abs(values).max()))
        seen = None
        for name, interpreter in self._interpreters.items():
            found = interpreter.run_each(inputs)
            answers, signs = found[: len(expected)], found[len(expected) :]
            for place, (output, ours, theirs) in enumerate(zip(self._result.outputs, answers, expected, strict=True)):
                output.max_difference = max(output.max_difference, float(np.abs(ours - theirs).max()))
                self._agreeing[name][place] += int(np.sum(ours.argmax(axis=-1) == theirs.argmax(axis=-1)))
            # Mostly they agree to the last bit, and one replay does for both.
            if seen is None:
                for tensor, words in zip(self._tensors, signs, strict=True):
                    sides = sign_sides(words)
                    self._sides[tensor] = tuple(map(np.logical_or, self._sides.get(tensor, sides), sides))
            if seen is None or not all(map(np.array_equal, found, seen)):
                self._replay(inputs, answers, dict(zip(self._tensors, signs, strict=True)), name)
            seen = found

    def finish(self):
        result = self._result
        for place, (output, bounds) in enumerate(zip(result.outputs, self._bounds, strict=False)):
            output.output_range = float(np.subtract(*bounds[::-1]).max())
            # An output that has no other beside it is taken for a classifier's, whatever its shape.
            if len(result.outputs) == 1 or (len(output.shape) == 2 and output.shape[-1] > 1):
                agreeing = min(counts[place] for counts in self._agreeing.values())
                output.top1_agreement = agreeing / (result.samples * int(np.prod(output.shape[1:-1])))
        for name in ("largest_output", "output_range", "max_difference", "max_difference_same_signs"):
            setattr(result, name, max(getattr(output, name) for output in result.outputs))
        agreements = [output.top1_agreement for output in result.outputs if output.top1_agreement is not None]
        result.top1_agreement = min(agreements, default=1.0)
        channels = {
            tensor: call.channels // call.layer.groups for call, tensors in self._seen_by.values() for tensor in tensors
        }
        for tensor, (minus, plus) in self._sides.items():
            self._result.sign_channels += channels[tensor]
            self._result.sign_channels_covered += int((minus & plus)[: channels[tensor]].sum())
        self._result.errors = list(self._errors.values())
        return self._result

    def _replay(self, inputs, answers, signs, where):
        """Runs Keras with the file's signs and notes what neither they nor rounding explain."""
        found = self._replayed.compare(inputs, answers, signs)
        self._result.signs += found.signs
        self._result.flips += found.flips
        for flips in found.unexplained:
            self._errors.setdefault(
                f"{flips.layer} {where}",
                f"layer '{flips.layer}': with {where} {int(flips.where.sum())} of {flips.where.size} signs of its "
                f"input differ beyond rounding (values up to {np.abs(flips.values[flips.where]).max():.2g}, "
                f"rounding {flips.rounding:.1e})",
            )
        for output, difference, tolerance in zip(
            self._result.outputs, found.differences, found.tolerances, strict=True
        ):
            output.max_difference_same_signs = max(output.max_difference_same_signs, difference)
            if not difference <= tolerance:
                which = "the outputs differ" if len(answers) == 1 else f"the output '{output.name}' differs"
                self._errors.setdefault(
                    f"{output.name} {where}",
                    f"with {where} {which} by {difference:.1e} (tolerance {tolerance:.1e}) though all signs are equal",
                )
