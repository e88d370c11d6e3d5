"""Runs a command and says how much memory it took at most, with all processes that it started: Linux only.

    python tests/peak_memory.py python -m pytest

What processes share, such as TensorFlow's libraries, counts once (it is the sum of their proportional set sizes). The
largest processes of that moment are listed. With the package setproctitle, those of pytest-xdist are called by their
tests.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

#: Seconds. A look at a large process takes the kernel tens of milliseconds.
INTERVAL = 1
#: So many processes are listed, those above so many kilobytes.
LISTED, LARGE = 8, 50 * 2**10


def main(command):
    peak, largest = 0, []
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            sizes = {pid: _kilobytes(pid) for pid in _with_descendants(process.pid)}
            if sum(sizes.values()) > peak:
                peak = sum(sizes.values())
                pids = sorted(sizes, key=sizes.get, reverse=True)[:LISTED]
                largest = [(sizes[pid], _command(pid)) for pid in pids if sizes[pid] > LARGE]
            time.sleep(INTERVAL)
    print(f"peak memory of all processes: {peak / 2**20:.2f} GiB")
    for size, name in largest:
        print(f"{size / 2**20:6.2f} GiB  {name}")
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


def _command(pid):
    return _read(Path(f"/proc/{pid}/cmdline")).replace("\0", " ")[:200]


def _read(path):
    try:
        return path.read_text(errors="replace")
    except OSError:  # it has ended meanwhile, or is another user's
        return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
