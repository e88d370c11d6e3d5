"""From nothing to a phone-ready file in one command: a narrow BNext learns to read handwritten digits.

    python examples/digits.py
    python examples/digits.py epochs=20 widths=32,64,128 --out bigger
    python examples/digits.py --distill

The data are the 1797 real handwritten digits that come with scikit-learn, so nothing is downloaded. Four fifths train
the network by the recipe `digits`; the rest, always the same digits, is held out. The trained network is converted for
Larq Compute Engine (LCE), and both forms classify the held-out digits: they must agree on every one.

In the folder demo-output (--out) are afterwards model.h5, the trained Keras model; model.tflite, the same network with
one bit per binary weight; digits.png, the curves of the training and some held-out digits as LCE read them;
digits.html, a page that reads digits in a browser; and digit.png, a held-out one to try it with.

In the first third of the epochs the kernels harden from float to binary. Held-out accuracy, for which they are always
binary, starts near chance and then jumps: this is no fault.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bnext_keras import recipes
from bnext_keras.cli._tool import quiet_tensorflow, renamed, run, silenced
from bnext_keras.errors import FileError, UserError
from bnext_keras.files import write_atomically

#: On so few and so easy images labels teach as well as teachers do, in half of the time.
LABELS_ALONE = ["weak_teachers=", "strong_teacher="]
LATENCY_IMAGES = 100


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="settings of the recipe; bnext-train show digits lists them"
    )
    parser.add_argument("--distill", action="store_true", help="learn from two float networks, trained first")
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), metavar="FOLDER", help="(default: %(default)s)"
    )
    for old in ("epochs", "batch-size", "learning-rate", "seed", "widths"):
        parser.add_argument(f"--{old}", nargs="+", help=argparse.SUPPRESS)
    return run("digits.py", demo, parser.parse_intermixed_args())


def demo(arguments: argparse.Namespace) -> int:
    """Trains, converts, compares and draws; returns the exit status."""
    _, recipe = recipes.read("digits")
    settings = [*arguments.settings, *_old_settings(arguments)]
    recipe = recipe.with_settings(settings if arguments.distill else [*LABELS_ALONE, *settings])
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"cannot be made ({error.strerror})", where=f"--out {arguments.out}") from error

    quiet_tensorflow(gpu=True)
    with silenced():
        from bnext_keras.analysis.figures import draw_run
        from bnext_keras.preprocessing import pixels_from_normalized
        from bnext_keras.training import train
        from bnext_keras.training.datasets import open_data, validation_batches

        import numpy as np
        import tensorflow as tf
        from larq_compute_engine.tflite.python.interpreter import Interpreter
        from PIL import Image

        from android_demo.export.model import read_model
        from android_demo.export.web import render
        from converter import convert

    with tempfile.TemporaryDirectory() as folder:
        history = train(recipe, folder)
        shutil.copyfile(Path(folder, "final.h5"), arguments.out / "model.h5")
    print("Converting ...")
    converted = convert(arguments.out / "model.h5", output=arguments.out / "model.tflite")

    _, held_out = open_data(recipe.data.source, recipe)
    images, labels = map(np.concatenate, zip(*validation_batches(held_out, recipe).as_numpy_iterator(), strict=True))
    model = tf.keras.models.load_model(arguments.out / "model.h5")
    keras = tf.function(lambda batch: model(batch, training=False))
    # One thread, as on a phone's one core; Keras takes all.
    interpreter = Interpreter(converted.content, num_threads=1, use_indirect_bgemm=True)
    forms = {
        "Keras, float32": (lambda batch: keras(batch).numpy(), 4 * model.count_params()),
        "LCE, binary": (interpreter.predict, converted.size),
    }
    classes = {name: classify(images).argmax(axis=-1) for name, (classify, _) in forms.items()}
    keras_classes, lce_classes = classes.values()
    _print_comparison(forms, classes, images, labels)
    pixels = pixels_from_normalized(images)
    draw_run(arguments.out / "digits.png", history.rows, pixels, labels, lce_classes)
    digit = pixels[0].mean(axis=-1).round().astype(np.uint8)
    Image.fromarray(digit).save(arguments.out / "digit.png")
    page = render(read_model(arguments.out / "model.tflite", name="Handwritten digits"))
    write_atomically(arguments.out / "digits.html", page.encode())
    print(f"Written: model.h5, model.tflite, digits.png, digits.html and digit.png in {arguments.out}")
    if (keras_classes != lce_classes).any():
        raise UserError(f"Keras and LCE disagree on {(keras_classes != lce_classes).sum()} digits")
    return 0


def _print_comparison(forms, classes, images, labels):
    from bnext_keras.console import SafeConsole

    from rich.table import Table

    table = Table("", *forms, title=f"{len(labels)} held-out digits", title_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    keras_classes, lce_classes = classes.values()
    table.add_row("accuracy", *(f"{(found == labels).mean():.2%}" for found in classes.values()))
    table.add_row("same class as Keras", "", f"{(keras_classes == lce_classes).mean():.2%}")
    table.add_row("size", *(f"{size / 1000:,.0f} kB" for _, size in forms.values()))
    table.add_row("time per image", *(f"{_milliseconds(classify, images):.2f} ms" for classify, _ in forms.values()))
    SafeConsole().print(table)


def _milliseconds(classify, images):
    """Median time for a batch of one image, once it has been done."""
    times = []
    for i in range(LATENCY_IMAGES + 1):
        start = time.perf_counter()
        classify(images[i : i + 1])
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times[1:])


def _old_settings(arguments):
    for name in ("epochs", "batch_size", "learning_rate", "seed", "widths"):
        if values := getattr(arguments, name):
            setting = f"{name}={','.join(values)}"
            renamed("digits.py", f"--{name.replace('_', '-')} {' '.join(values)}", setting)
            yield setting


if __name__ == "__main__":
    sys.exit(main())
