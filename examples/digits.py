"""From training to a phone-ready file in one command: a narrow BNext learns to read handwritten digits.

    python examples/digits.py

The data are the 1797 real handwritten digits that come with scikit-learn, so nothing is downloaded. Four fifths train
the network with plain ``model.fit``; the rest, always the same digits, is held out. The trained network is saved,
converted for Larq Compute Engine (LCE), and both forms classify the held-out digits: they must agree on every one.

In the folder ``demo-output`` (``--out``) are afterwards

- ``model.h5``, the trained Keras model,
- ``model.tflite``, the same network with one bit per binary weight,
- ``digits.png``, the curves of the training and some of the held-out digits with what LCE took them for.

Expect about 99% of the held-out digits to be right: with seeds 0 to 4 it was 98.9% to 99.7%, each run a good
minute on one or two cores. The binary file has an eighth of the float network's size. A seed gives the same network
again on the same machine; another number of cores adds in another order, and trains another one.

In the first third of the epochs the kernels harden from float to binary. Held-out accuracy, for which they are always
binary, starts near chance and then jumps: this is no fault.
"""

import argparse
import os
import statistics
import sys
import time
import warnings
from pathlib import Path

# To answer `--help` and bad arguments at once, the functions below import TensorFlow and everything that needs it.

VARIANTS = ("narrow", "BNext18", "BNextTiny", "BNextSmall", "BNextMiddle", "BNextLarge")
NARROW_WIDTHS = (32, 64, 128, 256, 512)

IMAGE_SIZE = 32
# Mean and deviation of the training digits' pixels, in [0, 1], at that size.
PIXEL_MEAN, PIXEL_STD = 0.309, 0.350
LARGEST_SHIFT = 2

TEACHER_CHANNELS = (16, 32)
TEACHER_EPOCHS = 10
TEACHER_LEARNING_RATE = 5e-3

HELD_OUT_BATCH = 120
LATENCY_IMAGES = 100


class OneLineParser(argparse.ArgumentParser):
    """Answers a bad argument with one line instead of the whole usage."""

    def error(self, message):
        self.exit(2, f"{self.prog}: error: {message} (see --help)\n")


def whole_number(minimum: int, maximum: int = 2**31 - 1):
    """A type of argument: whole numbers within bounds."""

    def parse(text):
        if not text.isdecimal() or not minimum <= int(text) <= maximum:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {minimum} to {maximum}")
        return int(text)

    return parse


