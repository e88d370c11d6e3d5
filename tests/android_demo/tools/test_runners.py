"""Which runner a model gets: this project's engine where it can run the file, LCE's tool otherwise."""

from bnext_keras.errors import BenchmarkError

import numpy as np
import pytest
from tflite_graphs import Graph

from android_demo.runner import UnsupportedOperator
from android_demo.runner.build import BuildError
from android_demo.targets import open_target
from android_demo.tools.choice import Runner, Tools, find_model
from android_demo.tools.downloads import Downloads
from android_demo.tools.engine import Engine
from android_demo.tools.programs import HostInterpreter, LceTool, TfliteTool
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.int4 import to_int4

pytest_plugins = ["device_fixtures"]


@pytest.fixture
def chosen(tmp_path):
    """The tools for a model on this machine, and what was said about it."""

    def choose(text, device="host", **options):
        said = []
        tools = Tools(Downloads(tmp_path), plans=tmp_path / "plans", **options)
        models = tools.models(find_model(str(text), {}), open_target(device, tmp_path), said.append)
        return [type(model.tool) for model in models], said

    return choose


def test_the_engine_runs_what_it_can(chosen, binary_model, float_model, arm_tool):
    assert chosen(binary_model) == ([Engine], [])
    assert chosen(float_model) == ([Engine], [])
    assert chosen(binary_model, runner=Runner.BNEXT, lce=arm_tool) == ([Engine], [])
    assert chosen(f"{binary_model}@bnext", lce=arm_tool) == ([Engine], [])


def test_lce_runs_what_the_user_wants_to_run_there(chosen, binary_model, float_model, arm_tool):
    assert chosen(binary_model, runner=Runner.LCE) == ([HostInterpreter], [])
    assert chosen(f"{binary_model}@lce", runner=Runner.BNEXT) == ([HostInterpreter], [])
    assert chosen(binary_model, "qemu", lce=arm_tool) == ([LceTool], [])
    assert chosen(float_model, "qemu", rival=arm_tool) == ([TfliteTool], [])
    assert chosen(binary_model, "qemu", rival=arm_tool) == ([Engine], [])


def test_both_are_two_measurements(chosen, binary_model):
    assert chosen(binary_model, runner=Runner.BOTH) == ([Engine, HostInterpreter], [])


def test_what_the_engine_lacks_runs_in_lce_and_a_line_says_why(chosen, binary_model, monkeypatch):
    def refuse(content):
        raise UnsupportedOperator("CUMSUM x: the engine has no such operator", remedy="run it with LCE")

    monkeypatch.setattr("android_demo.runner.compiler.compile_plan", refuse)
    line = "binary.tflite: runs in LCE alone (CUMSUM x: the engine has no such operator)"
    assert chosen(binary_model) == ([HostInterpreter], [line])
    assert chosen(binary_model, runner=Runner.BOTH) == ([HostInterpreter], [line])
    with pytest.raises(UnsupportedOperator) as refused:
        chosen(binary_model, runner=Runner.BNEXT)
    assert str(refused.value) == f"{binary_model}: CUMSUM x: the engine has no such operator; run it with LCE"


def test_without_a_compiler_lce_runs_it_and_a_line_says_what_to_install(chosen, binary_model, monkeypatch):
    monkeypatch.setenv("CXX", "")
    monkeypatch.setattr("android_demo.runner.build.shutil.which", lambda name: None)
    monkeypatch.setattr("android_demo.runner.build.importlib.util.find_spec", lambda name: None)
    line = "the engine needs a C++ compiler; pip install ziglang, or set CXX"
    assert chosen(binary_model)[1] == [f"binary.tflite: runs in LCE alone ({line})"]
    with pytest.raises(BuildError, match="needs a C"):
        chosen(binary_model, runner=Runner.BNEXT)


@pytest.fixture
def int4_model(tmp_path):
    """A dense layer whose weights have 4 bits."""
    graph = Graph()
    weights = graph.add("DEQUANTIZE", [graph.constant(np.ones((4, 8), np.int8), [1.0])], (4, 8))
    content = graph.content(graph.add("FULLY_CONNECTED", [graph.input((1, 8)), weights], (1, 4)))
    file = tmp_path / "int4.tflite"
    file.write_bytes(to_int4(Flatbuffer(content)).pack())
    return file


def test_weights_of_4_bits_are_for_the_engine_alone(chosen, int4_model, arm_tool, monkeypatch):
    assert chosen(int4_model) == ([Engine], [])
    assert chosen(int4_model, "qemu", rival=arm_tool) == ([TfliteTool], [])
    reason = "LCE cannot read its weights of 4 bits, .*; measure it there, int4.tflite@bnext"
    for text, options in (
        (f"{int4_model}@lce", {}),
        (int4_model, {"runner": Runner.BOTH}),
        (int4_model, {"lce": arm_tool}),
    ):
        with pytest.raises(BenchmarkError, match=reason):
            chosen(text, **options)

    def refuse(content):
        raise UnsupportedOperator("CUMSUM x: the engine has no such operator")

    monkeypatch.setattr("android_demo.runner.compiler.compile_plan", refuse)
    with pytest.raises(UnsupportedOperator, match=r"int4\.tflite: CUMSUM x"):
        chosen(int4_model)


def test_a_machine_that_the_engine_has_no_program_for_is_named(phone, chosen, binary_model):
    phone.write("/props/ro.product.cpu.abilist", "armeabi-v7a,armeabi\n")
    device = f"adb:{phone.address}"
    with pytest.raises(BenchmarkError, match=r"the engine has no program for armeabi-v7a or armeabi"):
        chosen(binary_model, device, runner=Runner.BNEXT)
