"""Which checkpoints a run has, and which of them is to be continued from.

A run's folder ``checkpoints`` holds TensorFlow's files ``ckpt-N.index`` and ``ckpt-N.data-...`` after epoch N, and the
file ``checkpoint``, TensorFlow's index, which names the newest one that is complete.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bnext_keras.errors import RunError
from bnext_keras.files import write_atomically

FOLDER = "checkpoints"
INDEX = "checkpoint"
_NEWEST = re.compile(r'^model_checkpoint_path: "(.*)"$', re.MULTILINE)
_NAME = re.compile(r"ckpt-(\d+)")


@dataclass(frozen=True)
class Index:
    """The checkpoints of a run.

    Attributes:
        epochs: The epochs after which they were written, in the order in which they should be tried: the newest that
            counts, then those before it.
        fault: What is wrong with the index, so that the files themselves had to tell; "" if nothing is.
        is_new: Whether there is no sign that an epoch was ever finished.
    """

    epochs: tuple[int, ...]
    fault: str = ""
    is_new: bool = False


def read_index(folder: Path) -> Index:
    """The checkpoints of the run in ``folder``.

    Raises:
        RunError: if the index names a checkpoint elsewhere.
    """
    directory = folder / FOLDER
    on_disk = sorted(_on_disk(directory), reverse=True)
    path = directory / INDEX
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        is_new = not (folder / "history.json").exists()
        return Index(tuple(on_disk), fault="" if is_new and not on_disk else f"{path} is missing", is_new=is_new)
    except (OSError, UnicodeDecodeError):
        return Index(tuple(on_disk), fault=f"{path} cannot be read")
    found = _NEWEST.search(text)
    if found is None:
        return Index(tuple(on_disk), fault=f"{path} names no checkpoint")
    newest = directory / found[1]
    if newest.parent.resolve() != directory.resolve():
        raise RunError(
            f"names a checkpoint that is not this run's, {found[1]}",
            where=str(path),
            remedy="delete that file to continue from the newest checkpoint beside it",
        )
    name = _NAME.fullmatch(newest.name)
    if name is None or int(name[1]) not in on_disk:
        return Index(tuple(on_disk), fault=f"{path} names {newest.name}, which is not there")
    return Index(tuple(epoch for epoch in on_disk if epoch <= int(name[1])))


def write_index(folder: Path, epochs: Sequence[int]) -> None:
    """Makes the last of some checkpoints the newest one that counts, by a single renaming.

    Raises:
        FileError: if that cannot be written; the index is then what it was.
    """
    lines = [f'model_checkpoint_path: "ckpt-{epochs[-1]}"']
    lines += [f'all_model_checkpoint_paths: "ckpt-{epoch}"' for epoch in epochs]
    write_atomically(folder / FOLDER / INDEX, ("\n".join(lines) + "\n").encode())


def finished_epochs(folder: Path) -> int:
    """How many epochs of the run in ``folder`` are finished, as far as its index knows.

    Raises:
        RunError: if the index names a checkpoint elsewhere.
    """
    return max(read_index(folder).epochs, default=0)


def _on_disk(directory):
    for path in directory.glob("ckpt-*.index"):
        name = _NAME.fullmatch(path.stem)
        if name and any(directory.glob(f"{path.stem}.data-*")):
            yield int(name[1])
