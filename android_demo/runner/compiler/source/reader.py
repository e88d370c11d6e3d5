"""What translations of operators share: tensors of the file as values, and the nodes made so far."""

import math
from typing import Any, NoReturn

from bnext_keras.errors import ConversionError

import numpy as np

from android_demo.runner.compiler.network import Network, Node, Value, vector
from android_demo.runner.plan import Type
from converter.tflite import int4
from converter.tflite.flatbuffer import Flatbuffer, Operation

#: Bounds of the results by TFLite's number of a fused activation.
BOUNDS = {0: (-np.inf, np.inf), 1: (0.0, np.inf), 2: (-1.0, 1.0), 3: (0.0, 6.0)}
_TYPES = {
    "FLOAT32": np.float32,
    "FLOAT16": np.float16,
    "INT32": np.int32,
    "INT64": np.int64,
    "INT8": np.int8,
}


class UnsupportedOperator(ConversionError):
    """The engine cannot run an operator of the file."""


class Misfit(ValueError):
    """What an operator is given is not what its translation takes; the message says why."""


class Reader:
    """A file on its way to a `Network`.

    Args:
        file: The file.

    Attributes:
        values: What has been computed so far, by tensor.
        arrays: Constants that operators make.
        int8: Matrices whose operator made floats of int8 weights: these, and the scale of each row.
        nodes: The network's nodes so far.
    """

    def __init__(self, file: Flatbuffer):
        self.file = file
        self.names = file.names
        self.values: dict[int, Value] = {}
        self.arrays: dict[int, np.ndarray] = {}
        self.int8: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        self.nodes: list[Node] = []

    def open_inputs(self) -> list[Value]:
        """The file's inputs as values."""
        inputs = []
        for index in map(int, self.file.model.subgraphs[0].inputs):
            # The engine takes pixels as floats, and nothing but a cast reads them in the file.
            if self.file.type(index) not in ("FLOAT32", "UINT8"):
                self.refuse_file(f"its input is {self.file.type(index)}, the engine takes float32 or uint8")
            if not self.is_map(index):
                self.refuse_file(f"its input is of shape {self.file.shape(index)}, not of one image")
            self.values[index] = self.new_value(index)
            inputs.append(self.values[index])
        return inputs

    def network(self, inputs: list[Value]) -> Network:
        """All that has been read."""
        for index in self.file.outputs:
            if index not in self.values:
                self.refuse_file(f"nothing computes its output {self.names[index]}")
        return Network(self.nodes, inputs, [self.values[index] for index in self.file.outputs])

    # Errors.

    def refuse_file(self, reason: str) -> NoReturn:
        raise UnsupportedOperator(f"the file is not for the engine: {reason}", remedy=self._elsewhere())

    def refuse(self, operation: Operation, reason: str) -> NoReturn:
        name = self.names[operation.outputs[0]] if operation.outputs else ""
        raise UnsupportedOperator(f"{operation.type} {name}: {reason}", remedy=self._elsewhere())

    def _elsewhere(self) -> str:
        """What to do with a file that the engine does not run."""
        if self.file.has_int4:
            return "nothing else reads its weights of 4 bits: convert the model without --target engine"
        runtime = "LCE's" if any(type.startswith("Lce") for type in self.file.operators) else "TensorFlow Lite's"
        return f"run the file with {runtime} interpreter"

    def require(self, condition: Any, operation: Operation, reason: str) -> None:
        if not condition:
            self.refuse(operation, reason)

    # Tensors.

    def is_map(self, index: int) -> bool:
        """Whether a tensor is of one image: a map, rows of vectors, or a vector."""
        shape = self.file.shape(index)
        return len(shape) <= 2 or (len(shape) <= 4 and shape[0] == 1)

    def new_value(self, index: int, type: Type = Type.FLOAT, channels: int | None = None) -> Value:
        """A computed value of a tensor's shape."""
        height, width, own = self.dimensions(self.file.shape(index))
        return Value(height, width, own if channels is None else channels, type, name=self.names[index])

    def dimensions(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Height, width and channels; a tensor that is no map is one long vector, and only moved as a whole."""
        if len(shape) == 4 and shape[0] == 1:
            return shape[1:]
        if len(shape) == 3 and shape[0] == 1:
            return 1, shape[1], shape[2]
        if len(shape) == 2 and shape[0] != 1:
            return 1, shape[0], shape[1]
        return 1, 1, math.prod(shape)

    def array(self, index: int) -> np.ndarray | None:
        """The elements of a constant as they are stored, those of 4 bits as int8; None for what is computed."""
        if index in self.arrays:
            return self.arrays[index]
        if not self.file.is_constant(index):
            return None
        if self.file.type(index) == "INT4":
            return int4.read(self.file, index)
        data = self.file.model.buffers[self.file.buffer(index)].data
        dtype = _TYPES.get(self.file.type(index))
        if dtype is None:
            return None
        return np.asarray(data, np.uint8).view(dtype).reshape(self.file.shape(index))

    def constant(self, index: int) -> np.ndarray:
        """The elements of a constant that is no quantized one."""
        array = self.array(index)
        if array is None:
            raise Misfit("it wants a constant where the file computes something")
        if array.dtype in (np.int8, np.float16):
            raise Misfit("it quantizes its input as it runs")
        return array

    def bias(self, operation: Operation, filters: int) -> np.ndarray:
        """A convolution's bias, zeros if it has none."""
        return self.constant(operation.inputs[2]) if len(operation.inputs) > 2 else np.zeros(filters)

    def value(self, index: int) -> Value:
        """A computed tensor of floats."""
        return self._computed(index, Type.FLOAT)

    def signs(self, index: int) -> Value:
        """A computed tensor of bit-packed signs."""
        return self._computed(index, Type.SIGNS)

    def _computed(self, index, type):
        if index not in self.values:
            raise Misfit("it has a constant where the engine computes something")
        if self.values[index].type != type:
            raise Misfit("its input is of another type")
        return self.values[index]

    def operand(self, index: int, like: Value) -> Value:
        """A tensor, or a constant of any shape that is broadcast, as a map of another's size or a vector."""
        if index in self.values:
            return self.value(index)
        array = np.asarray(self.constant(index), np.float32)
        shape = (1,) * (3 - array.ndim) + array.shape if array.ndim < 3 else array.shape[-3:]
        array = array.reshape(shape)
        if shape[0] == shape[1] == 1:
            return vector(np.broadcast_to(array, (1, 1, like.channels)), self.names[index])
        full = np.broadcast_to(array, (like.height, like.width, like.channels))
        return Value(like.height, like.width, like.channels, data=np.ascontiguousarray(full), name=self.names[index])

    # Nodes.

    def add(self, op: str, inputs: list[Value], output: Value, **attributes: Any) -> Value:
        """Adds a node and returns what it computes."""
        self.nodes.append(Node(op, inputs, output, attributes))
        return output

    def bounded(self, value: Value, bounds: tuple[float, float]) -> Value:
        """A value within bounds, by operations on elements."""
        for op, bound in (("Max", bounds[0]), ("Min", bounds[1])):
            if np.isfinite(bound):
                value = self.add(op, [value, vector(np.full(value.channels, bound))], value.like())
        return value

    def bounds(self, operation: Operation, options: dict[str, Any]) -> tuple[float, float]:
        """Bounds of an operator's results: its fused activation."""
        activation = options.get("fusedActivationFunction", options.get("fused_activation_function", 0))
        self.require(activation in BOUNDS, operation, "its fused activation is none of the ReLUs")
        return BOUNDS[activation]

    def window(self, taps: tuple[int, int], options: dict[str, Any], into: Value, out: Value) -> dict[str, Any]:
        """Geometry of a window that moves over a map, by TFLite's names or LCE's."""
        stride = (
            options.get("strideH", options.get("stride_height", 1)),
            options.get("strideW", options.get("stride_width", 1)),
        )
        dilation = (
            options.get("dilationHFactor", options.get("dilation_height_factor", 1)),
            options.get("dilationWFactor", options.get("dilation_width_factor", 1)),
        )
        before = [0, 0]
        if options.get("padding", 0) == 0:  # SAME: what is missing, half of it before the first.
            for axis, (size, results) in enumerate(((into.height, out.height), (into.width, out.width))):
                reach = (results - 1) * stride[axis] + (taps[axis] - 1) * dilation[axis] + 1
                before[axis] = max(0, reach - size) // 2
        return {"window": (*taps, *stride, *dilation, *before)}

    def finish(self, operation: Operation, value: Value) -> None:
        """Says which value an operator's result is."""
        self.values[operation.outputs[0]] = value
