"""A measuring session: every model on every device with every number of threads, kept as it comes.

What fails, fails alone; the file of results is whole after every measurement, so that a later session can go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from bnext_keras.errors import BenchmarkError

from android_demo.results import Measurement, Settings, State, measurement_key, timestamp
from android_demo.session.job import Job, Progress
from android_demo.session.plan import Plan
from android_demo.session.store import Store
from android_demo.targets import Target
from android_demo.targets.facts import fastest_cores
from android_demo.tools.choice import Model


@dataclass
class Session:
    """Carries out a plan.

    Args:
        plan: How to measure.
        store: Takes every measurement as it comes; what is done in it already is not measured again.
        progress: Is told what happens.
    """

    plan: Plan
    store: Store
    progress: Progress

    def run(self, target: Target, models: list[Model]) -> Iterator[Measurement]:
        """Measures on one device; gives each measurement when it is in the file, whatever became of it.

        Raises:
            DeviceLost: if the device is gone; the measurement that it interrupted has been given before.
            BenchmarkError: if results cannot be written, or a tool cannot be brought to the device.
        """
        target.stop_leftovers()
        device = target.describe()
        for model in models:
            self.progress(f"{target.name}: getting {model.tool.kind} ready")
            tool = model.tool.install(target)
            for threads in self.plan.threads:
                settings = self._settings(target, threads)
                if measurement_key(device, tool.record, model.record, settings) in self.store.results.done():
                    continue
                subjects = {"device": device, "tool": tool.record, "model": model.record, "settings": settings}
                job = Job(target, model, tool, self.plan, self.progress, _nothing_yet(subjects))
                try:
                    job.run()
                finally:
                    self.store.add(job.measurement)
                yield job.measurement
                if job.lost is not None:
                    raise job.lost

    def _settings(self, target, threads):
        plan, mask = self.plan, ""
        if plan.pin == "big":
            mask = fastest_cores(target.facts.cores, threads) if target.can_pin else ""
        elif plan.pin != "none":
            mask = plan.pin
            if not target.can_pin:
                raise BenchmarkError(f"{target.name}: programs cannot be pinned to cores there; use --pin none")
        return Settings(
            threads=threads,
            runs=plan.runs,
            warmup_runs=plan.warmup_runs,
            repetitions=plan.repetitions,
            flags=plan.flags,
            pinned_mask=mask,
        )


def _nothing_yet(subjects):
    """The record of a measurement that was cut short before anything came of it."""
    return Measurement(**subjects, state=State.FAILED, reason="interrupted", started_at=timestamp())
