"""From a checkpoint of BNext's released training code to a ready Keras model, without PyTorch.

Which network it is follows from the names and shapes in the checkpoint: the widths, the number of classes, which parts
were left out, and, as in the released code, a strided stem if and only if there are 1000 classes.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bnext_keras import models
from bnext_keras.errors import StateDictError
from bnext_keras.importers.bnext import load_bnext_state_dict
from bnext_keras.importers.checkpoint import CheckpointError, read_checkpoint
from bnext_keras.importers.state_dict import why_no_weight, zero_weights
from bnext_keras.models.bnext import WIDTHS
from bnext_keras.orientation import add_rotation
from bnext_keras.quantizers import ANNEALED

import numpy as np
import tensorflow as tf

#: BNext-18 is trained down to this temperature only.
ANNEALED_BNEXT18 = 1e-5
#: More than any network of the paper; BNext-L has 29.
MAX_BLOCKS = 100


@dataclass
class Architecture:
    """What network a checkpoint holds.

    Attributes:
        variant: Name of the model in `bnext_keras.models`: ``BNextTiny``, ..., ``BNext18``, or ``BNext`` for others.
        widths: Channels of the stem and of every block; empty for BNext-18.
        num_classes: Number of logits.
        stem_stride: 2 or 1.
        elm_attention: Whether it has the paper's ELM-Attention.
        info_recoupling: Whether it has the paper's Info-RCP.
    """

    variant: str
    widths: tuple[int, ...]
    num_classes: int
    stem_stride: int
    elm_attention: bool
    info_recoupling: bool

    def build(self, input_size: int) -> tf.keras.Model:
        """The Keras model for square images of one size, with fresh weights."""
        arguments = () if self.variant != "BNext" else (self.widths,)
        return getattr(models, self.variant)(
            *arguments,
            input_shape=(input_size, input_size, 3),
            num_classes=self.num_classes,
            stem_stride=self.stem_stride,
            elm_attention=self.elm_attention,
            info_recoupling=self.info_recoupling,
        )


@dataclass
class ImportedBNext:
    """A model and what is known about where it came from.

    Attributes:
        model: The Keras model. It takes upright images: its first layer is a `bnext_keras.orientation.Rotate180`.
        architecture: What was found in the checkpoint.
        input_size: Height and width of its images.
        binary_weights: Number of weights of binary convolutions.
        zero_weights: How many of them are exactly zero.
        temperature: The highest temperature of a kernel, None if the checkpoint tells none.
    """

    model: tf.keras.Model
    architecture: Architecture
    input_size: int
    binary_weights: int
    zero_weights: int
    temperature: float | None

    @property
    def warnings(self) -> list[str]:
        """In which ways, if any, the model does not compute exactly what the checkpoint's network does."""
        warnings = zero_weights(self.zero_weights, self.binary_weights)
        annealed = ANNEALED_BNEXT18 if self.architecture.variant == "BNext18" else ANNEALED
        if self.temperature is not None and not self.temperature < annealed:
            warnings.append(
                f"its weight temperature is {self.temperature:.2g}, not annealed (below {annealed:.0e}): its kernels "
                "were rounded to their signs, and answers differ from PyTorch's; use the checkpoint of a finished run"
            )
        return warnings


def import_bnext(path: str | Path, input_size: int | None = None) -> ImportedBNext:
    """Makes a Keras model from a checkpoint of BNext's released PyTorch code.

    Args:
        path: The file, see `bnext_keras.importers.read_checkpoint`.
        input_size: Height and width of the images. By default 224 for a network with a strided stem and 32 for others.
            It must be a multiple of 32 or 16 respectively.

    Returns:
        The model, which takes upright images and computes the checkpoint's logits, and what was found out.

    Raises:
        CheckpointError: if the file cannot be read, or does not hold a BNext, or the input size does not fit it.
        StateDictError: if entries are missing, left over or of another shape; the message lists them.

    Example:
        >>> import bnext_keras
        >>> imported = bnext_keras.importers.import_bnext("bnext_tiny.pth.tar")  # doctest: +SKIP
        >>> imported.model.save("bnext_tiny.h5")  # doctest: +SKIP
    """
    checkpoint = read_checkpoint(path)
    state_dict = checkpoint.state_dict
    try:
        architecture = detect(state_dict)
        _check_values(state_dict)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    if input_size is None:
        input_size = 224 if architecture.stem_stride == 2 else 32
    try:
        model = add_rotation(architecture.build(input_size))
    except ValueError as error:
        raise CheckpointError(f"input size {input_size}: {error}") from error
    try:
        load_bnext_state_dict(model, state_dict)
    except StateDictError as error:
        raise StateDictError(f"{path}: {error}") from error
    kernels = [value for key, value in state_dict.items() if key.endswith(".binary_conv.weight")]
    temperatures = [value.max() for key, value in state_dict.items() if key.endswith(".binary_conv.temperature")]
    temperatures += [] if checkpoint.temperature is None else [checkpoint.temperature]
    return ImportedBNext(
        model=model,
        architecture=architecture,
        input_size=input_size,
        binary_weights=sum(kernel.size for kernel in kernels),
        zero_weights=sum(int(np.sum(kernel.astype(np.float32) == 0)) for kernel in kernels),
        temperature=float(max(temperatures)) if temperatures else None,
    )


