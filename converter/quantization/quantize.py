"""Weights of 8 and 4 bits for what is not binary.

Binary layers stay exact and activations stay float, so that every sign is taken of a float value: float convolutions
and dense layers get int8 weights, symmetric with one scale per output channel, which the interpreter turns into floats
once, when it first runs. `ai-edge-quantizer` does it (``pip install '.[quantize]'``). Weights of 4 bits are int8 here,
too, from -7 to 7; `converter.tflite.int4` stores them in 4. Int8 activations are made in
`converter.quantization.activations`; the comparison here is for all of them.

Quantization is not rounding: what it does to the answers has no bound that could be proved. So the float file is
verified first (`converter.verification.verify`), the quantized one is compared with it, and the difference is reported.
"""

import contextlib
import importlib.util
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from bnext_keras.cli._tool import silenced
from bnext_keras.errors import ConversionError
from bnext_keras.extras import how_to_install

import numpy as np

from converter.quantization.levels import float_weights, in_steps, output_axis, with_int8
from converter.quantization.roles import BINARY, find_roles
from converter.tflite import int4
from converter.tflite.bits import unpack_signs
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter, Opener, batches

#: Largest root mean square difference of the outputs, relative to their standard deviation, of a file that is of use.
MAX_DRIFT = 0.5


@dataclass
class Quantization:
    """What quantization did to a file.

    Attributes:
        weights: Type of each role's weights.
        layers: Number of each role's operators.
        bytes_before: What the weights of each role took as floats.
        bytes_after: What they take now.
        samples: Number of inputs compared; the user's, where there are some.
        drift: Root mean square difference of the outputs from the float file's, relative to their standard deviation.
        max_difference: Largest absolute difference of any output.
        top1_agreement: Share of inputs whose largest output is the same.
        signs: Number of signs that binary convolutions take, for all these inputs together.
        turned_signs: Number of those that are not the float file's.
        activations: Type of the activations, ``"float32"`` or ``"int8"``.
        calibrated_on: Number of inputs that decided on the steps of int8 activations.
        left_float: Number of operators that give floats though activations are int8, by type.
        file_bytes: What the float file took, and what this one takes; without names of classes and the like.
        errors: Why the file is of no use, a line each. Empty if it is.
    """

    weights: dict[str, str]
    layers: dict[str, int]
    bytes_before: dict[str, int]
    bytes_after: dict[str, int]
    samples: int = 0
    drift: float = 0.0
    max_difference: float = 0.0
    top1_agreement: float = 1.0
    signs: int = 0
    turned_signs: int = 0
    activations: str = "float32"
    calibrated_on: int = 0
    left_float: dict[str, int] = field(default_factory=dict)
    file_bytes: tuple[int, int] = (0, 0)
    errors: list[str] = field(default_factory=list)


def check_installed() -> None:
    """Raises ConversionError if the quantizer is not there."""
    if importlib.util.find_spec("ai_edge_quantizer") is None:
        raise ConversionError(f"--weights int8 needs ai-edge-quantizer: {how_to_install('quantize')}")


def quantize(flatbuffer: Flatbuffer, weights: Mapping[str, str]) -> tuple[Flatbuffer, Quantization]:
    """Quantizes the weights of float layers.

    Args:
        flatbuffer: The float file, which stays as it is.
        weights: Type of each role's weights, as `converter.quantization.precision.parse_weights` returns them.

    Returns:
        The new file, in which weights of 4 bits are int8 still, and what became of which role; its comparison is
        `compare`.
    """
    names, roles = flatbuffer.names, find_roles(flatbuffer)
    chosen = {
        kind: [operation for role, operations in roles.items() if weights[role] == kind for operation in operations]
        for kind in ("int8", "int4")
    }
    quantized = _in_8_bits(flatbuffer, chosen["int8"]) if chosen["int8"] else flatbuffer
    if chosen["int4"]:
        quantized = _in_4_bits(quantized, {names[operation.outputs[0]] for operation in chosen["int4"]})
    stored = int4.to_int4(quantized) if chosen["int4"] else quantized
    kept = {role: [names[operation.outputs[0]] for operation in operations] for role, operations in roles.items()}
    result = Quantization(
        weights=dict(weights),
        layers={role: len(operations) for role, operations in roles.items()},
        bytes_before=_weight_bytes(flatbuffer, kept),
        bytes_after=_weight_bytes(stored, kept),
        file_bytes=(len(flatbuffer.pack()), len(stored.pack())),
    )
    return quantized, result


