"""Signs an app, as Android wants it of every app: by schemes 2 and 3, with a key of one's own or one for once."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from android_demo.export.apk.package import AppError
from android_demo.export.tools import ToolError, call, find

#: The environment variable that has a key store's password: what is on a command line, others on the machine can read.
PASSWORD = "BNEXT_KEYSTORE_PASSWORD"


@dataclass(frozen=True)
class Key:
    """A key of one's own: the file that holds it, and its name there if it holds several."""

    store: Path
    alias: str = ""


def check_key(key: Key | None) -> None:
    """Raises AppError or ToolError if an app could not be signed, before any work has been done."""
    find("apksigner", "apksigner")
    if key is None:
        find("keytool", "default-jre-headless")
    elif not os.environ.get(PASSWORD):
        raise AppError("its password is not known", where=str(key.store), remedy=f"put it into ${PASSWORD}")


def sign(content: bytes, key: Key | None = None) -> bytes:
    """The app with a signature; without a key, by one that is made for it and thrown away.

    Phones take another version of an app only if the same key has signed it.

    Raises:
        AppError: if the key store cannot be used.
        ToolError: if a program is not installed.
    """
    check_key(key)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = {**os.environ}
        if key is None:
            environment[PASSWORD] = "thrown away"
            key = Key(_make_key(folder / "key.p12", environment))
        (folder / "plain.apk").write_bytes(content)
        options = ["--ks", key.store, "--ks-pass", f"env:{PASSWORD}"]
        if key.alias:
            options += ["--ks-key-alias", key.alias]
        schemes = [f"--v{number}-signing-enabled={str(number in (2, 3)).lower()}" for number in (1, 2, 3, 4)]
        command = [find("apksigner", "apksigner"), "sign", *options, *schemes]
        try:
            call([*command, "--out", folder / "signed.apk", folder / "plain.apk"], env=environment)
        except ToolError as error:
            raise AppError(f"cannot be used ({error.what})", where=str(key.store)) from error
        return (folder / "signed.apk").read_bytes()


def _make_key(store, environment):
    command = [find("keytool", "default-jre-headless"), "-genkeypair", "-keystore", store, "-storetype", "PKCS12"]
    command += ["-storepass:env", PASSWORD, "-alias", "app", "-keyalg", "EC", "-groupname", "secp256r1"]
    call([*command, "-dname", "CN=for once", "-validity", "10000"], env=environment)
    return store
