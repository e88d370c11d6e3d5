"""The charts of the web page, as coordinates and texts for the template to draw."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict

from bnext_keras.text import format_bytes, format_count, format_milliseconds, format_percent

from converter.inspection.inspection import Inspection
from converter.inspection.layers import POINTWISE_SHAPE
from converter.inspection.operators import Operator
from converter.tflite.kinds import Kind

#: Operators, each with its milliseconds; None where it has not been timed.
TimedOperators = Sequence[tuple[Operator, float | None]]

#: Between the sizes of a shape.
TIMES = " \N{MULTIPLICATION SIGN} "
#: Number of each kind's colour in ``report.css``.
COLOURS = {kind: index for index, kind in enumerate(Kind)}

#: Width of the charts' coordinates, and height of the one along the network.
_WIDTH, _HEIGHT = 1000, 160
#: Labels below a chart stand at least this share of its width apart, in percent.
_TICK_DISTANCE = 7
_COSTLIEST = 5


def times_by(key: Callable[[Operator], str], operators: TimedOperators) -> dict[str, float]:
    """Milliseconds of all operators with the same key together, the largest first."""
    milliseconds: dict[str, float] = defaultdict(float)
    for operator, duration in operators:
        milliseconds[key(operator)] += duration or 0.0
    return dict(sorted(milliseconds.items(), key=lambda item: -item[1]))


def kind_rows(inspection: Inspection, operators: TimedOperators) -> list[dict]:
    """Totals by kind of operator, with the colour and the time of each."""
    milliseconds = times_by(lambda operator: operator.kind, operators)
    return [
        {**asdict(kind), "colour": COLOURS[kind.kind], "milliseconds": milliseconds[kind.kind]}
        for kind in inspection.kinds
    ]


def bars(kinds: list[dict], with_time: bool) -> list[dict]:
    """One bar for each measure, split into kinds of operators.

    Args:
        kinds: From `kind_rows`.
        with_time: Whether operators have been timed.
    """
    found = [
        _bar(kinds, "macs", "MACs", format_count),
        _bar(kinds, "bytes", "constants in file", format_bytes),
        _bar(kinds, "output_bytes", "bytes written", format_bytes),
    ]
    if with_time:
        found.append(_bar(kinds, "milliseconds", "time here", format_milliseconds))
    return found


def _bar(kinds, measure, title, form):
    total = sum(kind[measure] for kind in kinds)
    parts, x = [], 0.0
    for kind in kinds:
        share = kind[measure] / total if total else 0.0
        if share:
            label = f"{kind['kind']}: {form(kind[measure])}, {format_percent(share)}"
            width = round(_WIDTH * share, 2)
            parts.append({"x": round(x, 2), "width": width, "colour": kind["colour"], "title": label})
        x += _WIDTH * share
    return {"title": title, "parts": parts, "total": form(total)}


def timeline(operators: TimedOperators) -> dict:
    """One bar for each operator in the order of execution, and the size of maps below where it changes."""
    peak = max((duration or 0.0 for _, duration in operators), default=0.0)
    step = _WIDTH / max(1, len(operators))
    columns, ticks = [], []
    size: tuple[int, ...] | None = None
    label_end = 0.0
    for operator, duration in operators:
        height = _HEIGHT * (duration or 0.0) / (peak or 1.0)
        columns.append(
            {
                "x": round(operator.index * step, 2),
                "width": round(step * 0.92, 2),
                "y": round(_HEIGHT - height, 2),
                "height": round(height, 2),
                "colour": COLOURS[operator.kind],
                "title": f"{operator.type} {operator.layer}: {format_milliseconds(duration or 0.0)}",
            }
        )
        if not operator.macs or len(operator.output_shape) != 4:
            continue
        new_size, left = operator.output_shape[1:3], round(100 * operator.index / len(operators), 2)
        if new_size not in (size, POINTWISE_SHAPE) and left >= label_end:
            ticks.append({"left": left, "label": TIMES.join(map(str, new_size))})
            size, label_end = new_size, left + _TICK_DISTANCE
    return {"bars": columns, "ticks": ticks, "peak": peak}


def costliest(operators: TimedOperators) -> list[dict]:
    """The layers that take the most time, the worst first; operators without a layer by their type."""
    milliseconds = times_by(lambda operator: operator.layer or operator.type, operators)
    return [{"name": name, "milliseconds": duration} for name, duration in list(milliseconds.items())[:_COSTLIEST]]
