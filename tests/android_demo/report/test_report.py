"""The pages: self-contained, escaped, with the measured figures where a reader looks for them."""

import re
from dataclasses import replace

import pytest
from html_page import Page
from sample_results import EMULATOR, MODEL, PHONE, PROFILE, measurement

from android_demo.report import render, render_comparison
from android_demo.report.comparison import Verdict, compare, latency_ratio
from android_demo.report.document import environment
from android_demo.report.names import short_names
from android_demo.report.operators import Group, by_group, by_type, classify
from android_demo.results import Latency, Results, State
from android_demo.tools.benchmark_model import NodeType, Operator, Profile


def page(*measurements, **options):
    return Page(render(Results(measurements=measurements), **options))


SECOND = replace(MODEL, name="small.tflite", sha256="bb" * 32, bytes=3 * 2**20, top1_percent=76.1)
EVERYTHING = (
    measurement(10.0, 12.0, 14.0, profile=PROFILE),
    measurement(5.0, 5.5, threads=4),
    measurement(40.0, model=SECOND, state=State.THROTTLED, reason="cpu at 90 degrees"),
    measurement(model=SECOND, threads=4, state=State.FAILED, reason="signal 9"),
    measurement(2000.0, device=EMULATOR),
)


def test_a_page_shows_the_measured_figures():
    text = page(*EVERYTHING).text
    assert "Benchmark on Some Phone, QEMU cortex-a76" in text
    assert "2026-01-31 · 2 models · 5 measurements · lce_benchmark_model 0.16.0" in text
    assert "tiny 1.00 MiB, Some Phone 72.4% paper 5.25 ms 4 threads 1 thread: 12.0 ms 30.0 MB" in text
    assert "small 3.00 MiB, Some Phone 76.1% paper 40.0 ms throttled" in text
    assert "12.0 ± 1.7 ms" in text
    assert "failed: signal 9" in text
    assert "2 Cortex-A55 at 1.8 GHz, 1 Cortex-A76 at 2.4 GHz" in text
    assert "schedutil" in text
    assert "8.00 GiB" in text
    assert "31 → 44" in text


def test_shares_of_the_operators():
    found = page(*EVERYTHING)
    text = found.text
    assert "binary convolution: 70.0%" in text
    assert "element-wise, reductions, pooling: 30.0%" in text
    assert "LceBconv2d binary convolution 7.00 70.0% ADD element-wise, reductions, pooling 3.00 30.0%" in text
    assert ("width", "70.00%") in found.attributes


def test_what_a_reader_must_know_stands_first():
    text = page(*EVERYTHING).text
    assert "Throttled. The device slowed down in 1 of 5 measurements, marked below: cpu at 90 degrees." in text
    assert "Incomplete. 1 of 5 measurements failed" in text
    assert "Emulated. QEMU cortex-a76: times of an emulator say nothing about any phone or board." in text
    assert text.index("Emulated.") < text.index("latency, fastest first")
    assert "say nothing" not in page(EVERYTHING[0]).text


def test_emulated_times_are_marked_wherever_they_stand():
    found = page(EVERYTHING[-1])
    assert "2,000 ms emulated 1 thread" in found.text
    assert ("class", "plot emulated") in found.attributes
    assert "ok, emulated" in found.text
    assert "tiny 1 thread, emulated" in page(measurement(2000.0, device=EMULATOR, profile=PROFILE)).text
    assert "Accuracy and latency" not in found.text


def test_times_of_other_processors_come_with_a_warning():
    text = page(measurement(10.0, device=replace(PHONE, model="Some PC", abi="x86_64"))).text
    assert "Not ARM. Some PC: Larq Compute Engine's fast kernels are written for 64-bit ARM" in text
    assert "Not ARM" not in page(EVERYTHING[0]).text


def test_columns_that_no_tool_filled_are_left_out():
    found = page(measurement(10.0))
    assert "first" not in found.texts
    assert {"init", "MB", "°C"} <= set(found.texts)


