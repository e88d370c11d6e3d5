"""Quantizers for the activations and the kernels of binary networks, beside those of Larq.

`bnext_keras.quantizers.signs` has BNext's: a sign whose gradient takes less time, and one that kernels are annealed by.
`bnext_keras.quantizers.scaled` has the signs of kernels that papers multiply by a mean or a maximum of the weights;
`bnext_keras.quantizers.multi_base` has several binary kernels for one, `bnext_keras.quantizers.low_bit` kernels of 8
and 4 bits for what is not binary. Under mixed precision kernels are quantized in float32 all the same, see
`bnext_keras.quantizers.latent`.
"""

import bnext_keras.quantizers.latent  # noqa: F401
from bnext_keras.quantizers.low_bit import fake_quantized
from bnext_keras.quantizers.multi_base import KernelBase
from bnext_keras.quantizers.scaled import AnnealedMeanSign, KernelMeanSign, PokeKernelSign, PokeSign, XnorSign
from bnext_keras.quantizers.signs import (
    ANNEALED,
    AnnealedSign,
    FusedSteSign,
    TanhActivation,
    harden,
    soft_kernels,
    temperatures,
)

__all__ = [
    "ANNEALED",
    "AnnealedMeanSign",
    "AnnealedSign",
    "FusedSteSign",
    "KernelBase",
    "KernelMeanSign",
    "PokeKernelSign",
    "PokeSign",
    "TanhActivation",
    "XnorSign",
    "fake_quantized",
    "harden",
    "soft_kernels",
    "temperatures",
]
