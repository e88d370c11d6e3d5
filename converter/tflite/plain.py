"""A file of Larq Compute Engine's as one of TensorFlow Lite's own operators, for runtimes that have no others.

Every operator of LCE's becomes a few of TFLite's that compute the same numbers. What was a bit is a float32 of -1 or
+1, what was a binary kernel is int8 of -1 and +1, which a ``DEQUANTIZE`` makes floats of once: eight times LCE's bytes
and a quarter of those of floats.

**Signs.** LCE takes -1 of x < 0 and +1 of all else, of -0.0 too (on x86, and as Keras does). With clamp(x) the bounding
to [-1, 1], which TFLite has as an activation,

    sign(x) = clamp(2 floor(clamp(x)) + 1)

For x < 0, clamp(x) lies in [-1, 0), and its floor is -1, however small x is; for x in [0, 1) it is 0 or -0, for
larger x it is 1: hence clamp(-1), clamp(1) and clamp(3). All of these numbers are exact in every precision, and no
operator is a comparison, which runtimes run one by one. The first clamp costs nothing where an addition before it takes
it over as its activation.

**Convolutions.** Sums of -1 and +1 are integers below 2^24: exact in float32, in any order. Bias and factors stay
operators of their own behind them, as within LCE's, since a bias that is added first would make the sums inexact.
Padding with 0 is TFLite's own; padding with 1 is a ``PADV2`` before the convolution.

**Signs of sums**, which LCE writes where it has turned a batch normalization into integer thresholds: of K signs, n
differ from the kernel's and the sum is K - 2n; LCE writes -1 where n > t, so the sign is that of K - 2n - (K - 2t).
"""

import math
from collections.abc import Callable
from typing import Any

from bnext_keras.errors import ConversionError

import numpy as np

from converter.tflite.adding import add_constant, new_code, new_operator, new_tensor, quantization_of
from converter.tflite.bits import unpack_signs
from converter.tflite.flatbuffer import Flatbuffer, Operation
from converter.tflite.schema import (
    ActivationFunctionType,
    OperatorT,
    Padding,
    TensorType,
)
from converter.tflite.writing import serialize

#: Versions of operators that are not the first: that in which ``DEQUANTIZE`` learned int8.
_VERSIONS = {"DEQUANTIZE": 2}
#: Operators that bound their results for nothing, where nobody else reads them.
_MAY_CLAMP = ("ADD", "SUB", "MUL")
_CLAMP = ActivationFunctionType.RELU_N1_TO_1


def to_plain(flatbuffer: Flatbuffer, *, clamps: bool = True) -> Flatbuffer:
    """The same network without custom operators.

    Outputs of bit-packed signs, which verification asks for, become floats of -1 and +1 of shape ``(..., channels)``.

    Args:
        flatbuffer: A file of LCE's, which stays as it is.
        clamps: Whether clamp(x) is the activation that TFLite has for it; otherwise a minimum and a maximum.

    Raises:
        ConversionError: if it has custom operators that LCE does not write.

    Example:
        >>> import bnext_keras
        >>> from converter import convert
        >>> model = bnext_keras.models.BNext([32, 64], input_shape=(32, 32, 3), num_classes=10)
        >>> plain = to_plain(Flatbuffer(convert(model).content))
        >>> [name for name in plain.operators if name.startswith("Lce")]
        []
    """
    return _Rewriting(Flatbuffer(flatbuffer.pack()), clamps).run()


