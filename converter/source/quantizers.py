"""What a quantizer of activations does, found out by trying it: Larq's own say it, functions of a user's do not."""

from dataclasses import dataclass
from typing import Any

from bnext_keras.layer_graph import SIGNS, precision, tried

import numpy as np

REMEDY = "use ste_sign, approx_sign or swish_sign, which LCE runs on bits"


@dataclass(frozen=True)
class Fault:
    """Why a quantizer is not the sign, the only one that LCE has.

    Attributes:
        what: What it does instead.
        remedy: What to do about it.
        runs_as_float: Whether LCE gives the right answers with it, if slowly.
    """

    what: str
    remedy: str
    runs_as_float: bool


def name_of(quantizer: Any) -> str:
    """A quantizer's name as its author knows it.

    Example:
        >>> import larq as lq, tensorflow as tf
        >>> name_of(lq.quantizers.SteSign()), name_of(tf.sign)
        ('SteSign', 'sign')
    """
    return getattr(quantizer, "__name__", type(quantizer).__name__)


def input_fault(quantizer: Any) -> Fault | None:
    """What keeps an input quantizer from running on bits, None if it is the sign.

    Example:
        >>> import larq as lq
        >>> input_fault(lq.quantizers.SteSign()) is None
        True
        >>> input_fault(lq.quantizers.SteHeaviside()).what
        "its input quantizer SteHeaviside gives 0 and 1, LCE's bits are -1 and +1"
    """
    values = tried(quantizer)
    name = name_of(quantizer)
    if values == SIGNS:
        return None
    channels = len(values) // len(SIGNS)
    if channels > 1 and all(sorted({*map(np.sign, values[i::channels])}) == [-1, 1] for i in range(channels)):
        what = f"its input quantizer {name} scales the signs of each channel by a factor of its own"
        remedy = f"{REMEDY}; scale the channels of the kernel, or before the sign, where it changes nothing"
        return Fault(what, remedy, runs_as_float=False)
    if set(values) == {-1, 0, 1}:
        what = f"its input quantizer {name} gives -1, 0 and +1; LCE makes -1 and +1 of them, which is wrong"
        return Fault(what, REMEDY, runs_as_float=False)
    if len(np.unique(np.abs(values))) > 2:
        bits = precision(quantizer)
        what = f"its input quantizer {name} leaves more than two values" + (f" ({bits} bits)" if 1 < bits < 32 else "")
        return Fault(what, REMEDY, runs_as_float=bits != 1)
    if set(values) <= {0, 1}:
        return Fault(f"its input quantizer {name} gives 0 and 1, LCE's bits are -1 and +1", REMEDY, runs_as_float=False)
    fixed = tried(quantizer, 3.0) == values
    factor = f"the factor {max(values):.3g}" if fixed else "a factor that depends on the image"
    what = f"its input quantizer {name} scales the signs by {factor}"
    remedy = f"{REMEDY}; a scale belongs into the batch normalization behind"
    return Fault(what, remedy, runs_as_float=False)
