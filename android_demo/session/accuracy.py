"""Accuracy on the device: images go there, answers come back, and the labels stay here.

A network may answer otherwise on another CPU, if only by the last digits. What counts is what it answers there.
"""

import base64
import binascii
import math
import tempfile
from collections.abc import Callable
from pathlib import Path

from bnext_keras.errors import BenchmarkError

from android_demo.session.labelled import LabelledImages
from android_demo.targets import Target
from android_demo.tools.programs import InstalledTool

#: Bytes of images that a device gets at a time.
_AT_ONCE = 32_000_000


def measure_top1(
    target: Target,
    tool: InstalledTool,
    plan: str,
    data: LabelledImages,
    *,
    threads: int,
    timeout: float,
    progress: Callable[[str], None],
) -> tuple[float, int]:
    """Share of images, in percent, whose largest answer on the device is that of their class; and how many these are.

    Images that cannot be read are left out.

    Args:
        target: The device.
        tool: The engine's program there.
        plan: Path of the plan there.
        data: Images and labels.
        threads: Threads of the engine.
        timeout: Seconds that a portion of the images may take.
        progress: Takes a line about how far it has come.

    Raises:
        BenchmarkError: if the device does not answer as it should, or no image can be read.
    """
    import numpy as np

    seen = right = 0
    bytes_each = math.prod(data.images.shape[1:]) * np.dtype(np.float32).itemsize
    for images, labels in data.portions(max(1, _AT_ONCE // bytes_each)):
        progress(f"accuracy, {seen} of {len(data.labels)} images")
        if not len(images):
            continue
        answers = np.frombuffer(_answers(target, tool, plan, images, threads, timeout), np.float32)
        if answers.size == 0 or answers.size % len(images):
            raise BenchmarkError(f"{target.name}: {answers.size} numbers came back for {len(images)} images")
        right += int(np.sum(answers.reshape(len(images), -1)[:, data.classes].argmax(axis=1) == labels))
        seen += len(images)
    if not seen:
        raise BenchmarkError("none of the images can be read", remedy=data.broken.summary())
    return 100 * right / seen, seen


def _answers(target, tool, plan, images, threads, timeout):
    with tempfile.NamedTemporaryFile(suffix=".images") as file:
        images.tofile(file.name)
        there = target.push(Path(file.name))
    answers = f"{there}.answers"
    command = [*tool.program, f"--graph={plan}", f"--num_threads={threads}", f"--input={there}", f"--output={answers}"]
    try:
        done = target.run(command, timeout)
        if done.exit_code != 0:
            why = (
                "its time was up" if done.exit_code is None else (done.stderr.strip() or f"exit code {done.exit_code}")
            )
            raise BenchmarkError(f"{target.name}: no answers: {why}")
        return base64.b64decode(target.read(answers), validate=False)
    except binascii.Error as error:
        raise BenchmarkError(f"{target.name}: answers arrived damaged; check the cable and its connection") from error
    finally:
        target.remove(there, answers)
