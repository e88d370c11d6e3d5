"""The report of a conversion: figures worked out by hand, a page that stands alone, and JSON for scripts."""

import dataclasses
import io
import json
import re
from collections import Counter
from pathlib import Path

from bnext_keras import models
from bnext_keras.console import SafeConsole
from bnext_keras.layers import BinaryConv2D
from bnext_keras.text import format_bytes, format_count, format_milliseconds, format_percent

import larq as lq
import pytest
import tensorflow as tf
from html_page import Page

from converter import convert
from converter.advice import Advice
from converter.cli import convert as cli
from converter.inspection.inspection import inspect
from converter.inspection.profile import profile
from converter.inspection.times import EngineTimes
from converter.passes import PassReport
from converter.quantization.quantize import Quantization
from converter.report.html import render_html
from converter.report.rows import rows
from converter.report.terminal import print_report


@pytest.fixture(scope="module")
def three_layers():
    """A float, a binary and a dense layer on 8x8 images."""
    tf.keras.utils.set_random_seed(0)
    image = tf.keras.Input((8, 8, 3))
    x = tf.keras.layers.Conv2D(32, 3, padding="same", use_bias=False, name="stem_conv")(image)
    x = BinaryConv2D(64, 3, name="binary_conv")(x)
    x = tf.keras.layers.GlobalAveragePooling2D(name="pool")(x)
    return tf.keras.Model(image, tf.keras.layers.Dense(10, name="head")(x), name="three_layers")


@pytest.fixture(scope="module")
def result(three_layers):
    result = convert(three_layers)
    result.profile = profile(result.content, budget=0)
    return result


def test_layers_of_a_model_counted_by_hand(result):
    by_name = {layer.name: layer for layer in result.inspection.layers}
    assert list(by_name) == ["stem_conv", "binary_conv", "pool", "head"]
    stem, binary, pool, head = by_name.values()
    # 3 x 3 x 3 x 32 weights of 4 bytes, each used at 8 x 8 pixels.
    assert (stem.parameters, stem.bytes, stem.macs) == (864, 3456, 55_296)
    assert (stem.is_binarized, stem.reason, stem.kernel_bits) == (False, "reads the image", 32)
    # 3 x 3 x 32 x 64 weights of one bit.
    assert (binary.parameters, binary.bytes, binary.macs) == (18_432, 2304, 1_179_648)
    assert (binary.is_binarized, binary.reason, binary.input_bits, binary.kernel_bits) == (True, "", 1, 1)
    assert binary.output_shape == (1, 8, 8, 64)
    assert (pool.is_binarized, pool.kernel_bits, pool.macs, pool.output_shape) == (None, None, 0, (1, 64))
    assert (head.parameters, head.bytes, head.macs, head.reason) == (650, 2600, 640, "gives the answer")


