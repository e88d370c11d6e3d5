"""Accuracy on the device: images go there, answers come back, and the labels stay here.

A network may answer otherwise on another CPU, if only by the last digits. What counts is what it answers there.
"""

import base64
import binascii
import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bnext_keras.errors import BenchmarkError

from android_demo.targets import Target
from android_demo.tools.programs import InstalledTool

if TYPE_CHECKING:
    import numpy as np

#: Bytes of images that a device gets at a time.
_AT_ONCE = 32_000_000


@dataclass(frozen=True)
class LabelledImages:
    """Images with their classes.

    Attributes:
        images: float32 ``(images, height, width, channels)``, just as the network takes them.
        labels: Numbers of their classes ``(images,)``.
    """

    images: "np.ndarray"
    labels: "np.ndarray"


def read_test_data(path: Path) -> LabelledImages:
    """Reads an ``.npz`` file of ``images`` and ``labels``.

    Raises:
        BenchmarkError: if it is none, or the two do not fit together.
    """
    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as arrays:
            images, labels = arrays["images"], arrays["labels"]
    except KeyError as error:
        raise BenchmarkError(f"{path}: {error.args[0]}; it must hold the arrays images and labels") from error
    except (OSError, ValueError, EOFError) as error:
        raise BenchmarkError(f"{path}: cannot be read as an .npz file ({error})") from error
    if images.ndim != 4 or labels.shape != images.shape[:1] or not len(images) or labels.dtype.kind not in "iu":
        raise BenchmarkError(
            f"{path}: images are of shape {images.shape} and labels {labels.dtype} of shape {labels.shape}, not "
            "(images, height, width, channels) and whole numbers (images,)"
        )
    return LabelledImages(np.ascontiguousarray(images, np.float32), labels)


def check_shape(data: LabelledImages, model: Path) -> None:
    """Raises BenchmarkError if a ``.tflite`` file takes other images, or does not answer with classes."""
    from converter.tflite.flatbuffer import Flatbuffer

    flatbuffer = Flatbuffer(model.read_bytes())
    if len(flatbuffer.inputs) != 1:
        raise BenchmarkError(f"{model}: has {len(flatbuffer.inputs)} inputs; accuracy is measured with one")
    classes_in(model)
    expected = flatbuffer.shape(flatbuffer.inputs[0])[1:]
    if data.images.shape[1:] != tuple(expected):
        raise BenchmarkError(
            f"{model}: takes images of shape {expected}, not {data.images.shape[1:]} as the test data has"
        )


def classes_in(model: Path) -> slice:
    """Which of the numbers that a ``.tflite`` file answers with are those of classes: all of a single output.

    Raises:
        BenchmarkError: if of several outputs not just one has a number for each class.
    """
    from converter.tflite.flatbuffer import Flatbuffer

    flatbuffer = Flatbuffer(model.read_bytes())
    shapes = [flatbuffer.shape(tensor) for tensor in flatbuffer.outputs]
    if len(shapes) == 1:
        return slice(None)
    of_classes = [place for place, shape in enumerate(shapes) if len(shape) == 2]
    if len(of_classes) != 1:
        raise BenchmarkError(
            f"{model}: has {len(shapes)} outputs, {len(of_classes)} of them of classes; accuracy is measured of one"
        )
    start = sum(math.prod(shape) for shape in shapes[: of_classes[0]])
    return slice(start, start + math.prod(shapes[of_classes[0]]))


def measure_top1(
    target: Target,
    tool: InstalledTool,
    plan: str,
    data: LabelledImages,
    *,
    classes: slice = slice(None),
    threads: int,
    timeout: float,
    progress: Callable[[str], None],
) -> float:
    """Share of images, in percent, whose largest answer on the device is that of their class.

    Args:
        target: The device.
        tool: The engine's program there.
        plan: Path of the plan there.
        data: Images and labels.
        classes: Which numbers of an answer are those of classes, see `classes_in`.
        threads: Threads of the engine.
        timeout: Seconds that a portion of the images may take.
        progress: Takes a line about how far it has come.

    Raises:
        BenchmarkError: if the device does not answer as it should.
    """
    import numpy as np

    count, right = len(data.images), 0
    portion = max(1, _AT_ONCE // data.images[0].nbytes)
    for start in range(0, count, portion):
        progress(f"accuracy, {start} of {count} images")
        images, labels = (part[start : start + portion] for part in (data.images, data.labels))
        answers = np.frombuffer(_answers(target, tool, plan, images, threads, timeout), np.float32)
        if answers.size == 0 or answers.size % len(images):
            raise BenchmarkError(f"{target.name}: {answers.size} numbers came back for {len(images)} images")
        right += int(np.sum(answers.reshape(len(images), -1)[:, classes].argmax(axis=1) == labels))
    return 100 * right / count


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