def test_published_points_are_told_from_measured_ones():
    found = page(EVERYTHING[0])
    assert "published: QuickNet, 25.5 ms, 63.3%, Pixel 1, 1 thread, XNNPACK on" in found.text
    assert "QuickNet 25.5 63.3 Pixel 1, 1 thread, XNNPACK on Larq Compute Engine's benchmark table" in found.text
    assert "orientation, no comparison" in found.text
    classes = [value for name, value in found.attributes if name == "class"]
    # Two drawings, one for wide and one for narrow screens, of 16 published points and a measured one; and the legend.
    assert classes.count("published") == 2 * 16 + 4
    assert classes.count("disc device0") == 2 + 1


def test_a_raspberry_is_shown_beside_a_raspberry():
    board = replace(PHONE, model="Raspberry Pi 4 Model B")
    text = page(measurement(10.0, device=board)).text
    assert "published: QuickNet, 45 ms" in text or "published: QuickNet, 45.0 ms" in text
    assert "Pixel 1, 1 thread" not in text


def test_without_accuracies_there_is_no_chart_of_them():
    unknown = replace(MODEL, top1_percent=None)
    assert "Accuracy and latency" not in page(measurement(10.0, model=unknown)).text


@pytest.mark.parametrize(
    "html",
    [
        render(Results(measurements=EVERYTHING)),
        render_comparison(Results(measurements=EVERYTHING), Results(measurements=EVERYTHING)),
    ],
    ids=["page", "comparison"],
)
def test_pages_refer_to_nothing_outside(html):
    found = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "embed", "use", "image", "a"} & set(found.tags)
    assert not {"src", "href", "xlink:href", "action", "onload"} & {name for name, _ in found.attributes}
    assert not re.search(r"https?:|//|url\(|@import|@font-face", html)


def test_names_are_escaped():
    evil = '<script>alert("1")</script>&amp;'
    hostile = replace(
        measurement(10.0, profile=Profile(operators=(Operator(type=evil, avg_ms=1.0),)), flags=(evil,)),
        model=replace(MODEL, name=evil),
        device=replace(PHONE, model=evil, soc=evil, os=evil),
        reason=evil,
        state=State.THROTTLED,
    )
    results = Results(measurements=(hostile, replace(hostile, state=State.FAILED)))
    for html in (render(results), render(results, title=evil), render_comparison(results, results, (evil, evil))):
        assert "<script" not in html
        assert evil in Page(html).text


def test_attributes_are_escaped():
    page = environment().from_string('<p title="{{ text }}"></p>')
    assert page.render(text='"<&>"') == '<p title="&#34;&lt;&amp;&gt;&#34;"></p>'


def test_files_and_devices_of_the_same_name_are_told_apart():
    twin = replace(MODEL, sha256="cc" * 32)
    text = page(
        measurement(10.0), measurement(11.0, model=twin), measurement(9.0, device=replace(PHONE, id="other"))
    ).text
    assert "tiny (aaaaaa)" in text
    assert "tiny (cccccc)" in text
    assert "Benchmark on Some Phone (0123456789ab), Some Phone (other)" in text


def test_a_page_of_nothing_and_of_failures_only():
    assert "Benchmark without measurements" in page().text
    text = page(measurement(state=State.TIMED_OUT, reason="60 s passed")).text
    assert "timed out: 60 s passed" in text
    assert "not measured" in text


