"""Files as commands treat them: checked before work begins, hashed, and written whole or not at all.

Every error is a `bnext_keras.errors.FileError`, one line that names the file. TensorFlow is not imported.
"""

import errno
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from bnext_keras.errors import FileError, UserError
from bnext_keras.image_files import is_image

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def check_exists(path: Path) -> None:
    """Raises FileError if there is no such file or folder."""
    if not path.exists():
        raise FileError("no such file or folder", where=str(path))


def check_writable(path: Path) -> None:
    """Raises FileError if a file could not be put there, before any work has been done.

    What exists there must be a regular file, so that no device, pipe or folder is ever replaced. A folder that does not
    exist is made when the file is written.

    Args:
        path: The file.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:  # a name that is too long, say
        raise FileError(f"cannot be written ({error.strerror or error})", where=str(path)) from error
    if path.is_dir():
        raise FileError("is a folder; name a file", where=str(path))
    if path.exists() and not path.is_file():
        raise FileError("is no regular file, and would be replaced by one; name another", where=str(path))
    folder = next(parent for parent in _target(path).parents if parent.exists())
    if not folder.is_dir():
        raise FileError(f"{folder} is no folder", where=str(path))
    if not os.access(folder, os.W_OK):
        raise FileError(f"the folder {folder} is not writable", where=str(path))


def check_outputs(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Raises FileError if writing the outputs would replace an input, another output, or what is no regular file.

    Links are followed, symbolic and hard ones. A folder is read for some of its files: a SavedModel for all, any other
    for its images.

    Args:
        outputs: Files to be written.
        inputs: Files and folders that are read.

    Example:
        >>> check_outputs([Path("model.tflite"), Path("./model.tflite")])
        Traceback (most recent call last):
        ...
        bnext_keras.errors.FileError: model.tflite: is named for two outputs; name another file
    """
    outputs, inputs = list(outputs), list(inputs)
    for path in outputs:
        check_writable(path)
    for i, path in enumerate(outputs):
        if any(_is_same(path, other) for other in outputs[:i]):
            raise FileError("is named for two outputs; name another file", where=str(path))
        for source in inputs:
            if _is_same(path, source):
                raise FileError("is an input, and would be replaced; name another file", where=str(path))
            if path.exists() and _is_read_from(source, path):
                raise FileError(
                    f"lies in the input {source}, and would be replaced; name another file", where=str(path)
                )


