"""Shares with their uncertainty, and whether two models that saw the same images differ beyond chance."""

import math
from dataclasses import dataclass

#: Discordant pairs up to which McNemar's test is the exact one.
EXACT_UP_TO = 1000
#: Quantile of the normal distribution that leaves 2.5% on either side.
_95_PERCENT = 1.959963984540054


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95% interval of a share: between which shares of all images the one of these images is likely.

    Args:
        right: How many were right.
        count: Of how many, 1 at least.

    Example:
        >>> [round(bound, 3) for bound in wilson(9, 10)], wilson(10, 10)[1]
        ([0.596, 0.982], 1.0)

    Reference:
        Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    """
    share, z2 = right / count, _95_PERCENT**2
    middle = share + z2 / (2 * count)
    half = _95_PERCENT * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    low, high = ((middle - half) / (1 + z2 / count), (middle + half) / (1 + z2 / count))
    # Rounding must not leave a hair where nothing, or everything, was right.
    return (0.0 if right == 0 else max(low, 0.0)), (1.0 if right == count else min(high, 1.0))


@dataclass(frozen=True)
class McNemar:
    """Whether two models that answered the same questions are equally good.

    Attributes:
        only_first: How many questions the first alone answered right.
        only_second: How many the second alone did.
        is_exact: Whether the probability is that of the binomial distribution, not of chi-squared.
        p: Probability of a difference at least as large between equally good models, on both sides.
    """

    only_first: int
    only_second: int
    is_exact: bool
    p: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """McNemar's test of two numbers of discordant pairs.

    Up to `EXACT_UP_TO` of them it is the exact binomial test, above chi-squared with Edwards' correction.

    Example:
        >>> mcnemar(1, 9).p, mcnemar(0, 0).p
        (0.021484375, 1.0)
        >>> mcnemar(600, 700).is_exact, round(mcnemar(600, 700).p, 5)
        (False, 0.00604)

    Reference:
        McNemar, "Note on the sampling error of the difference between correlated proportions or percentages",
        Psychometrika 12 (1947); Edwards, "Note on the 'correction for continuity'", Psychometrika 13 (1948).
    """
    count, fewer = only_first + only_second, min(only_first, only_second)
    if count <= EXACT_UP_TO:
        tail = sum(math.comb(count, i) for i in range(fewer + 1))
        # Whole numbers up to the last step: 2^1000 is still a float.
        return McNemar(only_first, only_second, True, min(1.0, 2 * tail / 2**count))
    chi_squared = max(abs(only_first - only_second) - 1, 0) ** 2 / count
    return McNemar(only_first, only_second, False, math.erfc(math.sqrt(chi_squared / 2)))