@pytest.mark.parametrize(
    ("group", "names"),
    [
        (Group.BINARY, ["LceBconv2d"]),
        (Group.PACKING, ["LceQuantize", "LceDequantize", "LceBMaxPool2d"]),
        (
            Group.CONVOLUTION,
            [
                *("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL"),
                *(
                    "Convolution (NHWC, F32) IGEMM",
                    "Fully Connected (NC, PF32) GEMM",
                    "Batch Matrix Multiply (NC, F32)",
                ),
            ],
        ),
        (
            Group.ELEMENTWISE,
            [
                *(
                    "ADD",
                    "MUL",
                    "SUB",
                    "PRELU",
                    "RELU",
                    "LOGISTIC",
                    "MEAN",
                    "AVERAGE_POOL_2D",
                    "MAX_POOL_2D",
                    "SOFTMAX",
                ),
                *("HARD_SWISH", "Multiply (ND, F32)", "Sigmoid (NC, QU8)", "Clamp (NC, F32)", "SQUARED_DIFFERENCE"),
            ],
        ),
        (
            Group.MOVEMENT,
            [
                *("RESHAPE", "CONCATENATION", "PAD", "TRANSPOSE", "STRIDED_SLICE", "SPLIT", "REVERSE_V2", "QUANTIZE"),
                *("Copy (NC, X8)", "Convert (NC, F32, QS8)", "DEPTH_TO_SPACE", "PACK"),
            ],
        ),
        (Group.OTHER, ["TfLiteXNNPackDelegate", "TFLite_Detection_PostProcess", ""]),
    ],
)
def test_kinds_of_operators(group, names):
    assert {name: classify(name) for name in names} == dict.fromkeys(names, group)


def test_a_delegate_is_not_counted_beside_its_own_operators():
    inside = Operator(type="Add (ND, F32)", name="Delegate/Add (ND, F32):0", avg_ms=2.0)
    whole = Operator(type="TfLiteXNNPackDelegate", name="[x]:1", avg_ms=2.1)
    assert by_type(Profile(operators=(inside, whole))) == {"Add (ND, F32)": 2.0}
    assert by_type(Profile(operators=(whole,))) == {"TfLiteXNNPackDelegate": 2.1}


def test_a_summary_stands_in_for_missing_operators():
    times = by_type(Profile(summary=(NodeType(type="ADD", avg_ms=1.0), NodeType(type="LceBconv2d", avg_ms=3.0))))
    assert times == {"LceBconv2d": 3.0, "ADD": 1.0}
    assert by_group(times) == {Group.BINARY: 3.0, Group.ELEMENTWISE: 1.0}


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (("lab/pixel/results.json", "lab/pi/results.json"), ("pixel", "pi")),
        (("results.json", "results-1.json"), ("results.json", "results-1.json")),
        (("results.json", "old/results.json"), ("results.json", "old")),
        (("a/b", "a/b"), ("a/b", "a/b")),
        (("plain", "simplified"), ("plain", "simplified")),
        (("a/x/b", "a/x/y/b"), ("a/x/b", "y")),
    ],
)
def test_names_of_files_leave_out_what_they_share(paths, expected):
    assert short_names(*paths) == expected


def test_sizes_of_files():
    page = environment().from_string("{% for size in sizes %}{{ size | bytes }} {% endfor %}")
    assert page.render(sizes=(20256, 2**20, 14091892)) == "19.78 KiB 1.00 MiB 13.44 MiB "


def ratio(before, after):
    return latency_ratio(Latency.of_means(before), Latency.of_means(after))


def test_a_ratio_has_welchs_interval():
    """Means 10 and 5, standard deviations 0.2 and 0.1: both 2%, so 4 degrees of freedom, t = 2.776."""
    found = ratio((9.8, 10.0, 10.2), (4.9, 5.0, 5.1))
    assert found.value == pytest.approx(0.5)
    margin = 2.776 * (2 * 0.02**2 / 3) ** 0.5
    assert found.low == pytest.approx(0.5 * 2.718281828 ** (-margin))
    assert found.high == pytest.approx(0.5 * 2.718281828**margin)
    assert found.verdict is Verdict.FASTER


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        ((10.0, 10.1, 9.9), (20.0, 20.1, 19.9), Verdict.SLOWER),
        ((10.0, 10.5, 9.5), (9.9, 10.3, 9.6), Verdict.NOISE),
        ((10.0, 10.1), (9.9, 9.95), Verdict.NOISE),
        ((10.0,), (5.0, 5.1, 4.9), Verdict.UNKNOWN),
        ((10.0, 10.1, 9.9), (5.0,), Verdict.UNKNOWN),
        ((10.0, 10.0), (10.0, 10.0), Verdict.NOISE),
        ((10.0, 10.0), (9.0, 9.0), Verdict.FASTER),
        (
            tuple(10 + 0.01 * (i % 5) for i in range(40)),
            tuple(10.1 + 0.01 * (i % 5) for i in range(40)),
            Verdict.SLOWER,
        ),
    ],
)
def test_verdicts(before, after, verdict):
    assert ratio(before, after).verdict is verdict


