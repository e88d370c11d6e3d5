"""The Android app: what Android's tools say of it, its activity among stand-ins, its page, and its program."""

import io
import json
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

from bnext_keras.errors import UserError

import android_stand_ins
import numpy as np
import pytest
from pictures import fitted, noise, packed, seen

from android_demo.cli.compare import main as compare
from android_demo.cli.export import main
from android_demo.export.apk import render, sign
from android_demo.export.apk.package import check_id, default_id
from android_demo.results import describe_file, load
from android_demo.runner import build

pytest_plugins = ["device_fixtures"]

PHOTO = "content://org.example.fish.photos/photo.jpg"
PROGRAMS = Path(__file__).parents[2] / "support" / "programs"
#: The packages of Debian with which apps are made.
MAKERS = {"aapt2": "aapt", "apksigner": "apksigner", "java": "default-jre-headless", "keytool": "default-jre-headless"}


@pytest.fixture(scope="session")
def app(need, colour):
    """The app of a network, without a signature."""
    for program, package in MAKERS.items():
        need(program, package)
    return render(colour.model, describe_file(colour.file))


@pytest.fixture(scope="session")
def signed(app, tmp_path_factory):
    file = tmp_path_factory.mktemp("app") / "fish.apk"
    file.write_bytes(sign(app))
    return file


@pytest.fixture(scope="session")
def unpacked(app, tmp_path_factory):
    """Its files, with this machine's program where a phone would have put its own."""
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(io.BytesIO(app)).extractall(folder)
    (folder / "files").mkdir()
    shutil.copy(build.program(), folder / "lib" / "libbnext_runner.so")
    return folder


def printed(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_signature_is_what_phones_want(need, signed):
    found = printed(need("apksigner", "apksigner"), "verify", "-v", "--min-sdk-version", "26", signed)
    assert "Verifies" in found
    assert "Verified using v1 scheme (JAR signing): false" in found
    assert "Verified using v2 scheme (APK Signature Scheme v2): true" in found
    assert "Verified using v3 scheme (APK Signature Scheme v3): true" in found


def test_what_a_phone_is_told_of_it(need, signed):
    lines = printed(need("aapt", "aapt"), "dump", "badging", signed).splitlines()
    assert lines[0].startswith("package: name='bnext.app.fish' versionCode='1' versionName='")
    assert {
        "sdkVersion:'26'",
        "targetSdkVersion:'35'",
        "application-label:'fish'",
        "native-code: 'arm64-v8a' 'x86_64'",
    } <= set(lines)
    assert any(line.startswith("launchable-activity: name='bnext.app.Main'") for line in lines)
    # None for the network.
    assert [line for line in lines if line.startswith("uses-permission")] == [
        "uses-permission: name='android.permission.CAMERA'"
    ]
    printed(need("zipalign", "zipalign"), "-c", "-v", "4", signed)
    tree = printed("aapt", "dump", "xmltree", signed, "AndroidManifest.xml")
    # Nobody else finds photos; the camera's application gets leave for one.
    provider = tree[tree.index("E: provider") :]
    for name, value in (
        ("authorities", '"bnext.app.fish.photos"'),
        ("exported", "(type 0x12)0x0"),
        ("grantUriPermissions", "(type 0x12)0xffffffff"),
    ):
        assert re.search(rf"android:{name}\(0x\w+\)={re.escape(value)}", provider)


def test_the_page_may_call_one_function_of_the_phone(need, unpacked):
    found = printed(need("dexdump", "dexdump"), "-a", unpacked / "classes.dex")
    assert found.count("Landroid/webkit/JavascriptInterface;") == 1
    assert "DEX version '038'" in found


def test_it_is_the_same_but_for_its_signature(app, signed, colour):
    assert render(colour.model, describe_file(colour.file)) == app
    content = signed.read_bytes()
    directory = int.from_bytes(content[-6:-2], "little")
    assert content[directory - 16 : directory] == b"APK Sig Block 42"
    block = int.from_bytes(content[directory - 24 : directory - 16], "little") + 8
    before = int.from_bytes(app[-6:-2], "little")
    assert content[:before] == app[:before]
    # The signature begins with a page of memory.
    assert not content[before : directory - block].strip(b"\0")
    # The end says where the directory is.
    assert content[directory:-6] == app[before:-6]


@pytest.fixture(scope="module")
def used(need, unpacked, tmp_path_factory):
    """What its activity does, line by line: translated for this machine's Java, which verifies it."""
    need("enjarify", "enjarify")
    need("javac", "default-jdk-headless")
    folder = tmp_path_factory.mktemp("activity")
    # It needs the Python that its package is for.
    printed("/usr/bin/python3", "-O", "-m", "enjarify.main", "-o", folder / "app.jar", unpacked / "classes.dex")
    stand_ins = android_stand_ins.write(folder / "source")
    classes = ["-cp", folder / "app.jar", "-d", folder / "classes"]
    printed("javac", "-proc:none", *classes, *stand_ins, PROGRAMS / "UseApp.java")
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{folder / 'classes'}:{folder / 'app.jar'}"]
    found = printed(*command, "UseApp", unpacked)
    return dict(line.split("\t", 1) for line in found.splitlines())


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("shown", "file:///android_asset/index.html true true true [phone]"),
        ("chooses", "true [started]"),
        ("chosen", "1"),
        ("chosen once", "1"),
        ("nothing chosen", "null"),
        ("no gallery", "false"),
        ("camera false", "denied asked for android.permission.CAMERA"),
        ("camera true", "android.webkit.resource.VIDEO_CAPTURE asked for android.permission.CAMERA"),
        ("photo not allowed", "true [asked for android.permission.CAMERA] null"),
        ("no camera", "true null"),
        (
            "photo asked for",
            "true [asked for android.permission.CAMERA, started android.media.action.IMAGE_CAPTURE "
            f"output={PHOTO} {PHOTO} 3] []",
        ),
        ("photo not written", "null"),
        ("photo cancelled", "null"),
        ("photo before", "false"),
        ("photo", f"{PHOTO} image/jpeg _display_name=photo.jpg _size=13"),
        ("photo read", "another photo"),
        ("photos are fixed", "true null 0 0"),
        ("started to measure", "bnext END true"),
    ],
)
def test_what_the_activity_does(used, name, expected):
    assert used[name] == expected


