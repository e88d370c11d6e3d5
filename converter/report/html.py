"""The report of a conversion as one self-contained web page: no script, font or image is loaded from elsewhere.

The page itself is ``templates/report.html``; here are the figures that it shows. Jinja escapes every one of them: layer
and file names come from the user.
"""

import datetime
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.text import format_bytes, format_count, format_milliseconds, format_percent

import jinja2

from converter.advice import merged
from converter.inspection.inspection import POINTWISE_SHAPE
from converter.inspection.operators import KINDS
from converter.result import RANDOM_SAMPLES, ConversionResult

_TEMPLATES = Path(__file__).parent / "templates"
#: Width of the charts' coordinates, and height of the one along the network.
_WIDTH, _HEIGHT = 1000, 160
#: Labels below a chart stand at least this share of its width apart.
_TICK_DISTANCE = 7
_COSTLIEST = 5
_TIMES = " \N{MULTIPLICATION SIGN} "
_COLOURS = {kind: index for index, kind in enumerate(KINDS)}


def render_html(result: ConversionResult) -> str:
    """The page.

    Args:
        result: A conversion with its `inspection`; its `profile` is shown if there is one.
    """
    loader = jinja2.FileSystemLoader(_TEMPLATES)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined)
    environment.filters |= {
        "bytes": format_bytes,
        "count": format_count,
        "ms": format_milliseconds,
        "percent": format_percent,
        "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
        "shape": lambda shape: _TIMES.join(map(str, shape)),
    }
    return environment.get_template("report.html").render(_context(result))


def _context(result):
    checked, inspection, profile = result.verification, result.inspection, result.profile
    milliseconds = [None] * len(inspection.operators) if profile is None else profile.milliseconds
    operators = list(zip(inspection.operators, milliseconds, strict=True))
    kinds = _kinds(inspection, operators)
    return {
        "result": result,
        "verification": checked,
        "inspection": inspection,
        "profile": profile,
        "card": inspection.card,
        "advice_list": merged(result.advice),
        "file": None if result.path is None else result.path.name,
        "made": f"bnext-keras {__version__}, {datetime.date.today():%d %B %Y}",
        "size": format_bytes(result.size).split(),
        "binary_calls": len(checked.binary_convs) + len(checked.float_convs),
        "kinds": kinds,
        "colours": _COLOURS,
        "macs": sum(kind["macs"] for kind in kinds),
        "output_bytes": sum(kind["output_bytes"] for kind in kinds),
        "bars": _bars(kinds, result),
        "operators": operators,
        "timeline": None if profile is None else _timeline(operators),
        "costliest": _costliest(operators),
        "unmeasured": milliseconds.count(None),
        "words": verification_in_words(result),
        "published": _published(inspection),
        "with_kernel": sum(layer.is_binarized is not None for layer in inspection.layers),
        "passes": [_pass(report) for report in result.passes if report.removed or report.removed_maps],
        "simplification": _simplification(result.passes),
        "quantization": result.quantization,
        "errors": checked.errors + (result.quantization.errors if result.quantization else []),
    }


def _kinds(inspection, operators):
    milliseconds = Counter()
    for operator, duration in operators:
        milliseconds[operator.kind] += duration or 0.0
    return [
        {**asdict(kind), "colour": _COLOURS[kind.kind], "milliseconds": milliseconds[kind.kind]}
        for kind in inspection.kinds
    ]


def _bars(kinds, result):
    bars = [
        _bar(kinds, "macs", "MACs", format_count),
        _bar(kinds, "bytes", "constants in file", format_bytes),
        _bar(kinds, "output_bytes", "bytes written", format_bytes),
    ]
    if result.profile is not None:
        bars.append(_bar(kinds, "milliseconds", "time here", format_milliseconds))
    return bars


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


