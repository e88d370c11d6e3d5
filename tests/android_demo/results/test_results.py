"""The file of results: what comes back, what is refused, what is kept; and the latency that follows."""

import json
import os
from dataclasses import replace

from bnext_keras.errors import BenchmarkError

import pytest
from sample_results import EMULATOR, MODEL, PHONE, PROFILE, TOOL, measurement, repetition

from android_demo.results import (
    Device,
    Kind,
    Results,
    Settings,
    State,
    describe_file,
    hashed_serial,
    load,
    measurement_key,
    merge,
    save,
)
from android_demo.tools.benchmark_model import parse


@pytest.fixture
def path(tmp_path):
    return tmp_path / "results.json"


def saved(path, *measurements):
    save(Results(measurements=measurements), path)
    return json.loads(path.read_text())


def test_everything_comes_back(path):
    results = Results(
        measurements=(
            measurement(10.0, 12.0, profile=PROFILE, flags=("--use_xnnpack=false",), pinned_mask="f0"),
            measurement(state=State.FAILED, reason="signal 9", device=EMULATOR),
        )
    )
    save(results, path)
    assert load(path) == results


def test_what_the_tool_printed_comes_back(path):
    output = parse(
        "STARTING!\n"
        "Explicitly applied XNNPACK delegate, and the model graph will be completely executed by the delegate.\n"
        "WARN: Unconsumed cmdline flags: --x=1\ncount=0\n== Run Order ==\n\t[node type]\t[avg ms]\n\tADD\t1.5\n"
    )
    one = measurement(10.0)
    one = replace(one, repetitions=(replace(one.repetitions[0], output=output, extra={"samples_us": [1.5, 2.5]}),))
    save(Results(measurements=(one,)), path)
    (found,) = load(path).measurements[0].repetitions
    assert found.output == output
    assert found.extra["samples_us"] == [1.5, 2.5]


def test_the_file_is_plain_json_without_empty_fields(path):
    content = saved(path, measurement(10.0))
    assert content["schema_version"] == "1.3"
    (entry,) = content["measurements"]
    assert entry["state"] == "ok"
    assert entry["settings"] == {"threads": 1, "runs": 50, "warmup_runs": 1, "repetitions": 1}
    assert entry["device"]["cores"][2] == {"index": 2, "max_mhz": 2400.0, "name": "Cortex-A76", "governor": "schedutil"}
    assert "reason" not in entry


def test_results_without_measurements_are_a_file_too(path):
    assert saved(path) == {"schema_version": "1.3", "measurements": []}
    assert load(path) == Results()


def test_emulated_devices_are_marked_in_the_file(path):
    content = saved(path, measurement(10.0, device=EMULATOR), measurement(10.0))
    assert [entry["device"]["emulated"] for entry in content["measurements"]] == [True, False]


def test_the_mark_of_an_emulator_cannot_be_edited_away(path):
    content = saved(path, measurement(10.0, device=EMULATOR))
    content["measurements"][0]["device"]["emulated"] = False
    path.write_text(json.dumps(content))
    assert load(path).measurements[0].device.emulated


def test_androids_emulator_can_be_marked():
    assert Device(kind=Kind.ADB, id="emulator-5554", emulated=True).emulated


def test_unknown_fields_of_a_newer_minor_version_survive(path):
    content = saved(path, measurement(10.0))
    content["schema_version"] = "1.7"
    content["laboratory"] = {"room": 12}
    content["measurements"][0]["energy_mj"] = [1, 2]
    content["measurements"][0]["device"]["cores"][0]["cluster"] = "LITTLE"
    content["measurements"][0]["repetitions"][0]["output"]["inference"]["p99"] = 12.5
    path.write_text(json.dumps(content))

    results = load(path).adding(measurement(20.0, threads=4))
    save(results, path)
    again = json.loads(path.read_text())
    assert again["schema_version"] == "1.7"
    assert again["laboratory"] == {"room": 12}
    assert again["measurements"][0]["energy_mj"] == [1, 2]
    assert again["measurements"][0]["device"]["cores"][0]["cluster"] == "LITTLE"
    assert again["measurements"][0]["repetitions"][0]["output"]["inference"]["p99"] == 12.5
    assert len(again["measurements"]) == 2


def edited(content, path, value):
    *parents, last = path
    for key in parents:
        content = content[key]
    if value is ...:
        del content[last]
    else:
        content[last] = value


