"""Fine-tuning from start to finish: a network that has learned the digits 0 to 4 learns 5 to 9 from a few of each.

    python examples/fine_tuning.py
    python examples/fine_tuning.py widths=16,32 info_recoupling=false --out smaller     another network

The data are the 1797 real handwritten digits that scikit-learn carries, written as images into folders, as photos of
your own would lie there. A narrow BNext learns five of the digits. Then it gets another head and learns the other five
from ten images of each, and beside it a fresh network does. It is converted, and all are evaluated on the images that
neither has seen. See docs/fine-tuning.md.
"""

import argparse
import sys
from pathlib import Path

from bnext_keras import recipes
from bnext_keras.cli._tool import positive, quiet_tensorflow, run, silenced, tool_parser
from bnext_keras.errors import UserError
from bnext_keras.extras import require

#: The network; its learning rate for fresh weights, and a third of it for those that know something.
NETWORK = {"model": "BNext", "model_options": {"widths": (16, 32, 64), "stem_stride": 2}}
RATE, TUNING_RATE = 3e-3, 1e-3
DATA = {"image_size": 32, "num_classes": 5, "batch_size": 16, "augmentation": "shift"}


def main(argv: list[str] | None = None) -> int:
    """Runs the example; returns the exit status."""
    parser = tool_parser("fine_tuning.py", __doc__.partition("\n")[0], "")
    parser.add_argument(
        "settings", nargs="*", metavar="KEY=VALUE", help="settings of all three runs, as of bnext-train"
    )
    parser.add_argument("--out", type=Path, default=Path("fine-tuning-output"), metavar="DIR", help="new folder")
    parser.add_argument("--examples", type=positive, default=10, metavar="N", help="images of each digit to tune with")
    parser.add_argument("--epochs", type=positive, nargs=2, default=(6, 30), metavar="N", help="to learn, and to tune")
    return run("fine_tuning.py", _fine_tune, parser.parse_intermixed_args(argv))


def _fine_tune(arguments: argparse.Namespace) -> int:
    require("sklearn", "matplotlib", "tensorboard", extra="train")
    if arguments.out.exists():
        raise UserError("exists already; name a new folder with --out", where=str(arguments.out))
    quiet_tensorflow()
    with silenced():
        from bnext_keras import convert, evaluate
        from bnext_keras.console import SafeConsole
        from bnext_keras.training import train

        from converter.evaluation.terminal import print_evaluation

    learning, tuning = arguments.epochs
    low, high = (arguments.out / name for name in ("low", "high"))
    write_digits(low, range(5))
    write_digits(high, range(5, 10), arguments.examples)

    schedule = {"epochs": learning, "warmup_epochs": 0, "final_learning_rate": 0.0}
    _, fine_tuning = recipes.read("fine_tuning")
    fresh = fine_tuning.derive(
        **NETWORK, data=DATA, optimizer={"learning_rate": RATE}, schedule=schedule, start={"freeze": ()}
    ).with_settings(arguments.settings)
    print("\nA network learns the digits 0 to 4")
    train(fresh, arguments.out / "learned", str(low))

    from_scratch = fresh.derive(schedule={"epochs": tuning})
    tuned = from_scratch.derive(
        optimizer={"learning_rate": TUNING_RATE},
        start={"init": str(arguments.out / "learned" / "final.h5"), "freeze": ("stem",)},
    )
    print(f"\nIt gets another head and learns 5 to 9 from {arguments.examples} images of each")
    train(tuned, arguments.out / "tuned", str(high))
    print(f"\nA fresh network learns 5 to 9 from the same {arguments.examples} images of each")
    train(from_scratch, arguments.out / "fresh", str(high))

    print()
    converted = arguments.out / "tuned.tflite"
    convert(arguments.out / "tuned" / "final.h5", converted)
    files = [arguments.out / "tuned" / "final.h5", converted, arguments.out / "fresh" / "final.h5"]
    found = evaluate(files, high, split="test")
    print_evaluation(found, SafeConsole())
    keras, file = found.models[:2]
    if (keras.answers != file.answers).any():
        raise UserError(f"Keras and the converted file disagree on {(keras.answers != file.answers).sum()} digits")
    return 0


def write_digits(folder: Path, digits: range, examples: int | None = None) -> None:
    """Writes images of some digits into folders ``train/5``, ``val/5``, ``test/5`` and so on.

    The last fifth of each is what every epoch is looked at with; tested is on all that are not trained with.

    Args:
        folder: Where to.
        digits: Which.
        examples: How many of each are for training; by default four of five.
    """
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_digits

    data = load_digits()
    for digit in digits:
        images = data.images[data.target == digit]
        last_fifth = len(images) * 4 // 5
        training = last_fifth if examples is None else examples
        for i, image in enumerate(images):
            for part in ["train"] if i < training else ["test", *["val"] * (i >= last_fifth)]:
                path = folder / part / str(digit) / f"{i:03}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                # Of 17 shades, as those of images.
                Image.fromarray(np.round(image * 255 / 16).astype(np.uint8)).save(path)


if __name__ == "__main__":
    sys.exit(main())
