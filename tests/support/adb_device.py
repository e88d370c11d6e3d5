"""A phone for tests: the device's side of the adb protocol on loopback, for a real adb server to connect to.

It has a shell (this machine's, with Android's commands), files (in a temporary folder that stands for the phone's
root), and an ARM64 CPU (QEMU's): ARM64 programs that are pushed to it run. Faults can be put in.
"""

import os
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adb_protocol import Session

#: Read first by the phone's shell. ARM64 programs are not for this machine's kernel: exec calls the emulator for them.
_BASH_ENV = """
exec() {
  local words=() word
  for word in "$@"; do
    if [ -x "$word" ] && [ "$(head -c 20 "$word" 2>/dev/null | od -An -tx1 -j18 -N1)" = " b7" ]; then
      words+=(qemu-aarch64-static -cpu "$PHONE_CPU")
    fi
    words+=("$word")
  done
  builtin exec "${words[@]}"
}
"""
_PROGRAMS = {
    "sh": '#!/bin/sh\nexec /bin/bash "$@"\n',
    "getprop": '#!/bin/sh\ncat "$PHONE/props/$1" 2>/dev/null || echo\n',
    "dumpsys": '#!/bin/sh\ncat "$PHONE/dumpsys/$1" 2>/dev/null\n',
    "taskset": '#!/bin/sh\necho "$1" >> "$PHONE/taskset.log"\nshift\nexec "$@"\n',
    "uname": '#!/bin/sh\n[ "$1" = -m ] && echo aarch64 || echo Linux 5.10.0\n',
    "settings": '#!/bin/sh\nfile="$PHONE/settings/$3"\n'
    '[ "$1" = put ] && echo "$4" > "$file" || cat "$file" 2>/dev/null || echo null\n',
    "svc": '#!/bin/sh\necho "svc $*" >> "$PHONE/changes"\nsettings put global stay_on_while_plugged_in 2\n',
    "cmd": '#!/bin/sh\necho "cmd $*" >> "$PHONE/changes"\n',
    "df": '#!/bin/sh\necho "Filesystem 1K-blocks Used Available Use% Mounted on"\n'
    'echo "/dev/block/dm-9 1000000 1000 $(cat "$PHONE/free_kb") 1% /data"\n',
}
_PROPERTIES = {
    "ro.product.manufacturer": "Acme",
    "ro.product.model": "Phone 1",
    "ro.soc.manufacturer": "Acme",
    "ro.soc.model": "AC100",
    "ro.build.version.release": "14",
    "ro.product.cpu.abilist": "arm64-v8a,armeabi-v7a",
    "ro.serialno": "SERIAL1",
}


@dataclass
class Faults:
    """What goes wrong, and on which byte or word; None for never.

    Attributes:
        drop_push_after: Hangs up when this many bytes of a file have come.
        refuse_push: Answers every file with this reason.
        corrupt_push: Changes the first byte of every file.
        drop_running: Hangs up half a second after a command starts that holds this text.
        unauthorized: Asks for a signature and accepts none.
        seconds_per_chunk: Takes its time for every chunk of a file.
    """

    drop_push_after: int | None = None
    refuse_push: str | None = None
    corrupt_push: bool = False
    drop_running: str | None = None
    unauthorized: bool = False
    seconds_per_chunk: float = 0


class Phone:
    """A phone on a loopback port, from `with` to its end.

    Args:
        root: Empty folder that becomes the phone's root.
        banner: The state that it reports: ``device``, ``recovery``, ...
        features: Features of its adb daemon; without ``shell_v2`` it is one before Android 7.
        cpu: The CPU that QEMU emulates.

    Attributes:
        features: Features of its adb daemon.
        pushes: Name of every file that has been pushed, in order.
        processes: Every script that its shell has run.
    """

    def __init__(self, root: Path, banner: str = "device", features: str = "shell_v2,cmd", cpu: str = "cortex-a76"):
        self.root = root
        self.faults = Faults()
        self.pushes: list[str] = []
        self.processes: list[subprocess.Popen] = []
        self._banner = f"{banner}::ro.product.name=phone;ro.product.model=Phone 1;features={features}".encode()
        self._cpu = cpu
        self.features = features.split(",")
        self._connections: list[socket.socket] = []
        self._furnish()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def _furnish(self):
        for name, text in _PROGRAMS.items():
            self.write(f"/bin/{name}", text).chmod(0o755)
        self.write("/bash_env", _BASH_ENV)
        self.write("/free_kb", "1000000")
        (self.root / "data/local/tmp").mkdir(parents=True)
        (self.root / "settings").mkdir()
        for key, value in _PROPERTIES.items():
            self.write(f"/props/{key}", value + "\n")
        for core in range(8):
            mhz = 2800 if core == 7 else 2400 if core >= 4 else 1800
            for name in ("cpuinfo_max_freq", "scaling_max_freq", "scaling_cur_freq"):
                self.write(f"/sys/devices/system/cpu/cpu{core}/cpufreq/{name}", f"{mhz * 1000}\n")
            self.write(f"/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", "schedutil\n")
        self.write("/sys/class/thermal/thermal_zone0/type", "cpu-big\n")
        self.write("/sys/class/thermal/thermal_zone0/temp", "31500\n")
        self.write("/proc/meminfo", "MemTotal:        7864320 kB\n")
        parts = ["0xd05"] * 4 + ["0xd41"] * 3 + ["0xd44"]
        cores = [f"processor\t: {i}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n" for i, part in enumerate(parts)]
        self.write("/proc/cpuinfo", "\n".join(cores))

    def write(self, path: str, text: str) -> Path:
        """Writes a file of the phone, as no adb could."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    @property
    def changes(self) -> list[str]:
        """What commands have changed of it, in order."""
        file = self.root / "changes"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def files(self) -> list[str]:
        """Paths in the folder that everyone may write to, from there."""
        folder = self.root / "data/local/tmp"
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()
        self.unplug()
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def unplug(self) -> None:
        """Drops all connections."""
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._connections.clear()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=Session(self, connection, self._banner).run, daemon=True).start()

    def environment(self) -> dict[str, str]:
        """Environment of its shell."""
        path = f"{self.root}/bin{os.pathsep}{os.environ['PATH']}"
        return {"PATH": path, "PHONE": str(self.root), "BASH_ENV": f"{self.root}/bash_env", "PHONE_CPU": self._cpu}
