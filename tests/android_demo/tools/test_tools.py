"""Which tool runs, where it comes from, and what is refused before it reaches a device."""

import hashlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import zipfile
from functools import partial

from bnext_keras.errors import BenchmarkError

import pytest

from android_demo.targets import open_target
from android_demo.tools.choice import Runner, Tools, find_model
from android_demo.tools.downloads import Downloads
from android_demo.tools.model_file import custom_operators
from android_demo.tools.programs import HostInterpreter, LceTool, TfliteTool

pytest_plugins = ["device_fixtures"]

NAME = "lce_benchmark_model_aarch64"


@pytest.fixture
def release(tmp_path):
    """A web server with a release, its address and the folder that it serves."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    server.server_close()


def elf(machine: int, text: bytes = b"", end: int = 0) -> bytes:
    """The head of a 64-bit program, whose section headers end there."""
    head = b"\x7fELF\x02\x01" + bytes(12) + machine.to_bytes(2, "little") + bytes(44)
    return head[:40] + end.to_bytes(8, "little") + head[48:] + text


def test_a_tool_is_fetched_once(release, tmp_path):
    url, folder = release
    (folder / NAME).write_bytes(elf(183))
    downloads = Downloads(tmp_path / "cache" / "tools", url)
    file = downloads.fetch(NAME)
    assert file.read_bytes() == elf(183)
    (folder / NAME).unlink()
    assert downloads.fetch(NAME) == file
    digest = hashlib.sha256(elf(183)).hexdigest()
    assert (file.parent / f"{NAME}.sha256").read_text() == f"{digest}  {NAME}\n"


def test_a_fetched_tool_that_has_changed_is_refused(release, tmp_path):
    url, folder = release
    (folder / NAME).write_bytes(elf(183))
    downloads = Downloads(tmp_path / "cache", url)
    downloads.fetch(NAME).write_bytes(elf(183, b"changed"))
    with pytest.raises(BenchmarkError, match=r"has changed since it was fetched.*delete both to fetch it again"):
        downloads.fetch(NAME)


def test_a_download_that_is_not_the_expected_one_is_not_kept(release, tmp_path):
    url, folder = release
    (folder / NAME).write_bytes(elf(183))
    with pytest.raises(
        BenchmarkError, match=f"its SHA-256 is {hashlib.sha256(elf(183)).hexdigest()}, not the expected"
    ):
        Downloads(tmp_path / "cache", url).fetch(NAME, "0" * 64)
    assert not (tmp_path / "cache").exists()


def test_a_proxys_page_is_no_tool(release, tmp_path):
    url, folder = release
    (folder / NAME).write_text("<html>Please log in</html>")
    with pytest.raises(BenchmarkError, match="did not answer with a program"):
        Downloads(tmp_path / "cache", url).fetch(NAME)
    assert not (tmp_path / "cache").exists()


def test_an_answer_of_unknown_length_that_breaks_off_is_no_tool(tmp_path):
    """The server says no length and hangs up: for HTTP that is how such an answer ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + elf(183, bytes(1000), end=5000))

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(BenchmarkError, match=r"aarch64: is cut off, 1,064 of at least 5,000 bytes; fetch it again"):
            Downloads(tmp_path / "cache", f"http://127.0.0.1:{server.getsockname()[1]}").fetch(NAME)
        thread.join()
    assert not (tmp_path / "cache").exists()


def test_a_part_of_a_tool_that_was_put_into_the_cache_is_not_taken_for_it(tmp_path):
    (tmp_path / NAME).write_bytes(elf(183, end=5000))
    with pytest.raises(BenchmarkError, match="is cut off, 64 of at least 5,000 bytes; delete it"):
        Downloads(tmp_path, "http://127.0.0.1:9").fetch(NAME)
    assert [file.name for file in tmp_path.iterdir()] == [NAME]


def test_a_cache_that_cannot_be_read_is_told_in_a_line(tmp_path):
    downloads = Downloads(tmp_path, "http://127.0.0.1:9")
    (tmp_path / NAME).write_bytes(elf(183))
    (tmp_path / f"{NAME}.sha256").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BenchmarkError, match="has changed"):
        downloads.fetch(NAME)
    (tmp_path / f"{NAME}.sha256").unlink()
    (tmp_path / f"{NAME}.sha256").mkdir()
    with pytest.raises(BenchmarkError, match=rf"cannot be used \(Is a directory\); delete it and {NAME}.sha256"):
        downloads.fetch(NAME)
    (tmp_path / NAME).unlink()
    (tmp_path / NAME).mkdir()
    with pytest.raises(BenchmarkError, match=r"cannot be used \(Is a directory\)"):
        downloads.fetch(NAME)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "release"], ids=["offline", "not there"])
def test_without_a_connection_the_message_says_what_to_download_and_where_to_put_it(release, tmp_path, url):
    url = release[0] if url == "release" else url
    with pytest.raises(BenchmarkError) as caught:
        Downloads(tmp_path / "cache", url).fetch(NAME)
    message = str(caught.value)
    assert f"download {url}/{NAME}" in message
    assert "--tool FILE" in message
    assert f"put it at {tmp_path / 'cache' / NAME}" in message


