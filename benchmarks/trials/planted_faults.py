"""Does the verification find small faults in a file? They are planted one at a time, and counted.

    python benchmarks/trials/planted_faults.py                       trains a narrow BNext on digits first
    python benchmarks/trials/planted_faults.py --model model.h5      a network for the same digits, trained before
    python benchmarks/trials/planted_faults.py --faults 500 --seed 1 --gaussian

A right file is made. Then, over and over, one of its constants gets one small fault: a bit turned over, an element
replaced, two elements swapped, the whole constant times 1.01, an element negated. A fault is *visible* if it moves an
output for any of the held-out digits by more than 0.1% of the largest output. It is *caught* if the verification
refuses the file on the inputs that it uses when the user gives none.

Printed are the numbers of visible faults and of those caught, by kind of fault, and the visible ones that passed. Other
faults do not count: one in an element of a padding, say, or in a threshold that no value lies close to.

``--gaussian`` verifies on four inputs of Gaussian noise instead, for comparison.
"""

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

from bnext_keras import recipes
from bnext_keras.training import train
from bnext_keras.training.datasets import open_data, validation_batches

import numpy as np
import tensorflow as tf

from converter.compiler import lce
from converter.compiler.freeze import freeze
from converter.compiler.trace import trace
from converter.passes import simplify
from converter.tflite.flatbuffer import Flatbuffer
from converter.tflite.interpreter import Interpreter
from converter.verification.samples import synthetic_count
from converter.verification.synthetic import choose
from converter.verification.verify import verify

#: Share of the largest output from which on a difference is visible.
VISIBLE = 1e-3

_TYPES = {"FLOAT32": np.float32, "INT32": np.int32}


def _bit(values, generator):
    bits = values.view(np.uint32)
    bits[generator.integers(bits.size)] ^= np.uint32(1 << int(generator.integers(32)))


def _element(values, generator):
    index = generator.integers(values.size)
    values[index] = generator.choice(values) if values.dtype.kind == "f" else generator.integers(-(2**31), 2**31)


def _swap(values, generator):
    one, other = generator.integers(values.size, size=2)
    values[[one, other]] = values[[other, one]]


def _scale(values, generator):
    values *= np.float32(1.01)


def _negate(values, generator):
    index = generator.integers(values.size)
    values[index] = -values[index]


FAULTS = {"bit": _bit, "element": _element, "swap": _swap, "scale": _scale, "negate": _negate}


def plant(content: bytes, generator: np.random.Generator) -> tuple[str, str, bytes | None]:
    """A fault in one constant.

    Returns:
        Its kind, the name of the constant, and the file; None in its place if the fault changes nothing.
    """
    flatbuffer = Flatbuffer(content)
    constants = {}
    for operation in flatbuffer.operations:
        for tensor in operation.inputs:
            if flatbuffer.is_constant(tensor) and flatbuffer.type(tensor) in _TYPES:
                is_kernel = operation.type == "LceBconv2d"
                # Other int32 constants are shapes and axes: a fault there is no small one.
                if flatbuffer.type(tensor) == "FLOAT32" or is_kernel:
                    constants[flatbuffer.buffer(tensor)] = tensor
    buffer = generator.choice(list(constants))
    tensor = constants[buffer]
    kind = generator.choice([kind for kind in FAULTS if kind != "scale" or flatbuffer.type(tensor) == "FLOAT32"])
    data = flatbuffer.model.buffers[buffer].data
    values = np.frombuffer(bytes(data), _TYPES[flatbuffer.type(tensor)]).copy()
    FAULTS[kind](values, generator)
    name = f"{flatbuffer.names[tensor]} {flatbuffer.shape(tensor)}"
    if values.tobytes() == bytes(data) or (values.dtype.kind == "f" and not np.isfinite(values).all()):
        return kind, name, None
    flatbuffer.model.buffers[buffer].data = values.view(np.uint8)
    return kind, name, flatbuffer.pack()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a trained network for the digits (default: trains one)")
    parser.add_argument("--faults", type=int, default=300, help="faults to plant (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=600, help="stop after this time (default: %(default)s)")
    parser.add_argument("--gaussian", action="store_true", help="verify on Gaussian noise")
    arguments = parser.parse_args()

    recipe = recipes.read("digits")[1].with_settings(
        ["weak_teachers=", "strong_teacher=", "widths=32,64", f"seed={arguments.seed}"]
    )
    if arguments.model is None:
        with tempfile.TemporaryDirectory() as folder:
            train(recipe, folder)
            model = tf.keras.models.load_model(Path(folder, "final.h5"), compile=False)
    else:
        model = tf.keras.models.load_model(arguments.model, compile=False)
    _, held_out = open_data("digits", recipe)
    images = np.concatenate([images for images, _ in validation_batches(held_out, recipe).as_numpy_iterator()])

    graph = trace(model)
    simplify(graph)
    frozen = freeze(graph)
    right = lce.to_flatbuffer(frozen)
    if arguments.gaussian:
        inputs = np.random.default_rng(0).standard_normal((4, *images.shape[1:]), np.float32)
    else:
        (inputs,) = choose(right, synthetic_count(images.shape[1:]), None)
    assert verify(model, right, frozen.conv_names, inputs).passed
    content = right.pack()
    expected = Interpreter(content, kernels="indirect").run_each(images)[0]

    generator = np.random.default_rng(arguments.seed)
    planted, visible, caught, missed = Counter(), Counter(), Counter(), []
    start = time.perf_counter()
    while planted.total() < arguments.faults and time.perf_counter() - start < arguments.seconds:
        kind, name, wrong = plant(content, generator)
        if wrong is None:
            continue
        planted[kind] += 1
        answers = Interpreter(wrong, kernels="indirect").run_each(images)[0]
        change = np.abs(answers - expected).max() / np.abs(expected).max()
        if change <= VISIBLE:
            continue
        visible[kind] += 1
        if verify(model, Flatbuffer(wrong), frozen.conv_names, inputs).passed:
            missed.append((float(change), kind, name))
        else:
            caught[kind] += 1
    print(f"{len(inputs)} inputs, {planted.total()} faults, {visible.total()} visible, {caught.total()} caught")
    for kind in FAULTS:
        print(f"  {kind:10}{planted[kind]:6} planted {visible[kind]:6} visible {caught[kind]:6} caught")
    for change, kind, name in sorted(missed, reverse=True):
        print(f"  passed: {kind} in {name}: outputs off by {change:.1%}")


if __name__ == "__main__":
    main()
