"""``bnext-models compare``: points with where they are from, drawings, a page that stands alone."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

from bnext_keras.cards import CARDS, find
from bnext_keras.cli import models as models_cli
from bnext_keras.comparison import AXES, as_page, as_png, as_svg, measured, points_of_cards
from bnext_keras.comparison.panels import panels
from bnext_keras.comparison.points import DEFAULT_AXES

import pytest
from html_page import Page
from sample_results import EMULATOR, PHONE, measurement

from android_demo.results import ModelFile, Results, State, save


def model(name, top1=None):
    return ModelFile(name=name, sha256="aa" * 32, bytes=2**20, top1_percent=top1)


def compare(*arguments):
    return models_cli.main(["compare", *map(str, arguments)])


@pytest.fixture
def results(tmp_path):
    found = Results(
        measurements=(
            measurement(12.5, model=model("bnext_tiny.tflite")),
            measurement(30.0, model=model("mine.tflite", 66.0), state=State.THROTTLED, reason="hot"),
        )
    )
    save(found, tmp_path / "results.json")
    return tmp_path / "results.json"


def test_a_point_says_where_its_figures_are_from():
    texts = [
        point.text
        for point in points_of_cards()
        if point.network in ("BNextTiny", "QuickNet", "PokeBNN-2x") and point.axis != "energy"
    ]
    assert texts == [
        "BNextTiny: 72.4% top-1 (hpi-xnor/BNext), 76.8 M OPs (counted here)",
        "BNextTiny: 72.4% top-1 (hpi-xnor/BNext), 13.29 MiB (counted here)",
        "BNextTiny: 72.4% top-1 (hpi-xnor/BNext), 5.40 MiB "
        "(published by the authors, who count other bits, 8/4/8 bits)",
        "QuickNet: 63.3% top-1 (Larq Zoo), 58.6 M OPs (counted here)",
        "QuickNet: 63.3% top-1 (Larq Zoo), 4.17 MiB (counted here)",
        "QuickNet: 63.3% top-1 (Larq Zoo), 27.4 ms "
        "(Pixel 1, 1 thread, on Larq Compute Engine (larq/docs plot data, 2020-10))",
        "QuickNet: 63.3% top-1 (Larq Zoo), 51.7 ms "
        "(Raspberry Pi 4B, 1 thread, on Larq Compute Engine (larq/docs plot data, 2020-10))",
        "PokeBNN-2x: 77.2% top-1 (the paper, as others cite it: not checked), 227 M OPs (counted here)",
        "PokeBNN-2x: 77.2% top-1 (the paper, as others cite it: not checked), 82.49 MiB (counted here)",
    ]


def test_every_network_with_an_accuracy_is_drawn_against_operations_and_size():
    drawn = {axis: {point.network for point in points_of_cards() if point.axis == axis} for axis in AXES}
    assert drawn["ops"] == drawn["size"] == drawn["energy"] == {card.name for card in CARDS if card.accuracies}
    assert drawn["latency"] == {card.name for card in CARDS if card.latencies}


def test_what_others_published_is_hollow_and_what_was_not_checked_is_dashed():
    marks = {mark.point.text: mark for panel in panels(points_of_cards()) for mark in panel.marks if mark.point}
    for text, mark in marks.items():
        assert mark.is_hollow == ("counted here" not in text)
        assert mark.is_unchecked == ("not checked" in text)


def test_an_estimate_of_energy_is_called_one_and_drawn_on_request_only():
    found = [point for point in points_of_cards([find("QuickNet")]) if point.axis == "energy"]
    assert [point.text for point in found] == [
        "QuickNet: 63.3% top-1 (Larq Zoo), 0.855 mJ (estimated here, 45 nm and DRAM)"
    ]
    assert [panel.axis.name for panel in panels(points_of_cards())] == ["ops", "size", "latency"]
    assert "estimated energy for an image" in as_svg(points_of_cards(), ["energy"])


def test_the_line_of_the_best_leaves_out_accuracies_that_were_not_checked():
    (panel,) = panels(points_of_cards(), ["ops"])
    places = {(mark.x, mark.y): mark.point.network for mark in panel.marks if mark.point}
    best = ["PokeBNN-0.5x", "PokeBNN-0.75x", "PokeBNN-1x", "PokeBNN-1.4x", "BNextSmall", "BNextMiddle", "BNextLarge"]
    assert [places[corner] for corner in panel.front if corner in places] == best


def test_the_svg_is_well_formed_and_loads_nothing():
    drawing = as_svg(points_of_cards())
    root = ElementTree.fromstring(drawing)
    assert root.attrib["viewBox"].startswith("0 0 960 ")
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import", drawing) == []
    assert "prefers-color-scheme: dark" in drawing


def test_a_label_is_nearest_to_its_own_point():
    """Bi-Real Net's two lie above each other, with others around them: one's name at the other would mislead."""
    (panel,) = panels(points_of_cards(), ["ops"])
    places = {mark.point.label: (mark.x, mark.y) for mark in panel.marks if mark.point}
    labels = [text for text in panel.texts if text.kind in ("label", "name")]
    assert len(labels) > 30
    for text in labels:
        if text.anchor == "middle":
            continue
        distances = {name: abs(text.x - x) + abs(text.y - 4 - y) for name, (x, y) in places.items()}
        assert min(distances, key=distances.get) == text.text


@pytest.mark.parametrize(("file", "axes"), [("comparison.svg", DEFAULT_AXES), ("comparison-ops.svg", ("ops",))])
def test_the_drawings_in_the_docs_are_the_tools(file, axes):
    drawn = (Path(__file__).parents[3] / "docs" / file).read_text(encoding="utf-8")
    assert drawn == as_svg(points_of_cards(), axes), "run the commands that docs/results.md shows"


def test_the_png_is_the_same_twice():
    points = points_of_cards([find("BNextTiny"), find("QuickNet")])
    first = as_png(points, ["ops"], scale=0.5)
    assert first.startswith(b"\x89PNG")
    assert as_png(points, ["ops"], scale=0.5) == first


def test_the_page_stands_alone_and_tables_every_figure():
    content = as_page(points_of_cards(), left_out=["MeliusNet23: <nothing>"])
    page = Page(content)
    assert page.tags.count("script") == page.tags.count("style") == 1
    assert not {"link", "img", "iframe"} & set(page.tags)
    assert re.findall(r"https?://|url\(|@import|\bsrc=", content) == []
    assert "BNextLarge 80.57 hpi-xnor/BNext 819 M 106.16 47.86 8/4/8 bits arXiv 2211.12933" in page.text
    assert "PokeBNN-2x ~77.2 the paper" in page.text
    assert "Not shown: MeliusNet23: <nothing>." in page.text
    assert page.text.index("BNextLarge") < page.text.index("BinaryAlexNet")


def test_measured_points_name_device_and_accuracy(results):
    points, left_out = measured.points_of_results(measured.load(results))
    assert [point.text for point in points] == [
        "BNextTiny: 72.4% top-1 (hpi-xnor/BNext), 12.5 ms (Some Phone, 1 thread, measured)",
        "mine: 66% top-1 (stated with the measurement), 30.0 ms (Some Phone, 1 thread, measured, throttled)",
    ]
    assert all(point.is_ours for point in points)
    assert left_out == []


def test_what_cannot_be_drawn_of_results_is_told():
    found = Results(
        measurements=(
            measurement(12.5, model=model("BNextTiny.tflite"), device=EMULATOR),
            measurement(model=model("BNextTiny.tflite"), state=State.FAILED, reason="signal 9"),
            measurement(12.5, model=model("unknown.tflite")),
            measurement(12.5, model=model("model.tflite"), device=PHONE),
        )
    )
    points, left_out = measured.points_of_results(found, {"model.tflite": "PokeBNN-1x"})
    assert [point.network for point in points] == ["PokeBNN-1x"]
    assert left_out == [
        "BNextTiny.tflite on QEMU cortex-a76: emulated",
        "BNextTiny.tflite: signal 9",
        "unknown.tflite: has no accuracy, nor the name of a network that one was published of",
    ]


def test_the_command_writes_what_the_endings_say(tmp_path, results, capsys):
    files = [tmp_path / f"comparison.{ending}" for ending in ("html", "svg", "png")]
    only = "BNextTiny,QuickNet,MeliusNet23"
    assert compare(*files, "--results", results, "--only", only) == 0
    assert [file.read_bytes()[:4] for file in files] == [b"<!do", b"<svg", b"\x89PNG"]
    told = capsys.readouterr()
    assert told.out == f"wrote {', '.join(map(str, files))}\n"
    assert told.err == "bnext-models: not shown: MeliusNet23: no accuracy on ImageNet was published\n"
    assert "Some Phone, 1 thread, measured" in files[1].read_text()


def test_measuring_converts_what_is_not_there_and_shows_what_cannot_be(tmp_path, monkeypatch, capsys):
    """The engine itself is measured in tests/android_demo; here it is known what it would say."""
    import bnext_keras
    from bnext_keras.errors import ConversionError

    def convert(model, file):
        if file.stem == "DoReFaNet":
            raise ConversionError("has two bits", where="quant_conv2d")
        file.write_bytes(b"tflite")

    class Benchmark:
        Procedure = bnext_keras.benchmark.Procedure
        conditions = staticmethod(bnext_keras.benchmark.conditions)
        marks = staticmethod(bnext_keras.benchmark.marks)

        @staticmethod
        def measure(files, **options):
            assert (options["device"], options["runner"], options["resume"]) == ("host", "bnext", False)
            return Results(measurements=tuple(measurement(9.0, model=model(file.name)) for file in files))

    monkeypatch.setattr(measured, "_convert", lambda card, file: convert(card, file))
    monkeypatch.setattr(bnext_keras, "benchmark", Benchmark, raising=False)
    page, folder = tmp_path / "page.html", tmp_path / "measured"
    assert compare(page, "--measure", "BNext18,DoReFaNet", "--measured-in", folder) == 0
    assert [file.name for file in folder.iterdir()] == ["BNext18.tflite"]
    assert "not shown: DoReFaNet: quant_conv2d: has two bits" in capsys.readouterr().err
    assert "BNext18: 68.4% top-1 (hpi-xnor/BNext), 9.00 ms (Some Phone, 1 thread, measured)" in page.read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["page.pdf"], "page.pdf: is no kind of file that is written here; html, svg and png are"),
        (["page.html", "--only", "BNextHuge"], "BNextHuge: no such network; bnext-models lists them"),
        (["page.html", "--measure", "BNextHuge"], "BNextHuge: no such network; bnext-models lists them"),
        (["page.html", "--results", "gone.json"], "gone.json: no such file or folder"),
        (["page.html", "--results", "page.html"], "page.html: is an input, and would be replaced; name another file"),
        (["a.html", "./a.html"], "a.html: is named for two outputs; name another file"),
        (
            ["page.html", "--only", "BNextTiny", "--axes", "latency"],
            "latency: none of these networks has a point on these axes",
        ),
    ],
)
def test_bad_input_is_refused_and_nothing_is_written(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert compare(*arguments) == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"bnext-models: {message}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments", [["page.html", "--axes", "speed"], ["page.html", "--network", "a.tflite=Nothing"], []]
)
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        compare(*arguments)
    assert "usage: bnext-models compare" in capsys.readouterr().err


def test_comparing_needs_no_tensorflow(tmp_path):
    program = (
        "import sys, bnext_keras.cli.models\n"
        f"assert bnext_keras.cli.models.main(['compare', {str(tmp_path / 'page.html')!r}]) == 0\n"
        "assert not {'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
