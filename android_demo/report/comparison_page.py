"""The page about two files of results."""

from collections.abc import Sequence

from bnext_keras.charts.scale import number

from android_demo.report.comparison import Comparison, compare
from android_demo.report.document import document
from android_demo.report.names import change, conditions, model_names, short_names
from android_demo.report.operators import Group, by_group, by_type
from android_demo.report.ratio_rows import pair_title, ratio_rows
from android_demo.report.sections.facts import device_facts
from android_demo.results import Measurement, Results


def render_comparison(before: Results, after: Results, names: tuple[str, str] = ("before", "after")) -> str:
    """An HTML page that needs nothing but itself: ratios, their uncertainty, and what else differs.

    Args:
        before: What is compared with.
        after: What is compared.
        names: What to call the two; of paths, what they share is left out.
    """
    names = short_names(*names)
    found = compare(before, after)
    return document(
        "comparison.html",
        f"{names[1]} against {names[0]}",
        (*before.measurements, *after.measurements),
        f"Results files, schema {before.schema_version} and {after.schema_version}.",
        names=names,
        differences=found.differences,
        latencies=ratio_rows(found.ratios()),
        profiles=_profiles(found),
        unmatched=_unmatched(found, names),
        devices=[(name, device_facts(one.measurements)) for name, one in zip(names, (before, after), strict=True)],
    )


def _profiles(found: Comparison) -> list[tuple[str, list[tuple[str, str, str, str]]]]:
    """A title, and rows of kind, milliseconds before, after, and their difference."""
    tables = []
    for old, new in found.pairs:
        if not (old.profile and new.profile):
            continue
        ours, theirs = by_group(by_type(old.profile)), by_group(by_type(new.profile))
        rows = [
            (group.label, ours.get(group, 0.0), theirs.get(group, 0.0))
            for group in Group
            if group in ours.keys() | theirs.keys()
        ]
        rows.append(("all", sum(ours.values()), sum(theirs.values())))
        cells = [(label, number(before), number(after), _difference(after - before)) for label, before, after in rows]
        tables.append((f"{pair_title(old, new)}, {change(conditions(old), conditions(new))}", cells))
    return tables


def _difference(milliseconds: float) -> str:
    return ("+" if milliseconds > 0 else "\u2212" if milliseconds < 0 else "") + number(abs(milliseconds))


def _unmatched(found: Comparison, names: tuple[str, str]) -> list[tuple[str, list[str]]]:
    timed = [old for old, _, _ in found.ratios()]
    lists: dict[str, Sequence[Measurement]] = {
        f"Only in {names[0]}": found.only_before,
        f"Only in {names[1]}": found.only_after,
        "Without a latency in one of the two": [old for old, _ in found.pairs if old not in timed],
    }
    parts = []
    for title, entries in lists.items():
        known = model_names(entries)
        lines = [
            f"{known[entry.model.sha256]}, {conditions(entry)}, {entry.device.model or entry.device.id}"
            for entry in entries
        ]
        if lines:
            parts.append((title, lines))
    return parts
