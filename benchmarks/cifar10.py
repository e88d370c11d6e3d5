"""BNext, MeliusNet and BNext in float layers on CIFAR-10: trained, converted, and evaluated from their files.

    python benchmarks/cifar10.py cifar10/                            half an hour of one core, about, for each network
    python benchmarks/cifar10.py cifar10/ epochs=100 --out longer    longer, if there is more time

``cifar10/`` is what ``bnext-train cifar10 --data`` takes. Each network is trained by the recipe ``cifar10_cpu`` in a
folder of ``--out``; what is there already is not repeated, and what was interrupted continues. The model of the last
epoch is converted by ``bnext-convert``, and ``bnext-evaluate`` classifies the test images with model and file. Printed
is a table of what came out; ``cifar10.svg`` has the curves.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

from bnext_keras.files import write_atomically

#: What each network is called, and the settings that make it of the recipe.
NETWORKS = {
    "BNext": [],
    "MeliusNet": ["model=MeliusNet", "widths=", "model_options.blocks=1,1,1", "model_options.transitions=64,96"],
    "BNext in float layers": ["float_twin=true"],
}
COLUMNS = ("network", "epochs", "Keras, %", "from the file, %", "differ on", "final.h5, kB", "file, kB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="as for bnext-train --data")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings of the recipe, for all networks")
    parser.add_argument("--out", type=Path, default=Path("cifar10-output"), help="(default: %(default)s)")
    arguments = parser.parse_args()

    histories = {}
    print("| " + " | ".join(COLUMNS) + " |\n| --- |" + " ---: |" * (len(COLUMNS) - 1))
    for name, settings in NETWORKS.items():
        folder = arguments.out / name.lower().replace(" ", "-")
        trained(folder, arguments.data, [*arguments.settings, *settings])
        histories[name] = json.loads((folder / "history.json").read_text())
        row = [name, str(len(histories[name])), *evaluated(folder, arguments.data)]
        print("| " + " | ".join(row) + " |", flush=True)
    from bnext_keras.analysis.figures import draw_accuracies

    # Files count epochs from 1, figures from 0.
    runs = {name: [{**row, "epoch": row["epoch"] - 1} for row in rows] for name, rows in histories.items()}
    write_atomically(arguments.out / "cifar10.svg", draw_accuracies(runs, format="svg"))


def trained(folder: Path, data: str, settings: list[str]) -> None:
    """Trains a network, unless that has been done."""
    if not (folder / "final.h5").exists():
        resume = ["--resume"] if (folder / "run.json").exists() else []
        tool("bnext_keras.cli.train", "cifar10_cpu", "--data", data, "--out", str(folder), *resume, *settings)


def evaluated(folder: Path, data: str) -> list[str]:
    """Accuracies of the last epoch's model and of its file in percent, how many images one alone has right, sizes."""
    model, file, results = (str(folder / name) for name in ("final.h5", "final.tflite", "evaluation.json"))
    tool("converter.cli.convert", model, "-o", file)
    tool("converter.cli.evaluate", model, file, data, "--json", results)
    evaluation = json.loads(Path(results).read_text())
    accuracies = [f"{each['top1_percent']:.2f}" for each in evaluation["models"]]
    (both,) = evaluation["comparisons"]
    sizes = [f"{each['bytes'] / 1000:,.0f}" for each in evaluation["models"]]
    return [*accuracies, str(both["only_first_right"] + both["only_second_right"]), *sizes]


def tool(module: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", module, *arguments], check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
