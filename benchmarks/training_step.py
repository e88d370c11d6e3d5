"""What binarization costs while training: a network of BNext's layers beside the same one in plain Keras layers.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --widths 32 64 128 128 256 --image-size 64 --batch-sizes 16 --runs 9
    python benchmarks/training_step.py --teachers EfficientNetB0 EfficientNetB2 --image-size 64 --batch-sizes 16

The plain network has a `Conv2D` in place of every binary convolution, without quantizers and constraints, and is the
same otherwise; a third one has Larq's own `SteSign` on its activations in place of `FusedSteSign`. All take the same
batches with the same optimizer and threads. They take turns: a run is some steps of each, in another order each time.

Printed is the time of a step and its ratio to that of the plain network, or of the student alone, both medians; the
ratio is taken within a run, so that whatever else the machine does cancels in part, and stands with its quartiles. On a
machine that others use too, look at the processor's time rather than at the wall's.

With ``--teachers``, two names of ``tf.keras.applications``, printed is instead what they cost: the step of the student
alone, then with a weak and a strong teacher (random weights) in float32, in 16 bits and under XLA. These take no turns.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import bnext_keras
from bnext_keras.layers import BinaryConv2D

import larq as lq
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.table import Table


def plain(model: tf.keras.Model) -> tf.keras.Model:
    """The same network without quantizers and constraints."""

    def conv(layer):
        return tf.keras.layers.Conv2D(
            layer.filters, layer.kernel_size, strides=layer.strides, padding="same", use_bias=False, name=layer.name
        )

    return _with_convs(model, conv)


def with_larqs_sign(model: tf.keras.Model) -> tf.keras.Model:
    """The same network with Larq's `SteSign` on the inputs of its binary convolutions."""

    def conv(layer):
        sign = lq.quantizers.SteSign(clip_value=layer.input_quantizer.clip_value)
        return BinaryConv2D.from_config({**layer.get_config(), "input_quantizer": sign})

    return _with_convs(model, conv)


def _with_convs(model, conv):
    def convert(layer):
        return conv(layer) if isinstance(layer, BinaryConv2D) else layer.__class__.from_config(layer.get_config())

    return tf.keras.models.clone_model(model, clone_function=convert)


def step_of(model, images, labels):
    """A function that trains one step, warmed up."""
    model.compile(
        bnext_keras.training.TwoGroupAdamW(global_clipnorm=5.0),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    for _ in range(3):
        model.train_on_batch(images, labels)
    return lambda: model.train_on_batch(images, labels)


def seconds(step, steps):
    """Wall seconds, and processor seconds of all threads, which other programs disturb less."""
    start = time.perf_counter(), time.process_time()
    for _ in range(steps):
        step()
    return time.perf_counter() - start[0], time.process_time() - start[1]


def compare(models: dict[str, tf.keras.Model], images, labels, *, steps: int, runs: int) -> dict[str, np.ndarray]:
    """Seconds of one step of each model, wall and processor: an array ``(runs, 2)``."""
    step_functions = {name: step_of(model, images, labels) for name, model in models.items()}
    times = {name: [] for name in models}
    order = list(models)
    for _ in range(runs):
        for name in order:
            times[name].append(seconds(step_functions[name], steps))
        order = [*order[1:], order[0]]
    return {name: np.array(each) / steps for name, each in times.items()}


class StepTimes(tf.keras.callbacks.Callback):
    """Notes both clocks at the end of every step."""

    def on_train_begin(self, logs=None):
        self.moments = []

    def on_train_batch_end(self, batch, logs=None):
        self.moments.append((time.perf_counter(), time.process_time()))


def with_teachers(names: list[str], shape, images, labels, build, steps: int) -> dict[str, np.ndarray]:
    """Seconds of a step, wall and processor, of a student alone and with two teachers."""
    options = {"input_shape": shape, "num_classes": 10, "weights": None}
    ways = {
        "float32": {},
        "mixed_bfloat16": {"precision": "mixed_bfloat16"},
        "under XLA": {"jit_compile": True},
        "both": {"precision": "mixed_bfloat16", "jit_compile": True},
    }
    times = {}
    for way in (None, *ways):
        callbacks = [StepTimes()]
        if way is not None:
            teachers = [bnext_keras.teachers.keras_teacher(name, **options, **ways[way]) for name in names]
            callbacks.append(
                bnext_keras.callbacks.DiversifiedConsecutiveDistillation([teachers[0]], teachers[1], epochs=1)
            )
        student = build()
        student.compile(
            bnext_keras.training.TwoGroupAdamW(global_clipnorm=5.0),
            tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        data = tf.data.Dataset.from_tensors((images, labels)).repeat()
        student.fit(data, steps_per_epoch=steps + 3, callbacks=callbacks, verbose=0)
        times["alone" if way is None else f"two teachers, {way}"] = np.diff(callbacks[0].moments[2:], axis=0)
        tf.keras.backend.clear_session()
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--widths", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--image-size", type=int, default=32)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[32])
    parser.add_argument("--steps", type=int, default=2, help="steps of one run (default %(default)s)")
    parser.add_argument("--runs", type=int, default=25, help="runs of each network (default %(default)s)")
    parser.add_argument("--teachers", nargs=2, metavar="NAME", help="the weak one and the strong one")
    arguments = parser.parse_args()

    shape = (arguments.image_size, arguments.image_size, 3)
    table = Table(title=f"BNext {', '.join(map(str, arguments.widths))} at {shape[0]}x{shape[1]}, training step")
    for title in ("batch", "network", "seconds", "of a step", "ratio", "quartiles"):
        table.add_column(title, justify="right")
    for batch_size in arguments.batch_sizes:
        random = np.random.default_rng(0)
        images = tf.constant(random.normal(size=(batch_size, *shape)), tf.float32)
        labels = tf.constant(random.integers(10, size=batch_size))

        def build(shape=shape):
            return bnext_keras.models.BNext(arguments.widths, input_shape=shape, num_classes=10)

        if arguments.teachers:
            times, against = with_teachers(arguments.teachers, shape, images, labels, build, arguments.runs), "alone"
        else:
            binary, against = build(), "plain"
            models = {"binary": binary, "with Larq's sign": with_larqs_sign(binary), "plain": plain(binary)}
            times = compare(models, images, labels, steps=arguments.steps, runs=arguments.runs)
        for name, each in times.items():
            for clock, own, base in zip(("wall", "processor"), each.T, times[against].T, strict=True):
                lower, ratio, upper = np.percentile(own / base, [25, 50, 75])
                table.add_row(
                    str(batch_size), name, clock, f"{np.median(own):.3f}", f"{ratio:.3f}", f"{lower:.3f} to {upper:.3f}"
                )
    Console().print(table)


if __name__ == "__main__":
    main()
