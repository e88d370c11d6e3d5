"""Energy of an inference, as a battery tells it: what the whole device takes more than when it idles.

The device idles, runs the model without a pause, and idles again, a minute each, while its battery is asked every two
seconds for current and voltage. Idling is what it does anyway, with the same screen, radios and questions; the rest is
the model's, and that of everything that works for it. A device on the charger tells nothing of this and is refused.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from bnext_keras.errors import BenchmarkError

from android_demo.results import Energy, Settings
from android_demo.session.alongside import alongside
from android_demo.targets import Target
from android_demo.targets.surroundings import PowerSample, mean_power

#: Seconds of each part; between two questions; that a model may take to start, which are left out.
SECONDS = 60.0
_EVERY, _START = 2.0, 4.0


def measure_energy(
    target: Target, run: Callable[[Settings], float], settings: Settings, progress: Callable[[str], None]
) -> Energy:
    """Measures the energy of an inference, in some three minutes.

    Args:
        target: The device.
        run: Runs the model with settings; returns the mean time of an inference in milliseconds.
        settings: Of the measurement, of which threads, cores and flags count.
        progress: Takes a line about how far it has come.

    Raises:
        BenchmarkError: if the device is on the charger, or does not tell current and voltage.
    """
    around = target.surroundings("before")
    if around.charger != "none":
        where = (
            f"it is on the charger ({around.charger})" if around.charger else "it does not tell whether it is charged"
        )
        raise BenchmarkError(f"{where}; unplug it and reach it over Wi-Fi: adb tcpip 5555, adb connect ADDRESS")
    progress("energy, idling")
    before = _power(_idle(target))
    progress("energy, running")
    with alongside(target.power, _EVERY) as samples:
        inference_ms = run(replace(settings, runs=1, min_seconds=SECONDS + 2 * _START, sustain_minutes=None))
    busy = _power(_without_ends([sample for sample in samples if sample is not None]))
    progress("energy, idling again")
    after = _power(_idle(target))
    idle = (before.milliwatts + after.milliwatts) / 2
    if busy.milliwatts <= idle:
        raise BenchmarkError(
            f"it took no more power busy ({busy.milliwatts:.0f} mW) than idle ({idle:.0f} mW): something else ran"
        )
    return Energy(
        # Inferences follow each other, so that each lasts as long as its share of the power.
        millijoules=(busy.milliwatts - idle) * inference_ms / 1000,
        idle_mw=idle,
        busy_mw=busy.milliwatts,
        seconds=busy.seconds,
        source=busy.source,
        inference_ms=inference_ms,
    )


def _idle(target):
    samples: list[PowerSample] = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or len(samples) < 2:
        time.sleep(_EVERY)
        found = target.power()
        if found is None:
            break
        samples.append(found)
    return samples


def _without_ends(samples):
    """Without what was told before the model ran and when it had ended."""
    if not samples:
        return samples
    first = samples[0].seconds + _START
    return [sample for sample in samples[:-1] if sample.seconds >= first]


def _power(samples):
    found = mean_power(samples)
    if found is None:
        raise BenchmarkError("it does not tell the current and the voltage of a battery")
    return found