def test_what_belongs_together_is_compared():
    before = Results(measurements=(measurement(10.0), measurement(20.0, model=SECOND), measurement(5.0, threads=4)))
    changed = replace(MODEL, sha256="dd" * 32)
    after = Results(measurements=(measurement(9.0, model=changed), measurement(1.0, threads=8)))
    found = compare(before, after)
    assert [(old.latency.mean_ms, new.latency.mean_ms) for old, new in found.pairs] == [(10.0, 9.0)]
    assert [entry.model.name for entry in found.only_before] == ["small.tflite", "tiny.tflite"]
    assert [entry.settings.threads for entry in found.only_after] == [8]
    assert found.differences == ("the content of tiny.tflite",)


@pytest.mark.parametrize(("before", "after"), [((0.0, 0.0), (1.0, 1.1)), ((1.0, 1.1), (0.0, 0.0)), ((1e-12,), (1e14,))])
def test_what_took_no_time_has_no_ratio(before, after):
    found = (Results(measurements=(measurement(*before),)), Results(measurements=(measurement(*after),)))
    assert compare(*found).ratios() == []
    assert "Without a latency in one of the two tiny, 1 thread" in Page(render_comparison(*found)).text


def test_an_interval_that_says_nothing_is_still_one():
    found = ratio((-1e9, 1e9 + 2), (1.0, 1.0))
    assert found.low < 1e-100 < 1e100 < found.high
    assert found.verdict is Verdict.NOISE


def test_two_devices_are_compared_if_each_file_has_one():
    other = replace(PHONE, id="feed", model="Other Phone")
    found = compare(Results(measurements=(measurement(10.0),)), Results(measurements=(measurement(9.0, device=other),)))
    assert len(found.pairs) == 1
    assert found.differences == ("device: Some Phone, Other Phone",)


def test_a_comparison_shows_ratios_and_verdicts():
    before = Results(measurements=(measurement(9.8, 10.0, 10.2, profile=PROFILE), measurement(20.0, model=SECOND)))
    after = Results(measurements=(measurement(4.9, 5.0, 5.1, profile=PROFILE), measurement(19.0, model=SECOND)))
    text = Page(render_comparison(before, after, ("plain", "simplified"))).text
    assert "simplified against plain" in text
    assert "tiny 1 thread 10.0 ± 0.20 5.00 ± 0.10 0.500 0.478 to 0.523 faster" in text
    assert "small 1 thread 20.0 1 repetition 19.0 1 repetition 0.950 too few repetitions" in text
    assert "binary convolution 7.00 7.00 0" in text


def test_a_comparison_lists_what_has_no_partner():
    before, after = (
        Results(measurements=(measurement(10.0),)),
        Results(measurements=(measurement(9.0, threads=4), measurement(9.0, threads=2))),
    )
    text = Page(render_comparison(before, after)).text
    assert "The two files have no measurement in common." in text
    assert "Only in before tiny, 1 thread, Some Phone" in text
    assert "Only in after tiny, 4 threads, Some Phone tiny, 2 threads, Some Phone" in text
    assert "no measurement in common" in Page(render_comparison(Results(), Results())).text