FIRST = ("measurements", 0)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("schema_version",), "2.0", r"schema_version is 2\.0, and this program reads 1\.x"),
        (("schema_version",), 1, "schema_version is 1, but must be a text like '1.3'"),
        (("schema_version",), "one", "schema_version is 'one'"),
        (("schema_version",), ..., "it has no schema_version"),
        (("measurements",), ..., "the field 'measurements' is missing"),
        (("measurements",), {}, r"results\.measurements: expected a list, found {}"),
        ((*FIRST, "state"), "fine", r"measurements\[0\]\.state: expected one of ok, throttled, failed, timed_out"),
        ((*FIRST, "device"), ..., r"measurements\[0\]: the field 'device' is missing"),
        ((*FIRST, "device", "kind"), "usb", r"device\.kind: expected one of adb, ssh, qemu, host, found 'usb'"),
        ((*FIRST, "settings", "threads"), "4", r"settings\.threads: expected int, found '4'"),
        ((*FIRST, "settings", "threads"), True, r"settings\.threads: expected int, found True"),
        ((*FIRST, "model", "bytes"), 1.5, r"model\.bytes: expected int, found 1\.5"),
        ((*FIRST, "thermal", 0, "celsius", "cpu"), None, r"thermal\[0\]\.celsius\.cpu: expected float, found None"),
        ((*FIRST, "repetitions", 0, "output", "inference"), 3, r"output\.inference: expected an object, found 3"),
        (
            (*FIRST, "repetitions", 0, "output", "inference_avg_us"),
            1e308,
            r"expected a number below 1e\+18, found 1e\+308",
        ),
        ((*FIRST, "repetitions", 0, "seconds"), 10**400, r"\.seconds: expected a number below 1e\+18, found 1000"),
        ((*FIRST, "model", "bytes"), -(10**400), r"\.bytes: expected a number below 1e\+18, found -1000"),
    ],
)
def test_broken_fields_are_named(path, place, value, message):
    content = saved(path, measurement(10.0))
    edited(content, place, value)
    path.write_text(json.dumps(content))
    with pytest.raises(BenchmarkError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"schema_version": NaN}', "\x00", "[" * 100_000, '{"schema_version": "\\ud800"}']
)
def test_other_files_are_refused(path, text):
    path.write_text(text)
    with pytest.raises(BenchmarkError, match="is no file of results"):
        load(path)


def test_missing_files_are_refused(path):
    with pytest.raises(BenchmarkError, match="cannot be read"):
        load(path)


def test_a_whole_number_is_a_number(path):
    content = saved(path, measurement(10.0))
    content["measurements"][0]["thermal"][0]["celsius"]["cpu"] = 31
    path.write_text(json.dumps(content))
    assert load(path).measurements[0].thermal[0].celsius["cpu"] == 31.0


