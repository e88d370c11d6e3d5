"""Runs Keras with the signs that a file took, and tells what neither they nor rounding explain.

Inputs run with these signs as they are, first. What that leaves unexplained may still be rounding: then they run again,
twice in one batch, once with the signs as they are and once shaken by a little more than rounding. What that changes
downstream is how far rounding reaches there: in a trained network hardly beyond the last digits; in one that has just
been initialized, whose values explode, far enough to tip a gate over. What one draw of the noise leaves unexplained,
another one may explain.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bnext_keras.layer_graph import LayerGraph

import numpy as np
import tensorflow as tf

from converter.graph import BinaryCall
from converter.source import interface
from converter.source.binary_layers import binary_convs, patched
from converter.tflite.bits import unpack_signs
from converter.verification.shaking import (
    REACH,
    rounding_of,
    rounding_of_zero,
    shaken_result,
    takes_signs,
    with_uncertain_signs_turned,
)

#: Largest difference of outputs computed from the same signs, relative to the largest output.
OUTPUT_TOLERANCE = 1e-4
#: Relative size of the noise on signs, which shows how far rounding reaches.
SHAKE = 1e-6
#: How often noise is drawn before a difference counts as more than rounding. Where a gate hangs in the balance, noise
#: of one size tips it over in one draw of several, and rounding by the same chance.
DRAWS = 12


@dataclass
class Flips:
    """Signs of one call that Keras took otherwise, those left that no rounding explains.

    Attributes:
        layer: The layer's name.
        where: Which of the signs, bool ``(images, height, width, channels)``.
        values: What the signs were taken of.
        rounding: Size of values within rounding of zero, whatever the layers before.
    """

    layer: str
    where: np.ndarray
    values: np.ndarray
    rounding: float = 0.0

    def explain(self, values: np.ndarray, shaken: np.ndarray | None = None) -> None:
        """Leaves out what lies within rounding of zero, or within its reach, which shaken values show."""
        if not self.where.any():
            return
        self.values, self.rounding = values, rounding_of(values)
        within = self.rounding if shaken is None else rounding_of_zero(values, shaken)
        self.where &= ~(np.abs(values) <= within)


@dataclass
class Replayed:
    """What was found of a batch.

    Attributes:
        signs: Number of signs taken.
        flips: Number of those of which Keras took the other one.
        differences: Of each output, the largest from the file's, computed from the same signs.
        tolerances: What of these may be rounding.
        unexplained: Layers of which some signs differ beyond rounding.
    """

    signs: int = 0
    flips: int = 0
    differences: list[float] = field(default_factory=list)
    tolerances: list[float] = field(default_factory=list)
    unexplained: list[Flips] = field(default_factory=list)

    @property
    def is_explained(self) -> bool:
        """Whether all is rounding."""
        # What is no number is no rounding.
        pairs = zip(self.differences, self.tolerances, strict=True)
        return not self.unexplained and all(difference <= most for difference, most in pairs)


class Replay:
    """A Keras model that runs with a file's signs.

    Args:
        model: The model.
        seen_by: Each binary call by its number, with the tensors of the signs that it sees, one per group.
    """

    def __init__(self, model: tf.keras.Model, seen_by: Mapping[int, tuple[BinaryCall, list[int]]]):
        self._model = model
        self._seen_by = seen_by
        self._binary_layers = binary_convs(model)
        self._float_layers = [layer for layer in LayerGraph(model).layers if layer not in self._binary_layers]

    def compare(
        self, inputs: Sequence[np.ndarray], answers: Sequence[np.ndarray], signs: Mapping[int, np.ndarray]
    ) -> Replayed:
        """Compares a batch.

        Args:
            inputs: ``(samples, ...)`` for each of the model's inputs.
            answers: The file's outputs for them.
            signs: Bit-packed signs of the file by their tensors.
        """
        flips: dict[int, Flips] = {}
        expected = self._run(inputs, signs, flips)
        found = Replayed(
            signs=sum(each.where.size for each in flips.values()),
            flips=sum(int(each.where.sum()) for each in flips.values()),
            differences=_differences(answers, expected),
            tolerances=[OUTPUT_TOLERANCE * float(np.abs(values).max()) for values in expected],
        )
        for each in flips.values():
            each.explain(each.values)
        for draw in range(DRAWS):
            found.unexplained = [each for each in flips.values() if each.where.any()]
            if found.is_explained:
                break
            pairs = self._shake(inputs, signs, flips, np.random.default_rng(draw))
            found.differences = _differences(answers, [expected for expected, _ in pairs])
            reaches = [REACH * float(np.abs(shaken - expected).max()) for expected, shaken in pairs]
            found.tolerances = list(map(max, found.tolerances, reaches))
        found.unexplained = [each for each in flips.values() if each.where.any()]
        return found

    def _run(self, inputs, signs, flips):
        """Each output of Keras with the file's signs; where its own are others is noted."""

        def take(number, own_quantizer, values, taken):
            layer = self._seen_by[number][0].layer.name
            flips[number] = Flips(layer, own_quantizer(values).numpy() != taken, values.numpy())
            return taken

        with self._taking(signs, take):
            return [values.numpy() for values in interface.call(self._model, inputs)]

    def _shake(self, inputs, signs, flips, noise):
        """Pairs of each output of Keras with the file's signs, as they are and shaken; flips are explained by them.

        Each sign is shaken by itself, the results of float layers as `shaken_result` says; of a layer that takes signs
        by itself, those that rounding might turn are turned.
        """

        def take(number, _, values, taken):
            flips[number].explain(*np.split(values.numpy(), 2))
            return np.concatenate([taken, taken * (1 + SHAKE * noise.standard_normal(taken.shape, np.float32))])

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

        with self._taking(signs, take), patched(self._float_layers, "call", shake):
            outputs = interface.call(self._model, [np.concatenate([values, values]) for values in inputs])
        return [np.split(values.numpy(), 2) for values in outputs]

    def _taking(self, signs, take):
        """Lets each binary call go on, for a while, with what `take` makes of its number, its own quantizer, the values
        that it would have taken the signs of, and the signs that the file has taken."""
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
                return tf.constant(take(number, own_quantizer, values, taken))

            return quantize

        return patched(self._binary_layers, "input_quantizer", replace)


def _differences(answers, expected):
    return [float(np.abs(ours - theirs).max()) for ours, theirs in zip(answers, expected, strict=True)]
