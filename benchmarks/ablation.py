"""What each part of the method is worth: one network, trained with and without it, over several seeds.

    python benchmarks/ablation.py                                          the handwritten digits, in an hour or so
    python benchmarks/ablation.py --recipe cifar10 --data tfds:cifar10     any other recipe, on data of one's own
    python benchmarks/ablation.py --only full no-distillation --seeds 2 epochs=6

Every run is a `bnext-train` of its own in ``--out``, with a seed for weights, order and augmentation; runs that are
there already are not repeated, and one that was interrupted continues. The teachers of a seed are trained once and
shared. Printed, and written as ``ablation.md``, ``ablation.json`` and ``ablation.png``, is the accuracy on held-out
images after the last epoch: mean and standard deviation over the seeds, and the mean difference from the full method,
seed by seed, with its standard error. A difference of less than two standard errors says nothing.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

#: What is left out, and the settings that leave it out.
VARIANTS = {
    "full": [],
    "one-teacher": ["weak_teachers="],
    "no-distillation": ["weak_teachers=", "strong_teacher="],
    "no-elm-attention": ["elm_attention=false"],
    "no-info-recoupling": ["info_recoupling=false"],
    "neither": ["elm_attention=false", "info_recoupling=false"],
    "no-temperature": ["weight_temperature=false"],
}
DESCRIPTIONS = {
    "full": "diversified consecutive distillation, ELM attention, Info-RCP, weight temperature",
    "one-teacher": "the strong teacher alone",
    "no-distillation": "labels, no teacher",
    "no-elm-attention": "full, without ELM attention",
    "no-info-recoupling": "full, without Info-RCP",
    "neither": "full, without ELM attention and Info-RCP",
    "no-temperature": "full, kernels binary from the first step",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="*", metavar="key=value", help="settings of the recipe, for all runs")
    parser.add_argument("--recipe", default="digits", help="(default: %(default)s)")
    parser.add_argument("--data", help="as for bnext-train; by default the recipe's own")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each variant (default: %(default)s)")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="some of the variants")
    parser.add_argument("--out", type=Path, default=Path("ablation-output"), help="(default: %(default)s)")
    arguments = parser.parse_args()

    accuracies = {name: [] for name in arguments.only}
    for seed in range(arguments.seeds):
        for name in arguments.only:
            accuracies[name].append(accuracy(run(arguments, name, seed)))
            print(f"seed {seed}, {name}: {accuracies[name][-1]:.2%}", flush=True)
    rows = [summarize(name, accuracies) for name in arguments.only]
    print_table(rows, arguments)
    arguments.out.joinpath("ablation.json").write_text(json.dumps(accuracies, indent=1) + "\n")
    arguments.out.joinpath("ablation.md").write_text(as_markdown(rows))
    draw(arguments.out / "ablation.png", accuracies)


def run(arguments: argparse.Namespace, name: str, seed: int) -> Path:
    """Trains one variant with one seed, unless that has been done. Returns the run's folder."""
    folder = arguments.out / f"{name}-{seed}"
    if (folder / "final.h5").exists():
        return folder
    teachers = arguments.out / f"teachers-{seed}"
    if teachers.exists() and not folder.exists():
        shutil.copytree(teachers, folder / "teachers")
    command = [sys.executable, "-m", "bnext_keras.cli.train", arguments.recipe, "--out", str(folder)]
    command += ["--data", arguments.data] if arguments.data else []
    command += ["--resume"] if (folder / "run.json").exists() else []
    command += [f"seed={seed}", *arguments.settings, *VARIANTS[name]]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if finished.returncode:
        sys.exit(f"{' '.join(command)}\nfailed:\n{finished.stdout[-3000:]}")
    if (folder / "teachers").exists() and not teachers.exists():
        shutil.copytree(folder / "teachers", teachers)
    return folder


def accuracy(folder: Path) -> float:
    """Share of the held-out images that are right after the last epoch."""
    return json.loads((folder / "history.json").read_text())[-1]["val_accuracy"]


def summarize(name: str, accuracies: dict[str, list[float]]) -> tuple[str, ...]:
    """One row of the table: variant, mean and deviation, paired difference from the full method."""
    values = accuracies[name]
    row = (name, DESCRIPTIONS[name], _mean_and_spread(values, statistics.stdev))
    if name == "full" or "full" not in accuracies:
        return (*row, "")
    differences = [value - full for value, full in zip(values, accuracies["full"], strict=True)]
    return (*row, _mean_and_spread(differences, lambda values: statistics.stdev(values) / len(values) ** 0.5, sign="+"))


def _mean_and_spread(values, spread, sign=""):
    mean = f"{100 * statistics.mean(values):{sign}.2f}"
    return f"{mean} ± {100 * spread(values):.2f}" if len(values) > 1 else mean


COLUMNS = ("variant", "trained with", "accuracy %, ± deviation", "against full, ± standard error")


def print_table(rows, arguments):
    data = arguments.data or arguments.recipe
    table = Table(*COLUMNS, title=f"{data}, {arguments.seeds} seeds")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def as_markdown(rows) -> str:
    lines = [COLUMNS, ("---", "---", "---:", "---:"), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def draw(path: Path, accuracies: dict[str, list[float]]) -> None:
    """Every run as a dot, every variant's mean as a bar."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.5 * len(accuracies) + 1.2), layout="constrained")
    axes = figure.subplots()
    for i, values in enumerate(accuracies.values()):
        percent = [100 * value for value in values]
        axes.plot(percent, [i] * len(percent), "o", color="#3b6fb6", alpha=0.5)
        axes.plot([statistics.mean(percent)] * 2, [i - 0.3, i + 0.3], color="#e08a1e", linewidth=3)
    axes.set(yticks=range(len(accuracies)), yticklabels=list(accuracies), xlabel="held-out accuracy, %")
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
