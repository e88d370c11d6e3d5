"""What an inference costs in energy: an estimate of published figures for single operations, not a measurement.

A network's multiply-accumulates, each by the width of its numbers, times what such a one takes; and its parameters,
each read once, times what a byte takes. Everything else is left out: maps between layers, instructions, leakage.
So it compares networks, on silicon made for them; of a phone it says nothing, and less of its battery.

>>> from bnext_keras.cards import find
>>> estimate = of_card(find("BNextTiny"))
>>> f"{estimate.operations:.2f} mJ to compute, {estimate.memory:.2f} mJ to read its parameters"
'0.03 mJ to compute, 0.91 mJ to read its parameters'

On the command line: ``bnext-models energy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from bnext_keras.cards import Card

_FLOAT = 32
_PER_MILLIJOULE = 1e9  # picojoules


@dataclass(frozen=True)
class Technology:
    """Picojoules of single operations.

    Attributes:
        name: What options call it.
        int8_multiply: A product of two 8-bit numbers.
        int32_add: A sum of two 32-bit numbers, in which products of 8 bits are accumulated.
        float32_multiply: A product of two floats.
        float32_add: A sum of two floats.
        memory: A byte read, by the name of the memory.
        source: Where the figures are from.
        checked: Whether they were read there; if not, they are what others cite.
    """

    name: str
    int8_multiply: float
    int32_add: float
    float32_multiply: float
    float32_add: float
    memory: Mapping[str, float]
    source: str
    checked: bool = False

    def mac(self, width: int) -> float:
        """A multiply-accumulate of numbers of that many bits.

        Those of 8 bits are accumulated in 32. A product of fewer bits is taken to cost in proportion to the bits of
        both factors, as PokeBNN's *ACE* has it (arXiv 2112.00133): a 64th for one bit.
        """
        if width == _FLOAT:
            return self.float32_multiply + self.float32_add
        return (self.int8_multiply + self.int32_add) * width**2 / 64


#: What can be chosen. Memory is given by its source for 64 bits, DRAM as 1300 pJ and more: an 8th of that is a byte's.
TECHNOLOGIES = {
    technology.name: technology
    for technology in (
        Technology(
            "45nm",
            int8_multiply=0.2,
            int32_add=0.1,
            float32_multiply=3.7,
            float32_add=0.9,
            memory={"dram": 1300 / 8, "sram": 100 / 8},
            source="Horowitz, Computing's energy problem, ISSCC 2014: 45 nm at 0.9 V; DRAM, or 1 MiB of SRAM",
        ),
        Technology(
            "7nm",
            int8_multiply=0.07,
            int32_add=0.03,
            float32_multiply=1.31,
            float32_add=0.38,
            memory={"dram": 1300 / 8, "sram": 14 / 8},
            source="Jouppi et al., Ten lessons from three generations, ISCA 2021: 7 nm; DDR4, or 1 MiB of SRAM",
        ),
    )
}
MEMORIES = ("dram", "sram")


@dataclass(frozen=True)
class Energy:
    """An estimate for one image, in millijoules.

    Attributes:
        operations: Of all multiply-accumulates.
        memory: Of reading every parameter once.
    """

    operations: float
    memory: float

    @property
    def total(self) -> float:
        """Both together."""
        return self.operations + self.memory


def estimate(
    macs: Mapping[str, int], parameters: Mapping[str, int], technology: str = "45nm", memory: str = "dram"
) -> Energy:
    """The energy of one inference.

    Args:
        macs: Multiply-accumulates by the bits of their numbers, as `bnext_keras.models.Costs.macs_by_width` has them.
        parameters: Parameters by their bits.
        technology: A name of `TECHNOLOGIES`.
        memory: What parameters are read from: ``dram`` or ``sram``.

    Example:
        >>> energy = estimate({"32": 10**9}, {"32": 10**6})
        >>> round(energy.operations, 3), round(energy.memory, 3)  # 4.6 pJ for each of 1e9, 162.5 for each of 4e6 bytes
        (4.6, 0.65)
    """
    costs = TECHNOLOGIES[technology]
    bytes_read = sum(number * int(width) / 8 for width, number in parameters.items())
    return Energy(
        sum(number * costs.mac(int(width)) for width, number in macs.items()) / _PER_MILLIJOULE,
        bytes_read * costs.memory[memory] / _PER_MILLIJOULE,
    )


def of_card(card: Card, technology: str = "45nm", memory: str = "dram", *, in_floats: bool = False) -> Energy:
    """The energy of a card's network at the bits that its paper counts with.

    Args:
        card: The card.
        technology: A name of `TECHNOLOGIES`.
        memory: ``dram`` or ``sram``.
        in_floats: Whether to take every number for a float32: the same network without a binary layer.
    """
    macs, parameters = card.macs_by_width, card.parameters_by_width
    if in_floats:
        macs, parameters = ({str(_FLOAT): sum(counts.values())} for counts in (macs, parameters))
    return estimate(macs, parameters, technology, memory)
