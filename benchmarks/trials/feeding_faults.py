"""Strikes trainings whose images come from processes, and looks at what they say and leave behind.

    python benchmarks/trials/feeding_faults.py --seconds 600 --seed 0

A small run is begun with ``--processes 2`` and struck at a random moment: Ctrl-C for all its processes, SIGKILL for
one that prepares images, SIGKILL for the run itself, or it finds ``/dev/shm`` full from the start. Prints for each
strike the run's last line and what was found wrong: another status than it should have, more than one line on standard
error, a process that goes on, something left in ``/dev/shm``, of which each run has its own. Ends with 1 if anything
was. This script must be root's, and have ``unshare``.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RUN = [sys.executable, "-m", "bnext_keras.cli.train", "digits", "--processes", "2", "weak_teachers=", "strong_teacher="]
#: Status of the run after each strike.
STRIKES = {"Ctrl-C": 130, "one process killed": 2, "run killed": -signal.SIGKILL, "no shared memory": 2}
#: Gives a run, and nobody else, a folder as its /dev/shm, or a full one.
OWN = 'mount --bind "$0" /dev/shm && exec "$@"'
FULL = 'mount -t tmpfs -o size=4k none /dev/shm && head -c 4096 /dev/zero > /dev/shm/full; exec "$@"'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strikes", type=int, default=12, help="how many in all (default 12)")
    parser.add_argument("--seconds", type=float, default=600, help="begins no run after so many (default 600)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if os.geteuid() != 0 or not shutil.which("unshare"):
        parser.exit(2, "this must be root's, and have unshare\n")
    # Shells let what they start in the background ignore Ctrl-C, and so would every run.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chance, begun, faulty, done = random.Random(arguments.seed), time.monotonic(), 0, 0
    kinds = list(STRIKES)
    while done < arguments.strikes and time.monotonic() - begun < arguments.seconds:
        kind = kinds[done % len(kinds)]
        faults, said = strike(kind, chance.uniform(0, 4))
        faulty, done = faulty + bool(faults), done + 1
        print(f"{kind}: {'; '.join(faults) or 'as it should be'}\n    {said}", flush=True)
    print(f"{done} strikes, {faulty} with faults")
    return faulty > 0


def strike(kind, delay):
    """What is wrong with the end of one run, and the last line that it wrote."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as shared:
        prepare = FULL if kind == "no shared memory" else OWN
        command = ["unshare", "--mount", "bash", "-c", prepare, shared, *RUN, "--out", f"{folder}/run"]
        run = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        feeders = wait_for_feeders(run) if kind != "no shared memory" else []
        time.sleep(delay if feeders else 0)
        if kind == "Ctrl-C":
            os.killpg(run.pid, signal.SIGINT)
        elif kind == "one process killed":
            os.kill(feeders[0], signal.SIGKILL)
        elif kind == "run killed":
            run.kill()
        _, errors = run.communicate()
        time.sleep(2)
        left = sorted(os.listdir(shared))
    # Scikit-learn's joblib, which brings the digits, has something to say of a full /dev/shm, too.
    lines = [line for line in errors.strip().splitlines() if "joblib" not in line]
    faults = []
    if run.returncode != STRIKES[kind]:
        faults.append(f"status {run.returncode}")
    # Of a killed run, whoever tidies up behind it may say so.
    if len(lines) != 1 and kind != "run killed":
        faults.append(f"{len(lines)} lines")
    if going := [number for number in feeders if stat(number)[:1] not in ([], ["Z"])]:
        faults.append(f"{len(going)} processes go on")
    if left:
        faults.append(f"{', '.join(left)} in /dev/shm")
    return faults, lines[-1] if lines else "(nothing)"


def wait_for_feeders(run):
    """Process numbers of both, once they are there."""
    while run.poll() is None:
        found = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline") if feeds(path, run.pid)]
        if len(found) == 2:
            return found
        time.sleep(0.1)
    return []


def feeds(path, parent):
    fields = stat(path.parent.name)
    return len(fields) > 1 and int(fields[1]) == parent and "spawn_main" in read(path)


def stat(number):
    """State, parent and so on of a process; nothing of one that is gone."""
    return read(Path(f"/proc/{number}/stat")).rpartition(")")[2].split()


def read(path):
    try:
        return path.read_text()
    except OSError:
        return ""


if __name__ == "__main__":
    sys.exit(main())
