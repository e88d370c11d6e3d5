"""A measuring session: every model with all settings on one device after the other, kept as it comes.

What fails, fails alone; the file of results is whole after every measurement, so that a later session can go on.
"""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

from bnext_keras.errors import DeviceError

from android_demo.results import Device, Kind, Measurement, Settings, State, measurement_key, timestamp
from android_demo.session.job import Job, Progress
from android_demo.session.preparation import prepared
from android_demo.session.procedure import Procedure
from android_demo.session.store import Store
from android_demo.targets import Target
from android_demo.targets.facts import fastest_cores
from android_demo.tools.benchmark_model import check_flags
from android_demo.tools.choice import Model
from android_demo.tools.programs import InstalledTool


@dataclass(frozen=True)
class Session:
    """What is the same on every device.

    Attributes:
        settings: How the tool is run; each makes a measurement of every model. ``pinned_mask`` and ``kernels`` are
            filled in, because they depend on device and model.
        procedure: What surrounds these runs.
        store: Takes every measurement as it comes. What it holds already is not measured again.
        progress: Takes a line about what happens now.
        warn: Takes a line about what cannot be done as the user wants it.

    Raises:
        BenchmarkError: if a flag in the settings cannot be used.
    """

    settings: Sequence[Settings]
    procedure: Procedure
    store: Store
    progress: Progress
    warn: Progress = lambda text: None

    def __post_init__(self):
        for wanted in self.settings:
            check_flags(wanted.flags)

    def run(self, target: Target, models: Sequence[Model]) -> Generator[Measurement, None, None]:
        """Measures on one device; yields each measurement once it is in the file, whatever became of it.

        Whoever may not come to the end closes it, so that what was changed on the device is changed back then.

        Raises:
            DeviceLost: if the device is gone; the measurement that it interrupted has been yielded before.
            BenchmarkError: if results cannot be written, or a tool cannot be brought to the device.
        """
        target.stop_leftovers()
        fixed = any(wanted.clocks == "fixed" for wanted in self.settings)
        with prepared(target, self.procedure, fixed, self.warn) as is_fixed:
            yield from self._run(target, models, is_fixed)

    def _run(self, target: Target, models: Sequence[Model], is_fixed: bool) -> Iterator[Measurement]:
        device = target.describe()
        for model in models:
            self.progress(f"{target.name}: getting {model.tool.kind} ready")
            tool = model.tool.install(target)
            for wanted in self.settings:
                mask, kernels = self._mask(target, wanted.threads), _kernels(wanted.kernels, device, model)
                settings = replace(wanted, pinned_mask=mask, kernels=kernels, clocks="fixed" if is_fixed else "")
                if measurement_key(device, tool.record, model.record, settings) in self.store.results.done():
                    continue
                empty = _nothing_yet(device, tool, model, settings, self.procedure.who)
                job = Job(target, model, tool, self.procedure, self.progress, empty)
                try:
                    job.run()
                finally:
                    # Ctrl-C too leaves a record of what it interrupted.
                    self.store.add(job.measurement)
                yield job.measurement
                if job.lost is not None:
                    raise job.lost

    def _mask(self, target: Target, threads: int) -> str:
        """The cores to pin to, as taskset's hexadecimal mask; empty to leave them to the scheduler."""
        pin = self.procedure.pin
        if pin == "big":
            return fastest_cores(target.facts.cores, threads) if target.can_pin else ""
        if pin == "none":
            return ""
        if not target.can_pin:
            raise DeviceError("programs cannot be pinned to cores there", where=target.name, remedy="use --pin none")
        return pin


def _kernels(chosen: str, device: Device, model: Model) -> str:
    """LCE's kernels for a model, as results name them; for one without binary convolutions there is no choice.

    Unless the user chose, they are those that a conversion's report times: the faster ones of this machine. On x86,
    where the default ones are portable code, these are the indirect ones; on ARM the default ones.
    """
    if not chosen and device.kind is Kind.HOST and device.abi.startswith(("x86", "i686", "amd64")):
        chosen = "indirect"
    return chosen if chosen == "indirect" and model.lce else ""


def _nothing_yet(device: Device, tool: InstalledTool, model: Model, settings: Settings, who: str) -> Measurement:
    """The record of a measurement that was cut short before anything came of it."""
    return Measurement(
        device=device,
        tool=tool.record,
        model=model.record,
        settings=settings,
        state=State.FAILED,
        reason="interrupted",
        started_at=timestamp(),
        who=who,
    )