def _timeline(operators):
    peak = max((duration or 0.0 for _, duration in operators), default=0.0)
    step = _WIDTH / max(1, len(operators))
    bars, ticks, size = [], [], None
    for operator, duration in operators:
        height = _HEIGHT * (duration or 0.0) / (peak or 1.0)
        bars.append(
            {
                "x": round(operator.index * step, 2),
                "width": round(step * 0.92, 2),
                "y": round(_HEIGHT - height, 2),
                "height": round(height, 2),
                "colour": _COLOURS[operator.kind],
                "title": f"{operator.type} {operator.layer}: {format_milliseconds(duration or 0.0)}",
            }
        )
        new_size = operator.output_shape[1:3] if operator.macs and len(operator.output_shape) == 4 else size
        left = round(100 * operator.index / len(operators), 2)
        if new_size not in (size, POINTWISE_SHAPE) and (not ticks or left - ticks[-1]["left"] >= _TICK_DISTANCE):
            ticks.append({"left": left, "label": _TIMES.join(map(str, new_size))})
            size = new_size
    return {"bars": bars, "ticks": ticks, "peak": peak}


def _costliest(operators):
    milliseconds = Counter()
    for operator, duration in operators:
        milliseconds[operator.layer or operator.type] += duration or 0.0
    return [{"name": name, "milliseconds": duration} for name, duration in milliseconds.most_common(_COSTLIEST)]


def _published(inspection):
    card, costs = inspection.card, inspection.costs
    if card is None:
        return []
    widths = "float32 throughout but for binary weights" if card.bits == "32/32/32" else f"at {card.bits} bits"
    rows = [("parameters", f"{costs.parameters:,}", ""), ("binary parameters", f"{costs.binary_parameters:,}", "")]
    rows.append((f"OPs, {widths}", f"{costs.ops(card.bits) / 1e9:.3f} G", _giga(card.published_ops)))
    size = f"{costs.mebibytes(card.bits):.2f} MiB"
    rows.append(
        (f"size, {widths}", size, "" if card.published_mebibytes is None else f"{card.published_mebibytes} MiB")
    )
    return [{"what": what, "here": here, "published": published} for what, here, published in rows]


def _giga(number):
    return "" if number is None else f"{number / 1e9:.3g} G"


def _pass(report):
    changes = [f"{name} {-fewer:+d}" for name, fewer in (report.removed or report.removed_maps).items()]
    if not report.removed:
        changes.append("moved to 1x1 maps")
    return {**_simplification([report]), "name": report.name, "difference": ", ".join(changes)}


def _simplification(reports):
    if not reports:
        return None
    first, last = reports[0], reports[-1]
    return {
        "before": first.before.total(),
        "after": last.after.total(),
        "maps_before": first.maps_before.total(),
        "maps_after": last.maps_after.total(),
    }


def verification_in_words(result: ConversionResult) -> list[str]:
    """What the comparison with Keras says, for somebody who has not read `converter.verification.verify`."""
    checked = result.verification
    inputs = "random numbers" if checked.samples == RANDOM_SAMPLES else "your data and random numbers"
    words = [
        f"LCE ran the file on {checked.samples} inputs ({inputs}) with each of its kernels, and Keras the model. "
        f"The largest output was the same for {format_percent(checked.top1_agreement)} of them; outputs differ by at "
        f"most {checked.max_difference:.1e}."
    ]
    if checked.signs:
        explained = ", each of a value within rounding of zero" if checked.passed else ""
        flips = (
            f"for {checked.flips:,} of them Keras took the other one{explained}"
            if checked.flips
            else "Keras took the same"
        )
        words.append(
            f"The binary convolutions took {checked.signs:,} signs; {flips}. "
            f"Run with LCE's signs, Keras gives outputs within {checked.max_difference_same_signs:.1e} of LCE's, "
            + (
                "which is float rounding."
                if checked.passed
                else "which is to be judged together with the errors above."
            )
        )
    if checked.passed and checked.top1_agreement < 1 and checked.flips:
        words.append(
            "Answers differ although every operator does what its layer does: single signs that rounding turns over "
            "decide this network's answers. That is usual before training and a reason to look closer after it."
        )
    return words
