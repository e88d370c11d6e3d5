"""One measurement in the making: repetitions of one tool on one model, with samples before, between and after."""

import time
from collections.abc import Callable
from dataclasses import replace

from bnext_keras.errors import BenchmarkError, DeviceLost

from android_demo.results import Kind, Measurement, Repetition, State, ThermalSample, timestamp
from android_demo.session.accuracy import classes_in, measure_top1
from android_demo.session.outcome import why_failed
from android_demo.session.procedure import Procedure
from android_demo.session.throttling import noisy, throttled
from android_demo.targets import Target
from android_demo.targets.facts import Sample
from android_demo.tools import benchmark_model
from android_demo.tools.choice import Model
from android_demo.tools.programs import InstalledTool

#: Takes a line about what happens now, for people who wait.
Progress = Callable[[str], None]

#: Lines of a failed tool's output that are kept.
_LOG_LINES = 20


class Job:
    """One measurement in the making.

    Attributes:
        measurement: As far as it has come; FAILED until it is done.
        lost: The error that says so, if the device is gone.
    """

    def __init__(
        self,
        target: Target,
        model: Model,
        tool: InstalledTool,
        procedure: Procedure,
        progress: Progress,
        empty: Measurement,
    ):
        self.measurement = empty
        self.lost: DeviceLost | None = None
        self._target = target
        self._model = model
        self._tool = tool
        self._procedure = procedure
        self._progress = progress
        self._samples: list[Sample] = []
        self._start = time.monotonic()
        self._title = f"{target.name}: {model.path.name}, {empty.settings.threads} thread(s)"

    def run(self) -> None:
        """Measures; what goes wrong on the device ends up in the measurement."""
        try:
            self._run()
        except DeviceLost as error:
            self.lost = error
            self._end(State.FAILED, str(error))
        except BenchmarkError as error:
            self._end(State.FAILED, str(error))

    def _run(self):
        self._progress(f"{self._title}: copying")
        model = self._target.push(self._model.file)
        self._sample("before")
        repetitions = self.measurement.settings.repetitions
        for number in range(repetitions):
            if number:
                self._cool_down()
            self._progress(f"{self._title}: repetition {number + 1} of {repetitions}")
            if not self._repeat(model):
                return
        notes = []
        if self._procedure.profile and self._tool.profiles:
            self._cool_down()
            self._progress(f"{self._title}: profile")
            if not self._repeat(model, profiled=True):
                notes.append(f"no profile: {self.measurement.reason}")
        if self._procedure.test_data and self._tool.answers:
            notes += self._measure_accuracy(model, self._procedure.test_data)
        self._sample("after")
        outputs = [entry.output for entry in self.measurement.repetitions if not entry.profiled]
        means = [output.inference_avg_us for output in outputs if output.inference_avg_us is not None]
        settings, device = self.measurement.settings, self.measurement.device
        reason = throttled(self._samples, device.cores, settings.pinned_mask, means)
        if device.kind is Kind.HOST:
            loads = [sample.load for sample in self._samples if sample.load is not None]
            noise = noisy(loads, max(len(device.cores), settings.threads), self.measurement)
            self.measurement = replace(self.measurement, noise=noise)
        # What failed here is a pity, but takes nothing from the times that were measured before.
        self._end(State.THROTTLED if reason else State.OK, reason or "; ".join(notes))

    def _measure_accuracy(self, model, data):
        """Fills in the accuracy; returns why not, if it cannot."""
        try:
            top1 = measure_top1(
                self._target,
                self._tool,
                model,
                data,
                classes=classes_in(self._model.path),
                threads=self.measurement.settings.threads,
                timeout=self._procedure.timeout,
                progress=lambda text: self._progress(f"{self._title}: {text}"),
            )
        except DeviceLost:
            raise
        except BenchmarkError as error:
            return [f"no accuracy: {error}"]
        source = f"measured there, {len(data.images)} images"
        record = replace(self.measurement.model, top1_percent=top1, accuracy_source=source)
        self.measurement = replace(self.measurement, model=record)
        return []

    def _cool_down(self):
        self._progress(f"{self._title}: cooling down for {self._procedure.cool_down:g} s")
        time.sleep(self._procedure.cool_down)
        self._sample("between")

    def _repeat(self, model, profiled=False):
        """Starts the tool once; returns whether it is worth going on."""
        settings = self.measurement.settings
        *launcher, program = self._tool.program
        arguments = benchmark_model.command(program, model, settings, profiling=profiled)
        started_at, start = timestamp(), time.monotonic()
        done = self._target.run([*launcher, *arguments], self._procedure.timeout, settings.pinned_mask)
        output = benchmark_model.parse(done.stdout, done.stderr)
        good = done.exit_code == 0 and output.complete
        repetition = Repetition(
            started_at=started_at,
            seconds=round(time.monotonic() - start, 3),
            output=output,
            exit_code=done.exit_code,
            profiled=profiled,
            log="" if good else "\n".join((done.stdout + done.stderr).splitlines()[-_LOG_LINES:]),
        )
        self.measurement = replace(self.measurement, repetitions=(*self.measurement.repetitions, repetition))
        if done.exit_code is None:
            self._end(State.TIMED_OUT, f"stopped after {self._procedure.timeout:g} s; --timeout gives it more")
        elif not good:
            self._end(State.FAILED, why_failed(self._tool.record.kind, done.exit_code, output))
        return good

    def _sample(self, moment):
        sample = self._target.sample()
        self._samples.append(sample)
        record = ThermalSample(
            moment=moment,
            seconds=round(time.monotonic() - self._start, 3),
            celsius=sample.celsius,
            mhz=sample.mhz or None,
            status=sample.status,
            load=sample.load,
        )
        self.measurement = replace(self.measurement, thermal=(*self.measurement.thermal, record))

    def _end(self, state, reason):
        self.measurement = replace(self.measurement, state=state, reason=reason)