def test_operators_of_a_file_counted_by_hand(result):
    operators = result.inspection.operators
    assert [(operator.type, operator.layer) for operator in operators] == [
        ("CONV_2D", "stem_conv"),
        ("LceQuantize", "binary_conv"),
        ("LceBconv2d", "binary_conv"),
        ("MEAN", "pool"),
        ("FULLY_CONNECTED", "head"),
    ]
    conv, quantize, binary, mean, dense = operators
    assert (conv.macs, conv.output_bytes, conv.output_shape) == (55_296, 8 * 8 * 32 * 4, (1, 8, 8, 32))
    assert (quantize.macs, quantize.output_bytes, quantize.output_shape) == (0, 8 * 8 * 32 // 8, (1, 8, 8, 32))
    # The kernel, and one multiplier and one offset for each output channel.
    assert (binary.macs, binary.bytes, binary.kernel_bits) == (1_179_648, 2304 + 2 * 4 * 64, 1)
    assert (mean.kind, mean.bytes) == ("pooling and mean", 8)
    assert (dense.macs, dense.kernel_bits) == (640, 32)
    assert sum(operator.bytes for operator in operators) + result.inspection.other_bytes == result.size
    assert [(kind.kind, kind.operators, kind.macs) for kind in result.inspection.kinds] == [
        ("binary convolution", 1, 1_179_648),
        ("bit packing", 1, 0),
        ("float convolution", 1, 55_296),
        ("dense", 1, 640),
        ("pooling and mean", 1, 0),
    ]
    assert result.inspection.binary_mac_share == pytest.approx(1_179_648 / 1_235_584)
    # What the binary convolution writes, 64 channels of floats, and the signs that it reads.
    assert result.inspection.peak_memory == 8 * 8 * 64 * 4 + 8 * 8 * 32 // 8


@pytest.mark.parametrize("build", ["small_bnext", "grouped", "meliusnet"])
def test_operators_multiply_as_often_as_their_layers(build, request, conv_model):
    if build == "grouped":
        model = conv_model((8, 8, 64), filters=64, kernel_size=3, padding="same", groups=2)
    elif build == "meliusnet":
        model = models.MeliusNet((1, 1), (64,), input_shape=(32, 32, 3), num_classes=10)
    else:
        model = request.getfixturevalue(build)
    inspection = convert(model).inspection
    costs = models.count(model)
    assert sum(operator.macs for operator in inspection.operators) == costs.macs
    assert inspection.kinds[0].kind == "binary convolution"
    assert inspection.kinds[0].macs == costs.binary_macs


def test_layers_that_stay_float_say_why():
    image = tf.keras.Input((8, 8, 32))
    x = tf.keras.layers.Conv2D(32, 1, name="stem")(tf.keras.layers.Conv2D(32, 1, name="image")(image))
    x = BinaryConv2D(32, 3, name="first")(x)
    x = tf.keras.layers.Conv2D(32, 1, name="float")(x)
    x = BinaryConv2D(32, 3, name="without", input_quantizer=None)(x)
    x = BinaryConv2D(32, 3, name="bits", input_quantizer=lq.quantizers.DoReFa(2))(x)
    gate = tf.keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = tf.keras.layers.Dense(32, name="gate")(gate)
    x = tf.keras.layers.Conv2D(2, 1, name="last")(tf.keras.layers.Multiply()([x, gate]))
    result = convert(tf.keras.Model(image, x))
    assert {layer.name: layer.reason for layer in result.inspection.layers if layer.is_binarized is False} == {
        "image": "reads the image",
        "stem": "before the first binary convolution",
        "float": "a float layer",
        "without": "no input quantizer",
        "bits": "2 x 1 bits; LCE has 1 x 1 or float",
        "gate": "on 1 x 1 maps",
        "last": "gives the answer",
    }


def test_a_published_model_is_known_by_its_counts(result):
    """Whatever it is called; BNext-T's table says 0.077 G operations and 5.40 MiB, of which 0.03 are never used."""
    inspection = inspect(models.BNextTiny(name="mine"), result.content, [])
    assert inspection.card.name == "BNextTiny"
    assert round(inspection.costs.ops(inspection.card.bits) / 1e9, 3) == 0.077
    assert sum(layer.macs for layer in inspection.layers) == 4_830_240_512
    assert sum(layer.parameters for layer in inspection.layers) == 30_853_276
    # One bit for each of 28,253,184 binary weights and four bytes for each of the others.
    assert sum(layer.bytes for layer in inspection.layers) == 28_253_184 // 8 + 4 * 2_600_092


def test_json_has_a_schema_version_and_everything(result):
    report = json.loads(json.dumps(result.to_dict()))
    assert report["schema_version"] == 1
    assert report["advice"] == []
    assert [layer["macs"] for layer in report["inspection"]["layers"]] == [55_296, 1_179_648, 0, 640]
    assert report["inspection"]["totals"]["binary_macs"] == 1_179_648
    # A binary multiplication is 1/64 of an operation.
    assert report["inspection"]["totals"]["ops"] == 1_179_648 / 64 + 55_296 + 640
    assert report["inspection"]["published"] is None
    assert len(report["profile"]["milliseconds"]) == len(report["inspection"]["operators"]) == 5


def test_the_page_is_well_formed_and_loads_nothing(result):
    text = render_html(result)
    page = Page(text)
    assert {"svg", "table", "style", "script"} <= set(page.tags)
    assert not {"link", "img", "iframe", "object", "base"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "href", "srcset", "xlink:href", "data")]
    assert not re.search(r"https?:|url\(|@import", text)


