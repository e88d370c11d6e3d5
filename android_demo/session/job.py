"""One measurement in the making: repetitions of one tool on one model, with samples before, between and after."""

import time
from collections.abc import Callable
from dataclasses import replace

from bnext_keras.errors import BenchmarkError, DeviceLost

from android_demo.results import (
    SINGLE_STREAM_QUERIES,
    SINGLE_STREAM_SECONDS,
    Kind,
    Measurement,
    Repetition,
    Settings,
    State,
    ThermalSample,
    timestamp,
)
from android_demo.session.accuracy import measure_top1
from android_demo.session.alongside import alongside
from android_demo.session.cooling import wait_until_cool
from android_demo.session.energy import measure_energy
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
        self._notes: list[str] = []
        self._start_time = time.monotonic()
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
        settings = self.measurement.settings
        model = self._target.push(self._model.file)
        self._look_around("before")
        if self._procedure.cool_to is not None:
            self._cool_to(self._procedure.cool_to)
        self._sample("before")
        good = self._repeat_all(model) if settings.sustain_minutes is None else self._sustain(model)
        if not good:
            return
        if self._procedure.profile and self._tool.profiles and settings.sustain_minutes is None:
            self._cool_down()
            self._progress(f"{self._title}: profile")
            if not self._repeat(model, profiled=True):
                self._notes.append(f"no profile: {self.measurement.reason}")
        if self._procedure.test_data and self._tool.answers:
            test_data = self._procedure.test_data
            self._try("accuracy", lambda: self._measure_accuracy(model, test_data))
        if self._procedure.energy:
            self._try("energy", lambda: self._measure_energy(model))
        self._sample("after")
        self._look_around("after")
        if _wants_single_stream(settings) and self._percentile_lacks():
            self._notes.append(f"no 90th percentile: {self._tool.record.kind} does not print one")
        outputs = [entry.output for entry in self.measurement.repetitions if not entry.profiled]
        means = [output.inference_avg_us for output in outputs if output.inference_avg_us is not None]
        device = self.measurement.device
        reason = throttled(self._samples, device.cores, settings.pinned_mask, means, bounded=settings.clocks == "fixed")
        if device.kind is Kind.HOST:
            loads = [sample.load for sample in self._samples if sample.load is not None]
            noise = noisy(loads, max(len(device.cores), settings.threads), self.measurement)
            self.measurement = replace(self.measurement, noise=noise)
        # What failed here is a pity, but takes nothing from the times that were measured before.
        self._end(
            State.THROTTLED if reason else State.OK, "; ".join(dict.fromkeys(filter(None, [reason, *self._notes])))
        )

    def _repeat_all(self, model):
        repetitions = self.measurement.settings.repetitions
        for number in range(repetitions):
            if number:
                self._cool_down()
            self._progress(f"{self._title}: repetition {number + 1} of {repetitions}")
            if not self._repeat(model):
                return False
        return True

    def _sustain(self, model):
        """Repetitions without a pause, with samples while they run: what heat and clocks do is what is wanted here."""
        settings = self.measurement.settings
        start, every = self._elapsed(), (settings.min_seconds or 1.0) / 2
        while (minutes := (self._elapsed() - start) / 60) < settings.sustain_minutes:
            self._tell(f"{minutes:.1f} of {settings.sustain_minutes:g} minutes")
            with alongside(lambda: (self._elapsed(), self._target.sample()), every) as found:
                good = self._repeat(model)
            for after, sample in found:
                self._keep(sample, "during", after)
            if not good:
                return False
        return True

    def _try(self, what, measure):
        """Measures something beside the times; if it cannot be, takes nothing from these."""
        try:
            measure()
        except DeviceLost:
            raise
        except BenchmarkError as error:
            self._notes.append(f"no {what}: {error}")

    def _measure_accuracy(self, model, test_data):
        data = test_data.fitted_to(self._model.path)
        top1, images = measure_top1(
            self._target,
            self._tool,
            model,
            data,
            threads=self.measurement.settings.threads,
            timeout=self._procedure.timeout,
            progress=self._tell,
        )
        self._notes += filter(None, [data.assumed, data.broken.summary() if data.broken else ""])
        source = f"measured there, {images} images"
        record = replace(self.measurement.model, top1_percent=top1, accuracy_source=source)
        self.measurement = replace(self.measurement, model=record)

    def _measure_energy(self, model):
        def run(settings: Settings) -> float:
            done, output = self._start(model, settings)
            if done.exit_code != 0 or output.inference_avg_us is None:
                raise BenchmarkError(why_failed(self._tool.record.kind, done.exit_code or 0, output))
            return output.inference_avg_us / 1000

        found = measure_energy(self._target, run, self.measurement.settings, self._tell)
        self.measurement = replace(self.measurement, energy=found)

    def _percentile_lacks(self):
        outputs = [entry.output for entry in self.measurement.repetitions if not entry.profiled]
        return all(output.inference is None or output.inference.p90 is None for output in outputs)

    def _cool_down(self):
        if self._procedure.cool_to is None or not self._cool_to(self._procedure.cool_to):
            self._tell(f"cooling down for {self._procedure.cool_down:g} s")
            time.sleep(self._procedure.cool_down)
        self._sample("between")

    def _cool_to(self, celsius):
        """Returns whether the device has come down to that; a note says if it has not."""
        why = wait_until_cool(celsius, self._target.sample, self._tell)
        if why:
            self._notes.append(f"not cooled down: {why}")
        return not why

    def _tell(self, text):
        self._progress(f"{self._title}: {text}")

    def _elapsed(self):
        return time.monotonic() - self._start_time

    def _repeat(self, model, profiled=False):
        """Starts the tool once; returns whether it is worth going on."""
        settings = self.measurement.settings
        if profiled:
            settings = replace(settings, runs=min(settings.runs, Settings.runs), min_seconds=None)
        started_at, after, start = timestamp(), self._elapsed(), time.monotonic()
        done, output = self._start(model, settings, profiled)
        good = done.exit_code == 0 and output.complete
        repetition = Repetition(
            started_at=started_at,
            after_seconds=round(after, 3),
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

    def _start(self, model, settings, profiled=False):
        """Starts the tool once; returns what became of the command, and what it printed."""
        *launcher, program = self._tool.program
        arguments = benchmark_model.command(program, model, settings, profiling=profiled)
        done = self._target.run([*launcher, *arguments], self._procedure.timeout, settings.pinned_mask)
        return done, benchmark_model.parse(done.stdout, done.stderr)

    def _look_around(self, moment):
        found = (*self.measurement.surroundings, self._target.surroundings(moment))
        self.measurement = replace(self.measurement, surroundings=found)

    def _sample(self, moment):
        self._keep(self._target.sample(), moment, self._elapsed())

    def _keep(self, sample, moment, after):
        self._samples.append(sample)
        record = ThermalSample(
            moment=moment,
            seconds=round(after, 3),
            celsius=sample.celsius,
            mhz=sample.mhz or None,
            status=sample.status,
            load=sample.load,
        )
        self.measurement = replace(self.measurement, thermal=(*self.measurement.thermal, record))

    def _end(self, state, reason):
        self.measurement = replace(self.measurement, state=state, reason=reason)


def _wants_single_stream(settings):
    return settings.runs >= SINGLE_STREAM_QUERIES and (settings.min_seconds or 0) >= SINGLE_STREAM_SECONDS
