"""What a conversion returns."""

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bnext_keras.preprocessing import Normalization
from bnext_keras.text import format_bytes

from converter.advice import Advice
from converter.inspection.inspection import Inspection
from converter.inspection.times import Profile
from converter.passes import PassReport
from converter.quantization.quantize import Quantization
from converter.quantization.trained import TrainedWeights
from converter.runtimes import RUNTIMES, Runtime
from converter.runtimes.cost import Cost
from converter.tflite.metadata import InputOrientation
from converter.verification.verify import Verification

#: Version of the JSON report's form; a field that vanishes or changes its meaning makes it higher.
SCHEMA_VERSION = 1


@dataclass(repr=False)
class ConversionResult:
    """A converted model and what is known about it.

    Attributes:
        content: The ``.tflite`` file.
        path: Where it was written, None if nowhere.
        name: The model's name.
        input_shape: ``(batch, height, width, channels)``; of several inputs that of the first.
        input_orientation: Which way up the file wants its images.
        operators: Number of operators by their type, as the runtime names it.
        theoretical_size: Bytes of the parameters alone, with one bit for a binary weight, as many as it was trained in
            for one of few bits, and 32 for any other; a batch normalization counts as two values per channel, as it is
            one multiplication and one addition.
        verification: The comparison with Keras.
        engines: The comparison of other engines that were asked for, by name.
        on_random_inputs_only: Whether the comparison had no inputs of the user's, only some made on the spot.
        users_inputs: How many of the user's it had.
        source: Name of the model's file, "" for a model in memory.
        normalization: How the file says that its images are normalized, None if it does not.
        named_classes: How many classes the file has names for.
        inputs: Shapes of the file's inputs by name, each for one image; its outputs are those of the `verification`.
        input_type: Type of the input's numbers, ``"float32"`` or ``"uint8"``.
        runtime: What the file is for, one of `converter.runtimes.RUNTIMES`.
        cost: What another runtime costs, or gains, beside LCE; None for LCE's own file.
        has_int4: Whether it has weights of 4 bits, so that this project's engine alone reads it.
        seconds: Duration of each step.
        advice: What keeps the model from running right or fast, the gravest first.
        inspection: The model's layers and the file's operators, one by one; of an ONNX file those of the ``.tflite``
            file that it was made from.
        profile: How long each operator takes on this machine, None unless somebody had it measured: in LCE
            (`converter.inspection.profile.profile`), or in the engine (`converter.inspection.engine.profile_engine`).
        passes: What each pass of the simplification changed; empty without it.
        quantization: What quantization did to the file, None if nobody asked for it.
        trained_weights: What became of weights that were trained in few bits; None if none were.
    """

    content: bytes
    path: Path | None
    name: str
    input_shape: tuple[int, ...]
    input_orientation: InputOrientation
    operators: Counter
    theoretical_size: int
    verification: Verification
    on_random_inputs_only: bool
    seconds: dict[str, float]
    advice: list[Advice] = field(default_factory=list)
    inspection: Inspection | None = None
    profile: Profile | None = None
    passes: list[PassReport] = field(default_factory=list)
    quantization: Quantization | None = None
    trained_weights: TrainedWeights | None = None
    engines: dict[str, Verification] = field(default_factory=dict)
    users_inputs: int = 0
    source: str = ""
    normalization: Normalization | None = None
    named_classes: int = 0
    inputs: dict[str, tuple[int, ...]] = field(default_factory=dict)
    input_type: str = "float32"
    runtime: Runtime = RUNTIMES["lce"]
    cost: Cost | None = None
    has_int4: bool = False

    @property
    def title(self) -> str:
        """What a report calls the model: by its file, with Keras' name beside it."""
        return f"{self.source} ({self.name})" if self.source else self.name

    def __repr__(self) -> str:
        verified = "verified" if self.verification.passed else "not verified"
        convs = f"{len(self.binary_convs)} binary convolutions"
        return f"<ConversionResult {self.name!r}: {format_bytes(self.size)}, {convs}, {verified}>"

    @property
    def binary_convs(self) -> list[str]:
        """Layers whose convolution runs bitpacked, once for each call."""
        return self.verification.binary_convs

    @property
    def errors(self) -> list[str]:
        """Everything for which the file must not be used, a line each: of LCE, of other engines, of quantization."""
        comparisons = (self.verification, *self.engines.values())
        errors = [error for comparison in comparisons for error in comparison.errors]
        return errors + (self.quantization.errors if self.quantization else [])

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self.content)

    @property
    def parameter_bytes(self) -> int:
        """The `theoretical_size`, with 8 or 4 bits for the weights that have been quantized to them. The file may still
        be smaller: simplification folds parameters into others."""
        if self.quantization is None:
            return self.theoretical_size
        before, after = self.quantization.bytes_before, self.quantization.bytes_after
        return self.theoretical_size - sum(before.values()) + sum(after.values())

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of the terminal."""
        # Reports read results, so results cannot import them at the top.
        from converter.report.notebook import render_table

        return render_table(self)

    def to_dict(self) -> dict:
        """Everything but the file itself, ready for JSON."""
        return {
            "schema_version": SCHEMA_VERSION,
            "model": self.name,
            "source": self.source,
            "path": None if self.path is None else str(self.path),
            "input_shape": list(self.input_shape),
            "inputs": [{"name": name, "shape": list(shape)} for name, shape in self.inputs.items()],
            "input_type": self.input_type,
            "target": self.runtime.name,
            "has_int4": self.has_int4,
            "cost": None if self.cost is None else asdict(self.cost),
            "input_orientation": self.input_orientation.value,
            "normalization": None if self.normalization is None else asdict(self.normalization),
            "named_classes": self.named_classes,
            "size": self.size,
            "theoretical_size": self.theoretical_size,
            "operators": dict(self.operators),
            "verification": {**asdict(self.verification), "passed": self.verification.passed},
            "engines": {name: {**asdict(found), "passed": found.passed} for name, found in self.engines.items()},
            "on_random_inputs_only": self.on_random_inputs_only,
            "users_inputs": self.users_inputs,
            "seconds": self.seconds,
            "passes": [{"name": report.name, "removed": report.removed} for report in self.passes],
            "advice": [asdict(advice) for advice in self.advice],
            "inspection": None if self.inspection is None else self.inspection.to_dict(),
            "profile": None if self.profile is None else self.profile.to_dict(),
            "quantization": None if self.quantization is None else asdict(self.quantization),
            "trained_weights": None if self.trained_weights is None else asdict(self.trained_weights),
        }