@pytest.mark.exhaustive
def test_the_activity_measures_with_the_program(used):
    assert used["measured"].startswith('measured("INFO: Device: Phone 1\\nINFO: Android: 14\\nSTARTING!\\n')
    assert "INFO: Num threads: [2]\\n" in used["measured"]
    assert used["measured"].endswith('\\nINFO: Status: 0\\n")')
    assert "|bnext INFO: count=" in used["logged"]
    assert used["logged"].endswith("|bnext INFO: Status: 0|bnext END")
    assert used["nothing there"].startswith('measured("ERROR: java.io.FileNotFoundException: ')


def test_its_program_answers_as_the_engine_on_a_phones_cpu(need, unpacked, colour, tmp_path):
    emulator = need("qemu-aarch64-static", "qemu-user-static")
    image = np.random.default_rng(0).normal(size=(1, 32, 48, 3)).astype(np.float32)
    image.tofile(tmp_path / "image")
    program = unpacked / "lib" / "arm64-v8a" / "libbnext_runner.so"
    program.chmod(0o755)
    files = [f"--input={tmp_path / 'image'}", f"--output={tmp_path / 'answer'}"]
    printed(emulator, "-cpu", "cortex-a76", program, f"--graph={unpacked / 'assets' / 'plan'}", *files)
    expected = colour.engine.run([image])[0].ravel()
    found = np.fromfile(tmp_path / "answer", np.float32)
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