def test_the_page_shows_the_figures(result):
    text = Page(render_html(result)).text
    assert "Verified against Keras" in text
    assert "1 of 1 binary convolutions run on bits" in text
    assert "same first answer as Keras, 8 inputs" in text
    assert "on 8 inputs (synthetic ones only, made on the spot)" in text
    assert "Nothing known keeps this model from running right or fast" in text
    assert "one image in LCE, one thread" in text
    assert "no: reads the image" in text
    assert "1.18 M" in text
    assert result.profile.processor in text
    assert f"{format_bytes(result.inspection.peak_memory)} of results have to be kept" in text
    assert f"one thread, {result.profile.kernels} kernels, " in text
    assert "Against the paper" not in text
    assert "own engine takes" in text


def test_a_file_that_the_engine_does_not_run_is_told_so(result):
    engine = EngineTimes(note="not in the engine: CUMSUM x")
    without = dataclasses.replace(result, profile=dataclasses.replace(result.profile, engine=engine))
    assert "engine does not run the file: not in the engine: CUMSUM x" in Page(render_html(without)).text


def test_the_bars_fill_their_width(result):
    bars = re.findall(r'<svg viewBox="0 0 1000 20".*?</svg>', render_html(result), re.DOTALL)
    assert len(bars) == 4
    for bar in bars:
        assert sum(map(float, re.findall(r'width="([\d.]+)"', bar))) == pytest.approx(1000, abs=0.1)


def test_names_are_escaped(result):
    name = "<script>alert('x')</script>&\""
    layers = [dataclasses.replace(layer, name=name) for layer in result.inspection.layers]
    operators = [dataclasses.replace(operator, layer=name) for operator in result.inspection.operators]
    hostile = dataclasses.replace(
        result,
        name=name,
        path=Path("x<script>.tflite"),
        advice=[Advice("wrong", name, name, name)],
        inspection=dataclasses.replace(result.inspection, layers=layers, operators=operators),
        verification=dataclasses.replace(result.verification, errors=[name]),
    )
    text = render_html(hostile)
    page = Page(text)
    assert page.tags.count("script") == 1
    assert text.count("alert(") > 10
    assert name in page.texts


def test_a_page_without_a_profile_says_so(result):
    text = Page(render_html(dataclasses.replace(result, profile=None))).text
    assert "not measured" in text
    assert "Time along the network" not in text


def test_a_failed_verification_leads(result):
    failed = dataclasses.replace(result.verification, errors=["layer 'conv': its convolution stayed float"])
    text = Page(render_html(dataclasses.replace(result, verification=failed))).text
    assert "Not what Keras computes: nothing was written" in text
    assert "layer 'conv': its convolution stayed float" in text
    assert "float rounding" not in text


def test_published_figures_stand_beside_those_of_the_model(result):
    card_of = inspect(models.BNext18(), result.content, [])
    text = Page(render_html(dataclasses.replace(result, inspection=card_of, profile=None))).text
    assert "Against the paper" in text
    assert "68.4% top-1 by hpi-xnor/BNext" in text
    assert "0.164 G 0.164 G" in text


def test_layers_with_the_same_advice_are_one_entry(result):
    advice = [Advice("slow", f"conv{i}", "is slow", "make it fast") for i in range(10)]
    text = Page(render_html(dataclasses.replace(result, advice=advice))).text
    assert "conv6, conv7 and 2 more : is slow. Make it fast." in text
    assert len(dataclasses.replace(result, advice=advice).to_dict()["advice"]) == 10


def test_simplification_is_told_pass_by_pass(result):
    gate = PassReport(
        "gate",
        before=Counter(Mul=9, AddV2=5),
        after=Counter(Mul=6, AddV2=6),
        maps_before=Counter(Mul=4),
        maps_after=Counter(Mul=1),
    )
    passes = [gate, dataclasses.replace(gate, name="idle", before=gate.after, maps_before=gate.maps_after)]
    text = Page(render_html(dataclasses.replace(result, passes=passes))).text
    assert "from 14 operators to 12, and those on maps of more than one pixel, which take the time, from 4 to 1" in text
    assert "gate 14 12 4 1 AddV2 +1, Mul -3" in text
    assert "idle" not in text
    assert "Simplification" not in Page(render_html(dataclasses.replace(result, passes=[]))).text