def test_a_failed_save_leaves_the_file_that_was_there(path):
    saved(path, measurement(10.0))
    before = path.read_bytes()
    broken = replace(measurement(10.0), extra={"energy": float("nan")})
    with pytest.raises(BenchmarkError, match="cannot be written"):
        save(Results(measurements=(broken,)), path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_done_are_those_that_were_measured():
    measured, slowed = measurement(10.0), measurement(10.0, threads=2, state=State.THROTTLED)
    failed, late = (
        measurement(threads=4, state=State.FAILED),
        measurement(threads=8, state=State.TIMED_OUT),
    )
    results = Results(measurements=(measured, slowed, failed, late))
    assert results.done() == {measured.key, slowed.key}
    planned = Settings(threads=1, repetitions=1)
    assert measurement_key(PHONE, TOOL, MODEL, planned) in results.done()


@pytest.mark.parametrize(
    "other",
    [
        measurement(10.0, threads=2),
        measurement(10.0, flags=("--use_xnnpack=false",)),
        measurement(10.0, pinned_mask="f0"),
        measurement(10.0, device=EMULATOR),
        measurement(10.0, model=replace(MODEL, sha256="bb" * 32)),
        measurement(10.0, 10.0),
    ],
    ids=["threads", "flags", "cores", "device", "model", "repetitions"],
)
def test_other_settings_are_another_measurement(other):
    assert other.key != measurement(10.0).key


def test_a_renamed_file_and_a_warmer_phone_are_the_same_measurement():
    renamed = measurement(11.0, model=replace(MODEL, name="other.tflite", top1_percent=None))
    cooler = replace(renamed, device=replace(PHONE, os="Android 15"), thermal=())
    assert cooler.key == measurement(10.0).key


def test_a_new_measurement_takes_the_place_of_the_old_one():
    failed, other, again = measurement(state=State.FAILED), measurement(20.0, threads=4), measurement(10.0)
    failed = replace(failed, settings=again.settings)
    results = Results().adding(failed).adding(other).adding(again)
    assert results.measurements == (other, again)


def test_merging_keeps_the_best_and_then_the_latest():
    old = measurement(10.0)
    new = replace(measurement(11.0), started_at="2026-02-01T00:00:00Z")
    failed = replace(measurement(12.0, state=State.FAILED), started_at="2026-03-01T00:00:00Z")
    other = measurement(30.0, threads=4)
    files = [Results(measurements=(old,)), Results(measurements=(failed, other)), Results(measurements=(new,))]
    assert merge(*files).measurements == (new, other)
    assert merge(*reversed(files)).measurements == (new, other)
    assert merge() == Results()


def test_latency_is_the_mean_of_the_repetitions():
    latency = measurement(10.0, 12.0, 14.0, profile=PROFILE).latency
    assert latency.mean_ms == 12.0
    assert latency.repetitions == (10.0, 12.0, 14.0)
    assert latency.between_ms == 2.0
    assert (latency.low_ms, latency.high_ms) == (9.0, 16.0)
    assert latency.count == 150
    # Within each 0.5, and the means are off by -2, 0, 2: sqrt(0.25 + 8/3).
    assert latency.std_ms == pytest.approx((0.25 + 8 / 3) ** 0.5)


def test_latency_of_one_repetition_has_no_spread_between():
    latency = measurement(10.0).latency
    assert latency.between_ms is None
    assert latency.std_ms == 0.5


def test_there_is_no_latency_without_a_complete_unprofiled_repetition():
    assert measurement().latency is None
    assert measurement(profile=PROFILE).latency is None
    assert measurement(10.0, state=State.FAILED).latency is None
    assert measurement(10.0, state=State.TIMED_OUT).latency is None
    assert measurement(10.0, state=State.THROTTLED).latency.mean_ms == 10.0
    one = measurement(10.0)
    failed = replace(one.repetitions[0], output=replace(one.repetitions[0].output, failed=True))
    assert replace(one, repetitions=(failed,)).latency is None


def test_the_last_profile_counts():
    one = measurement(10.0, profile=PROFILE)
    assert one.profile == PROFILE
    assert measurement(10.0).profile is None


def test_memory_is_the_watched_peak_or_else_the_growth():
    assert measurement(10.0).memory_mb == 30.0
    watched = repetition(10.0)
    watched = replace(watched, output=replace(watched.output, memory_peak_mb=25.0))
    one = measurement(10.0)
    assert replace(one, repetitions=(*one.repetitions, watched)).memory_mb == 25.0
    assert measurement().memory_mb is None


def test_means_of_nothing_are_not_pooled():
    output = repetition(10.0).output
    counts = [replace(output, inference=replace(output.inference, count=count)) for count in (5, -5)]
    one = measurement(10.0, 10.0)
    entries = tuple(replace(entry, output=found) for entry, found in zip(one.repetitions, counts, strict=True))
    assert replace(one, repetitions=entries).latency.std_ms is None


def test_a_serial_number_is_hashed():
    """The first digits of `printf R58M123ABC | sha256sum`."""
    assert hashed_serial("R58M123ABC") == "f776250ae13f"


def test_a_model_file_is_described(tmp_path):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(b"abc")
    found = describe_file(path, top1_percent=72.4, accuracy_source="paper")
    assert (found.name, found.bytes, found.top1_percent) == ("tiny.tflite", 3, 72.4)
    assert found.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(BenchmarkError, match="cannot be read"):
        describe_file(tmp_path / "none.tflite")
    with pytest.raises(BenchmarkError, match="give percent from 0 to 100"):
        describe_file(path, top1_percent=724)
    with pytest.raises(BenchmarkError, match=r"'caf\\udce9\.tflite': is a file name that is no UTF-8; rename it"):
        describe_file(tmp_path / os.fsdecode(b"caf\xe9.tflite"))
