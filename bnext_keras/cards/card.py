"""What a card holds."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

#: What `bnext_keras.cards.recount` writes.
COUNTS_FILE = Path(__file__).with_name("counts.json")
COUNTS: dict[str, dict[str, Any]] = json.loads(COUNTS_FILE.read_text(encoding="utf-8"))

#: What `benchmarks/zoo_conversion.py` writes.
CONVERSIONS_FILE = Path(__file__).with_name("conversions.json")
CONVERSIONS: dict[str, dict[str, Any]] = json.loads(CONVERSIONS_FILE.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Accuracy:
    """One report of a variant's accuracy on ImageNet's validation images, in percent.

    Attributes:
        top1: Share of images whose class is the first answer.
        top5: Share of images whose class is among the first five answers, None where it was not published.
        by: Who published it.
        checked: Whether the figure was read where it was published; if not, it is what others cite, or what is
            remembered of it, and is marked wherever it is shown.
    """

    top1: float
    top5: float | None
    by: str
    checked: bool = True


@dataclass(frozen=True)
class Latency:
    """One report of the time that a variant takes for an image.

    Attributes:
        milliseconds: Mean time of one inference.
        device: What it ran on.
        conditions: Threads and program.
        by: Who published it.
    """

    milliseconds: float
    device: str
    conditions: str
    by: str


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A network in a ``.tflite`` file, as `converter` writes it.

    Attributes:
        input_size: Height and width of its images.
        bytes: Size of the file; None if the network is refused.
        operators: Number of its operators.
        binary_convolutions: Number of those that are `LceBconv2d`.
        refused: Why there is no file; empty if there is one.
    """

    input_size: int
    bytes: int | None = None
    operators: int | None = None
    binary_convolutions: int | None = None
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What others published about a variant; written by hand, one a network, in the file of its family.

    Attributes:
        name: What it is called here; that of the function which builds it, unless `network` says otherwise.
        network: The function of `bnext_keras.models` or `bnext_keras.zoo` that builds it.
        options: Keyword arguments of that function that make it this variant.
        accuracies: What was published, its authors' figure first; empty if nothing was.
        bits: How its paper counts stem, squeeze-and-expand and head, see `bnext_keras.models.Costs.ops`.
        published_mebibytes: The paper's size at ``bits``, with parameters that its code has and never uses; None where
            it was not published.
        published_ops: The paper's operations at ``bits``, None where they were not published.
        source: Where the architecture was published.
        latencies: What others measured, of a device the figure to be shown first.
        input_size: Height and width of the images that all these figures are for.
    """

    name: str
    accuracies: tuple[Accuracy, ...]
    bits: str
    published_mebibytes: float | None
    published_ops: float | None
    source: str
    latencies: tuple[Latency, ...] = ()
    input_size: int = 224
    network: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self):
        if not self.network:
            object.__setattr__(self, "network", self.name)

    def build(self, **kwargs: Any) -> "tf.keras.Model":
        """The network, with fresh weights; starts TensorFlow.

        Args:
            **kwargs: Keyword arguments of its function, such as ``input_shape`` and ``num_classes``.
        """
        from bnext_keras import networks  # the rooms that it imports start TensorFlow

        function = networks.find(self.network)
        assert function is not None, self.network
        return function(**self.options, **kwargs)


@dataclass(frozen=True, kw_only=True)
class Card(Published):
    """What is known of one variant: what was published, and what counting the built model gives.

    Attributes:
        parameters: Trained parameters, without running statistics.
        binary_parameters: Trained parameters with one bit.
        binary_macs: Multiply-accumulates of binary convolutions for one image.
        other_macs: Multiply-accumulates of float convolutions and dense layers.
        ops: Operations at ``bits``, see `bnext_keras.models.Costs.ops`.
        mebibytes: Size with one bit for a binary weight and float32 for the rest.
        parameters_by_width: The parameters by their bits at ``bits``: "1", "4", "8" and "32".
        macs_by_width: The multiply-accumulates likewise.
        conversion: What became of the network, with fresh weights, in a converted file.
    """

    parameters: int
    binary_parameters: int
    binary_macs: int
    other_macs: int
    ops: int
    mebibytes: float
    parameters_by_width: Mapping[str, int]
    macs_by_width: Mapping[str, int]
    conversion: "Conversion | None" = None

    @property
    def binary_share(self) -> float:
        """Share of the parameters that have one bit."""
        return self.binary_parameters / self.parameters

    def to_dict(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return {**asdict(self), "binary_share": round(self.binary_share, 4)}


def with_counts(published: Published) -> Card:
    """The card of a variant that has been counted."""
    facts = {name: getattr(published, name) for name in Published.__dataclass_fields__}
    converted = CONVERSIONS.get(published.name)
    return Card(**facts, **COUNTS[published.name], conversion=Conversion(**converted) if converted else None)
