"""The frame of all pages, and the way from figures to HTML: Jinja, which escapes every one of them."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bnext_keras.charts import templates
from bnext_keras.charts.scale import number, plain
from bnext_keras.text import format_bytes

import jinja2

from android_demo.report.names import conditions, marks
from android_demo.results import Device, Measurement, State

_EMULATED = (
    "times of an emulator say nothing about any phone or board. They show that the model runs, and what it computes in "
    "which operators, not how long it takes."
)
_LCE_NOT_ARM = (
    "Larq Compute Engine's fast kernels are written for 64-bit ARM; on this processor it falls back to portable code. "
)
_NOT_ARM = "These times say little about a phone or a board."


def document(template: str, title: str, measurements: Sequence[Measurement], foot: str, **figures: object) -> str:
    """A page that needs nothing but itself.

    Args:
        template: Its file in ``templates``.
        title: Its heading.
        measurements: All that it is about; they decide about its first lines.
        foot: Its last line.
        figures: What the template shows.
    """
    frame = {"title": title, "lead": lead(measurements), "notices": notices(measurements), "foot": foot}
    return environment().get_template(template).render({"differences": (), **frame, **figures})


@cache
def environment() -> jinja2.Environment:
    """Templates, the filters that they use, and the escaping of every text that comes from outside."""
    made = templates.environment(Path(__file__).parent / "templates", templates.SHARED)
    made.filters |= {
        "bytes": format_bytes,
        "conditions": conditions,
        "marks": marks,
        "number": number,
        "plain": plain,
    }
    return made


def lead(measurements: Sequence[Measurement]) -> str:
    """One line: when, how many, with what; empty without measurements."""
    if not measurements:
        return ""
    days = sorted({entry.started_at[:10] for entry in measurements})
    models = len({entry.model.sha256 for entry in measurements})
    facts = [
        days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}",
        f"{models} model{'s' * (models > 1)}",
        f"{len(measurements)} measurement{'s' * (len(measurements) > 1)}",
        *sorted({" ".join(filter(None, (entry.tool.kind, entry.tool.version))) for entry in measurements}),
    ]
    return " · ".join(facts)


def notices(measurements: Sequence[Measurement]) -> list[tuple[str, str]]:
    """What a reader must know before the figures, as a word and a text: emulated, not ARM, throttled, failed."""
    emulated = sorted({entry.device.model or entry.device.id for entry in measurements if entry.device.emulated})
    foreign = sorted({entry.device.model or entry.device.id for entry in measurements if _not_arm(entry.device)})
    throttled = [entry for entry in measurements if entry.state is State.THROTTLED]
    noisy = [entry for entry in measurements if entry.noise]
    failed = [entry for entry in measurements if entry.state in (State.FAILED, State.TIMED_OUT)]
    share = f"of {len(measurements)} measurements"
    found = []
    if emulated:
        found.append(("Emulated.", f"{', '.join(emulated)}: {_EMULATED}"))
    if foreign:
        of_lce = any(_not_arm(entry.device) and not entry.tool.is_engine for entry in measurements)
        found.append(("Not ARM.", f"{', '.join(foreign)}: {_LCE_NOT_ARM if of_lce else ''}{_NOT_ARM}"))
    if throttled:
        reasons = "; ".join(sorted({entry.reason for entry in throttled if entry.reason}))
        slowed = f"The device slowed down in {len(throttled)} {share}, marked below"
        found.append(("Throttled.", f"{slowed}: {reasons}." if reasons else f"{slowed}."))
    if around := Counter(text for entry in measurements for text in entry.warnings):
        told = "; ".join(f"{text} ({count})" for text, count in around.items())
        found.append(("Surroundings.", f"Of {len(measurements)} measurements, this may have slowed some down: {told}."))
    if noisy:
        reasons = "; ".join(sorted({entry.noise for entry in noisy}))
        found.append(("Noisy.", f"The machine was busy in {len(noisy)} {share}, marked below: {reasons}."))
    if failed:
        found.append(("Incomplete.", f"{len(failed)} {share} failed; their reasons stand below."))
    return found


def _not_arm(device: Device) -> bool:
    return not device.emulated and device.abi.startswith(("x86", "i686", "amd64"))
