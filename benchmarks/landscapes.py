"""Loss landscapes of BNext with and without its parts, and of its float twin, on handwritten digits.

    python benchmarks/landscapes.py                                  some twenty minutes on two cores
    python benchmarks/landscapes.py --steps 9 epochs=6               a look

Each network is trained by the recipe ``digits`` on labels alone, with the same seed, in a folder of ``--out``; what is
there already is not repeated, and what was interrupted continues. The loss is that of training images, on planes of
equal size, see `bnext_keras.analysis.loss_landscape`. Written are ``landscapes.png`` and, printed, the networks'
accuracies on held-out digits, losses and roughness.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bnext_keras import recipes
from bnext_keras.analysis import LossLandscape, loss_landscape
from bnext_keras.cli._tool import quiet_tensorflow
from bnext_keras.files import write_atomically
from bnext_keras.model_files import load_model
from bnext_keras.training.datasets import open_data, validation_batches

#: What each network is called, and the settings that make it.
NETWORKS = {
    "BNext": [],
    "without Info-RCP": ["info_recoupling=false"],
    "without ELM attention": ["elm_attention=false"],
    "float twin": ["float_twin=true"],
}
LABELS_ALONE = ["weak_teachers=", "strong_teacher="]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings of the recipe, for all networks")
    parser.add_argument("--out", type=Path, default=Path("landscapes-output"), help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=21, help="points along each side (default: %(default)s)")
    parser.add_argument("--span", type=float, default=1.0, help="multiples of a direction (default: %(default)s)")
    parser.add_argument("--images", type=int, default=500, help="training images (default: %(default)s)")
    parser.add_argument("--relaxed", action="store_true", help="move the signs of binary kernels, as real numbers")
    arguments = parser.parse_args()
    quiet_tensorflow()

    landscapes = [measured(name, folder_of(arguments, name), arguments) for name in NETWORKS]
    print("| network | accuracy, % | loss | roughness |\n| --- | ---: | ---: | ---: |")
    for landscape in landscapes:
        accuracy = json.loads((folder_of(arguments, landscape.name) / "history.json").read_text())[-1]["val_accuracy"]
        print(f"| {landscape.name} | {100 * accuracy:.2f} | {landscape.centre:.4f} | {landscape.roughness:.2f} |")
    from bnext_keras.analysis.landscape_figure import draw_landscapes

    write_atomically(arguments.out / "landscapes.png", draw_landscapes(landscapes))


def folder_of(arguments: argparse.Namespace, name: str) -> Path:
    return arguments.out / name.lower().replace(" ", "-")


def measured(name: str, folder: Path, arguments: argparse.Namespace) -> LossLandscape:
    """A network's landscape; it is trained if it has not been."""
    settings = [*LABELS_ALONE, *arguments.settings, *NETWORKS[name]]
    if not (folder / "final.h5").exists():
        command = [sys.executable, "-m", "bnext_keras.cli.train", "digits", "--out", str(folder), *settings]
        subprocess.run([*command, *(["--resume"] if (folder / "run.json").exists() else [])], check=True)
    recipe = recipes.read("digits")[1].with_settings(settings)
    # As for evaluation: the loss of images that are not moved about.
    batches = validation_batches(open_data("digits", recipe)[0], recipe.derive(data={"batch_size": 100}))
    kind = "relaxed" if arguments.relaxed else "latent"

    def progress(done: int, total: int) -> None:
        print(f"\r{name}: {done} of {total} points", end="" if done < total else "\n", file=sys.stderr, flush=True)

    return loss_landscape(
        load_model(folder / "final.h5"),
        batches.take(-(-arguments.images // 100)),
        steps=arguments.steps,
        span=arguments.span,
        relaxed=arguments.relaxed,
        name=name,
        path=folder / f"landscape-{kind}-{arguments.steps}-{arguments.span:g}-{arguments.images}.npz",
        progress=progress,
    )


if __name__ == "__main__":
    main()