def test_a_tool_that_was_put_into_the_cache_by_hand_is_taken(tmp_path):
    downloads = Downloads(tmp_path, "http://127.0.0.1:9")
    (tmp_path / NAME).write_bytes(elf(183))
    assert downloads.fetch(NAME) == tmp_path / NAME
    (tmp_path / NAME).write_bytes(elf(183, b"changed"))
    with pytest.raises(BenchmarkError, match="has changed"):
        downloads.fetch(NAME)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (elf(62), "is a program for x86_64, but qemu:cortex-a76 is aarch64"),
        (elf(40), "is a program for armeabi-v7a or armv7l, but qemu:cortex-a76 is aarch64"),
        (b"<html>", "is no program"),
        (elf(183, end=5000), "is cut off, at least 5,000 bytes belong to it"),
    ],
    ids=["x86-64", "32-bit ARM", "web page", "cut off"],
)
def test_a_tool_for_another_cpu_is_refused_before_it_runs(arm_tool, tmp_path, content, message):
    file = tmp_path / "tool"
    file.write_bytes(content)
    target = open_target("qemu", tmp_path / "cache")
    with pytest.raises(BenchmarkError, match=message):
        LceTool(Downloads(tmp_path), file).install(target)
    assert not (tmp_path / "cache").exists()


def test_a_tool_of_the_users_must_hash_to_what_the_user_expects(arm_tool, tmp_path):
    target = open_target("qemu", tmp_path / "cache")
    digest = hashlib.sha256(arm_tool.read_bytes()).hexdigest()
    assert LceTool(Downloads(tmp_path), arm_tool, digest).install(target).record.sha256 == digest
    with pytest.raises(BenchmarkError, match="not the expected"):
        LceTool(Downloads(tmp_path), arm_tool, "0" * 64).install(target)


def test_a_tool_that_does_not_exist_is_named(arm_tool, tmp_path):
    with pytest.raises(BenchmarkError, match=r"missing: cannot be read \(No such file or directory\)"):
        LceTool(Downloads(tmp_path), tmp_path / "missing").install(open_target("qemu", tmp_path / "cache"))


def test_models_without_lces_operators_go_to_the_rival_tool(arm_tool, binary_model, float_model, tmp_path):
    target = open_target("qemu", tmp_path)
    tools = Tools(Downloads(tmp_path), arm_tool, rival=arm_tool)

    def chosen(text, tools=tools):
        (model,) = tools.models(find_model(str(text), {}), target)
        return type(model.tool)

    assert chosen(binary_model) is LceTool
    assert chosen(float_model) is TfliteTool
    assert chosen(f"{float_model}@lce") is LceTool
    assert chosen(float_model, Tools(Downloads(tmp_path), arm_tool)) is LceTool
    with pytest.raises(BenchmarkError, match=r"binary.tflite@tflite: has operators of LCE's"):
        chosen(f"{binary_model}@tflite")
    with pytest.raises(BenchmarkError, match="--rival-tool"):
        chosen(f"{float_model}@tflite", Tools(Downloads(tmp_path), arm_tool))


def test_this_machine_uses_lces_package_unless_it_has_a_tool(arm_tool, native_tool, binary_model, tmp_path):
    target = open_target("host", tmp_path)
    request = find_model(str(binary_model), {})
    for file, expected in ((None, HostInterpreter), (arm_tool, HostInterpreter), (native_tool, LceTool)):
        (model,) = Tools(Downloads(tmp_path), file, runner=Runner.LCE).models(request, target)
        assert type(model.tool) is expected


def test_a_models_custom_operators_are_found(binary_model, float_model):
    assert custom_operators(binary_model) == {"LceBconv2d", "LceQuantize"}
    assert custom_operators(float_model) == set()


def test_a_model_that_was_cut_off_anywhere_is_refused(binary_model, tmp_path):
    # Behind the model is an archive of labels, and at its end are two numbers, without which it runs just as well.
    model_ends = zipfile.ZipFile(binary_model).infolist()[0].header_offset - 8
    content = binary_model.read_bytes()[:model_ends]
    file = tmp_path / "cut.tflite"
    for size in [*range(9), 50, 200, *range(1000, len(content), 997), len(content) - 1]:
        file.write_bytes(content[:size])
        with pytest.raises(BenchmarkError, match=r"cut\.tflite: is (no \.tflite file|cut off or damaged)"):
            custom_operators(file)


def test_a_file_of_another_kind_is_refused(tmp_path):
    file = tmp_path / "model.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(BenchmarkError, match=r"model\.h5: is no \.tflite file.*bnext-convert makes one"):
        custom_operators(file)
    with pytest.raises(BenchmarkError, match="No such file"):
        custom_operators(tmp_path / "missing.tflite")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have places of their own")
def test_what_is_kept_lies_where_the_user_wants_caches(tmp_path):
    script = "from android_demo.tools.downloads import CACHE; print(CACHE)"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(tmp_path / "bnext-keras")
