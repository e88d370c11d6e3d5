"""Loads crafted models by the hundred and counts how many of them ran code, were refused in one line, or loaded.

    python benchmarks/trials/foreign_models.py --files 500 --seed 0

Each file is a small network as a ``.keras`` file, an ``.h5`` file or a SavedModel, in which one to three things have
been changed at random places: names of classes, modules, functions and operations, constants in the place of tensors,
Lambda layers with code, links and storage outside of the file. Whatever runs would touch a canary file, or be seen by
Python's audit hook as a process or a socket. The models are loaded, not called. Prints the counts; ends with 1 if
anything ran.
"""

import argparse
import collections
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

import bnext_keras
from bnext_keras.errors import UserError
from bnext_keras.model_files import load_model

import h5py
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
import foreign_models

FORMATS = ("net.keras", "net.h5", "net")
MODULES = (
    "os",
    "subprocess",
    "builtins",
    "keras.utils",
    "tf_keras.utils",
    "keras.layers",
    "larq.layers",
    "shutil",
    None,
)
NAMES = (
    "system",
    "Popen",
    "eval",
    "exec",
    "get_file",
    "func_load",
    "load_model",
    "rmtree",
    "open",
    "Lambda",
    "__lambda__",
)
NAMES += (
    "TFOpLambda",
    "InstanceMethod",
    "ClassMethod",
    "StringLookup",
    "function",
    "Dense",
    "relu",
    "deserialize",
    "TypeSpec",
)
OPERATIONS = ("io.write_file", "io.read_file", "py_function", "numpy_function", "load_op_library", "print", "math.add")
OPERATIONS += (
    "raw_ops.WriteFile",
    "keras.utils.get_file",
    "io.gfile.copy",
    "saved_model.load",
    "compat.v1.py_func",
    "cast",
)
WATCHED = ("os.system", "subprocess.Popen", "os.exec", "os.posix_spawn", "socket.connect", "shutil.rmtree", "os.remove")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw, counts, unusual, events = random.Random(arguments.seed), collections.Counter(), collections.Counter(), []
    watching = False
    sys.addaudithook(lambda event, _: events.append(event) if watching and event in WATCHED else None)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        canary, work = folder / "canary", folder / "work"
        originals = [save(folder, name, kind, canary) for name in FORMATS for kind in ("plain", "lambda")]
        canary.unlink(missing_ok=True)
        for _ in range(arguments.files):
            original = draw.choice([path for path in originals if path])
            path = work / original.name
            work.mkdir()
            shutil.copytree(original, path) if original.is_dir() else shutil.copy(original, path)
            for _ in range(draw.randint(1, 3)):
                mutate(path, draw, canary)
            tf.keras.backend.clear_session()
            events.clear()
            watching = True
            try:
                load_model(path)
                outcome = "loaded"
            except UserError as error:
                outcome = "refused in one line" if len(str(error).splitlines()) == 1 else "refused in several lines"
            except Exception as error:  # any at all is a fault, to be counted
                outcome = "traceback"
                unusual[f"{type(error).__name__}: {error}"[:200]] += 1
            watching = False
            # Temporary folders of the loader itself are removed by rmtree and remove.
            if canary.exists() or [event for event in events if event not in ("shutil.rmtree", "os.remove")]:
                outcome = f"RAN CODE ({', '.join(sorted(set(events)))})"
                canary.unlink(missing_ok=True)
            counts[outcome] += 1
            shutil.rmtree(work)
    print(f"bnext-keras {bnext_keras.__version__}, seed {arguments.seed}, {arguments.files} files")
    for outcome, number in counts.most_common():
        print(f"{number:6}  {outcome}")
    for message, number in unusual.most_common():
        print(f"{number:6}  {message}")
    return 1 if any(outcome.startswith("RAN") for outcome in counts) else 0


def save(folder, name, kind, canary):
    path = folder / kind / name
    path.parent.mkdir(exist_ok=True)
    model = foreign_models.network()
    if kind == "lambda":
        touch = tf.keras.layers.Lambda(lambda x, canary=str(canary): [open(canary, "w").close(), x][1])
        model = tf.keras.Model(model.input, touch(model.output))
    model.save(path)
    return path


def mutate(path, draw, canary):
    if path.name == "net.h5" and draw.random() < 0.3:
        return link(path, draw)
    foreign_models.configuration(path, lambda config: change(config, draw, canary))


def change(config, draw, canary):
    """One change at a random place."""
    entries = list(dictionaries(config))
    entry = draw.choice(entries)
    function = {"class_name": "function", "module": draw.choice(MODULES), "config": draw.choice(NAMES)}
    function["registered_name"] = draw.choice(("function", draw.choice(NAMES), None))
    kind = draw.randrange(7)
    named = [entry for entry in entries if "class_name" in entry]
    if kind == 0:
        draw.choice(named or entries)["class_name"] = draw.choice(NAMES)
    elif kind == 1:
        draw.choice(named or entries).update(module=draw.choice(MODULES), registered_name=draw.choice((None, *NAMES)))
    elif kind == 2:
        settings = [(entry, key) for entry in entries for key in entry if "activation" in key or "initializer" in key]
        entry, key = draw.choice(settings or [(entry, "activation")])
        entry[key] = draw.choice((function, draw.choice(NAMES)))
    elif kind == 3:
        operations = [entry for entry in entries if "function" in entry] or entries
        draw.choice(operations)["function"] = draw.choice((*OPERATIONS, function))
    elif kind == 4:
        text = draw.choice((f"touch {canary}", str(canary), "/etc/passwd"))
        nodes = [entry for entry in entries if "inbound_nodes" in entry] or entries
        draw.choice(nodes)["inbound_nodes"] = [[["_CONSTANT_VALUE", -1, text, {"contents": "x", "filename": text}]]]
    elif kind == 5:
        entry["config"] = {
            "name": "x",
            "function": function,
            "function_type": draw.choice(("function", "lambda", "raw")),
        }
    else:
        entry.update(
            json.loads(json.dumps({"class_name": "Lambda", "module": draw.choice(MODULES), "config": function}))
        )


def dictionaries(value):
    if isinstance(value, dict):
        yield value
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from dictionaries(item)


def link(path, draw):
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        name = draw.choice(names or ["model_weights"])
        if name in file:
            del file[name]
        kind = draw.randrange(3)
        if kind == 0:
            file[name] = h5py.ExternalLink("/etc/passwd", "/")
        elif kind == 1:
            file[name] = h5py.SoftLink("/")
        else:
            file.create_dataset(name, (4, 3), "f4", external=[("/etc/passwd", 0, 48)])


if __name__ == "__main__":
    sys.exit(main())
