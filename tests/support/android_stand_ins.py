"""Stand-ins for Android's classes, ``android_stand_ins.txt``, as files that a Java compiler takes."""

import re
from pathlib import Path


def write(folder: Path) -> list[Path]:
    """Writes their sources; returns the files."""
    files = []
    text = Path(__file__).with_suffix(".txt").read_text()
    for name, body in re.findall(r"^== (\S+)\n(.*?)(?=^== |\Z)", text, re.MULTILINE | re.DOTALL):
        package, _, short = name.rpartition(".")
        file = folder / package.replace(".", "/") / f"{short}.java"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"package {package};\npublic {body}")
        files.append(file)
    return files