def positive_number(text: str) -> float:
    """A type of argument: finite numbers above zero."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above zero")
    return value


def build_parser() -> argparse.ArgumentParser:
    parser = OneLineParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    network = parser.add_mutually_exclusive_group()
    network.add_argument(
        "--variant",
        choices=VARIANTS,
        default="narrow",
        help="network to train; all but the narrow one are made for ImageNet and slow here (default: %(default)s)",
    )
    network.add_argument(
        "--widths",
        type=whole_number(1),
        nargs="+",
        metavar="N",
        help="channels of the stem, then of every block, each as many as the one before or twice as many: twice also "
        "halves the resolution, except in the first block; multiples of 32 pack best "
        f"(default: {' '.join(map(str, NARROW_WIDTHS))})",
    )
    # One epoch would never get to binary kernels.
    parser.add_argument("--epochs", type=whole_number(2), default=12, metavar="N", help="(default: %(default)s)")
    parser.add_argument("--batch-size", type=whole_number(1), default=32, metavar="N", help="(default: %(default)s)")
    parser.add_argument(
        "--learning-rate",
        type=positive_number,
        default=2e-3,
        metavar="RATE",
        help="its peak, after a short warm-up and before a cosine decay (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="of weights, shuffling and shifts; the held-out digits are always the same (default: %(default)s)",
    )
    parser.add_argument(
        "--distill",
        action="store_true",
        help="learn from the soft labels of two float networks, trained first, rather than from the labels; on so few "
        "and so easy images it does not help",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("demo-output"), metavar="FOLDER", help="(default: %(default)s)"
    )
    return parser


def load_digits():
    """Returns the digits as ``(train, held_out)``, each a pair of images in [0, 1] and labels."""
    import tensorflow as tf
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = tf.image.resize(digits.images[..., None] / 16, (IMAGE_SIZE, IMAGE_SIZE), method="bicubic")
    images = images.numpy().clip(0, 1)  # bicubic interpolation overshoots
    split = train_test_split(images, digits.target, test_size=0.2, stratify=digits.target, random_state=0)
    train_images, held_out_images, train_labels, held_out_labels = split
    return (train_images, train_labels), (held_out_images, held_out_labels)


def normalize(images):
    """Makes one channel in [0, 1] the three normalized ones that the network takes."""
    import tensorflow as tf

    return tf.repeat((tf.cast(images, tf.float32) - PIXEL_MEAN) / PIXEL_STD, 3, axis=-1)


def batches_of(images, labels, batch_size, *, training=False):
    """Returns batches of normalized images; those for training are shuffled and shifted by up to two pixels.

    Two pixels are half of one of the original 8x8.
    """
    import tensorflow as tf

    def shift(image, label):
        padded = tf.pad(image, [[LARGEST_SHIFT] * 2, [LARGEST_SHIFT] * 2, [0, 0]])
        return tf.image.random_crop(padded, tf.shape(image)), label

    data = tf.data.Dataset.from_tensor_slices((images, labels))
    if training:
        data = data.shuffle(len(images)).map(shift)
    data = data.batch(batch_size).map(lambda images, labels: (normalize(images), labels)).prefetch(1)
    # The autotuner has nothing to gain here, but an iterator may have to wait for it at its end, up to half a minute.
    options = tf.data.Options()
    options.autotune.enabled = False
    return data.with_options(options)


def build_model(variant, widths):
    """Builds the network, or raises ValueError if its widths do not fit.

    The narrow network's stem halves the resolution: digits drawn with 8x8 pixels lose nothing, and training is twice as
    fast.
    """
    from bnext_keras import models

    options = {"input_shape": (IMAGE_SIZE, IMAGE_SIZE, 3), "num_classes": 10}
    if variant == "narrow":
        return models.BNext(widths or NARROW_WIDTHS, stem_stride=2, **options)
    return getattr(models, variant)(**options)


def train_teachers(digits, arguments):
    """Trains a weak and a strong float network on the labels."""
    from bnext_keras.teachers import Teacher, convnet

    print("Training two teachers ...")
    teachers = []
    for channels in TEACHER_CHANNELS:
        network = convnet(channels, (IMAGE_SIZE, IMAGE_SIZE, 3), num_classes=10)
        fit(network, digits, None, TEACHER_EPOCHS, TEACHER_LEARNING_RATE, arguments, verbose=0)
        teachers.append(Teacher(network))
    return teachers


def train(model, digits, held_out, arguments):
    """Trains the network while its kernels harden. Returns what Keras recorded of every epoch, a list per metric."""
    from bnext_keras.callbacks import DiversifiedConsecutiveDistillation, WeightTemperature

    epochs = arguments.epochs
    callbacks = [WeightTemperature.for_epochs(epochs)]
    if arguments.distill:
        weak, strong = train_teachers(digits, arguments)
        callbacks.append(DiversifiedConsecutiveDistillation([weak], strong))
    verbose = 1 if sys.stdout.isatty() else 2
    return fit(model, digits, held_out, epochs, arguments.learning_rate, arguments, callbacks, verbose)


def fit(model, digits, held_out, epochs, peak, arguments, callbacks=(), verbose=0):
    """Trains any network with Adam, a short warm-up and a cosine. Returns the history of all epochs."""
    import tensorflow as tf

    batches = batches_of(*digits, arguments.batch_size, training=True)
    warmup = min(2, epochs - 1) * len(batches)
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        peak / 100, epochs * len(batches) - warmup, warmup_target=peak, warmup_steps=warmup
    )
    model.compile(
        tf.keras.optimizers.Adam(schedule, global_clipnorm=5.0),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(
        batches,
        epochs=epochs,
        validation_data=None if held_out is None else batches_of(*held_out, HELD_OUT_BATCH),
        callbacks=[*callbacks],
        verbose=verbose,
    )
    return history.history


def classify_with_lce(path, images):
    """Classifies images with LCE's interpreter, on one thread. Returns the classes and the milliseconds per image."""
    from larq_compute_engine.tflite.python.interpreter import Interpreter

    interpreter = Interpreter(path.read_bytes(), num_threads=1, use_indirect_bgemm=True)
    classes = interpreter.predict(images).argmax(axis=-1)
    return classes, median_milliseconds(interpreter.predict, images)


