"""The report of a conversion as one self-contained web page: no script, font or image is loaded from elsewhere.

The page itself is ``templates/report.html``; here are the figures that it shows. Jinja escapes every one of them: layer
and file names come from the user.
"""

import datetime
from pathlib import Path

from bnext_keras import charts
from bnext_keras._version import __version__
from bnext_keras.text import finalized, format_bytes, format_count, format_milliseconds, format_percent

import jinja2

from converter.advice import merged
from converter.report.charts import COLOURS, TIMES, bars, costliest, kind_rows, timeline
from converter.report.words import is_classifier, normalization_in_words, size_in_words, verification_in_words
from converter.result import ConversionResult

_TEMPLATES = Path(__file__).parent / "templates"
_SHARED = Path(charts.__file__).parent


def render_html(result: ConversionResult) -> str:
    """The page.

    Args:
        result: A conversion with its `inspection`; its `profile` is shown if there is one.
    """
    loader = jinja2.FileSystemLoader([_TEMPLATES, _SHARED])
    environment = jinja2.Environment(
        loader=loader, autoescape=True, finalize=finalized, undefined=jinja2.StrictUndefined
    )
    environment.filters |= {
        "bytes": format_bytes,
        "count": format_count,
        "ms": format_milliseconds,
        "percent": format_percent,
        "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
        "shape": lambda shape: TIMES.join(map(str, shape)),
    }
    return environment.get_template("report.html").render(_context(result))


def _context(result):
    checked, inspection, profile = result.verification, result.inspection, result.profile
    milliseconds = [None] * len(inspection.operators) if profile is None else profile.milliseconds
    operators = list(zip(inspection.operators, milliseconds, strict=True))
    kinds = kind_rows(inspection, operators)
    return {
        "result": result,
        "verification": checked,
        "inspection": inspection,
        "profile": profile,
        "card": inspection.card,
        "advice_list": merged(result.advice),
        "file": None if result.path is None else result.path.name,
        "made": f"bnext-keras {__version__}, {datetime.date.today():%d %B %Y}",
        "size_in_words": size_in_words(result),
        "size": format_bytes(result.size).split(),
        "binary_calls": len(checked.binary_convs) + len(checked.float_convs),
        "kinds": kinds,
        "colours": COLOURS,
        "macs": sum(kind["macs"] for kind in kinds),
        "output_bytes": sum(kind["output_bytes"] for kind in kinds),
        "bars": bars(kinds, with_time=profile is not None),
        "operators": operators,
        "timeline": None if profile is None else timeline(operators),
        "costliest": costliest(operators),
        "unmeasured": milliseconds.count(None),
        "words": verification_in_words(result),
        "classifies": is_classifier(checked),
        "inputs": list(result.inputs.values()) or [result.input_shape],
        "normalization": normalization_in_words(result),
        "published": _published(inspection),
        "with_kernel": sum(layer.is_binarized is not None for layer in inspection.layers),
        "passes": [_pass(report) for report in result.passes if report.removed or report.removed_maps],
        "simplification": _simplification(result.passes),
        "quantization": result.quantization,
        "errors": result.errors,
    }


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