def test_quantization_is_told_role_by_role(result):
    quantization = Quantization(
        weights={"stem": "float32", "head": "int8"},
        layers={"stem": 0, "head": 1},
        bytes_before={"stem": 0, "head": 2560},
        bytes_after={"stem": 0, "head": 680},
        samples=4,
        drift=0.004,
        max_difference=0.5,
        top1_agreement=0.75,
    )
    text = Page(render_html(dataclasses.replace(result, quantization=quantization))).text
    assert "the same first answer for 75.0%, outputs changed by 0.4%" in text
    assert "head int8 1 2.50 KiB 680 B" in text
    assert "stem float32" not in text
    quantization.errors.append("with quantized weights the answers differ by 157%")
    text = Page(render_html(dataclasses.replace(result, quantization=quantization))).text
    assert "Quantized weights change the answers too much: nothing was written" in text
    assert "Not what Keras computes" not in text


def test_8_bit_weights_belong_to_the_operator_that_reads_them(three_layers):
    pytest.importorskip("ai_edge_quantizer")
    operators = convert(three_layers, weights="int8").inspection.operators
    dense = next(operator for operator in operators if operator.type == "FULLY_CONNECTED")
    # 64 x 10 weights of a byte each; the sum of all stays the file's size.
    assert (dense.layer, dense.kernel_bits, dense.bytes, dense.macs) == ("head", 8, 640, 640)
    assert [(each.layer, each.bytes, each.output_bytes) for each in operators if each.type == "DEQUANTIZE"] == [
        ("stem_conv", 0, 0),
        ("head", 0, 0),
    ]


def test_the_console_report_shows_time_and_advice(result):
    output = io.StringIO()
    advice = [Advice("slow", "conv[red]", "is slow", "make it fast")]
    print_report(dataclasses.replace(result, advice=advice), SafeConsole(width=120, file=output))
    text = output.getvalue()
    assert "time on this machine" in text
    assert "slow    conv[red]: is slow; make it fast" in text


HOSTILE = "conv[/x][red]\x1b[2J\x1b]0;title\x07\u202egnp"
SHOWN = r"conv[/x][red]\x1b[2J\x1b]0;title\x07\u202egnp"


def test_what_a_file_calls_its_layers_is_obeyed_by_nothing(result):
    hostile = dataclasses.replace(
        result,
        name=HOSTILE,
        source=HOSTILE,
        path=Path(HOSTILE),
        operators=Counter({HOSTILE: 1}),
        advice=[Advice("slow", HOSTILE, HOSTILE, HOSTILE)],
        profile=dataclasses.replace(result.profile, processor=HOSTILE),
        verification=dataclasses.replace(result.verification, errors=[HOSTILE, "another"]),
    )
    output = io.StringIO()
    print_report(hostile, SafeConsole(width=1000, file=output))
    text = output.getvalue()
    assert not any(mark in text for mark in "\x1b\x07\u202e")
    assert text.count(SHOWN) == 9
    assert not any(mark in render_html(hostile) for mark in "\x1b\x07\u202e")


def test_rows_name_the_kernels_and_claim_no_minimum(result):
    shown = dict(rows(result))
    assert f" an image in LCE, 1 thread, {result.profile.kernels} kernels, " in shown["time on this machine"]
    assert "minimum" not in shown["size"]
    assert shown["size"].endswith("1 bit for binary weights, 32 for others)")
    quantization = Quantization({"head": "int8"}, {}, {"head": 2560}, {"head": 640})
    quantized = dataclasses.replace(result, quantization=quantization)
    assert quantized.parameter_bytes == result.theoretical_size - 1920
    assert dict(rows(quantized))["size"].endswith("1 bit for binary weights, 8 for those in int8, 32 for others)")


