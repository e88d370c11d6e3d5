"""Teachers' logits, computed once and kept on disk.

Where augmentations are fixed, a teacher says the same in every epoch. ``cache_logits`` asks it once, in the order of
the data; ``with_cached_logits`` sends its answers along with the data, before they are shuffled; and `CachedTeacher`
stands for the teacher in the callback:

    cache_logits(teacher, examples.batch(64), "b0.npy")
    train = with_cached_logits(examples, {"b0": "b0.npy"}).shuffle(10_000).batch(64)
    student.fit(train, callbacks=[Distillation([CachedTeacher("b0")])])
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from bnext_keras.files import replacing, write_atomically
from bnext_keras.teachers.teacher import Teacher

import numpy as np
import tensorflow as tf
from rich.progress import track

#: Keys of a batch's inputs that carry logits, and beside them the student's own inputs.
CACHED_LOGITS, INPUTS = "cached_teacher_logits", "student_inputs"


def fingerprint(teacher: Teacher) -> str:
    """Tells teachers apart by their weights and what they make of a fixed batch, so by their preprocessing too.

    Example:
        >>> import tensorflow as tf
        >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
        >>> fingerprint(Teacher(model)) == fingerprint(Teacher(model))
        True
        >>> fingerprint(Teacher(model)) == fingerprint(Teacher(model, preprocess=lambda images: 2 * images))
        False
    """
    digest = hashlib.sha256(repr((teacher.num_classes, teacher.from_logits)).encode())
    for weight in teacher.model.get_weights():
        digest.update(np.ascontiguousarray(weight).tobytes())
    if isinstance(getattr(teacher.model, "input_shape", None), tuple):
        shape = [side or 32 for side in teacher.model.input_shape[1:]]
        digest.update(np.asarray(teacher.preprocessed(tf.reshape(tf.linspace(-2.0, 2.0, np.prod(shape)), [1, *shape]))))
    return digest.hexdigest()


def cache_logits(teacher: Teacher, batches: tf.data.Dataset, path: str | Path, *, progress: bool = True) -> Path:
    """Writes a teacher's logits on all examples, in their order, to an ``.npy`` file, with a description beside it.

    Args:
        teacher: The teacher.
        batches: Batches of images or of ``(images, labels[, weights])``, in the same order and with the same
            augmentations each time; not shuffled.
        path: The ``.npy`` file, ``(examples, classes)`` in float32. A ``.json`` of the same name describes it.
        progress: Whether to show a progress bar.

    Returns:
        The path.

    Raises:
        ValueError: if there are no examples.
        OSError: if it cannot be written; what was there before is then untouched.

    Example:
        >>> import tempfile, pathlib, numpy as np, tensorflow as tf
        >>> teacher = Teacher(tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))]))
        >>> images = tf.data.Dataset.from_tensor_slices(np.ones((5, 3), np.float32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = cache_logits(teacher, images.batch(2), pathlib.Path(folder) / "teacher.npy", progress=False)
        ...     np.load(path).shape
        (5, 2)
    """
    path = Path(path)
    description = path.with_suffix(".json")
    compute = tf.function(teacher.logits, reduce_retracing=True)
    cardinality = int(batches.cardinality())
    count = classes = 0
    with replacing(path) as temporary, temporary.open("wb+") as file:
        _write_header(file, 0, 0)
        if progress:
            batches = track(batches, f"Logits of {teacher.name}", cardinality if cardinality >= 0 else None)
        for batch in batches:
            logits = compute(batch[0] if isinstance(batch, tuple) else batch).numpy()
            file.write(np.ascontiguousarray(logits, "<f4").tobytes())
            count, classes = count + len(logits), logits.shape[1]
        if not count:
            raise ValueError(f"{path}: there are no examples to compute logits of")
        file.seek(0)
        _write_header(file, count, classes)
        # Without a description the file counts as unfinished.
        description.unlink(missing_ok=True)
    content = {"teacher": teacher.name, "fingerprint": fingerprint(teacher), "examples": count, "classes": classes}
    write_atomically(description, (json.dumps(content, indent=2) + "\n").encode())
    return path


def read_logits(path: str | Path, teacher: Teacher | None = None) -> np.ndarray:
    """The logits in a file of `cache_logits`, mapped into memory.

    Args:
        path: The ``.npy`` file.
        teacher: Teacher whose logits they must be; by default that is not checked.

    Raises:
        FileNotFoundError: if the file or its description is missing.
        ValueError: if the file is damaged, or of another teacher.
    """
    path = Path(path)
    description = json.loads(path.with_suffix(".json").read_text())
    logits = np.load(path, mmap_mode="r")
    if logits.shape != (description["examples"], description["classes"]):
        raise ValueError(f"{path}: has shape {logits.shape}, but its description says otherwise; compute it again")
    if teacher is not None and fingerprint(teacher) != description["fingerprint"]:
        raise ValueError(f"{path}: these are logits of another '{description['teacher']}'; compute them again")
    return logits


def with_cached_logits(
    examples: tf.data.Dataset,
    files: Mapping[str, str | Path],
    teachers: Mapping[str, Teacher] | None = None,
) -> tf.data.Dataset:
    """Sends cached logits along with each example, for `CachedTeacher`.

    The distillation callbacks take them out again before the student sees them, so the student, ``class_weight`` and
    ``validation_data`` are as ever. Without one of these callbacks the result cannot be trained on.

    Args:
        examples: Single examples ``(image, label[, weight])``, in the order that the logits were computed in: shuffle,
            repeat and batch afterwards.
        files: Files of `cache_logits` by the names that the callback's `CachedTeacher` have.
        teachers: Teachers by the same names, to check that the logits are theirs; by default that is not checked.

    Returns:
        The dataset to shuffle, batch and train on.

    Raises:
        ValueError: if there are more or less logits than examples. If only reading them all can tell, the end of the
            first epoch raises.
    """
    teachers = teachers or {}
    logits = {name: read_logits(path, teachers.get(name)) for name, path in files.items()}
    for name, values in logits.items():
        cardinality = int(examples.cardinality())
        if cardinality >= 0 and cardinality != len(values):
            raise ValueError(
                f"{files[name]}: has logits of {len(values)} examples, but the dataset has {cardinality}; "
                "give the same examples, not batched"
            )
        examples = examples.apply(tf.data.experimental.assert_cardinality(len(values)))

    def add(index, example):
        image, label, weight = tf.keras.utils.unpack_x_y_sample_weight(example)
        inputs = {INPUTS: image, CACHED_LOGITS: {name: _row(values, index) for name, values in logits.items()}}
        return tf.keras.utils.pack_x_y_sample_weight(inputs, label, weight)

    return examples.enumerate().map(add, num_parallel_calls=tf.data.AUTOTUNE)


def take_cached_logits(data: object) -> tuple[object, dict[str, tf.Tensor]]:
    """Separates a batch of `with_cached_logits` into what the student is made for, and logits by teacher.

    Any other batch comes back as it is, with no logits.
    """
    images, label, weight = tf.keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(images, dict) or CACHED_LOGITS not in images:
        return data, {}
    return tf.keras.utils.pack_x_y_sample_weight(images[INPUTS], label, weight), images[CACHED_LOGITS]


def _row(values, index):
    # Read row by row, not as one tensor: the logits of ImageNet are gigabytes.
    row = tf.numpy_function(lambda i: np.asarray(values[i]), [index], tf.float32, stateful=False)
    row.set_shape(values.shape[1:])
    return row


def _write_header(file, count, classes):
    # A fixed length leaves room for the count that is known only at the end.
    description = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, {classes}), }}"
    header = description.ljust(117) + "\n"
    file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode("latin1"))
