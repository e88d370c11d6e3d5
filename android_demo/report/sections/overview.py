"""What a page says first: one row a model and device."""

from collections.abc import Sequence

from android_demo.report.names import grouped, model_names
from android_demo.results import Measurement


def overview(measurements: Sequence[Measurement], devices: dict[str, str]) -> list[dict[str, object]]:
    """Accuracy, fastest latency and growth of memory of every model on every device."""
    names = model_names(measurements)
    rows: list[dict[str, object]] = []
    for (device, digest), group in grouped(measurements, lambda entry: (entry.device.id, entry.model.sha256)):
        timed = [(entry.latency.mean_ms, entry) for entry in group if entry.latency]
        best, *others = [entry for _, entry in sorted(timed, key=lambda item: item[0])] or [None]
        rows.append(
            {
                "name": names[digest],
                "model": group[0].model,
                "place": f", {devices[device]}" if len(devices) > 1 else "",
                "best": best,
                "others": others[:3],
                "memory_mb": max(
                    (entry.memory_growth_mb for entry in group if entry.memory_growth_mb is not None), default=None
                ),
            }
        )
    return rows
