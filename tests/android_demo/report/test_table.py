"""What the terminal shows of results, whatever they say."""

import io
from dataclasses import replace

from bnext_keras.console import SafeConsole
from bnext_keras.errors import BenchmarkError

import pytest
from html_page import Page
from sample_results import MODEL, PHONE, measurement, repetition

from android_demo.report import render, render_comparison
from android_demo.report.comparison import compare, only_model
from android_demo.report.table import print_comparison, print_table, summary
from android_demo.results import Kind, Results

EVIL = "Phone [/x] [red]v1[/red]\x1b]0;title\x07\u202egnp"
SHOWN = r"Phone [/x] [red]v1[/red]\x1b]0;title\x07\u202egnp"


def printed(show, *arguments, width=200):
    console = SafeConsole(file=io.StringIO(), width=width)
    show(*arguments, console)
    return console.file.getvalue()


def named(name, *means, **options):
    model = replace(MODEL, name=f"{name}.tflite", sha256=f"{len(name):064x}")
    return measurement(*means, model=model, **options)


def compared(*pair):
    found = compare(*(Results(measurements=(entry,)) for entry in pair))
    return found.ratios(), found.differences


def test_names_are_shown_as_they_are_and_obeyed_by_nothing():
    hostile = replace(named(EVIL, 10.0, 11.0, reason=EVIL, flags=(EVIL,)), device=replace(PHONE, model=EVIL))
    texts = [
        printed(print_table, [hostile, measurement(1.0)]),
        printed(print_table, [hostile]),
        printed(print_comparison, *compared(hostile, replace(hostile, device=replace(PHONE, model=f"{EVIL} 2")))),
        printed(lambda console: console.print(summary(hostile), soft_wrap=True)),
    ]
    for text in texts:
        assert SHOWN in text.replace("\n", "")
        assert "\x1b" not in text
        assert "\u202e" not in text
    pages = [render(Results(measurements=(hostile,))), render_comparison(*[Results(measurements=(hostile,))] * 2)]
    for page in pages:
        assert SHOWN in Page(page).text
        assert not {"\x1b", "\u202e", "\x07"} & set(page)


def test_names_break_where_their_parts_end():
    entry = named("mobilenetv2_float_quantized-1.0_something", 10.0, 10.1)
    text = printed(print_table, [entry], width=80)
    for part in ("mobilenetv2_", "float_", "quantized-", "something", "Some Phone"):
        assert part in text
    text = printed(print_comparison, *compared(entry, entry), width=80)
    for part in ("mobilenetv2_", "float_", "quantized-", "something", "within noise"):
        assert part in text


def test_flags_that_the_tool_ignored_are_said_to_be_so():
    entry = measurement(10.0, flags=("--speed=9", "--use_xnnpack=false"))
    (one,) = entry.repetitions
    entry = replace(entry, repetitions=(replace(one, output=replace(one.output, unconsumed_flags=("--speed=9",))),))
    text = printed(print_table, [entry])
    assert "speed=9 (ignored), use_xnnpack=false" in text
    assert "the tool does not know --speed=9 and ignored that" in text
    assert "speed=9 (ignored), use_xnnpack=false" in Page(render(Results(measurements=(entry,)))).text


def test_growth_and_peak_of_memory_are_never_in_one_column():
    watched = measurement(10.0, threads=4)
    output = replace(repetition(10.0).output, memory_peak_mb=99.0, memory_overall_mb=None)
    watched = replace(watched, repetitions=(replace(repetition(10.0), output=output),))
    text = Page(render(Results(measurements=(measurement(10.0), watched)))).text
    assert "memory, growth tiny 1.00 MiB 72.4% paper 10.0 ms 1 thread 4 threads: 10.0 ms 30.0 MB" in text
    assert "Growth from the start of the tool to its end tiny file 1.00 MiB 1 thread 30.0 MB" in text
    assert "Watched peak tiny file 1.00 MiB 4 threads 99.0 MB" in text


def test_a_row_that_compares_different_threads_says_so():
    pair = measurement(10.0, 10.1), measurement(4.0, 4.1, threads=4)
    assert "1 thread → 4 threads" in printed(print_comparison, *compared(*pair))
    assert "1 thread → 4 threads" in Page(render_comparison(*(Results(measurements=(one,)) for one in pair))).text


def test_two_models_of_one_file_are_compared():
    results = Results(measurements=(named("float", 10.0, 10.1), named("int8_weights", 5.0, 5.1)))
    found = compare(*(only_model(results, name, "results.json") for name in ("float", "int8_weights.tflite")))
    ((old, new, ratio),) = found.ratios()
    assert (old.model.name, new.model.name, ratio.verdict.value) == ("float.tflite", "int8_weights.tflite", "faster")
    assert found.differences == ("model: float.tflite, int8_weights.tflite",)
    assert "float → int8_weights" in printed(print_comparison, found.ratios(), found.differences)
    with pytest.raises(BenchmarkError, match=r"results.json: no model other; there are float.tflite, int8_weights.tf"):
        only_model(results, "other", "results.json")


def test_noisy_measurements_are_marked_like_throttled_ones():
    noisy, quiet = measurement(10.0, 10.1), measurement(5.0, 5.1)
    noisy = replace(noisy, noise="the load was 9.0 on 2 cores")
    assert "noisy" in printed(print_table, [noisy])
    assert "1 thread: the load was 9.0 on 2 cores" in printed(print_table, [noisy])
    text = printed(print_comparison, *compared(noisy, quiet))
    assert text.index("faster") < text.index("noisy")
    text = Page(render(Results(measurements=(noisy,)))).text
    assert "Noisy. The machine was busy in 1 of 1 measurements, marked below: the load was 9.0 on 2 cores." in text


def test_the_kernels_of_this_machine_are_said():
    host = replace(PHONE, kind=Kind.HOST, abi="x86_64")
    entries = [measurement(10.0, device=host), measurement(5.0, device=host, kernels="indirect")]
    text = printed(print_table, entries)
    assert "1 thread, default kernels" in text
    assert "1 thread, indirect kernels" in text
    assert "kernels" not in printed(print_table, [measurement(10.0)])


def test_a_notebook_shows_the_rows_and_escapes_them():
    hostile = replace(named(f"<b>{EVIL}", 10.0, 11.0), device=replace(PHONE, model="<i>Phone</i>"))
    results = Results(measurements=(hostile,))
    page = Page(results._repr_html_())
    assert set(page.tags) == {"table", "tr", "th", "td"}
    assert f"<b>{SHOWN}" in page.text
    assert "<i>Phone</i>" in page.text
    assert "10.50" in page.text


def test_results_and_measurements_show_themselves_in_one_line():
    entry = named("tiny", 10.0, 11.0)
    assert repr(Results(measurements=(entry, replace(entry, device=replace(PHONE, id="other"))))) == (
        "<Results: 2 measurements on 2 devices>"
    )
    assert repr(entry) == "<Measurement 'tiny.tflite' on 'Some Phone': ok, 10.50 ms>"
