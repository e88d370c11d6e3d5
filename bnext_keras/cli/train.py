"""``bnext-train``: one training run from a recipe, in a folder of its own.

Nothing heavy is imported before the arguments are known to be good.
"""

import argparse
import json
import os
import sys
from itertools import groupby
from pathlib import Path

from bnext_keras import recipes
from bnext_keras.cli._tool import dispatch, quiet_tensorflow, renamed, run, silenced, tool_parser
from bnext_keras.errors import RecipeError
from bnext_keras.extras import require
from bnext_keras.files import locked
from bnext_keras.runs import check_continues, finished_epochs, read_record

TOOL = "bnext-train"

DESCRIPTION = """\
Train a network by a recipe: the settings of a published run, or your own changes of them. A
run that is interrupted continues with --resume, to the same weights."""

EPILOG = """\
examples:
  bnext-train list                                            the recipes
  bnext-train show digits                                     what one is, and its settings
  bnext-train digits --out runs/digits                        the whole method, in minutes, without a download
  bnext-train --resume --out runs/digits                      after an interruption
  bnext-train digits --estimate                               how long it will take on this machine
  bnext-train my_recipe.py --data photos/ --out runs/mine     a recipe of your own, in any file
  bnext-train fine_tuning --data photos/ --out runs/mine init=bnext_tiny.h5 num_classes=37
  bnext-train cifar10_cpu --data cifar-10-batches-bin/ --out runs/cifar10
  bnext-train cifar10 --data cifar-10-batches-bin/ --out runs/cifar epochs=100
  bnext-train bnext_tiny --data imagenet/ --out runs/tiny --teacher-weights teachers/
  bnext-train bnext_tiny --data 'tfrecord:imagenet/{split}-*' label_offset=1 --out runs/tiny --strategy mirrored

RECIPE is a name out of the list, or a Python file that sets RECIPE, perhaps to
recipes.read("bnext_tiny")[1].derive(schedule={"epochs": 60}). The file is run.

KEY=VALUE changes a setting, a line of what show prints: optimizer.learning_rate=2e-3, or
learning_rate=2e-3 where one section only has it.

init=FILE begins with that model's weights, with a fresh head for other classes; freeze=stem,block1
keeps parts as they are: beginnings of layers' names, backbone (all but the head), norms, or roles.

DATA is a folder with the folders train and val, each with one folder of images per class; or
cifar-10-batches-bin or cifar-100-binary, as CIFAR's binary versions are unpacked; or
tfrecord:PATTERN, in which {split} stands for train and for validation; or tfds:NAME; or digits.

--resume takes everything from DIR's run.json. learning_rate=, clip_norm=, precision= and what else
stands in compute may be others from the next epoch on, and epochs= may be raised where that changes
nothing of the finished ones.

DIR then holds best.h5 and final.h5 (for bnext-convert), history.csv, curves.png, tensorboard/,
run.json with the settings, and checkpoints/, from which --resume continues.

exit status:
  0    the run is finished
  2    it cannot begin or go on; one line says why; what has been written stays
  130  it was interrupted by Ctrl-C; --resume continues after the last complete epoch"""


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    commands = {
        "": _main_train,
        "list": lambda rest: run(TOOL, _list, _list_parser().parse_args(rest)),
        "show": lambda rest: run(TOOL, _show, _show_parser().parse_intermixed_args(rest)),
    }
    return dispatch(commands, argv)


def _main_train(argv):
    parser = _parser()
    arguments = parser.parse_intermixed_args(argv)
    if arguments.list:
        renamed(TOOL, "--list", "bnext-train list")
        return run(TOOL, _list, arguments)
    if arguments.recipe and "=" in arguments.recipe:
        arguments.settings.insert(0, arguments.recipe)
        arguments.recipe = None
    if arguments.recipe is None and not arguments.resume:
        parser.error("name a recipe; bnext-train list shows them")
    if arguments.show:
        renamed(TOOL, "--show", "bnext-train show RECIPE")
        return run(TOOL, _show, arguments)
    return run(TOOL, _train, arguments)


def _train(arguments):
    recipe = _recipe(arguments)
    _check(arguments, recipe)
    quiet_tensorflow(gpu=True)
    if arguments.estimate:
        return _estimate(arguments, recipe)
    with silenced():
        from bnext_keras.data import BrokenImages
        from bnext_keras.training import train
    broken = BrokenImages()
    history = train(
        recipe,
        arguments.out,
        arguments.data,
        resume=arguments.resume,
        strategy=arguments.strategy,
        teacher_weights=arguments.teacher_weights,
        processes=arguments.processes,
        broken=broken,
    )
    best = history.best()
    assert best is not None  # a recipe has one epoch at least
    print(f"Best of {len(history.rows)} epochs: {best['val_accuracy']:.2%} in epoch {best['epoch'] + 1}")
    if broken:
        print(broken.summary())
    print(f"Written: best.h5, final.h5, history.csv and curves.png in {arguments.out}")
    return 0


def _estimate(arguments, recipe):
    with silenced():
        from bnext_keras.training import estimate
    estimated = estimate(
        recipe,
        arguments.data,
        strategy=arguments.strategy,
        teacher_weights=arguments.teacher_weights,
        processes=arguments.processes,
    )
    print(estimated)
    return 0


def _recipe(arguments):
    """The recipe of the command line, or that of the run which is continued, as far as the first says nothing."""
    if arguments.resume and arguments.out is not None:
        record = read_record(arguments.out)
        recipe = recipes.read(arguments.recipe)[1] if arguments.recipe else record.recipe
        recipe = recipe.with_settings(arguments.settings)
        arguments.data = arguments.data or record.data
        arguments.strategy = arguments.strategy or record.strategy
        if arguments.teacher_weights is None and record.teacher_weights:
            arguments.teacher_weights = Path(record.teacher_weights)
        check_continues(
            arguments.out,
            record,
            recipe,
            finished_epochs(arguments.out),
            data=arguments.data,
            strategy=arguments.strategy,
        )
        return recipe
    if arguments.recipe is None:
        raise RecipeError("--out: name the folder of the run")
    return recipes.read(arguments.recipe)[1].with_settings(arguments.settings)


