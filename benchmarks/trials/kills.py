"""Kills training runs at random moments, continues them, and compares the end with that of an undisturbed run.

    python benchmarks/trials/kills.py --kills 10 --seed 0

Each run is killed by SIGKILL after a random time, continued with ``bnext-train --resume --out DIR`` and nothing else,
killed again, and at last left to finish; before some of the continuations the index of its checkpoints, or its newest
checkpoint, is damaged too. Prints a line for each kill and, at the end, how many runs ended with the same weights and
history as the undisturbed one. Ends with status 1 if any did not.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

SETTINGS = ["widths=8,16", "epochs=4", "batch_size=256", "weak_teachers=", "strong_teacher="]
COMMAND = [sys.executable, "-m", "bnext_keras.cli.train"]
KILLED = -9


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10, help="number of kills in all (default 10)")
    parser.add_argument("--seconds", type=float, default=900, help="begins no run after so many (default 900)")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance, begun = random.Random(arguments.seed), time.monotonic()
    kills = runs = same = damages = 0
    with tempfile.TemporaryDirectory() as place:
        undisturbed = Path(place, "undisturbed")
        since = time.monotonic()
        start(undisturbed, "digits", *SETTINGS).communicate()
        duration = time.monotonic() - since
        while kills < arguments.kills and time.monotonic() - begun < arguments.seconds:
            folder = Path(place, f"run{runs}")
            process = start(folder, "digits", *SETTINGS)
            for _ in range(chance.randint(1, 3)):
                moment = chance.uniform(0.3, 1.0) * duration
                kills += kill(process, moment)
                damage = chance.choice(["none", "no index", "empty index", "torn checkpoint"])
                damages += damage != "none" and apply(folder, damage)
                print(f"run {runs}: killed after {moment:.1f} s, {damage}", flush=True)
                process = start(folder, *begin_or_resume(folder))
            output, _ = process.communicate()
            runs += 1
            equal = process.returncode == 0 and same_end(folder, undisturbed)
            same += equal
            if not equal:
                print(f"run {runs - 1}: DIFFERS\n{output[-2000:]}")
    print(f"{kills} kills, {damages} damaged folders, {runs} runs: {same} ended as the undisturbed one")
    return same < runs


def start(folder, *arguments):
    command = [*COMMAND, "--out", str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def begin_or_resume(folder):
    return ["--resume"] if (folder / "run.json").exists() else ["digits", *SETTINGS]


def kill(process, moment):
    try:
        process.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
    return process.returncode == KILLED


def apply(folder, damage):
    """Damages what there are two of; returns whether there were."""
    checkpoints = folder / "checkpoints"
    data = sorted(checkpoints.glob("ckpt-?.data*"))
    if len(data) < 2 or not (checkpoints / "checkpoint").exists():
        return False
    if damage == "no index":
        (checkpoints / "checkpoint").unlink()
    elif damage == "empty index":
        (checkpoints / "checkpoint").write_text("")
    else:
        data[-1].write_bytes(data[-1].read_bytes()[:-100])
    return True


def same_end(folder, other):
    files = [path / "history.csv" for path in (folder, other)]
    if files[0].read_bytes() != files[1].read_bytes():
        return False
    return all(same_weights(folder / name, other / name) for name in ("best.h5", "final.h5"))


def same_weights(path, other):
    found, expected = weights(path), weights(other)
    return found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in expected)


def weights(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


if __name__ == "__main__":
    sys.exit(main())
