"""The folder of a session's results, which one session has to itself."""

from bnext_keras.errors import BenchmarkError

import pytest
from sample_results import measurement

from android_demo.results import load
from android_demo.session.store import open_store


def test_a_second_session_in_the_same_folder_is_refused_and_the_first_one_loses_nothing(tmp_path):
    with open_store(tmp_path / "out") as first:
        first.add(measurement(10.0))
        with (
            pytest.raises(BenchmarkError, match=r"out: is in use by process .*; wait until it has ended"),
            open_store(tmp_path / "out") as second,
        ):
            second.add(measurement(20.0))
        first.add(measurement(11.0, threads=4))
    assert [entry.latency.mean_ms for entry in load(tmp_path / "out" / "results.json").measurements] == [10.0, 11.0]
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["results.json"]


def test_a_folder_in_which_nothing_was_measured_is_not_left_behind(tmp_path):
    with open_store(tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused_before_anything_is_measured(tmp_path):
    (tmp_path / "out").touch()
    with pytest.raises(BenchmarkError, match="out: cannot be made"), open_store(tmp_path / "out"):
        pass