def user_cache() -> Path:
    """Where this user's programs keep what can be made again: ``$XDG_CACHE_HOME``, as a rule ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


#: How files of models end, each of another format.
_MODELS = (".h5", ".hdf5", ".keras", ".pb", ".tflite", ".onnx")


def check_suffix(path: Path, suffix: str) -> None:
    """Raises FileError if a model's file is to be written under a name that stands for a model of another format.

    Example:
        >>> check_suffix(Path("model.h5"), ".tflite")
        Traceback (most recent call last):
        ...
        bnext_keras.errors.FileError: model.h5: ends in .h5, and a .tflite file is written; name one that ends so
    """
    if path.suffix.lower() in _MODELS and path.suffix.lower() != suffix:
        raise FileError(
            f"ends in {path.suffix}, and a {suffix} file is written; name one that ends so", where=str(path)
        )


def sha256(path: Path) -> str:
    """The SHA-256 of a file's content, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_atomically(path: Path, content: bytes) -> None:
    """Writes to a temporary file in the same folder, then renames it: a reader finds the old file or the new one.

    The folder is made if it does not exist, and those that it lies in.

    Args:
        path: The file. Where it is a symbolic link, the file that it leads to is replaced.
        content: All of it.

    Raises:
        FileError: if the file cannot be written, for want of space say; what was there before is untouched.

    Example:
        >>> import bnext_keras, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "file")
        >>> bnext_keras.files.write_atomically(path, b"content")
        >>> path.read_bytes()
        b'content'
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Writes several files: none is replaced before all have been written in full beside their places.

    Args:
        contents: All of each file.

    Raises:
        FileError: if one cannot be written; all that was there before is then untouched.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_all({folder / "a": b"1", folder / "b": b"2"})
        >>> sorted(file.name for file in folder.iterdir())
        ['a', 'b']
    """
    with ExitStack() as stack:
        # Leaving the stack renames; an error on the way leaves it with an exception, which renames nothing.
        for path, content in contents.items():
            stack.enter_context(replacing(path)).write_bytes(content)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives a temporary file in the same folder, with the same ending, to write to; then renames it.

    The folder is made if it does not exist, and those that it lies in.

    Args:
        path: The file. Where it is a symbolic link, the file that it leads to is replaced.

    Raises:
        FileError: if writing to it raises an OSError, for want of space say; what was there before is untouched.
    """
    temporary = None
    try:
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.stem[:100]}.", suffix=target.suffix[:100], delete=False
        ) as file:
            temporary = Path(file.name)
        yield temporary
        temporary.chmod(0o644)
        flush(temporary)
        temporary.replace(target)
        flush(target.parent)
    except FileError:
        raise
    except OSError as error:
        raise FileError(f"cannot be written ({error.strerror or error})", where=str(path)) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until a file's content, or the names in a folder, are on the disk, where a power cut does not take them.

    Raises:
        OSError: if a file cannot be written there.
    """
    if path.is_dir():
        # Not every file system can do it for folders.
        with suppress(OSError):
            _flush(path, os.O_RDONLY)
    else:
        _flush(path, os.O_RDWR)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps a folder for one user at a time: whoever comes second is refused at once, and told who the first is.

    The lock is the operating system's (``flock`` on a file ``.lock`` in the folder) and ends with the process that
    holds it, however that ends; what a killed process leaves there keeps nobody out. It is advice: only those who ask
    for it heed it. Processes that are forked inside share it, programs that are started do not.

    Linux heeds it on NFS between machines too; on file systems that have no locks, and on Windows, nobody is refused.

    Args:
        folder: The folder; made if it does not exist.

    Raises:
        FileError: if another process, or this one, has locked the folder; or if nothing can be written there.

    Example:
        >>> folder = Path(tempfile.mkdtemp())
        >>> with locked(folder):
        ...     try:
        ...         with locked(folder): pass
        ...     except FileError as error:
        ...         print(f"is in use by process {os.getpid()} on " in str(error))
        True
    """
    if fcntl is None:
        yield
        return
    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made ({error.strerror or error})", where=str(folder)) from error
    try:
        descriptor = _lock(path)
    except BlockingIOError as error:
        raise FileError(
            f"is in use by {_holder(path)}", where=str(folder), remedy="wait until it has ended, or name another folder"
        ) from error
    except OSError as error:
        raise FileError(f"cannot be locked ({error.strerror or error})", where=str(folder)) from error
    try:
        yield
    finally:
        # While it is still held: afterwards it might be another's.
        with suppress(OSError):
            path.unlink()
        os.close(descriptor)


@contextmanager
def file_errors_as(kind: type[UserError]) -> Iterator[None]:
    """Turns FileErrors into the error that a function promises, with the same words.

    Example:
        >>> from bnext_keras.errors import ConversionError
        >>> with file_errors_as(ConversionError):
        ...     check_exists(Path("missing.h5"))
        Traceback (most recent call last):
        ...
        bnext_keras.errors.ConversionError: missing.h5: no such file or folder
    """
    try:
        yield
    except FileError as error:
        raise kind(error.what, where=error.where, remedy=error.remedy) from error


def _flush(path, mode):
    descriptor = os.open(path, mode)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(path):
    """Descriptor of the file, now locked, with who has it written in; BlockingIOError if that is another."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                    raise
            # Who had it may have deleted the file after it was opened here: that lock keeps nobody out.
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
                return descriptor
        except OSError:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _holder(path):
    try:
        return path.read_text(encoding="utf-8", errors="replace") or "another process"
    except OSError:
        return "another process"


def _target(path):
    """Where a path leads to, through every symbolic link; what it leads to need not exist."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError) as error:  # links in a circle, names that are too long
        raise FileError(f"leads nowhere ({error})", where=str(path)) from error


def _is_read_from(folder, path):
    if not folder.is_dir() or not _target(path).is_relative_to(_target(folder)):
        return False
    return is_image(path) or (folder / "saved_model.pb").exists()


def _is_same(one, other):
    return _target(one) == _target(other) or (one.exists() and other.exists() and one.samefile(other))
