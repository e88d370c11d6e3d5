"""Where the time goes, by kind of operator."""

from collections.abc import Sequence

from bnext_keras.charts.scale import number

from android_demo.report.charts.bars import stacked
from android_demo.report.names import NOTHING, conditions, model_names
from android_demo.report.operators import Group, by_group, by_type, classify
from android_demo.results import Measurement

_ROWS = 12


def operators(measurements: Sequence[Measurement], devices: dict[str, str]) -> dict[str, object] | None:
    """Shares, milliseconds, and the most expensive types of operators; None without profiles."""
    names = model_names(measurements)
    profiles, groups, head = [], [], ["kind"]
    for entry in measurements:
        times = by_type(entry.profile) if entry.profile else {}
        if sum(times.values()) <= 0:
            continue
        place = f", {devices[entry.device.id]}" if len(devices) > 1 else ""
        place += ", emulated" if entry.device.emulated else ""
        name, setting, sums = names[entry.model.sha256], conditions(entry) + place, by_group(times)
        head.append(f"{name}, {setting}")
        groups.append(sums)
        profiles.append(
            {
                "name": name,
                "setting": setting,
                "parts": stacked([(_class(group), time, group.label) for group, time in sums.items()]),
                "rows": _types(times),
            }
        )
    if not profiles:
        return None
    found = [group for group in Group if any(group in one for one in groups)]
    kinds = [(group.label, *(number(one[group]) if group in one else NOTHING for one in groups)) for group in found]
    return {
        "profiles": profiles,
        "legend": [(_class(group), group.label) for group in found],
        "head": head,
        "rows": [*kinds, ("all", *(number(sum(one.values())) for one in groups))],
    }


def _types(times: dict[str, float]) -> list[tuple[str, str, str, str]]:
    """Type, kind, milliseconds and share of the most expensive types; the others are one row."""
    total, items = sum(times.values()), list(times.items())
    rows = [(name, classify(name).label, time) for name, time in items[:_ROWS]]
    if items[_ROWS:]:
        rows.append((f"{len(items) - _ROWS} others", "", sum(time for _, time in items[_ROWS:])))
    return [(name, kind, number(time), f"{100 * time / total:.1f}%") for name, kind, time in rows]


def _class(group: Group) -> str:
    return group.name.lower()
