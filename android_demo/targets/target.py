"""Where models run, whatever way leads there."""

import re
import shlex
import uuid
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bnext_keras.errors import DeviceError, DeviceLost
from bnext_keras.files import sha256
from bnext_keras.text import one_line

from android_demo.results import Device, Kind, Surroundings, hashed_serial
from android_demo.targets.facts import FACTS_SCRIPT, SAMPLE_SCRIPT, Facts, Sample, parse_facts, parse_sample, whole
from android_demo.targets.shell import Completed, Shell
from android_demo.targets.surroundings import (
    POWER_SCRIPT,
    SURROUNDINGS_SCRIPT,
    PowerSample,
    parse_power,
    parse_surroundings,
)

_MB = 1e6
#: What no disk has: kilobytes and files.
_MOST_KB, _MOST_FILES = 2**50, 10**9


class Target:
    """A machine with a shell and a folder of ours.

    Everything that is put there goes into that one folder, under the name of its content, so that nothing is copied
    twice; `clean` removes it.

    Args:
        kind: How the machine is reached.
        shell: The way to it.
        folder: Our folder there, made when the first file comes.
        wrapper: Command that runs programs there, such as an emulator.
        name: An emulator's name and id; any other machine is asked for them.
    """

    def __init__(self, kind: Kind, shell: Shell, folder: str, wrapper: tuple[str, ...] = (), name: str = ""):
        self.kind = kind
        self.shell = shell
        self.folder = folder
        self.wrapper = wrapper
        self._name = name

    @property
    def name(self) -> str:
        """What the user would type after ``--device``."""
        return self.shell.name

    @cached_property
    def facts(self) -> Facts:
        """What the machine tells about itself; asked once.

        Raises:
            DeviceError: if it does not answer.
        """
        return parse_facts(self._ask(FACTS_SCRIPT, "tell about itself"))

    @property
    def abis(self) -> tuple[str, ...]:
        """What kinds of programs it runs, best first."""
        return ("aarch64",) if self.kind is Kind.QEMU else self.facts.abis

    @property
    def can_pin(self) -> bool:
        """Whether programs can be bound to cores."""
        return self.facts.has_taskset and not self.wrapper

    def describe(self) -> Device:
        """The machine as a record of results; serial numbers are hashed."""
        facts = self.facts
        emulated = self.kind is Kind.QEMU
        return Device(
            kind=self.kind,
            id=self._name or hashed_serial(facts.serial or self.name),
            model=self._name or facts.model or (facts.cores[0].name if facts.cores else ""),
            soc=facts.soc,
            cores=() if emulated else facts.cores,
            os=facts.os,
            abi=self.abis[0],
            memory_mb=facts.memory_mb,
            emulated=emulated or facts.emulator,
        )

    def sample(self) -> Sample:
        """Temperatures and frequencies now.

        Raises:
            DeviceError: if it does not answer.
        """
        return parse_sample(self._ask(SAMPLE_SCRIPT, "tell its temperature"))

    def surroundings(self, moment: str) -> Surroundings:
        """Screen, charger, battery and power-save mode now.

        Raises:
            DeviceError: if it does not answer.
        """
        return parse_surroundings(self._ask(SURROUNDINGS_SCRIPT, "tell about its battery"), moment)

    def power(self) -> PowerSample | None:
        """What its battery tells of the power that it gives now; None if it tells nothing.

        Raises:
            DeviceError: if it does not answer.
        """
        return parse_power(self._ask(POWER_SCRIPT, "tell what power it takes"))

    def change(self, name: str, do: str, undo: str, before: str = "") -> str:
        """Changes a setting of the device until `undo_changes`; returns why it cannot be changed, or nothing.

        What undoes it is written down there before the change is made, so that a session which is killed, or whose
        cable is pulled, leaves it to whoever comes next.

        Args:
            name: Of the change, for its file there.
            do: Script of sh that makes it; it ends with another exit code than 0 if it cannot.
            undo: Script of sh that undoes it, in one line without quotes.
            before: Script of sh that runs first; variables that it sets stand in `undo` for what they are then.

        Raises:
            DeviceError: if the device does not answer.
        """
        folder, file = shlex.quote(self.folder), f"{name}.undo"
        done = self.shell.run(
            f"mkdir -p {folder} && cd {folder} || exit 1\n{before}\n"
            f'echo "{undo}" > {file} || exit 1\n'
            f"( {do} ) || {{ code=$?; sh {file} >/dev/null 2>&1; rm -f {file}; exit $code; }}"
        )
        if done.exit_code == 0:
            return ""
        if done.exit_code is None:
            raise DeviceError(f"{self.name}: did not answer within 30 s; unlock it, or start it anew")
        return one_line(done.stderr or done.stdout) or f"exit code {done.exit_code}"

    def undo_changes(self) -> None:
        """Undoes every `change`, also those that an earlier session left.

        Raises:
            DeviceError: if one cannot be undone; it is tried again the next time.
        """
        script = f"""
            cd {shlex.quote(self.folder)} 2>/dev/null || exit 0
            for file in *.undo; do
              [ -f "$file" ] || continue
              if sh "$file" >/dev/null; then rm -f "$file"; else failed=1; fi
            done
            exit ${{failed:-0}}"""
        self._ask(script, "undo what was changed there")

    def push(self, file: Path) -> str:
        """Copies a file there unless its content is there already, and verifies it; returns its path there.

        Raises:
            DeviceError: if it does not fit, may not be written or arrives damaged.
        """
        digest, size = sha256(file), file.stat().st_size
        path = f"{self.folder}/{digest[:16]}-{re.sub(r'[^A-Za-z0-9._-]', '_', file.name)}"
        if self._is_there(path, digest, size):
            return path
        self._ask(f"mkdir -p {shlex.quote(self.folder)}", f"make the folder {self.folder}")
        self._check_space(file.name, size)
        partial = f"{path}.part"
        try:
            self.shell.copy(file, partial)
            if not self._is_there(partial, digest, size):
                raise DeviceError(f"{self.name}: {file.name} arrived damaged; check the cable and its connection")
        except DeviceLost:
            raise
        except DeviceError:
            self.shell.run(f"rm -f {shlex.quote(partial)}")
            raise
        self._ask(f"chmod 755 {shlex.quote(partial)} && mv {shlex.quote(partial)} {shlex.quote(path)}", "rename a file")
        return path

    def _is_there(self, path, digest, size):
        quoted = shlex.quote(path)
        script = f"sha256sum {quoted}" if self.facts.has_sha256sum else f"wc -c < {quoted}"
        found = self.shell.run(f"[ -f {quoted} ] && {script}", timeout=120)
        expected = digest if self.facts.has_sha256sum else str(size)
        return found.exit_code == 0 and found.stdout.split()[:1] == [expected]

    def _check_space(self, name, size):
        found = self.shell.run(f"df -k {shlex.quote(self.folder)}")
        columns = re.findall(r"\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%", found.stdout)
        free_kb = whole(columns[-1][2], _MOST_KB) if columns else None
        if free_kb is not None and free_kb * 1024 < size:
            raise DeviceError(
                f"{self.name}: no space for {name} ({size / _MB:.1f} MB) in {self.folder}, "
                f"{free_kb * 1024 / _MB:.1f} MB are free; bnext-benchmark clean removes what it put there"
            )

    def read(self, path: str) -> str:
        """The content of a file there in base64, because some connections carry text alone.

        Raises:
            DeviceError: if it is not there.
        """
        return self._ask(f"base64 {shlex.quote(path)}", f"read {path}")

    def remove(self, *paths: str) -> None:
        """Removes files there; none need be."""
        self.shell.run(f"rm -f {shlex.join(paths)}")

    def run(self, command: list[str], timeout: float, mask: str = "") -> Completed:
        """Runs a program in our folder; if its time is up or Ctrl-C is pressed, it is killed there too.

        Args:
            command: The program and its arguments.
            timeout: Seconds.
            mask: Cores to bind it to, hexadecimal.

        Raises:
            DeviceLost: if the connection breaks.
        """
        words = [*(["taskset", mask] if mask else []), *self.wrapper, *command]
        folder, record = shlex.quote(self.folder), f"{uuid.uuid4().hex[:8]}.pid"
        # The inner sh writes down its process number, then becomes the program; the outer one waits for it, because
        # some connections lose the signal that ended a program, while every sh makes an exit code of it.
        script = f"""sh -c 'echo "$$" > {record}; exec "$@"' sh {shlex.join(words)} & wait $!"""
        script = f"mkdir -p {folder} && cd {folder} && {{ {script}; code=$?; rm -f {record}; exit $code; }}"
        kill = f"cd {folder} && kill -9 $(cat {record}); rm -f {record}"
        try:
            done = self.shell.run(script, timeout)
        except KeyboardInterrupt:
            with suppress(DeviceError):
                self.shell.run(kill)
            raise
        if done.exit_code is None:
            self.shell.run(kill)
        return done

    def stop_leftovers(self) -> None:
        """Ends programs that run there since a connection broke: they would take the next one's cores.

        Raises:
            DeviceError: if it does not answer.
        """
        folder = shlex.quote(self.folder)
        script = f"""
            cd {folder} 2>/dev/null || exit 0
            for record in *.pid; do
              process=$(cat "$record" 2>/dev/null) || continue
              grep -qF {folder} "/proc/$process/cmdline" 2>/dev/null && kill -9 "$process"
              rm -f "$record"
            done
            true"""
        self._ask(script, "end what runs there")

    def clean(self) -> int:
        """Undoes what was changed there and removes our folder with what is in it; returns how many files it had."""
        self.undo_changes()
        folder = shlex.quote(self.folder)
        count = self._ask(f"[ -d {folder} ] || exit 0; ls {folder} | wc -l; rm -r {folder}", f"remove {self.folder}")
        return whole(count, _MOST_FILES) or 0

    def _ask(self, script, what):
        done = self.shell.run(script)
        if done.exit_code is None:
            raise DeviceError(f"{self.name}: did not {what} within 30 s; unlock it, or start it anew")
        if done.exit_code != 0:
            why = (done.stderr or done.stdout).strip().replace("\n", " ") or f"exit code {done.exit_code}"
            raise DeviceError(f"{self.name}: cannot {what}: {why}")
        return done.stdout
