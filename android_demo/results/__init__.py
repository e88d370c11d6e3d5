"""What was measured, on what, how and when: the file that ``bnext-benchmark`` writes and every report reads.

A `Results` is a list of `Measurement`, each complete in itself: files of several devices can be merged, and a
measurement cut out of one still says what it is. Everything is immutable; use `dataclasses.replace`.

The file is JSON with a ``schema_version`` MAJOR.MINOR. A minor version adds fields, and nothing else: a reader takes
every minor version of its major one, and what it does not know it keeps and writes back. Fields without content are
left out. Emulated devices are marked as such.

>>> from pathlib import Path
>>> import tempfile
>>> device = Device(kind=Kind.QEMU, id="qemu-aarch64")
>>> model = ModelFile(name="quicknet.tflite", sha256="ab" * 32, bytes=4_170_000, top1_percent=63.3)
>>> measurement = Measurement(
...     device=device, tool=Tool(kind="lce_benchmark_model"), model=model, settings=Settings(threads=1),
...     state=State.FAILED, reason="the tool stopped with signal 4", started_at=timestamp(),
... )
>>> path = Path(tempfile.mkdtemp(), "results.json")
>>> save(Results().adding(measurement), path)
>>> load(path).measurements[0].device.emulated, load(path).done()
(True, set())
"""

from android_demo.results.measurement import (
    SINGLE_STREAM_QUERIES,
    SINGLE_STREAM_SECONDS,
    Latency,
    Measurement,
    Repetition,
    State,
    ThermalSample,
    timestamp,
)
from android_demo.results.storage import SCHEMA_VERSION, Results, load, merge, save
from android_demo.results.subjects import (
    ENGINE,
    ENGINE_IN_APP,
    Core,
    Device,
    Kind,
    ModelFile,
    Settings,
    Tool,
    describe_file,
    hashed_serial,
    measurement_key,
)
from android_demo.results.surroundings import Energy, Surroundings, hottest_zone

__all__ = [
    "ENGINE",
    "ENGINE_IN_APP",
    "SCHEMA_VERSION",
    "SINGLE_STREAM_QUERIES",
    "SINGLE_STREAM_SECONDS",
    "Core",
    "Device",
    "Energy",
    "Kind",
    "Latency",
    "Measurement",
    "ModelFile",
    "Repetition",
    "Results",
    "Settings",
    "State",
    "Surroundings",
    "ThermalSample",
    "Tool",
    "describe_file",
    "hashed_serial",
    "hottest_zone",
    "load",
    "measurement_key",
    "merge",
    "save",
    "timestamp",
]