def test_a_notebook_shows_the_rows_and_escapes_them(result):
    hostile = dataclasses.replace(
        result, name="<script>", advice=[Advice("slow", HOSTILE, "is <b>slow</b>", "mend it")]
    )
    page = Page(hostile._repr_html_())
    assert set(page.tags) == {"table", "caption", "tr", "th", "td"}
    assert "<script>, 1 x 8 x 8 x 3" in page.texts
    assert "binary convolutions 1 of 1 became LceBconv2d" in page.text
    assert f"slow {SHOWN}: is <b>slow</b>; mend it" in page.text


def test_the_command_writes_the_page(three_layers, tmp_path, capsys):
    three_layers.save(tmp_path / "model.h5")
    report, data = tmp_path / "report.html", tmp_path / "r.json"
    assert cli.main([str(tmp_path / "model.h5"), "--report", str(report), "--json", str(data)]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.h5", "model.tflite", "r.json", "report.html"]
    assert "Time along the network" in Page(report.read_text(encoding="utf-8")).text
    assert json.loads(data.read_text())["profile"]["rounds"] >= 3
    assert "time on this machine" in capsys.readouterr().out


def test_a_page_that_cannot_be_written_is_refused_before_any_work(three_layers, tmp_path, refused_by):
    three_layers.save(tmp_path / "model.h5")
    refused = refused_by(cli.main)
    assert "is a folder" in refused(tmp_path / "model.h5", "--report", tmp_path)


def test_advise_tells_and_writes_nothing(tmp_path, capsys, conv_model):
    conv_model((8, 8, 40), filters=32, kernel_size=3).save(tmp_path / "model.h5")
    assert cli.main([str(tmp_path / "model.h5"), "--advise"]) == 0
    assert "slow    conv: 40 input channels take the time and space of 64" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["model.h5"]


def test_advise_names_everything_before_a_refusal(tmp_path, capsys, conv_model):
    conv_model((8, 8, 40), filters=32, kernel_size=3, kernel_quantizer="ste_tern").save(tmp_path / "model.h5")
    assert cli.main([str(tmp_path / "model.h5"), "--advise"]) == 2
    output = capsys.readouterr()
    assert "refused conv: its kernel is not binary" in output.out
    assert "bnext-convert: layer 'conv': its kernel is not binary" in output.err


def test_nothing_is_promised_of_a_model_that_is_refused(tmp_path, capsys):
    steps = tf.keras.Input((2, 3))
    tf.keras.Model(steps, tf.keras.layers.LSTM(4, name="lstm")(steps)).save(tmp_path / "model.h5")
    assert cli.main(["advise", str(tmp_path / "model.h5")]) == 2
    output = capsys.readouterr()
    assert "bnext-convert: layer 'lstm': LSTM loops over time steps" in output.err
    assert output.out.startswith("refused lstm: LSTM loops over time steps")
    assert "Nothing known" not in output.out


def test_advise_refuses_functions_that_conversions_refuse(tmp_path, capsys):
    image = tf.keras.Input((4,))
    tf.keras.Model(image, tf.atan(image)).save(tmp_path / "model.h5")
    assert cli.main(["advise", str(tmp_path / "model.h5")]) == 2
    output = capsys.readouterr()
    assert "layer 'tf.math.atan': TensorFlow Lite has no operator for TensorFlow's Atan" in output.err
    assert output.out == ""


def test_figures_are_readable():
    assert [format_bytes(size) for size in (0, 8, 1024, 2304, 14_093_517)] == [
        "0",
        "8 B",
        "1.00 KiB",
        "2.25 KiB",
        "13.44 MiB",
    ]
    assert [format_count(count) for count in (0, 640, 55_296, 1_179_648, 4_816_896_000)] == [
        "0",
        "640",
        "55.3 k",
        "1.18 M",
        "4.82 G",
    ]
    # What is not all is never 100%, what is something never 0%.
    assert [format_percent(share) for share in (1, 0.999999, 0.992, 0.25, 0)] == [
        "100%",
        "99.99%",
        "99.20%",
        "25.0%",
        "0%",
    ]
    assert [format_milliseconds(time) for time in (0.0042, 0.25, 60.12, 2500)] == [
        "4.2 µs",
        "0.25 ms",
        "60.1 ms",
        "2,500 ms",
    ]
