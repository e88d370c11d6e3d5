"""Axes: from values to positions, with round numbers at the ticks.

>>> linear_ticks(47.0)
[0, 10, 20, 30, 40, 50]
>>> log_ticks(4.0, 130.0)
[5, 10, 20, 50, 100]
"""

import math


def linear_ticks(highest: float, about: int = 5) -> list[float]:
    """Round numbers from 0 to at least ``highest``, about ``about`` steps."""
    if not highest > 0:
        return [0, 1]
    raw = highest / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    count = math.ceil(highest / step - 1e-9)
    return [_clean(step * index) for index in range(count + 1)]


def span_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers around an interval, about ``about`` steps, each at least a fifth."""
    width = max(high - low, 1.0)
    steps = linear_ticks(width, about)
    step = steps[1]
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [_clean(step * index) for index in range(first, max(last, first + 1) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Those of 1, 2 and 5 times a power of ten that lie in an interval."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    candidates = [_clean(factor * 10.0**exponent) for exponent in exponents for factor in (1, 2, 5)]
    return [value for value in candidates if low <= value <= high]


def number(value: float, digits: int = 3) -> str:
    """A number with ``digits`` significant digits, without an exponent: 1520, 25.5, 0.321."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value)) + 1e-12))
    return f"{value:,.{decimals}f}"


def plain(value: float) -> str:
    """The shortest text of a tick: 0.5, 20, 1,000."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"


def _clean(value):
    rounded = float(f"{value:.10g}")
    return int(rounded) if rounded.is_integer() else rounded
