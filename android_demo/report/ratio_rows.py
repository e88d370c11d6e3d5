"""Rows of a table of ratios, for ``templates/ratios.html``."""

import math
from collections.abc import Sequence

from android_demo.report.comparison import Ratio, Verdict
from android_demo.report.names import change, conditions, marks
from android_demo.results import Measurement

_CLASSES = {Verdict.FASTER: "faster", Verdict.SLOWER: "slower", Verdict.NOISE: "soft", Verdict.UNKNOWN: "soft"}


def ratio_rows(ratios: Sequence[tuple[Measurement, Measurement, Ratio]]) -> list[dict[str, object]]:
    """One row for each pair of measurements, with its place on an axis that all of them share.

    Args:
        ratios: What is compared with, what is compared, and the second's latency divided by the first's.
    """
    edges = [edge for _, _, ratio in ratios for edge in (ratio.value, ratio.low or 1, ratio.high or 1)]
    # The axis is logarithmic, 1 stands in its middle, and its ends are a little beyond the outermost interval.
    reach = max([1.1, *(max(edge, 1 / edge) for edge in edges)]) ** 1.05

    def x(value: float) -> str:
        return f"{50 + 50 * math.log(value) / math.log(reach):.2f}%"

    several = len({old.device.id for old, _, _ in ratios}) > 1

    def setting(old, new):
        return change(conditions(old), conditions(new)) + (f", {old.device.model or old.device.id}" if several else "")

    return [
        {
            "title": pair_title(old, new),
            "setting": setting(old, new),
            "before": old.latency,
            "after": new.latency,
            "ratio": ratio,
            "x": x(ratio.value),
            "low_x": None if ratio.low is None else x(ratio.low),
            "high_x": None if ratio.high is None else x(ratio.high),
            "class_": _CLASSES[ratio.verdict],
            "mark": marks(old) or marks(new),
        }
        for old, new, ratio in ratios
    ]


def pair_title(old: Measurement, new: Measurement) -> str:
    """The model of both, or the two models."""
    return change(*(entry.model.name.removesuffix(".tflite") for entry in (old, new)))