def detect(state_dict: dict[str, np.ndarray]) -> Architecture:
    """Which network a state dict of the released code belongs to.

    Raises:
        CheckpointError: if it is none, or parts that tell the widths are missing or contradict each other.

    Example:
        >>> from bnext_keras.importers.released import detect
        >>> detect({"conv1.weight": None})
        Traceback (most recent call last):
        bnext_keras.errors.CheckpointError: not a BNext of the released code: it has no fc.weight
    """
    is_18 = "layer0.0.Attention.binary_conv.weight" in state_dict
    stem, head = "conv1.weight" if is_18 else "feature.0.conv1.weight", "fc.weight"
    for key in (head, stem):
        if key not in state_dict:
            raise CheckpointError(f"not a BNext of the released code: it has no {key}")
    shapes = {key: np.shape(value) for key, value in state_dict.items()}
    elm_attention = not any(re.match(r"feature\.\d+\.FFN_3x3\.", key) for key in shapes)
    widths: tuple[int, ...] = () if is_18 else _widths(shapes, "Attention" if elm_attention else "FFN_3x3")
    features = 512 if is_18 else widths[-1]
    if shapes[head][1:] != (features,):
        raise CheckpointError(f"{head} {shapes[head]} does not fit the {features} channels before it")
    num_classes = shapes[head][0]
    return Architecture(
        variant="BNext18" if is_18 else next((name for name, known in WIDTHS.items() if known == widths), "BNext"),
        widths=widths,
        num_classes=num_classes,
        stem_stride=2 if (shapes[stem][2:] == (7, 7) if is_18 else num_classes == 1000) else 1,
        elm_attention=elm_attention,
        info_recoupling=any(".se.se." in key for key in shapes),
    )


def _widths(shapes, name_3x3):
    """Channels of stem and blocks: a block with two 1x1 processors doubles them."""
    blocks = {int(match[1]) for key in shapes if (match := re.match(r"feature\.(\d{1,9})\.", key))}
    if not 2 <= len(blocks) <= MAX_BLOCKS + 1:
        raise CheckpointError(f"it has {len(blocks) - 1} blocks; 1 to {MAX_BLOCKS} are supported")
    widths, problems = [(*shapes["feature.0.conv1.weight"], 0)[0]], []
    for block in range(1, len(blocks)):
        width, path = widths[-1], f"feature.{block}"
        doubles = any(key.startswith(f"{path}.FFN_1.") for key in shapes)
        kernels = {f"{path}.{name_3x3}": 3}
        kernels |= {f"{path}.FFN_1": 1, f"{path}.FFN_2": 1} if doubles else {f"{path}.FFN": 1}
        # What is built will be as large as these say, so they must be there and of that size.
        for name, side in kernels.items():
            found, expected = shapes.get(f"{name}.binary_conv.weight"), (width, width, side, side)
            if found != expected:
                state = "is missing" if found is None else f"{found} is not {expected}"
                problems.append(f"{name}.binary_conv.weight {state}")
        widths.append(2 * width if doubles else width)
    if problems:
        more = f"; and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise CheckpointError(f"its blocks do not fit together: {'; '.join(problems[:4])}{more}")
    return tuple(widths)


def _check_values(state_dict):
    # What is no number of floats, a count of batches say, is a weight's place or none: that is judged there.
    bad = [key for key, value in state_dict.items() if np.asarray(value).dtype.kind == "f" and why_no_weight(value)]
    if bad:
        raise CheckpointError(f"{len(bad)} entries have values that are not finite: {', '.join(bad[:8])}")