@pytest.fixture
def phone_page(open_page, unpacked):
    """Its page, with a stand-in for the activity that prints what the program has printed."""
    text = printed(build.program(), f"--graph={unpacked / 'assets' / 'plan'}", "--min_secs=0", "--warmup_min_secs=0")
    text = f"INFO: Device: Phone 1\nINFO: Android: 14\n{text}INFO: Status: 0\n"
    tab = open_page(unpacked / "assets" / "index.html", width=360, height=720, touch=True)
    tab.evaluate(
        f"window.phone = {{asked: [], text: {json.dumps(text)}, measure(threads, seconds) {{"
        "phone.asked.push([threads, seconds]); setTimeout(() => measured(phone.text), 30); } }; 0"
    )
    return tab


def test_its_page_classifies_as_the_browsers_does(phone_page, colour):
    image = noise(64, 48)
    outputs, pixels, _ = seen(phone_page, packed(image))
    np.testing.assert_array_equal(pixels, fitted(image, 32, 48))
    np.testing.assert_allclose(outputs, colour.answer(pixels), rtol=1e-4, atol=1e-4 * np.abs(outputs).max())
    # Photos by the camera's own application, and the camera live.
    assert not phone_page.evaluate("byId('photo-label').hidden")
    assert not phone_page.evaluate("byId('camera').hidden")


def benchmark(tab, seconds):
    tab.evaluate(f"byId('bench-seconds').options[0].value = {seconds}; byId('bench-seconds').selectedIndex = 0")
    tab.tab_to("#bench-start")
    tab.press("Enter")
    tab.wait_for("byId('bench-start').textContent === 'Start benchmark'")


def test_the_benchmarks_results_are_what_bnext_benchmark_reads(phone_page, colour, tmp_path, capsys):
    benchmark(phone_page, 0.2)
    points = phone_page.evaluate("phone.asked.length")
    assert points > 1
    assert phone_page.evaluate("phone.asked[0]") == [1, 2]
    assert "at first" in phone_page.text("#bench-now")
    assert phone_page.evaluate("document.querySelectorAll('#bench-curve path').length") == 1
    assert phone_page.evaluate("byId('bench-curve').getAttribute('aria-label')").startswith("Time for an image, from ")
    assert phone_page.evaluate("document.documentElement.scrollWidth") == 360
    (tmp_path / "results.json").write_text(phone_page.evaluate("byId('bench-json').value"))
    (measurement,) = load(tmp_path / "results.json").measurements
    assert measurement.device.model == "Phone 1"
    assert measurement.device.os == "Android 14"
    assert measurement.model == describe_file(colour.file)
    assert measurement.settings.threads == 1
    assert measurement.settings.repetitions == len(measurement.repetitions) == points
    assert measurement.latency.count == 50 * points
    assert measurement.kernels == colour.engine.kernels
    assert phone_page.text("#bench-rows th") == "1"
    assert phone_page.text("#bench-rows td:last-child") == str(50 * points)
    results = str(tmp_path / "results.json")
    assert compare([results, results]) == 0
    assert "fish" in capsys.readouterr().out


def test_a_benchmark_can_be_stopped_and_says_what_went_wrong(phone_page):
    phone_page.evaluate("byId('bench-seconds').value = 1200; byId('bench-start').click()")
    assert phone_page.text("#bench-start") == "Stop benchmark"
    phone_page.wait_for("phone.asked.length > 2")
    # What is measured comes to its end first; nothing else begins meanwhile.
    phone_page.evaluate("byId('bench-start').click(); byId('bench-start').click()")
    phone_page.wait_for("byId('bench-start').textContent === 'Start benchmark'")
    asked = phone_page.evaluate("phone.asked.length")
    assert phone_page.evaluate("readOutput(phone.text).output.inference.count * " + str(asked)) == int(
        phone_page.text("#bench-rows td:last-child")
    )
    assert phone_page.text("#error") == ""
    for text, message in (
        ("ERROR: java.io.IOException: denied\n", "java.io.IOException: denied"),
        ("INFO: Status: 159\n", "The engine's program ended without an answer (status 159)."),
    ):
        phone_page.evaluate(f"phone.text = {json.dumps(text)}")
        benchmark(phone_page, 0.2)
        assert phone_page.text("#error") == message


