"""What a conversion is asked for, checked as a whole before any work is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path

from bnext_keras.errors import ConversionError
from bnext_keras.preprocessing import Normalization

import numpy as np

from converter.quantization.precision import check_activations, check_weights
from converter.quantization.quantize import check_installed
from converter.runtimes import Runtime
from converter.source.camera import INPUT_TYPES
from converter.tflite.interpreter import Opener

#: Inputs of a model, or where they are read.
Data = np.ndarray | Mapping[str, np.ndarray] | Sequence[np.ndarray] | str | Path


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the file is to be and how it is verified. `converter.conversion.convert` tells what each option means.

    Attributes:
        runtime: What the file is for, its ``target``.
        weights: Types of float layers' weights by role, from `converter.quantization.precision.parse_weights`.

    Example:
        >>> from converter.runtimes import find_runtime
        >>> Options(runtime=find_runtime("lce"), weights={"stem": "float32", "se": "int8"}).quantizes
        True
    """

    runtime: Runtime
    weights: Mapping[str, str]
    activations: str = "float32"
    calibration_data: Data | None = None
    verify_data: Data | None = None
    engines: Mapping[str, Opener] = field(default_factory=dict)
    rotation: bool = True
    simplify: bool = True
    harden: bool = False
    labels: Sequence[str] | None = None
    normalization: Normalization | None = None
    input_type: str = "float32"
    softmax: bool = False
    batch: int = 1

    @property
    def quantizes(self) -> bool:
        """Whether something is to be in fewer bits than it was trained in."""
        return {self.activations, *self.weights.values()} != {"float32"}

    def check(self) -> None:
        """Refuses what does not go together.

        Raises:
            MissingPackage: if something is not installed that the runtime needs.
            ConversionError: if there is no such value of an option, or one does not go with another.
        """
        runtime, target = self.runtime, self.runtime.name
        runtime.check()
        if self.engines and not runtime.is_lce:
            raise ConversionError(
                f"--target {target}: the file is verified in {runtime.title} alone", remedy="leave out --verify-engine"
            )
        if self.input_type not in INPUT_TYPES:
            raise ConversionError(f"--input {self.input_type}: not one of {', '.join(INPUT_TYPES)}")
        if not isinstance(self.batch, Integral) or self.batch < 1:
            raise ConversionError(f"--batch {self.batch}: must be a whole number of at least 1")
        if self.batch > 1 and runtime.is_engine:
            raise ConversionError(
                f"--target {target}: the engine takes one image at a time", remedy="leave out --batch"
            )
        check_weights(self.weights, target)
        check_activations(
            self.activations,
            self.weights,
            is_calibrated=self.calibration_data is not None,
            target=target,
            engine=bool(self.engines),
        )
        if self.activations == "float32" and "int8" in self.weights.values():
            check_installed()
