"""The places where a model can run, each found by a short text.

``adb``              the only phone that is connected
``adb:SERIAL``       this phone
``ssh:USER@HOST``    a board or server, ``:PORT`` if it is not 22
``qemu``             an emulated ARM64 CPU, ``qemu:cortex-a53`` another one; its times mean nothing
``host``             this machine

>>> from pathlib import Path
>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     open_target("host", Path(folder)).run(["echo", "hello"], timeout=10)
Completed(exit_code=0, stdout='hello\\n', stderr='')
"""

from pathlib import Path

from bnext_keras.errors import DeviceError

from android_demo.targets.target import Target

__all__ = ["Target", "open_target"]


def open_target(text: str, cache: Path, ssh_options: tuple[str, ...] = ()) -> Target:
    """Finds the machine that a text names.

    Args:
        text: As listed above.
        cache: Folder of this machine's own files.
        ssh_options: Further ``-o`` options of ssh.

    Raises:
        DeviceError: if there is no such machine, or it cannot be used as it is.
    """
    kind, colon, rest = text.partition(":")
    if kind == "adb" and (rest or not colon):
        from android_demo.targets.adb import open_adb

        return open_adb(rest)
    if kind == "ssh" and rest:
        from android_demo.targets.ssh import open_ssh

        return open_ssh(rest, ssh_options)
    from android_demo.targets.local import open_host, open_qemu

    cache = cache.absolute()
    if kind == "qemu" and (rest or not colon):
        return open_qemu(cache / "qemu", *filter(None, [rest]))
    if text == "host":
        return open_host(cache / "host")
    raise DeviceError(f"{text}: no such kind of device; adb, adb:SERIAL, ssh:USER@HOST, qemu, qemu:CPU and host are")
