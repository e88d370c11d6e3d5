"""Android phones, through the adb server that is running or the one that adbutils starts."""

import struct
import subprocess
import time
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path

from bnext_keras.errors import DeviceError, DeviceLost

from adbutils import AdbClient, AdbConnection, AdbDevice, AdbError, AdbTimeout

from android_demo.results import Kind
from android_demo.targets.shell import Completed
from android_demo.targets.target import Target

#: Ours on every phone: where the shell user may write and run programs.
FOLDER = "/data/local/tmp/bnext-keras"

_STDOUT, _STDERR, _EXIT = 1, 2, 3
_CHUNK = 64 * 1024  # the sync protocol's largest
#: Seconds that a phone may take for one chunk of a file.
_PATIENCE = 30

_ADVICE = {
    "unauthorized": "unlock it and allow USB debugging from this computer",
    "authorizing": "unlock it and allow USB debugging from this computer",
    "offline": "unlock it, replug the cable, or run adb reconnect offline",
    "no": "adb may not open it: add a udev rule for it (package android-sdk-platform-tools-common), then replug it",
    "recovery": "start Android on it",
    "sideload": "start Android on it",
    "bootloader": "start Android on it",
}


def open_adb(serial: str = "") -> Target:
    """The phone with this serial number; without one, the only phone that is connected.

    Raises:
        DeviceError: if there is none, or not that one, or several, or it does not let us in.
    """
    client = AdbClient(socket_timeout=_PATIENCE)
    try:
        states = {info.serial: info.state for info in client.list()}
    except (AdbError, OSError, subprocess.SubprocessError) as error:
        raise DeviceError(
            f"adb: its server does not answer ({error}); try adb kill-server, then adb devices"
        ) from error
    if not serial:
        if not states:
            raise DeviceError(
                "adb: no phone is connected; plug one in, switch on USB debugging in its developer options and allow "
                "this computer. Without a phone: --device ssh:user@board, qemu or host"
            )
        # A forgotten phone that does not let us in is no reason to ask.
        ready = sorted(serial for serial, state in states.items() if state == "device")
        if len(ready) > 1:
            raise DeviceError(
                f"adb: {len(ready)} phones are connected; choose with --device adb:{' or adb:'.join(ready)}"
            )
        serial = ready[0] if ready else next(iter(states))
    if serial not in states:
        known = f"connected: {', '.join(states)}" if states else "none is connected"
        raise DeviceError(f"adb:{serial}: no such phone ({known})")
    if states[serial] != "device":
        advice = _ADVICE.get(states[serial], "see adb devices")
        state = "not accessible" if states[serial] == "no" else states[serial]
        raise DeviceError(f"adb:{serial}: is {state}; {advice}")
    return Target(Kind.ADB, AdbShell(client.device(serial)), FOLDER)


class AdbShell:
    """Shell of a phone.

    adbutils finds the phone and opens the transports. What goes over them is read here, because adbutils returns a
    command's output only when it has ended, and drops a phone's reason for refusing a file.
    """

    def __init__(self, device: AdbDevice):
        self._device = device
        self.name = f"adb:{device.serial}"

    def run(self, script: str, timeout: float = 30) -> Completed:
        """Runs a script of sh there."""
        with self._reaching() as features:
            if "shell_v2" not in features:
                return self._run_before_android_7(script, timeout)
            with self._device.open_transport(timeout=timeout) as connection:
                connection.send_command(f"shell,v2,raw:{script}")
                connection.check_okay()
                return _read_shell(connection, time.monotonic() + timeout)

    def _run_before_android_7(self, script, timeout):
        """There both streams are one, and the exit code has to be printed by the shell itself."""
        try:
            done = self._device.shell2(f"({script})", timeout=timeout)
        except AdbTimeout:
            return Completed(None, "", "")
        return Completed(done.returncode, done.output.replace("\r\n", "\n"), "")

    def copy(self, source: Path, destination: str) -> None:
        """Pushes a file, readable and executable for all."""
        with self._reaching(), self._device.open_transport(timeout=_PATIENCE) as connection, source.open("rb") as file:
            connection.send_command("sync:")
            connection.check_okay()
            path = f"{destination},{0o100755}".encode()
            connection.conn.sendall(b"SEND" + struct.pack("<I", len(path)) + path)
            try:
                while chunk := file.read(_CHUNK):
                    connection.conn.sendall(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
                connection.conn.sendall(b"DONE" + struct.pack("<I", int(time.time())))
            except BrokenPipeError:
                pass  # a phone that refuses a file may hang up before its end; its reason is read below
            answer = connection.read_exact(4)
            if answer == b"FAIL":
                reason = connection.read_exact(connection.read_uint32()).decode(errors="replace")
                raise DeviceError(f"{self.name}: does not take {source.name}: {reason}")

    @contextmanager
    def _reaching(self):
        """Gives the phone's features; what adb raises inside means that the phone is gone."""
        try:
            yield self._features
        except (AdbError, EOFError, OSError, ValueError) as error:
            raise DeviceLost(
                f"{self.name}: the connection broke ({error}); check the cable, then run again with --resume"
            ) from error

    @cached_property
    def _features(self):
        return set(self._device.get_features().split(","))


def _read_shell(connection: AdbConnection, deadline: float) -> Completed:
    """Reads packets of the shell protocol, (kind, length, data), until the exit code comes or the time is up."""
    received: dict[int, bytearray] = {_STDOUT: bytearray(), _STDERR: bytearray()}
    exit_code = None
    # A phone that is silent for the rest of the time raises AdbTimeout; what has come until then is kept.
    with suppress(AdbTimeout):
        while exit_code is None:
            connection.conn.settimeout(max(deadline - time.monotonic(), 0.001))
            header = connection.read_exact(5)
            kind, data = header[0], connection.read_exact(int.from_bytes(header[1:], "little"))
            if kind == _EXIT and data:
                exit_code = data[0]
            elif kind in received:
                received[kind] += data
    return Completed.of(exit_code, bytes(received[_STDOUT]), bytes(received[_STDERR]))