class _Rewriting:
    """One file on its way from LCE's operators to TFLite's."""

    def __init__(self, file: Flatbuffer, clamps: bool):
        self.file, self.model, self.clamps = file, file.model, clamps
        self.graph = file.model.subgraphs[0]
        self.names = file.names
        self.kernels = {id(conv.operator): conv.kernel for conv in file.binary_convs}
        self.readers: dict[int, int] = {}
        for tensor in (*file.outputs, *(tensor for operation in file.operations for tensor in operation.inputs)):
            self.readers[tensor] = self.readers.get(tensor, 0) + 1
        self.codes: dict[str, int] = {}
        self.constants: dict[tuple, int] = {}
        self.done: list[OperatorT] = []
        self.writers: dict[int, tuple[str, OperatorT]] = {}
        #: Tensors that others are read in place of.
        self.same: dict[int, int] = {}
        self.signs: set[int] = set()

    def run(self) -> Flatbuffer:
        for operation, operator in zip(self.file.operations, list(self.graph.operators), strict=True):
            operator.inputs = [self.same.get(int(tensor), int(tensor)) for tensor in operator.inputs]
            translate = _TRANSLATIONS.get(operation.type)
            if translate is not None:
                translate(self, operation, operator)
                continue
            if operator.customOptions is not None and len(operator.customOptions):
                self.refuse(operation, "which is none of TensorFlow Lite's")
            if self.signs & set(operation.inputs):
                self.refuse(operation, "which reads bit-packed signs")
            self.done.append(operator)
            self.writers[operation.outputs[0]] = operation.type, operator
        self.graph.operators = self.done
        self.graph.outputs = [self.same.get(tensor, tensor) for tensor in self.file.outputs]
        plain = Flatbuffer(serialize(self.model))
        plain.prune()
        return plain

    def refuse(self, operation: Operation, reason: str) -> None:
        name = self.names[operation.outputs[0]]
        raise ConversionError(f"the file has an operator {operation.type} ({name}), {reason}")

    # Tensors.

    def shape(self, tensor: int) -> tuple[int, ...]:
        return tuple(map(int, self.graph.tensors[tensor].shape))

    def tensor(self, like: int, suffix: str, shape: tuple[int, ...] | None = None) -> int:
        """A new tensor of floats, named after another one."""
        name = (self.graph.tensors[like].name or b"").decode()
        size = self.shape(like) if shape is None else shape
        self.graph.tensors.append(new_tensor(f"{name}/{suffix}", "FLOAT32", size))
        return len(self.graph.tensors) - 1

    def constant(self, values: np.ndarray, name: str) -> int:
        """A constant; equal ones are one."""
        key = values.shape, values.dtype.str, values.tobytes()
        if key not in self.constants:
            quantization = quantization_of([1], [0]) if values.dtype == np.int8 else None
            self.constants[key] = add_constant(self.model, name, values, quantization)
        return self.constants[key]

    def values(self, tensor: int, dtype: Any) -> np.ndarray:
        """A constant of the file."""
        return np.asarray(self.model.buffers[self.file.buffer(tensor)].data, np.uint8).view(dtype)

    def make_signs(self, tensor: int, channels: int) -> int:
        """Declares a tensor of bit-packed signs as one of floats."""
        self.graph.tensors[tensor].shape = np.array([*self.shape(tensor)[:-1], channels], np.int32)
        self.graph.tensors[tensor].type = TensorType.FLOAT32
        self.signs.add(tensor)
        return tensor

    # Operators.

    def add(self, type: str, inputs: list[int], output: int, **options: Any) -> int:
        """An operator of TFLite's; returns its result."""
        operator = new_operator(type, self.code(type), inputs, [output], **options)
        self.done.append(operator)
        self.writers[output] = type, operator
        return output

    def code(self, type: str) -> int:
        if type not in self.codes:
            self.codes[type] = len(self.model.operatorCodes)
            self.model.operatorCodes.append(new_code(type, _VERSIONS.get(type, 1)))
        return self.codes[type]

    def sign(self, x: int, output: int) -> None:
        """The signs of floats, see above."""
        size, (one, two) = self.shape(x), (self.number(value) for value in (1, 2))
        type, writer = self.writers.get(x, ("", None))
        options = None if writer is None or type not in _MAY_CLAMP else writer.builtinOptions
        if not self.clamps:
            x = self.add("MAXIMUM", [x, self.number(-1)], self.tensor(output, "above", size))
            x = self.add("MINIMUM", [x, one], self.tensor(output, "clamped", size))
        elif options is not None and not options.fusedActivationFunction and self.readers.get(x, 1) == 1:
            options.fusedActivationFunction = _CLAMP
        else:
            x = self.add("RELU_N1_TO_1", [x], self.tensor(output, "clamped", size))
        floor = self.add("FLOOR", [x], self.tensor(output, "floor", size))
        twice = self.add("MUL", [floor, two], self.tensor(output, "twice", size))
        if self.clamps:
            self.add("ADD", [twice, one], output, fusedActivationFunction=_CLAMP)
        else:
            self.add("MINIMUM", [self.add("ADD", [twice, one], self.tensor(output, "sum", size)), one], output)

    def number(self, value: float) -> int:
        return self.constant(np.array(value, np.float32), f"number_{value}")

    def quantize(self, operation: Operation, operator: OperatorT) -> None:
        """``LceQuantize``: bits of floats."""
        (x,) = operator.inputs
        self.sign(x, self.make_signs(operation.outputs[0], self.shape(x)[-1]))

    def dequantize(self, operation: Operation, operator: OperatorT) -> None:
        """``LceDequantize``: floats of bits, which they are here."""
        self.same[operation.outputs[0]] = operator.inputs[0]

    def pool(self, operation: Operation, operator: OperatorT) -> None:
        """``LceBMaxPool2d``: a sign is +1 where one of the window is. Padding takes no part, in TFLite either."""
        options, (signs,) = self.file.options(operation), operator.inputs
        self.add(
            "MAX_POOL_2D",
            [signs],
            self.make_signs(operation.outputs[0], self.shape(signs)[-1]),
            padding=options["padding"],
            strideH=options["stride_height"],
            strideW=options["stride_width"],
            filterHeight=options["filter_height"],
            filterWidth=options["filter_width"],
        )

    def convolve(self, operation: Operation, operator: OperatorT) -> None:
        """``LceBconv2d``: a convolution, then an activation, a factor and an offset for each filter; or its signs."""
        options, (signs, _, factor, offset, *thresholds) = self.file.options(operation), operator.inputs
        output, words = operation.outputs[0], self.kernels[id(operator)]
        channels, filters = options["channels_in"], len(words)
        if self.shape(signs)[-1] != channels:
            self.refuse(operation, "which has groups")
        kernel = unpack_signs(words, channels).astype(np.int8)
        stored = self.constant(kernel, f"{self.names[output]}/signs")
        weights = self.tensor(output, "kernel", kernel.shape)
        self.add("DEQUANTIZE", [stored], weights)
        size = (*self.shape(output)[:3], filters)
        padding = options["padding"]
        if padding == Padding.SAME and options.get("pad_values", 0) == 1:
            signs, padding = self.pad_with_ones(signs, kernel.shape[1:3], size[1:3], options), Padding.VALID
        is_float = self.graph.tensors[output].type == TensorType.FLOAT32
        x = self.add(
            "CONV_2D",
            [signs, weights, self.constant(np.zeros(filters, np.float32), f"zeros_{filters}")],
            self.tensor(output, "sums", size),
            padding=padding,
            strideH=options["stride_height"],
            strideW=options["stride_width"],
            dilationHFactor=options["dilation_height_factor"],
            dilationWFactor=options["dilation_width_factor"],
            fusedActivationFunction=options.get("fused_activation_function", 0) if is_float else 0,
        )
        if not is_float:
            # Zeros on the padding are no signs, and LCE's counts would be wrong; it does not fuse such convolutions.
            if padding == Padding.SAME:
                self.refuse(operation, "which counts zeros of its padding")
            taps = math.prod(kernel.shape[1:])
            shifts = np.clip(2.0 * self.values(thresholds[0], np.int32) - taps, -taps - 2, taps + 2)
            bound = self.constant(shifts.astype(np.float32), f"{self.names[output]}/thresholds")
            self.make_signs(output, filters)
            self.sign(self.add("ADD", [x, bound], self.tensor(output, "difference", size)), output)
            return
        steps = [
            (type, tensor)
            for type, tensor, neutral in (("MUL", factor, 1), ("ADD", offset, 0))
            if (self.values(tensor, np.float32) != neutral).any()
        ]
        for place, (type, tensor) in enumerate(steps):
            is_last = place == len(steps) - 1
            x = self.add(type, [x, tensor], output if is_last else self.tensor(output, "scaled", size))
        if not steps:
            self.done[-1].outputs = [output]
            self.writers[output] = "CONV_2D", self.done[-1]

    def pad_with_ones(self, signs, taps, size, options):
        (_, height, width, _), pads = self.shape(signs), [(0, 0)]
        steps = [(options[f"stride_{side}"], options[f"dilation_{side}_factor"]) for side in ("height", "width")]
        for into, out, tap, (stride, dilation) in zip((height, width), size, taps, steps, strict=True):
            total = max((out - 1) * stride + (tap - 1) * dilation + 1 - into, 0)
            pads.append((total // 2, total - total // 2))
        pads.append((0, 0))
        if not np.any(pads):
            return signs
        shape = tuple(side + sum(pad) for side, pad in zip(self.shape(signs), pads, strict=True))
        amounts = self.constant(np.array(pads, np.int32), f"pads_{signs}")
        return self.add(
            "PADV2",
            [signs, amounts, self.number(1)],
            self.tensor(signs, "padded", shape),
        )


_TRANSLATIONS: dict[str, Callable[[_Rewriting, Operation, OperatorT], None]] = {
    "LceBMaxPool2d": _Rewriting.pool,
    "LceBconv2d": _Rewriting.convolve,
    "LceDequantize": _Rewriting.dequantize,
    "LceQuantize": _Rewriting.quantize,
}