def classify_with_keras(model, images):
    """The same with Keras, as a TensorFlow function on all cores."""
    import tensorflow as tf

    classes = model.predict(images, verbose=0).argmax(axis=-1)
    return classes, median_milliseconds(tf.function(lambda image: model(image, training=False)), images)


def median_milliseconds(classify, images):
    """Median time that ``classify`` takes for a batch of one image."""
    classify(images[:1])
    times = []
    for i in range(min(LATENCY_IMAGES, len(images))):
        start = time.perf_counter()
        classify(images[i : i + 1])
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def parameter_count(model) -> int:
    """All weights and statistics of a network, without the temperatures that only its training needs."""
    from bnext_keras.quantizers import temperatures

    return model.count_params() - len(temperatures(model))


def run(arguments, model) -> int:
    """Trains, saves, converts, compares and draws. Returns the exit code."""
    from _report import draw, print_comparison

    from converter import ConversionError, convert

    digits, (images, labels) = load_digits()
    start = time.perf_counter()
    history = train(model, digits, (images, labels), arguments)
    print(f"Trained in {time.perf_counter() - start:.0f} seconds. Converting ...")

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="You are saving your model as an HDF5 file")
        model.save(arguments.out / "model.h5")
    try:
        converted = convert(arguments.out / "model.h5", output=arguments.out / "model.tflite")
    except ConversionError as error:
        print(f"digits.py: error: {error}", file=sys.stderr)
        return 1

    inputs = normalize(images).numpy()
    keras_classes, keras_milliseconds = classify_with_keras(model, inputs)
    lce_classes, lce_milliseconds = classify_with_lce(converted.path, inputs)
    print_comparison(
        labels,
        classes=(keras_classes, lce_classes),
        sizes=(4 * parameter_count(model), converted.size),
        milliseconds=(keras_milliseconds, lce_milliseconds),
    )
    draw(arguments.out / "digits.png", history, images, labels, lce_classes)
    print(f"Written: model.h5, {converted.path.name} and digits.png in {arguments.out}")

    disagreements = int((keras_classes != lce_classes).sum())
    if disagreements:
        print(f"digits.py: error: Keras and LCE disagree on {disagreements} digits", file=sys.stderr)
    return 1 if disagreements else 0


def main() -> int:
    parser = build_parser()
    arguments = parser.parse_args()
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"argument --out: {error}")

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # at 2, TensorFlow reports a missing GPU as an error
    from bnext_keras.cli._tool import silenced

    with silenced():
        import bnext_keras  # noqa: F401 - it decides which Keras TensorFlow will use

        import tensorflow as tf

        from converter import convert  # noqa: F401 - what `run` needs, imported here for its native libraries' greetings

    tf.keras.utils.set_random_seed(arguments.seed)
    try:
        model = build_model(arguments.variant, arguments.widths)
    except ValueError as error:
        parser.error(str(error))
    return run(arguments, model)


if __name__ == "__main__":
    sys.exit(main())
