"""No output replaces an input, another output, or what is no regular file; and all are written, or none."""

import os
import stat
import subprocess
import sys
from pathlib import Path

from bnext_keras.errors import FileError
from bnext_keras.files import (
    check_outputs,
    check_writable,
    locked,
    sha256,
    write_all,
    write_atomically,
)

import pytest


@pytest.fixture
def model(tmp_path):
    file = tmp_path / "model.h5"
    file.write_bytes(b"trained for a week")
    return file


def test_an_input_is_no_output(model):
    with pytest.raises(FileError, match=r"model\.h5: is an input, and would be replaced; name another file"):
        check_outputs([model], [model])


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nor_is_a_link_to_one(model, tmp_path, link):
    link(model, tmp_path / "alias")
    with pytest.raises(FileError, match="alias: is an input"):
        check_outputs([tmp_path / "alias"], [model])


def test_nor_another_way_to_spell_it(model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileError, match="is an input"):
        check_outputs([Path("../" + tmp_path.name) / "model.h5"], [Path("model.h5")])


@pytest.mark.parametrize("name", ["photo.png", "variables.index"])
def test_nor_a_file_of_an_input_folder(tmp_path, name):
    for file in (name, "saved_model.pb"):
        (tmp_path / file).touch()
    with pytest.raises(FileError, match=f"{name}: lies in the input {tmp_path}"):
        check_outputs([tmp_path / name], [tmp_path])


@pytest.mark.parametrize("exists", [False, True])
def test_what_a_folder_of_photos_is_not_read_for_may_be_written_there(tmp_path, exists):
    if exists:
        (tmp_path / "model.tflite").touch()
    check_outputs([tmp_path / "model.tflite"], [tmp_path])


def test_two_outputs_are_two_files(tmp_path):
    with pytest.raises(FileError, match="report: is named for two outputs"):
        check_outputs([tmp_path / "report", tmp_path / "." / "report"])


def test_a_pipe_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FileError, match="pipe: is no regular file, and would be replaced by one; name another"):
        check_writable(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_is_not_replaced(tmp_path):
    try:
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this root may not make device nodes")
    with pytest.raises(FileError, match="is no regular file"):
        check_writable(tmp_path / "null")


def test_a_folder_that_is_to_be_made_needs_one_to_make_it_in(model, tmp_path):
    check_writable(tmp_path / "new" / "page.html")
    assert not (tmp_path / "new").exists()
    with pytest.raises(FileError, match=r"model\.h5 is no folder"):
        check_writable(model / "new" / "page.html")
    write_all({tmp_path / "new" / "page.html": b"page", tmp_path / "new" / "deep" / "data": b"data"})
    assert (tmp_path / "new" / "page.html").read_bytes() == b"page"
    assert (tmp_path / "new" / "deep" / "data").read_bytes() == b"data"


def test_a_link_is_written_through(model, tmp_path):
    (tmp_path / "link").symlink_to(model)
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert model.read_bytes() == b"new"


def test_links_in_a_circle_lead_nowhere(tmp_path):
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(FileError):
        check_writable(tmp_path / "a")


def test_all_files_or_none(model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileError, match=r"report\.html: cannot be written") as error:
        write_all({model: b"new", tmp_path / "file" / "report.html": b"page"})
    assert "model.h5" not in str(error.value)
    assert model.read_bytes() == b"trained for a week"
    assert sorted(tmp_path.iterdir()) == [tmp_path / "file", model]


def test_a_long_name_is_told_in_a_line(tmp_path):
    with pytest.raises(FileError, match="File name too long"):
        write_atomically(tmp_path / ("n" * 300), b"")


def test_a_name_of_250_letters_will_do(tmp_path):
    write_atomically(tmp_path / ("n" * 250), b"content")
    assert (tmp_path / ("n" * 250)).read_bytes() == b"content"


def test_a_digest(model):
    model.write_bytes(b"abc")
    assert sha256(model) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_folder_has_one_user_at_a_time(tmp_path):
    message = f"run: is in use by process {os.getpid()} on .+; wait until it has ended, or name another folder"
    with locked(tmp_path / "run"), pytest.raises(FileError, match=message), locked(tmp_path / "run"):
        pass
    with locked(tmp_path / "run"):
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_killed_process_locks_nothing(tmp_path):
    program = "import pathlib, sys, time; from bnext_keras.files import locked\n"
    program += "with locked(pathlib.Path(sys.argv[1])): print('locked', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(FileError, match=f"is in use by process {process.pid} on "), locked(tmp_path):
            pass
        process.kill()
        process.wait()
    assert (tmp_path / ".lock").exists()
    with locked(tmp_path):
        pass


def test_a_lock_that_is_lost_at_the_door_is_tried_again(tmp_path, monkeypatch):
    """The first user deletes the file between the second's opening and locking it."""
    opened = []

    def open_and_lose(*args):
        opened.append(os_open(*args))
        if len(opened) == 1:
            (tmp_path / ".lock").unlink()
        return opened[-1]

    os_open = os.open
    monkeypatch.setattr(os, "open", open_and_lose)
    with locked(tmp_path):
        assert len(opened) == 2
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")


def test_a_folder_that_cannot_be_locked_is_said_to_be_so(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "run" / ".lock").mkdir(parents=True)
    with pytest.raises(FileError, match="file: cannot be made"), locked(tmp_path / "file"):
        pass
    with pytest.raises(FileError, match="run: cannot be locked"), locked(tmp_path / "run"):
        pass
