"""Runs a command and says how much memory it took at most, with all processes that it started: Linux only.

    python tests/peak_memory.py python -m pytest

What processes share, such as TensorFlow's libraries, counts once (it is the sum of their proportional set sizes).
"""

import re
import subprocess
import sys
import time
from pathlib import Path

#: Seconds. A look at a large process takes the kernel tens of milliseconds.
INTERVAL = 1


def main(command):
    peak = 0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            peak = max(peak, sum(map(_kilobytes, _with_descendants(process.pid))))
            time.sleep(INTERVAL)
    print(f"peak memory of all processes: {peak / 2**20:.2f} GiB")
    return process.returncode


def _with_descendants(pid):
    children = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # Behind the program's name, which may contain anything: state, parent.
        parent = re.search(r".*\) \S (\d+)", _read(folder / "stat"), re.DOTALL)
        if parent:
            children.setdefault(int(parent[1]), []).append(int(folder.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def _kilobytes(pid):
    size = re.search(r"^Pss:\s+(\d+)", _read(Path(f"/proc/{pid}/smaps_rollup")), re.MULTILINE)
    return int(size[1]) if size else 0


def _read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile, or is another user's
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
