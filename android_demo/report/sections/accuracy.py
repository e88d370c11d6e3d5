"""Accuracy against latency, with what was published elsewhere as orientation."""

from collections.abc import Sequence

from android_demo.report.anchors import anchors
from android_demo.report.charts.scatter import SHAPES, Point, outline, scatter
from android_demo.report.names import model_names
from android_demo.results import Measurement, State


def accuracy(measurements: Sequence[Measurement], devices: dict[str, str]) -> dict[str, object] | None:
    """The charts, their legend, and a table of what was published.

    None if no accuracy is known of a model that ran on silicon.
    """
    names, order = model_names(measurements), list(devices)
    points, models = [], []
    for entry in measurements:
        latency, percent = entry.latency, entry.model.top1_percent
        if latency is None or percent is None or entry.device.emulated:
            continue
        models.append(entry.device.model)
        points.append(
            Point(
                name=names[entry.model.sha256],
                ms=latency.mean_ms,
                percent=percent,
                threads=entry.settings.threads,
                device=order.index(entry.device.id),
                throttled=entry.state is State.THROTTLED or bool(entry.noise),
            )
        )
    if not points:
        return None
    series = anchors(models)
    used = sorted({point.device for point in points})
    measured = [(f"device{index % 4}", f"measured, {devices[order[index]]}") for index in used]
    if any(point.throttled for point in points):
        measured.append((f"throttled device{used[0] % 4}", "throttled or noisy"))
    return {
        # Text does not shrink with a drawing, so that narrow screens get one of their own.
        "charts": [scatter(points, series, 960, 470, "wide"), scatter(points, series, 390, 400, "narrow")],
        "measured": measured,
        "published": [
            (outline(SHAPES[index % len(SHAPES)], 6, 6), f"published: {one.label}") for index, one in enumerate(series)
        ],
        "rows": [
            (name, f"{ms:g}", f"{percent:g}", one.conditions, one.source)
            for one in series
            for name, ms, percent in one.points
        ],
    }
