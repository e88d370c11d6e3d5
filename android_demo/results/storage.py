"""The file of results: read, written, merged."""

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras.errors import BenchmarkError
from bnext_keras.files import file_errors_as, write_atomically
from bnext_keras.text import counted

from android_demo.records import Record, decode, encode
from android_demo.results.measurement import Measurement, State

#: Version of the files that `save` writes.
SCHEMA_VERSION = "1.3"

#: States from best to worst.
_RANKS = (State.OK, State.THROTTLED, State.TIMED_OUT, State.FAILED)


@dataclass(frozen=True, kw_only=True, repr=False)
class Results(Record):
    """Everything in one file.

    Attributes:
        schema_version: Version of the file that it was read from, MAJOR.MINOR.
        measurements: In the order in which they were made.
    """

    schema_version: str = SCHEMA_VERSION
    measurements: tuple[Measurement, ...] = ()

    def __repr__(self) -> str:
        devices = {entry.device.id for entry in self.measurements}
        count = len(self.measurements)
        return f"<Results: {counted(count, 'measurement')} on {counted(len(devices), 'device')}>"

    def _repr_html_(self) -> str:
        """What a notebook shows: the table of the terminal."""
        # Reports read results, so results cannot import them at the top.
        from android_demo.report.notebook import render_table

        return render_table(self)

    def done(self) -> set[tuple]:
        """Keys of the measurements that need not be repeated, because they are ok or throttled."""
        return {entry.key for entry in self.measurements if entry.state in (State.OK, State.THROTTLED)}

    def adding(self, measurement: Measurement) -> "Results":
        """These results with one more measurement, which replaces any that has its key."""
        others = (entry for entry in self.measurements if entry.key != measurement.key)
        return replace(self, measurements=(*others, measurement))


def load(path: Path) -> Results:
    """Reads a file of results.

    Raises:
        BenchmarkError: if it cannot be read, is no file of results, or is of another major version.
    """
    try:
        content = json.loads(path.read_bytes(), parse_constant=_refuse)
        # What can be read but not written, half a surrogate pair or lists 900 deep, must not be found by `save`.
        _to_json(content)
    except OSError as error:
        raise BenchmarkError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: is no file of results ({error})") from error
    if not isinstance(content, dict) or "schema_version" not in content:
        raise BenchmarkError(f"{path}: is no file of results (it has no schema_version)")
    try:
        _check_version(content["schema_version"])
        if "measurements" not in content:
            raise BenchmarkError("the field 'measurements' is missing")
        return decode(Results, content, "results")
    except BenchmarkError as error:
        raise BenchmarkError(f"{path}: {error}") from error


def save(results: Results, path: Path) -> None:
    """Writes a file of results, whole or not at all.

    What came from a file of a newer minor version keeps that version.

    Raises:
        BenchmarkError: if it cannot be written; what was there before is untouched.
    """
    version = max(results.schema_version, SCHEMA_VERSION, key=_parts)
    try:
        content = {"schema_version": version, "measurements": [], **encode(replace(results, schema_version=version))}
        text = _to_json(content)
    except (ValueError, RecursionError) as error:
        raise BenchmarkError(f"{path}: cannot be written ({error})") from error
    with file_errors_as(BenchmarkError):
        write_atomically(path, text)


def merge(*results: Results) -> Results:
    """All measurements. Of several with the same key the one with the best state stays, then the latest one."""
    chosen: dict[tuple, Measurement] = {}
    for measurement in (entry for one in results for entry in one.measurements):
        rival = chosen.get(measurement.key)
        if rival is None or _rank(measurement) >= _rank(rival):
            chosen[measurement.key] = measurement
    version = max((one.schema_version for one in results), key=_parts, default=SCHEMA_VERSION)
    extra = {name: item for one in results for name, item in one.extra.items()}
    return Results(schema_version=version, measurements=tuple(chosen.values()), extra=extra)


def _to_json(content):
    return (json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _rank(measurement):
    return -_RANKS.index(measurement.state), not measurement.noise, measurement.started_at


def _parts(version):
    return tuple(map(int, version.split(".")))


def _check_version(version):
    if not isinstance(version, str) or not re.fullmatch(r"\d{1,6}\.\d{1,6}", version):
        raise BenchmarkError(f"schema_version is {version!r}, but must be a text like {SCHEMA_VERSION!r}")
    if _parts(version)[0] != _parts(SCHEMA_VERSION)[0]:
        raise BenchmarkError(
            f"schema_version is {version}, and this program reads {_parts(SCHEMA_VERSION)[0]}.x; "
            "use the version of bnext-benchmark that wrote the file"
        )


def _refuse(constant):
    raise ValueError(f"{constant} is no number of JSON")