def _in_8_bits(flatbuffer, operations):
    with silenced(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from ai_edge_quantizer import qtyping, quantizer

        rules = quantizer.Quantizer(flatbuffer.pack())
        for operation in operations:
            # A rule is for all operators in whose outputs' names, each with a semicolon, its pattern is found.
            pattern = f"^{re.escape(flatbuffer.names[operation.outputs[0]])};$"
            rules.add_weight_only_config(pattern, qtyping.TFLOperationName(operation.type), num_bits=8)
        return Flatbuffer(bytes(rules.quantize().quantized_model))


def _in_4_bits(flatbuffer, outputs):
    """The file with weights of 4 bits, as int8, for the operators that write tensors of these names."""
    file, stored = Flatbuffer(flatbuffer.pack()), {}
    for operation in file.operations:
        if operation.outputs and file.names[operation.outputs[0]] in outputs:
            tensor, axis = operation.inputs[1], output_axis(operation)
            rows = np.moveaxis(float_weights(file, tensor), axis, 0)
            levels, steps = in_steps(rows.reshape(len(rows), -1), 4)
            stored[tensor] = axis, np.moveaxis(levels.reshape(rows.shape), 0, axis), steps
    return with_int8(file, stored)


def compare(
    result: Quantization,
    flatbuffer: Flatbuffer,
    quantized: Flatbuffer,
    inputs: np.ndarray | Sequence[np.ndarray],
    make: Opener | None = None,
) -> None:
    """Runs both files and notes in ``result`` how far they drift apart, and what makes the quantized one useless.

    Args:
        result: From `quantize`, or from `converter.quantization.activations.quantize_activations`.
        flatbuffer: The float file.
        quantized: The quantized file.
        inputs: float32 ``(samples, height, width, channels)``; of a file of several inputs a list.
        make: What runs them, given their bytes; by default the faster of LCE's kernels.
    """
    result.errors += _structural_errors(flatbuffer, quantized, result.activations)
    if result.errors:
        return
    make = make or partial(Interpreter, threads=os.cpu_count() or 1, kernels="indirect")
    (expected, signs), (answers, new_signs) = (_run(file, inputs, make) for file in (flatbuffer, quantized))
    result.samples = len(batches(inputs)[0])
    for (words, channels), (new_words, _) in zip(signs, new_signs, strict=True):
        result.signs += words[..., 0].size * channels
        result.turned_signs += int((unpack_signs(words, channels) != unpack_signs(new_words, channels)).sum())
    for tensor, before, after in zip(flatbuffer.outputs, expected, answers, strict=True):
        _compare(result, before, after, "" if len(expected) == 1 else f" of '{flatbuffer.names[tensor]}'")


def _compare(result, expected, answers, which):
    """Notes of one output how far it drifts; of several the largest drift counts."""
    if not np.isfinite(answers).all():
        result.errors.append(f"with {_what(result)} the answers{which} are not finite (infinite or NaN)")
        return
    difference = answers.astype(np.float64) - expected
    deviation = np.std(expected, dtype=np.float64)
    drift = float(np.sqrt(np.mean(np.square(difference))) / max(deviation, np.finfo(np.float32).tiny))
    result.drift = max(result.drift, drift)
    result.max_difference = max(result.max_difference, float(np.abs(difference).max()))
    if not which or (expected.ndim == 2 and expected.shape[-1] > 1):
        agreement = float(np.mean(answers.argmax(axis=-1) == expected.argmax(axis=-1)))
        result.top1_agreement = min(result.top1_agreement, agreement)
    if not drift <= MAX_DRIFT:
        result.errors.append(
            f"with {_what(result)} the answers{which} differ by {drift:.0%} of their standard deviation (at most "
            f"{MAX_DRIFT:.0%} is let pass); {_remedy(result)}, or train the network first if it is not"
        )


def _what(result):
    return "quantized weights" if result.activations == "float32" else "int8 activations"


def _remedy(result):
    if result.activations == "float32":
        return "keep more roles float32"
    return "calibrate on more inputs like those that it will see, or keep activations float (--weights int8)"


def _weight_bytes(flatbuffer, kept):
    """Bytes of the weights of operators that are given by the names of their outputs."""
    names = flatbuffer.names
    writers = {operation.outputs[0]: operation for operation in flatbuffer.operations}
    found = {names[tensor]: operation for tensor, operation in writers.items()}
    sizes = {}
    for role, outputs in kept.items():
        tensors = [found[name].inputs[1] for name in outputs]
        # Behind a DEQUANTIZE, where the weights are not floats any more.
        stored = {writers[tensor].inputs[0] if tensor in writers else tensor for tensor in tensors}
        sizes[role] = sum(map(flatbuffer.nbytes, stored))
    return sizes


def _structural_errors(flatbuffer, quantized, activations):
    before = {conv.name: conv.kernel for conv in flatbuffer.binary_convs}
    after = {conv.name: conv.kernel for conv in quantized.binary_convs}
    if before.keys() != after.keys():
        return ["quantization changed which convolutions are binary"]
    errors = [
        f"{name}: quantization changed its binary kernel"
        for name, kernel in before.items()
        if not np.array_equal(kernel, after[name])
    ]
    expected = {"FLOAT32", "INT32", activations.upper()}
    for operation in quantized.operations:
        found = {quantized.type(tensor) for tensor in operation.outputs} - expected
        if found:
            errors.append(f"operator {operation.index} ({operation.type}): its result is {found.pop()}, not float")
    return errors


def _run(flatbuffer, inputs, make):
    """The outputs; and the packed signs that binary convolutions take, with their numbers of channels."""
    binary = [operation for operation in flatbuffer.operations if operation.type == BINARY]
    channels = {operation.inputs[0]: flatbuffer.options(operation)["channels_in"] for operation in binary}
    results, count = make(flatbuffer.pack([*channels])).run_each(inputs), len(flatbuffer.outputs)
    return results[:count], list(zip(results[count:], channels.values(), strict=True))
