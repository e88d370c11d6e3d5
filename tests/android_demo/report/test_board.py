"""The board of several people's results."""

from dataclasses import replace

import pytest
from html_page import Page
from sample_results import EMULATOR, MODEL, PHONE, TOOL, measurement, repetition

from android_demo.cli import main
from android_demo.report.board import render_board
from android_demo.results import Results, State, Surroundings, save

EVIL = '<script>alert("\u202e")</script>{{ 7 * 7 }}'


def board(**files):
    return render_board([(name, Results(measurements=entries)) for name, entries in files.items()])


def test_a_row_says_where_it_is_from():
    around = (Surroundings(moment="before", screen="off"),)
    one = replace(measurement(10.0, 12.0), who="Ana", surroundings=around)
    text = Page(board(anas=(one,), bens=(measurement(5.0, device=EMULATOR),))).text
    assert "tiny aaaaaaaaaaaa" in text
    assert "11.0 ± 1.4, 100 runs, 2 starts" in text
    assert "Some Phone SoC 1, Android 14, arm64-v8a, over adb" in text
    assert "lce_benchmark_model 0.16.0 707070707070" in text
    assert "ok the screen was off Ana anas" in text
    assert "emulated bens 2026-01-31" in text
    assert "2 files of results." in text


def test_rows_are_sorted_by_numbers_and_can_be_sorted_anew():
    found = board(a=(measurement(10.0),), b=(measurement(9.5, threads=4),))
    assert found.index('data-sort="9.5"') < found.index('data-sort="10.0"')
    assert '<table class="dense sortable board">' in found
    assert 'querySelectorAll("table.sortable")' in found


def test_what_failed_has_no_time_but_a_reason():
    text = Page(board(a=(measurement(state=State.FAILED, reason="signal 9"),))).text
    assert "failed signal 9" in text
    assert "ms, 90%" not in text


def test_the_same_measurement_in_two_files_is_one_row():
    one = measurement(10.0)
    assert board(a=(one,), b=(one,)).count('<td class="left">tiny<small>') == 1
    assert board(a=(one,), b=(replace(one, who="Ben"),)).count('<td class="left">tiny<small>') == 2


def test_texts_of_strangers_are_only_texts():
    hostile = replace(
        measurement(10.0, flags=(EVIL,)),
        who=EVIL,
        started_at=EVIL,
        state=State.THROTTLED,
        reason=EVIL,
        noise=EVIL,
        device=replace(PHONE, model=EVIL, soc=EVIL, os=EVIL, abi=EVIL),
        tool=replace(TOOL, kind=EVIL, version=EVIL, sha256=EVIL),
        model=replace(MODEL, name=EVIL, sha256=EVIL, accuracy_source=EVIL),
        surroundings=(Surroundings(moment="before", screen=EVIL, charger=EVIL, charging=True),),
    )
    found = render_board([(EVIL, Results(measurements=(hostile,)))], title=EVIL)
    page = Page(found)
    assert page.tags.count("script") == 1
    assert "alert" not in found.partition("<script>")[2]
    assert "\u202e" not in found
    assert "{{ 7 * 7 }}" in page.text


def test_the_command_takes_files_and_folders(tmp_path, capsys):
    (tmp_path / "pixel").mkdir()
    save(Results(measurements=(measurement(10.0),)), tmp_path / "pixel/results.json")
    save(Results(measurements=(measurement(5.0, threads=2),)), tmp_path / "ben.json")
    output = tmp_path / "new/board.html"
    files = [str(tmp_path / "pixel"), str(tmp_path / "ben.json")]
    assert main(["board", *files, "-o", str(output), "--title", "Ours"]) == 0
    assert capsys.readouterr().out == f"{output}: 2 measurements of 2 files\n"
    assert "<h1>Ours</h1>" in output.read_text()


@pytest.mark.parametrize(("content", "why"), [(b"{}", "has no schema_version"), (b"\xff", "is no file of results")])
def test_a_file_that_is_none_writes_nothing(tmp_path, capsys, content, why):
    (tmp_path / "ben.json").write_bytes(content)
    assert main(["board", str(tmp_path / "ben.json"), "-o", str(tmp_path / "board.html")]) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "board.html").exists()


def test_single_streams_by_the_rule_have_their_percentile():
    def run(count, p90, mean_ms=60.0):
        one = repetition(mean_ms, count=count)
        found = replace(one.output.inference, p90=p90)
        return replace(one, output=replace(one.output, inference=found))

    def of(*repetitions):
        return replace(measurement(), repetitions=repetitions).single_stream_ms

    assert of(run(1024, 61_500.0)) == 61.5
    assert of(run(1024, 61_500.0), run(1100, 63_000.0)) == 63.0
    assert of(run(1023, 61_500.0)) is None
    assert of(run(1024, 58_500.0, mean_ms=58.0)) is None
    assert of(run(1024, None)) is None
    entry = replace(measurement(), repetitions=(run(1024, 61_500.0),))
    assert 'data-sort="61.5"' in board(a=(entry,))
