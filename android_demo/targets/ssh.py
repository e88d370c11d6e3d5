"""Boards and servers, through this machine's ``ssh``, with its configuration, agent and known hosts."""

import re
import shlex
import shutil
from pathlib import Path

from bnext_keras.errors import DeviceError, DeviceLost

from android_demo.results import Kind
from android_demo.targets.shell import Completed, run_process
from android_demo.targets.target import Target

#: Never asks for anything, and notices within 15 seconds that the other side is gone.
_OPTIONS = ("BatchMode=yes", "ConnectTimeout=10", "ServerAliveInterval=5", "ServerAliveCountMax=3")
#: Exit code of ssh itself.
_SSH_FAILED = 255

_ADVICE = {
    "Permission denied": "it does not let us in without a password; run ssh-copy-id {destination} first",
    "Host key verification failed": "its key is not known here; run ssh {destination} once by hand and check the key",
    "REMOTE HOST IDENTIFICATION HAS CHANGED": "its key has changed; find out why before you remove the old one",
    "Could not resolve hostname": "no such host; check the name, or use its IP address",
    "Connection refused": "no SSH server listens there; check the port, or start sshd on it",
    "timed out": "it does not answer; check that it is switched on and in this network",
    "No route to host": "it does not answer; check that it is switched on and in this network",
}


def open_ssh(destination: str, options: tuple[str, ...] = ()) -> Target:
    """A machine that ssh reaches.

    Args:
        destination: ``[user@]host[:port]``, or a name from ssh's configuration.
        options: Further ``-o`` options of ssh.

    Raises:
        DeviceError: if it cannot be reached, or not without a password.
    """
    found = re.fullmatch(r"(?P<destination>[^-:][^:]*)(?::(?P<port>\d+))?", destination)
    if found is None:
        raise DeviceError(f"ssh:{destination}: is not user@host or user@host:port")
    if shutil.which("ssh") is None:
        raise DeviceError("ssh: is not installed; Debian and Ubuntu: apt install openssh-client")
    shell = SshShell(found["destination"], found["port"], options)
    # The whole way into a home with unusual characters is not worth its quoting.
    home = shell.run('echo "$HOME"').stdout.strip()
    if not re.fullmatch(r"/[\w./-]*", home):
        raise DeviceError(f"{shell.name}: its home folder {home!r} cannot be used")
    return Target(Kind.SSH, shell, f"{home.rstrip('/')}/.cache/bnext-keras")


class SshShell:
    """Shell of a machine that ssh reaches; needs no more there than sh and cat, not even sftp."""

    def __init__(self, destination: str, port: str | None, options: tuple[str, ...]):
        self._destination = destination
        self._port = ("-p", port) if port else ()
        self._options = [word for option in (*options, *_OPTIONS) for word in ("-o", option)]
        self.name = f"ssh:{destination}" + (f":{port}" if port else "")

    def run(self, script: str, timeout: float = 30) -> Completed:
        """Runs a script of sh there, whatever the user's login shell is."""
        return self._ssh(f"sh -c {shlex.quote(script)}", timeout)

    def copy(self, source: Path, destination: str) -> None:
        """Copies a file."""
        with source.open("rb") as file:
            done = self._ssh(f"cat > {shlex.quote(destination)}", timeout=600, stdin=file)
        if done.exit_code is None:
            raise DeviceLost(f"{self.name}: {source.name} was not through after ten minutes; check its network")
        if done.exit_code != 0:
            raise DeviceError(f"{self.name}: does not take {source.name}: {done.stderr.strip()}")

    def _ssh(self, command, timeout, stdin=None):
        words = ["ssh", *self._options, *self._port, "--", self._destination, command]
        done = run_process(words, timeout, stdin)
        if done.exit_code == _SSH_FAILED:
            raise self._failure(done.stderr.strip())
        return done

    def _failure(self, message):
        last_line = message.rpartition("\n")[2]
        for symptom, advice in _ADVICE.items():
            if symptom in message:
                by_hand = " ".join((*self._port, self._destination))
                return DeviceLost(f"{self.name}: {advice.format(destination=by_hand)} ({last_line})")
        return DeviceLost(f"{self.name}: the connection broke ({last_line}); run again with --resume")
