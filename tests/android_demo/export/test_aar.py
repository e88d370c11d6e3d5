"""The library for Android apps, driven by this machine's Java: the classes and the engine that are in it."""

import io
import random
import re
import struct
import subprocess
import zipfile
from pathlib import Path

from bnext_keras.preprocessing import Normalization

import numpy as np
import pytest
from mutated_plans import mutant

from android_demo.cli.export import main
from android_demo.export.aar import render, sources
from android_demo.export.tools import ABIS
from android_demo.runner import build

pytest_plugins = ["device_fixtures"]

DRIVER = Path(__file__).parents[2] / "support" / "programs" / "Drive.java"
PAGE = Path(__file__).parents[3] / "docs" / "export.md"
MUTANTS = 60


@pytest.fixture(scope="module")
def archive(need, colour):
    need("javac", "default-jdk-headless")
    return zipfile.ZipFile(io.BytesIO(render({"fish.bnext": colour.model.plan})))


def drive(archive, colour, folder, engine):
    """What Java finds with an engine's file, by the case's name. A Java machine that ends early fails it."""
    (folder / "classes.jar").write_bytes(archive.read("classes.jar"))
    (folder / "libbnext.so").write_bytes(engine)
    (folder / "plan").write_bytes(archive.read("assets/fish.bnext"))
    image(colour).tofile(folder / "image")
    (folder / "mutants").mkdir()
    for number in range(MUTANTS):
        (folder / "mutants" / str(number)).write_bytes(mutant(colour.model.plan, random.Random(number)))
    pixels = np.random.default_rng(1).integers(0, 256, (32, 48, 3))
    (pixels @ [1 << 16, 1 << 8, 1]).astype(np.int32).tofile(folder / "pixels")
    (folder / "Classifier.java").write_text(re.search(r"```java\n(.*?)```", PAGE.read_text(), re.DOTALL)[1])
    jar = folder / "classes.jar"
    subprocess.run(["javac", "-cp", jar, "-d", folder, DRIVER, folder / "Classifier.java"], check=True)
    command = ["java", "-Xcheck:jni", "-Xmx512m", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={folder}"]
    command += ["-cp", f"{jar}:{folder}", "Drive", folder]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    # The Java machine's own complaints about how its interface is used.
    assert "WARNING in native method" not in done.stdout + done.stderr
    found = dict(line.split("\t") for line in done.stdout.splitlines())
    assert found["end"] == "reached"
    return found


def image(colour):
    return np.random.default_rng(0).normal(size=(1, *colour.model.input_shape)).astype(np.float32)


#: This machine's name in the library.
ABI = next((abi for abi, name in ABIS.items() if name == build.machine()), None)


@pytest.fixture(scope="module")
def driven(archive, colour, tmp_path_factory):
    """What Java found, the folder with its answers, and the engine's answer."""
    folder = tmp_path_factory.mktemp("java")
    found = drive(archive, colour, folder, archive.read(f"jni/{ABI}/libbnext.so"))
    return found, folder, colour.engine.run([image(colour)])[0].ravel()


@pytest.mark.parametrize(
    "name",
    [
        *[f"threads-{threads}" for threads in (1, 2, 4, 64)],
        *[f"shared-{number}" for number in range(4)],
        "odd-buffers",
        "arrays",
        "plan-overwritten",
        "resumed",
    ],
)
def test_answers_are_the_engines_to_the_bit(driven, name):
    _, folder, expected = driven
    np.testing.assert_array_equal(np.fromfile(folder / name, np.float32), expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("input", "1 [1, 32, 48, 3]"),
        ("output", "1 [1, 10]"),
        ("no time yet", "null"),
        ("no such tensor", "ArrayIndexOutOfBoundsException: Index 1 out of bounds for length 1"),
        ("positions", "3 5"),
        ("short input", "IllegalArgumentException: input 0: 8 bytes, 18432 bytes are needed"),
        ("long input", "IllegalArgumentException: input 0: 18436 bytes, 18432 bytes are needed"),
        ("short output", "IllegalArgumentException: output 0: 0 bytes, 40 bytes are needed"),
        ("read-only output", "IllegalArgumentException: output 0 is read-only"),
        ("no input", "IllegalArgumentException: input 0: null, 18432 bytes are needed"),
        ("too many", "IllegalArgumentException: 2 buffers for 1 inputs"),
        ("short array", "IllegalArgumentException: input 0: 12 bytes, 18432 bytes are needed"),
        ("afterwards", "ran"),
        ("no threads", "IllegalArgumentException: 0 threads; give a number from 1 to 64"),
        ("too many threads", "IllegalArgumentException: 65 threads; give a number from 1 to 64"),
        ("empty plan", "IllegalArgumentException: not a plan, or one that is cut off; bnext-export aar makes one"),
        ("text", "IllegalArgumentException: not a plan, or one that is cut off; bnext-export aar makes one"),
        ("cut off", "IllegalArgumentException: not a plan, or one that is cut off; bnext-export aar makes one"),
        ("damaged", "IllegalArgumentException: a damaged plan: its checksum does not match"),
        (
            "version",
            "IllegalArgumentException: a plan of another version; export it with this library's version",
        ),
        ("mutants", str(MUTANTS)),
        ("cancelled", "CancellationException: the inference was cancelled"),
        ("untouched", "true"),
        ("resumed", "ran"),
        ("cancelled meanwhile", "1"),
        ("closed meanwhile", "3"),
        ("closed", "IllegalStateException: the interpreter is closed"),
        ("cancelled when closed", "IllegalStateException: the interpreter is closed"),
        ("described when closed", "[1, 10]"),
        ("threads left", "0"),
    ],
)
def test_what_becomes_of_good_and_bad_use(driven, name, expected):
    assert driven[0][name] == expected


