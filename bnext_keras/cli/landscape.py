"""``bnext-landscape``: how the loss changes around trained weights, as a picture."""

from pathlib import Path

from bnext_keras.cli._tool import (
    add_normalization_arguments,
    add_trust_argument,
    complain,
    normalization,
    positive,
    quiet_tensorflow,
    run,
    silenced,
    tool_parser,
)
from bnext_keras.errors import UserError
from bnext_keras.extras import require
from bnext_keras.files import check_exists, check_outputs, write_atomically
from bnext_keras.text import as_table, counted

TOOL = "bnext-landscape"

DESCRIPTION = """\
Draw the loss landscape of trained networks (Li et al. 2018): the loss on a plane through the
weights, which two random directions span, each filter of them as long as the network's.
Several networks are drawn side by side, on one scale.

Roughness is how much further up and down a straight walk across the plane goes than it must:
0 in a valley without bumps. It compares planes of the same steps and span alone."""

EPILOG = """\
examples:
  bnext-landscape runs/digits/final.h5 --data digits
  bnext-landscape binary.h5 float.h5 --data photos/ -o landscapes.svg --steps 31
  bnext-landscape landscape-binary.npz landscape-float.npz -o again.png --limit 3

DATA is what bnext-train takes; the loss is that of training images, shown as for evaluation.
Binary kernels are moved in their latent weights, so that their signs change in jumps; with
--relaxed the signs themselves are moved, as real numbers.

The losses are kept beside the picture, as landscape-MODEL.npz: an interrupted landscape goes on
where it ended, and such a file can be drawn again.

exit status: 0, or 2 if a model, the data or a file cannot be used"""

FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
#: Images that a network runs at once.
BATCH = 100


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    arguments = _parser().parse_args(argv)
    arguments.interrupted = "interrupted; what has been measured is kept, and the same command goes on from there"
    return run(TOOL, _landscape, arguments)


def _landscape(arguments):
    output = arguments.output
    if output.suffix.lower() not in FORMATS:
        raise UserError(f"a picture ends in {', '.join(FORMATS)}", where=str(output))
    for file in arguments.models:
        check_exists(file)
    points = {file: _points(file, output) for file in arguments.models if file.suffix != ".npz"}
    if len(set(points.values())) < len(points):
        raise UserError("two of the models have the same name, and their losses would go into one file; rename one")
    check_outputs([output, *points.values()], arguments.models)
    if points and not arguments.data:
        raise UserError("--data: say which images the loss is measured on, such as digits or a folder")
    scale = normalization(arguments)
    require("matplotlib", extra="demo")
    quiet_tensorflow()
    with silenced():
        from bnext_keras.analysis.landscape import read_landscape
        from bnext_keras.analysis.landscape_figure import draw_landscapes
    landscapes = [
        _measured(file, points[file], scale, arguments) if file in points else read_landscape(file)
        for file in arguments.models
    ]
    picture = draw_landscapes(
        landscapes, surface=not arguments.no_surface, limit=arguments.limit, format=FORMATS[output.suffix.lower()]
    )
    write_atomically(output, picture)
    rows = [
        (each.name, f"{each.centre:.4f}", f"{100 * each.centre_accuracy:.2f}", f"{each.roughness:.3f}")
        for each in landscapes
    ]
    print(as_table(("model", "loss", "accuracy, %", "roughness"), rows, text=("model",)))
    print(f"wrote {', '.join(map(str, [output, *points.values()]))}")
    return 0


def _points(model, output):
    return output.with_name(f"{output.stem}-{model.stem}.npz")


def _measured(file, points, scale, arguments):
    from bnext_keras.analysis.landscape import loss_landscape
    from bnext_keras.classes import stated
    from bnext_keras.console import SafeConsole
    from bnext_keras.model_files import load_model
    from bnext_keras.preprocessing import Normalization

    model = load_model(file, trusted=arguments.trust)
    if scale is None:
        scale = stated(model).normalization
    if scale is None:
        complain(TOOL, f"{file}: does not say how its images are normalized; as ImageNet's, see --mean, --std, --scale")
        scale = Normalization.imagenet()
    try:
        with SafeConsole(stderr=True).status(f"{file}: reading images") as line:
            return loss_landscape(
                model,
                _batches(model, file, scale, arguments),
                steps=arguments.steps,
                span=arguments.span,
                seed=arguments.seed,
                relaxed=arguments.relaxed,
                name=file.stem,
                path=points,
                progress=lambda done, total: line.update(f"{file}: {done} of {total} points"),
            )
    except ValueError as error:
        raise UserError(str(error), where=str(file)) from error


def _batches(model, file, scale, arguments):
    from bnext_keras import data
    from bnext_keras.data.sources.by_name import TRAINING_SPLIT, open_split

    if len(model.inputs) != 1 or len(model.outputs) != 1 or model.input_shape[-1] != 3 or None in model.input_shape[1:]:
        raise UserError("is no network of one input of RGB images of a fixed size and one output", where=str(file))
    classes = model.output_shape[-1]
    try:
        examples = open_split(
            arguments.data, [TRAINING_SPLIT], num_classes=classes, label_offset=arguments.label_offset
        )
    except (ImportError, OSError, ValueError) as error:
        raise UserError(f"--data {arguments.data}: {error}") from error
    if examples.num_classes != classes:
        in_data = counted(examples.num_classes, "class", "classes")
        raise UserError(f"has {counted(classes, 'output')}, and the data {in_data}", where=str(file))
    # Every so many, not the first ones: those of a folder are all of one class.
    apart = max(len(examples) // arguments.images, 1)
    return data.evaluation_data(
        examples,
        image_size=model.input_shape[1:3],
        batch_size=BATCH * apart,
        shard=(0, apart),
        normalization=scale,
    )


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.add_argument(
        "models", nargs="+", type=Path, metavar="MODEL", help=".h5 or .keras file, SavedModel, or .npz file of losses"
    )
    parser.add_argument("--data", metavar="DATA", help="images with classes")
    parser.add_argument("--images", type=positive, default=500, metavar="N", help="how many (default: %(default)s)")
    parser.add_argument("--label-offset", type=int, default=0, metavar="N", help="number of TFRecords' first class")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("landscape.png"),
        metavar="FILE",
        help="picture, .png, .svg or .pdf (default: %(default)s)",
    )
    parser.add_argument("--steps", type=positive, default=21, metavar="N", help="points along each side, an odd number")
    parser.add_argument("--span", type=float, default=1.0, metavar="X", help="multiples of a direction (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the directions (default: %(default)s)")
    parser.add_argument("--relaxed", action="store_true", help="move the signs of binary kernels, as real numbers")
    parser.add_argument("--limit", type=float, metavar="LOSS", help="draw larger losses as this one")
    parser.add_argument("--no-surface", action="store_true", help="draw contours alone")
    add_normalization_arguments(parser)
    add_trust_argument(parser)
    return parser