def _check(arguments, recipe):
    """Refuses what can be seen to be wrong without TensorFlow."""
    if arguments.estimate and (arguments.resume or arguments.strategy == "multi_worker"):
        raise RecipeError(
            "--estimate: is made before a run begins, by one process: neither --resume nor workers go with it"
        )
    if arguments.out is None and not arguments.estimate:
        raise RecipeError("--out: name the folder of the run")
    if not arguments.resume:
        recipe.check()
        if recipe.start.init and not Path(recipe.start.init).exists():
            raise RecipeError(f"init={recipe.start.init}: no such file")
    for name in recipe.distillation.teacher_files:
        if not Path(name).is_file():
            raise RecipeError(f"teacher {name}: no such file")
    recipe.compute.check_strategy(arguments.strategy)
    data = arguments.data or recipe.data.source
    if not data:
        raise RecipeError(f"--data: recipe {arguments.recipe} needs to know where the images are")
    kind, colon, _ = data.partition(":")
    if data != "digits" and not (colon and kind in ("tfrecord", "tfds")) and not Path(data).is_dir():
        raise RecipeError(f"--data {data}: no such folder")
    if arguments.teacher_weights and not arguments.teacher_weights.is_dir():
        raise RecipeError(f"--teacher-weights {arguments.teacher_weights}: no such folder")
    if arguments.processes is not None:
        from bnext_keras.data.processes import check_processes

        try:
            check_processes(arguments.processes)
        except ValueError as error:
            raise RecipeError(f"--{error}") from error
    if arguments.strategy == "multi_worker" and not _names_workers(os.environ.get("TF_CONFIG", "")):
        raise RecipeError(
            "--strategy multi_worker: TF_CONFIG must name the workers, such as "
            '{"cluster": {"worker": ["10.0.0.1:2222", "10.0.0.2:2222"]}, "task": {"type": "worker", "index": 0}}'
        )
    if arguments.out is not None:
        _check_folder(arguments)
    require("matplotlib", "tensorboard", *_packages(data), extra="train")
    if kind == "tfds":
        require("tensorflow_datasets", extra="tfds")


def _check_folder(arguments):
    if arguments.out.exists() and not arguments.out.is_dir():
        raise RecipeError(f"{arguments.out}: is a file; name a folder")
    if arguments.out.is_dir() and arguments.strategy != "multi_worker":
        # The run itself will hold the lock; whoever comes second need not wait for TensorFlow to be told so.
        with locked(arguments.out):
            pass
    holds_run = (arguments.out / "run.json").exists()
    if holds_run and not arguments.resume and arguments.strategy != "multi_worker":
        raise RecipeError(f"{arguments.out}: holds a run already; continue it with --resume or name another folder")


def _packages(data):
    return ["sklearn"] if data == "digits" else []


def _names_workers(config):
    """Whether this is what TensorFlow wants; without, it would train alone on every machine."""
    try:
        config = json.loads(config)
        return 0 <= config["task"]["index"] < len(config["cluster"]["worker"])
    except (ValueError, KeyError, TypeError):
        return False


def _list(_):
    for name in recipes.names():
        description, _ = recipes.read(name)
        print(f"{name:14}{description.splitlines()[0]}")
    return 0


def _show(arguments):
    description, recipe = recipes.read(arguments.recipe)
    recipe = recipe.with_settings(arguments.settings)
    print(description)
    # Each line can be given back as a setting. Those of a section stand together.
    for _, settings in groupby(recipe.settings().items(), key=lambda setting: setting[0].partition(".")[0]):
        print()
        for name, value in settings:
            print(f"{name}={recipes.as_text(value)}")
    return 0


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.set_defaults(interrupted="interrupted; --resume continues after the last complete epoch")
    parser.add_argument(
        "recipe",
        nargs="?",
        metavar="RECIPE",
        help="a name that bnext-train list shows, or a file of your own, my_recipe.py; not needed with --resume",
    )
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings that are not the recipe's")
    parser.add_argument("--list", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--show", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--data", metavar="DATA", help="what to train on (the recipe digits knows itself)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="continue the run in DIR")
    parser.add_argument(
        "--estimate",
        action="store_true",
        help="train a few steps, and print the images, steps, hours and bytes that the run would take; write nothing",
    )
    parser.add_argument(
        "--teacher-weights",
        type=Path,
        metavar="FOLDER",
        help="the published teachers' weights, such as efficientnetb0.h5 (default: Keras downloads them)",
    )
    parser.add_argument(
        "--strategy",
        choices=("none", "mirrored", "multi_worker"),
        help="one device, all GPUs of this machine, or many machines by TF_CONFIG (default none, or the run's)",
    )
    parser.add_argument(
        "--processes",
        type=int,
        metavar="N",
        help="processes that prepare images; 0: threads (default: threads on up to four cores, else "
        "a process for each core but one)",
    )
    return parser


def _list_parser():
    return tool_parser(f"{TOOL} list", "List the recipes, a line each.", "")


def _show_parser():
    parser = tool_parser(
        f"{TOOL} show", "Print a recipe's description and settings, and what changes would make of them.", ""
    )
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a name that bnext-train list shows, or a file of your own, my_recipe.py"
    )
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings that are not the recipe's")
    return parser


if __name__ == "__main__":
    sys.exit(main())