def test_no_plan_at_all_is_an_exception(driven):
    assert driven[0]["no plan"].startswith("NullPointerException")


def test_the_class_in_the_documentation_finds_the_best_class(driven, colour):
    found, folder, _ = driven
    pixels = np.fromfile(folder / "pixels", np.uint8).reshape(32, 48, 4)[..., 2::-1]
    image = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(pixels)
    assert int(found["documented"]) == colour.engine.run([image[np.newaxis]])[0].argmax()


def test_it_runs_on_the_best_kernels(driven, colour):
    assert driven[0]["kernels"] == colour.engine.kernels


def test_what_is_in_it(archive):
    assert archive.namelist() == [
        "AndroidManifest.xml",
        "R.txt",
        "classes.jar",
        "proguard.txt",
        "jni/arm64-v8a/libbnext.so",
        "jni/x86_64/libbnext.so",
        "assets/fish.bnext",
    ]
    assert b'package="bnext.engine"' in archive.read("AndroidManifest.xml")
    classes = zipfile.ZipFile(io.BytesIO(archive.read("classes.jar")))
    # Java 8's.
    assert classes.read("bnext/engine/Interpreter.class")[:8] == bytes.fromhex("cafebabe00000034")
    assert "bnext/engine/Native.class" in classes.namelist()
    texts = zipfile.ZipFile(io.BytesIO(sources()))
    assert b"class Interpreter" in texts.read("bnext/engine/Interpreter.java")


@pytest.mark.parametrize("abi", ABIS)
def test_phones_with_large_pages_load_it_and_it_needs_nothing(archive, abi):
    check_needs(archive.read(f"jni/{abi}/libbnext.so"))


def check_needs(content):
    assert content[:5] == b"\x7fELF\x02"
    (table,) = struct.unpack_from("<Q", content, 32)
    size, count = struct.unpack_from("<2H", content, 54)
    segments = [struct.unpack_from("<IIQQQQQQ", content, table + size * number) for number in range(count)]
    load, dynamic = 1, 2
    assert {alignment for kind, *_, alignment in segments if kind == load} == {16384}
    ((offset, length),) = [(offset, length) for kind, _, offset, _, _, length, *_ in segments if kind == dynamic]
    tags = {tag for tag, _ in struct.iter_unpack("<qQ", content[offset : offset + length])}
    needed, text_relocations = 1, 22
    assert not tags & {needed, text_relocations}


def test_it_is_the_same_every_time(archive, colour):
    assert render({"fish.bnext": colour.model.plan}) == archive.fp.getvalue()


def test_the_command_writes_it_beside_the_model_or_into_a_folder(archive, colour, tmp_path, capsys):
    model = tmp_path / "fish.tflite"
    model.write_bytes(colour.file.read_bytes())
    assert main(["aar", str(model)]) == 0
    assert (tmp_path / "fish-sources.jar").read_bytes() == sources()
    assert zipfile.ZipFile(tmp_path / "fish.aar").read("assets/fish.txt").decode().splitlines() == colour.model.labels
    assert capsys.readouterr().out.splitlines()[1:] == [
        "assets/fish.bnext: takes 1x32x48x3, gives 1x10",
        "assets/fish.txt: the names of its 10 classes, one on each line",
        "its images are (pixel / 255 - mean) / std, of mean 0.5, 0.4, 0.3 and std 0.25, 0.2, 0.3",
    ]
    assert main(["aar", "-o", str(tmp_path / "app" / "libs")]) == 0
    assert sorted(path.name for path in (tmp_path / "app" / "libs").iterdir()) == ["bnext-sources.jar", "bnext.aar"]


def test_without_a_jdk_one_line_names_the_package(refused_by, colour, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = refused_by(main)("aar", colour.file, "-o", tmp_path / "new")
    assert message == "bnext-export: javac is not installed; apt install default-jdk-headless"


def test_what_is_no_model_is_refused(refused_by, tmp_path):
    (tmp_path / "model.h5").write_bytes(b"")
    (tmp_path / "broken.tflite").write_bytes(b"broken")
    refused = refused_by(main)
    assert "model.h5: is no .tflite file; bnext-convert" in refused("aar", tmp_path / "model.h5")
    assert "broken.tflite: not a .tflite file" in refused("aar", tmp_path / "broken.tflite")


@pytest.mark.exhaustive
def test_what_the_compiler_that_pip_brings_makes_runs_as_well(archive, colour, monkeypatch, tmp_path):
    """It rounds elsewhere, and is what users have."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(f"CXX_{build.machine().upper()}", raising=False)
    engine = build.jni_library(build.machine()).read_bytes()
    check_needs(engine)
    found = drive(archive, colour, tmp_path, engine)
    assert found["closed"].startswith("IllegalStateException")
    answers = [np.fromfile(tmp_path / name, np.float32) for name in ("threads-1", "threads-4", "shared-2")]
    np.testing.assert_array_equal(answers[1:], [answers[0]] * 2)
    expected = colour.engine.run([image(colour)])[0].ravel()
    np.testing.assert_allclose(answers[0], expected, atol=1e-4 * np.abs(expected).max())
