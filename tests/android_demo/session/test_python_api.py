"""Measuring from Python, on this machine."""

import bnext_keras
from bnext_keras.errors import BenchmarkError

import pytest

import android_demo
from android_demo import Procedure, Settings, compare, load, measure, render
from android_demo.results import State

pytest_plugins = ["device_fixtures"]

QUICK = {"settings": [Settings(threads=1, runs=3, repetitions=2)], "procedure": Procedure(cool_down=0)}


def test_measured_results_are_returned_and_written(binary_model, tmp_path):
    said = []
    results = measure(
        [binary_model], device="host", out=tmp_path / "out", cache=tmp_path / "cache", progress=said.append, **QUICK
    )
    (measurement,) = results.measurements
    assert measurement.state in (State.OK, State.THROTTLED)
    assert len(measurement.latency.repetitions) == 2
    assert load(tmp_path / "out" / "results.json") == results
    assert "host: binary.tflite, 1 thread(s): repetition 1 of 2" in said
    assert "binary" in render(results)
    again = measure([binary_model], device="host", out=tmp_path / "out", cache=tmp_path / "cache", resume=True, **QUICK)
    assert again == results
    assert len(compare(results, again).ratios()) == 1


def test_what_cannot_be_measured_is_refused_before_anything_is_written(binary_model, tmp_path):
    with pytest.raises(BenchmarkError, match="No such file"):
        measure([tmp_path / "missing.tflite"], device="host", out=tmp_path / "out")
    with pytest.raises(BenchmarkError, match="no such kind of device"):
        measure([binary_model], device="toaster", out=tmp_path / "out")
    with pytest.raises(BenchmarkError, match="must be a list of files"):
        measure(binary_model, device="host", out=tmp_path / "out")
    with pytest.raises(BenchmarkError, match="no such runner: tflite; bnext, lce and both are"):
        measure([binary_model], device="host", out=tmp_path / "out", runner="tflite")
    assert not (tmp_path / "out").exists()


def test_the_package_goes_by_two_names():
    assert bnext_keras.benchmark is android_demo
    assert {"load", "measure", "render"} <= set(dir(bnext_keras.benchmark))
    with pytest.raises(AttributeError, match="no attribute 'measured'"):
        _ = android_demo.measured
