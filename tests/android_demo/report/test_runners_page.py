"""The engine and LCE in one file of results: which measurements are compared, and what is shown."""

import io
from dataclasses import replace

from bnext_keras.console import SafeConsole

import pytest
from html_page import Page
from sample_results import PHONE, measurement

from android_demo.report import render
from android_demo.report.comparison import by_runner, compare
from android_demo.report.table import print_table
from android_demo.results import ENGINE, Results, Tool


def engine(*means_ms, kernels="neon", **options):
    """A measurement of the engine."""
    found = measurement(*means_ms, **options)
    repetitions = tuple(replace(one, output=replace(one.output, kernels=kernels)) for one in found.repetitions)
    return replace(found, tool=Tool(kind=ENGINE, version="0.1.0", sha256="be" * 32), repetitions=repetitions)


def means(pairs):
    return [(old.latency.mean_ms, new.latency.mean_ms, round(ratio.value, 3)) for old, new, ratio in pairs]


def test_equal_threads_on_the_same_device_are_a_pair_and_lces_fastest_counts():
    other_phone = replace(PHONE, id="another")
    entries = [
        measurement(12.0, 12.0),
        engine(4.0, 4.0),
        measurement(10.0, 10.0, kernels="indirect"),
        engine(3.0, 3.0, threads=4),
        measurement(6.0, 6.0, threads=4),
        engine(1.0, 1.0, threads=2),
        engine(1.0, 1.0, device=other_phone),
    ]
    assert means(by_runner(entries)) == [(10.0, 4.0, 0.4), (6.0, 3.0, 0.5)]
    assert by_runner(entries[:1]) == by_runner(entries[1:2]) == []


def test_the_table_and_the_page_say_how_the_two_compare():
    entries = (measurement(10.0, 10.2), engine(4.0, 4.1))
    console = SafeConsole(file=io.StringIO(), width=200)
    print_table(entries, console)
    printed = console.file.getvalue()
    assert "engine, 1 thread, neon kernels" in printed
    assert "tiny, 1 thread: the engine takes 0.401 (" in printed
    assert "of LCE's time: faster" in printed
    text = Page(render(Results(measurements=entries))).text
    assert "The engine beside LCE" in text
    assert "1 thread → engine, 1 thread, neon kernels" in text
    assert "The engine beside LCE" not in Page(render(Results(measurements=entries[:1]))).text


def test_two_files_of_both_compare_like_with_like():
    before = Results(measurements=(measurement(10.0, 10.1), engine(4.0, 4.1)))
    after = Results(measurements=(engine(2.0, 2.1), measurement(9.0, 9.1)))
    pairs = compare(before, after).pairs
    assert [(old.tool.is_engine, new.tool.is_engine) for old, new in pairs] == [(False, False), (True, True)]


def test_two_files_of_one_runner_each_compare_the_runners():
    found = compare(Results(measurements=(measurement(10.0),)), Results(measurements=(engine(4.0),)))
    assert len(found.pairs) == 1
    assert found.differences == ("runner: LCE, engine", "the tool")


@pytest.mark.parametrize(("make", "of_lce"), [(engine, False), (measurement, True)])
def test_lces_kernels_are_excused_where_lce_ran(make, of_lce):
    server = replace(PHONE, abi="x86_64")
    text = Page(render(Results(measurements=(make(5.0, device=server),)))).text
    assert "These times say little about a phone or a board." in text
    assert ("Larq Compute Engine's fast kernels" in text) == of_lce
