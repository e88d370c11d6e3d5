"""Files of Larq Compute Engine's release, fetched once and checked ever after."""

import hashlib
import sys
from pathlib import Path

from bnext_keras.errors import BenchmarkError
from bnext_keras.files import file_errors_as, sha256, user_cache, write_atomically

from android_demo.tools.elf import parse_elf

#: Where LCE's GitHub release keeps its programs.
RELEASE_URL = "https://github.com/larq/compute-engine/releases/download/v0.16.0"


def _cache_folder():
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/bnext-keras"
    return (Path.home() / "AppData/Local" if sys.platform == "win32" else user_cache()) / "bnext-keras"


#: Where this machine keeps what was fetched, and what its own emulator runs.
CACHE = _cache_folder()

#: Seconds that the server may take to go on.
_PATIENCE = 30


class Downloads:
    """A folder of fetched files, each beside its SHA-256.

    The release publishes no digests. The first download is therefore trusted, as TLS vouches for it, unless the user
    says what to expect; every later use must have the same digest.

    Args:
        folder: Made when the first file comes.
        url: Folder on the web.
    """

    def __init__(self, folder: Path, url: str = RELEASE_URL):
        self.folder = folder
        self.url = url.rstrip("/")

    def fetch(self, name: str, expected_sha256: str = "") -> Path:
        """The file of this name, from the folder or the web.

        Raises:
            BenchmarkError: if it cannot be fetched or read, is no whole program, or not what was fetched before.
        """
        try:
            return self._fetch(name, expected_sha256)
        except OSError as error:
            raise BenchmarkError(
                f"{self.folder / name}: cannot be used ({error.strerror or error}); "
                f"delete it and {name}.sha256, and it is fetched again"
            ) from error

    def _fetch(self, name, expected_sha256):
        file, record = self.folder / name, self.folder / f"{name}.sha256"
        if not file.exists():
            content = self._download(name, file)
            digest = hashlib.sha256(content).hexdigest()
            if expected_sha256 and digest != expected_sha256.lower():
                raise BenchmarkError(f"{self.url}/{name}: its SHA-256 is {digest}, not the expected {expected_sha256}")
            _check_whole(content, f"{self.url}/{name}", "fetch it again")
            _write(file, content)
        if not record.exists():
            # It may have been put there by hand, by a browser whose download broke off, say.
            content = file.read_bytes()
            _check_whole(content, file, "delete it, and it is fetched again")
            _write(record, f"{hashlib.sha256(content).hexdigest()}  {name}\n".encode())
        elif record.read_bytes().split()[:1] != [sha256(file).encode()]:
            raise BenchmarkError(
                f"{file}: has changed since it was fetched ({record.name} says otherwise); "
                "find out why, or delete both to fetch it again"
            )
        return file

    def _download(self, name, file):
        # A tenth of a second that only the first download needs.
        import http.client
        import urllib.request

        address = f"{self.url}/{name}"
        try:
            with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
                content = answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise BenchmarkError(
                f"{name} cannot be fetched ({getattr(error, 'reason', None) or error}); download {address} where there "
                f"is a connection, and give it with --tool FILE or put it at {file}"
            ) from error
        if parse_elf(content) is None:
            raise BenchmarkError(f"{address}: did not answer with a program; a proxy's page, perhaps; see --tool")
        return content


def _check_whole(content, where, remedy):
    """An answer without a length that breaks off looks like one that has ended: only the file itself can tell."""
    elf = parse_elf(content)
    if elf is not None and elf.end > len(content):
        raise BenchmarkError(f"{where}: is cut off, {len(content):,} of at least {elf.end:,} bytes; {remedy}")


def _write(file, content):
    with file_errors_as(BenchmarkError):
        write_atomically(file, content)