def test_the_command_writes_it_beside_the_model(app, signed, colour, tmp_path, capsys, monkeypatch):
    signatures = []
    monkeypatch.setattr("android_demo.export.apk.sign", lambda content, key: signatures.append(key) or content)
    file = shutil.copy(colour.file, tmp_path)
    assert main(["apk", str(file)]) == 0
    assert (tmp_path / "fish.apk").read_bytes() == app
    out, err = capsys.readouterr()
    assert out.startswith(f"{tmp_path}/fish.apk: ")
    assert "signed with a key for once" in err
    options = ["--id", "org.example.fish", "--version-code", "7", "--title", "@Fish & <chips> \\'", "-o", str(tmp_path)]
    assert main(["apk", str(file), *options]) == 0
    lines = printed("aapt", "dump", "badging", tmp_path / "fish.apk").splitlines()
    assert lines[0].startswith("package: name='org.example.fish' versionCode='7'")
    assert r"application-label:'@Fish & <chips> \\''" in lines
    assert signatures == [None, None]


@pytest.mark.exhaustive
def test_a_key_of_ones_own_signs_every_version(app, need, colour, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BNEXT_KEYSTORE_PASSWORD", "secret")
    store = tmp_path / "my.p12"
    command = ["keytool", "-genkeypair", "-keystore", store, "-storepass", "secret", "-keyalg", "EC"]
    for name in ("one", "two"):
        printed(*command, "-alias", name, "-dname", f"CN={name}")
    file = shutil.copy(colour.file, tmp_path)
    certificates = []
    for version in ("1", "2"):
        own = ["--keystore", str(store), "--key-alias", "two", "--version-code", version]
        assert main(["apk", str(file), *own]) == 0
        assert "signed with" not in capsys.readouterr().err
        found = printed("apksigner", "verify", "--print-certs", "--min-sdk-version", "26", tmp_path / "fish.apk")
        certificates.append([line for line in found.splitlines() if "certificate" in line])
    assert certificates[0] == certificates[1]
    assert "CN=two" in certificates[0][0]
    monkeypatch.setenv("BNEXT_KEYSTORE_PASSWORD", "wrong")
    assert main(["apk", str(file), "--keystore", str(store)]) == 2
    assert f"{store}: cannot be used (apksigner fails: " in capsys.readouterr().err


def test_what_cannot_be_is_refused(app, refused_by, colour, monkeypatch, tmp_path):
    refused = refused_by(main)
    (tmp_path / "my.p12").write_bytes(b"")
    monkeypatch.delenv("BNEXT_KEYSTORE_PASSWORD", raising=False)
    output = ["-o", tmp_path / "new"]
    assert "put it into $BNEXT_KEYSTORE_PASSWORD" in refused(
        "apk", colour.file, "--keystore", tmp_path / "my.p12", *output
    )
    assert "'fish' is no app's id" in refused("apk", colour.file, "--id", "fish", *output)
    assert "missing.p12: no such file" in refused("apk", colour.file, "--keystore", tmp_path / "missing.p12", *output)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("apksigner", "apksigner is not installed; apt install apksigner"),
        ("keytool", "keytool is not installed; apt install default-jre-headless"),
        ("aapt2", "aapt2 is not installed; apt install aapt"),
        ("java", "java is not installed; apt install default-jre-headless"),
    ],
)
def test_a_tool_that_is_missing_is_named_with_its_package(
    app, refused_by, colour, monkeypatch, tmp_path, missing, message
):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, *rest: None if name == missing else which(name, *rest))
    assert refused_by(main)("apk", colour.file, "-o", tmp_path / "new") == f"bnext-export: {message}"


def test_ids_are_what_android_takes():
    names = ["model.tflite", "BNext-T (v2).tflite", "18.tflite", "_.tflite", "ü.tflite"]
    for name in names:
        assert check_id(default_id(name)) == default_id(name)
    for id in ("", "one", "1.a", "a.1", "a..b", "a.b!", "a.b "):
        with pytest.raises(UserError):
            check_id(id)
