"""LiteRT's interpreter, TensorFlow Lite under its present name, with the interface of LCE's."""

from collections.abc import Sequence
from typing import Any

from bnext_keras.cli._tool import silenced
from bnext_keras.extras import require

import numpy as np

from converter.tflite.interpreter import OneImageInterpreter

#: What runs the operators: XNNPACK those that it has, as on phones; or none but LiteRT's own, as where there is none.
KERNELS = ("xnnpack", "builtin")


class LiteRTInterpreter(OneImageInterpreter):
    """A file without custom operators, ready to run.

    Args:
        content: The bytes of the file.
        threads: How many threads it runs on.
        kernels: One of `KERNELS`.

    Raises:
        MissingPackage: if LiteRT is not installed.
        ValueError, RuntimeError: if it cannot run the file.
    """

    def __init__(self, content: bytes, *, threads: int = 1, kernels: str = "xnnpack"):
        require("ai_edge_litert", extra="litert")
        with silenced():
            from ai_edge_litert.interpreter import Interpreter, OpResolverType

            resolvers = {"xnnpack": OpResolverType.AUTO, "builtin": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}
            self._interpreter = Interpreter(
                model_content=content,
                num_threads=threads,
                experimental_op_resolver_type=resolvers[kernels],
            )
            self._interpreter.allocate_tensors()
        inputs, outputs = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._inputs, self._outputs = ([tensor["index"] for tensor in tensors] for tensors in (inputs, outputs))
        self.input_shapes, self.input_types = _described(inputs)
        self.output_shapes, self.output_types = _described(outputs)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for inputs of the file's own shapes."""
        for index, array in zip(self._inputs, inputs, strict=True):
            self._interpreter.set_tensor(index, array)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _described(tensors: list[dict[str, Any]]) -> tuple[list[tuple[int, ...]], list[type]]:
    return [tuple(map(int, tensor["shape"])) for tensor in tensors], [tensor["dtype"] for tensor in tensors]
