"""Boards over SSH: the system's ssh, against a real sshd on loopback with keys of its own."""

import getpass
import socket
import subprocess
import time

from bnext_keras.errors import DeviceError

import pytest

from android_demo.cli import main
from android_demo.results import State, load
from android_demo.targets import open_target

pytest_plugins = ["device_fixtures"]


def make_key(path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    return path


@pytest.fixture(scope="module")
def board(need, tmp_path_factory):
    """The text that names it, the options that ssh needs to know its key and to show its own, its home folder."""
    sshd = need("sshd", "openssh-server")
    need("ssh", "openssh-client")
    folder = tmp_path_factory.mktemp("ssh")
    host, user = make_key(folder / "host"), make_key(folder / "user")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "authorized").write_text(user.with_suffix(".pub").read_text())
    (folder / "known").write_text(f"[127.0.0.1]:{port} {host.with_suffix('.pub').read_text()}")
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {host}\nAuthorizedKeysFile {folder / 'authorized'}\n"
        f"PidFile none\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nPermitRootLogin yes\n"
        f"SetEnv HOME={folder / 'home'}\n"
    )
    (folder / "home").mkdir()
    subprocess.run(["mkdir", "-p", "/run/sshd"], capture_output=True)  # Debian's sshd wants it
    log = (folder / "log").open("wb")
    with subprocess.Popen([sshd, "-D", "-e", "-f", folder / "config"], stderr=log) as server:
        deadline = time.monotonic() + 30
        while True:
            if server.poll() is not None:
                pytest.skip(f"sshd does not start here: {(folder / 'log').read_text().strip()}")
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        options = (f"UserKnownHostsFile={folder / 'known'}", f"IdentityFile={user}", "IdentitiesOnly=yes")
        yield f"ssh:{getpass.getuser()}@127.0.0.1:{port}", options, folder / "home"
        server.terminate()


@pytest.fixture
def target(board, tmp_path):
    return open_target(board[0], tmp_path, board[1])


def test_a_command_has_exit_code_and_both_streams(target):
    done = target.run(["sh", "-c", "echo one; echo two >&2; exit 5"], timeout=30)
    assert (done.exit_code, done.stdout, done.stderr) == (5, "one\n", "two\n")


def test_the_signal_that_ended_a_program_is_known(target):
    assert target.run(["sh", "-c", "kill -ILL $$"], timeout=30).exit_code == 132


def test_a_command_whose_time_is_up_is_killed_there(target):
    done = target.run(["sh", "-c", 'echo "$$"; while sleep 0.1; do :; done'], timeout=2)
    assert done.exit_code is None
    assert target.shell.run(f"kill -0 {int(done.stdout)}").exit_code != 0


def test_files_are_pushed_once_and_cleaned_up(target, board, tmp_path):
    file = tmp_path / "it's a file"
    file.write_bytes(bytes(range(256)) * 1000)
    path = target.push(file)
    assert path.startswith(f"{board[2]}/.cache/bnext-keras/")
    assert target.run(["cat", path], timeout=30).exit_code == 0
    assert target.push(file) == path
    assert target.clean() == 1
    assert target.clean() == 0


def test_a_board_is_measured(board, native_tool, binary_model, tmp_path, capfd):
    device, options, home = board
    arguments = [binary_model, "--device", device, "--tool", native_tool, "--out", tmp_path / "out", "--cool-down", 0]
    arguments += [word for option in options for word in ("--ssh-option", option)]
    arguments += ["--clean", "--runs", 5, "--repetitions", 2, "--pin", "none"]
    assert main([str(argument) for argument in arguments]) == 0, capfd.readouterr().err
    (measurement,) = load(tmp_path / "out" / "results.json").measurements
    assert measurement.state is State.OK
    assert measurement.device.kind.value == "ssh"
    assert measurement.latency.count == 10
    assert [path.name for path in home.rglob("*")] == [".cache"]


@pytest.mark.exhaustive
def test_both_runners_are_measured_and_compared_there(board, native_tool, binary_model, tmp_path, capfd):
    device, options, _ = board
    arguments = [binary_model, "--device", device, "--runner", "both", "--tool", native_tool, "--out", tmp_path / "out"]
    arguments += [word for option in options for word in ("--ssh-option", option)]
    arguments += ["--clean", "--runs", 2, "--repetitions", 1, "--pin", "none", "--no-profile", "--warmup-runs", 0]
    assert main([str(argument) for argument in (*arguments, "--tool-flag=--min_secs=0")]) == 0, capfd.readouterr().err
    engine, lce = load(tmp_path / "out" / "results.json").measurements
    assert (engine.tool.kind, lce.tool.kind) == ("bnext_engine", "lce_benchmark_model")
    assert (engine.state, lce.state) == (State.OK, State.OK)
    assert engine.kernels != ""
    assert "binary, 1 thread: the engine takes " in capfd.readouterr().out


def test_an_unknown_key_of_the_board_is_explained(board, tmp_path):
    with pytest.raises(DeviceError, match=r"its key is not known here; run ssh -p \d+ .*@127\.0\.0\.1 once by hand"):
        open_target(board[0], tmp_path, ("UserKnownHostsFile=/dev/null", *board[1]))


def test_a_board_that_wants_a_password_is_explained(board, tmp_path):
    device, (known, _, _), _ = board
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(DeviceError, match=r"it does not let us in without a password; run ssh-copy-id -p \d+ .* first"):
        open_target(device, tmp_path, (known, f"IdentityFile={stranger}", "IdentitiesOnly=yes", "IdentityAgent=none"))


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("ssh:nobody@127.0.0.1:9", "no SSH server listens there; check the port"),
        ("ssh:nobody@no-such-host.invalid", "no such host; check the name"),
        ("ssh:-oProxyCommand=true", "is not user@host or user@host:port"),
    ],
)
def test_a_board_that_is_not_there_is_explained(need, device, message, tmp_path):
    need("ssh", "openssh-client")
    with pytest.raises(DeviceError, match=message):
        open_target(device, tmp_path)
