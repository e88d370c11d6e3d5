"""``bnext-import``: from a published checkpoint to a Keras file.

Nothing heavy is imported before the arguments are known to be good. PyTorch is not needed.
"""

import sys
from pathlib import Path

from bnext_keras.cli._tool import complain, positive, quiet_tensorflow, run, silenced, tool_parser
from bnext_keras.errors import CheckpointError, UserError
from bnext_keras.files import check_exists, check_outputs, replacing

TOOL = "bnext-import"

DESCRIPTION = """\
Make a Keras model from published weights: PyTorch checkpoints of BNext, ReActNet, Group-Net, ...,
read without PyTorch, or Larq Zoo's weights of any of its networks. Which network it is, classes
and ablations are found in the file. The model takes upright images and computes what the original
computes."""

EPILOG = """\
examples:
  bnext-import checkpoint.pth.tar -o bnext_tiny.h5          ImageNet: images of 224 x 224
  bnext-import cifar.pth.tar -o bnext_cifar.h5              other classes: 32 x 32
  bnext-import checkpoint.pth.tar -o big.keras --input-size 288
  bnext-import meliusnet22_weights.h5 -o meliusnet22.h5     from Larq Zoo
  bnext-import quicknet_weights.h5 -o quicknet.h5
  bnext-import reactnet_a.pth.tar -o reactnet_a.h5
  bnext-import resnet34-b627a593.pth -o resnet34.h5         torchvision's, a teacher
  bnext-import meliusnet22_weights_notop.h5 -o start.h5 --num-classes 10
  bnext-import checkpoint.pth.tar -o start.h5 --classes 37    another head, to be trained

then:
  bnext-convert bnext_tiny.h5                               for Larq Compute Engine
  bnext-train fine_tuning init=start.h5 num_classes=37 --data photos/ --out runs/mine

A PyTorch file is a program that whoever made it wrote. Here it is only read: it can hold tensors
and plain values, and one that refers to anything else is refused.

exit status:
  0  the file has been written; a warning tells if it is not exactly the original
  2  the checkpoint or the command cannot be used; one line says why; nothing is written"""

_TURNING = "; the model's first layer turns images by 180 degrees"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _import, _parser().parse_args(argv))


def _import(arguments):
    quiet_tensorflow()
    from bnext_keras.console import SafeConsole

    is_hdf5 = _check(arguments)
    with SafeConsole(stderr=True).status("starting TensorFlow") as status:
        with silenced():
            import bnext_keras.importers  # noqa: F401  what greets does it here
        status.update(f"{arguments.checkpoint.name}: reading")
        model, facts, warnings = (_larq_zoo if is_hdf5 else _pytorch)(arguments)
        if arguments.classes not in (None, model.output_shape[-1]):
            from bnext_keras.heads import with_classes

            model = with_classes(model, arguments.classes)
            facts["classes"] = f"{arguments.classes}, with a fresh head in place of one for {facts['classes']}"
            warnings = [*warnings, f"its head for {arguments.classes} classes is freshly initialized: train it"]
        if arguments.recalibrate:
            status.update(f"{arguments.checkpoint.name}: measuring the statistics of batch normalizations")
            from bnext_keras.recalibration import recalibrate_on

            facts["recalibrated on"] = f"{recalibrate_on(model, arguments.recalibrate):,} images"
        status.update(f"{arguments.output.name}: writing")
        with replacing(arguments.output) as temporary:
            _save(model, temporary)
    for warning in warnings:
        complain(TOOL, f"warning: {warning}")
    _print_report(model, {"file": str(arguments.output), **facts}, SafeConsole())
    return 0


def _check(arguments):
    """Whether the checkpoint is HDF5, having seen that the command can be carried out."""
    check_exists(arguments.checkpoint)
    if arguments.recalibrate:
        check_exists(arguments.recalibrate)
    check_outputs([arguments.output], list(filter(None, (arguments.checkpoint, arguments.recalibrate))))
    if arguments.output.suffix not in (".h5", ".keras"):
        raise UserError(f"{arguments.output}: name a file that ends in .h5 or .keras")
    if not arguments.checkpoint.is_file():
        raise CheckpointError(f"{arguments.checkpoint}: not a regular file")
    try:
        with arguments.checkpoint.open("rb") as file:
            is_hdf5 = file.read(len(_HDF5_SIGNATURE)) == _HDF5_SIGNATURE
    except OSError as error:
        raise CheckpointError(f"{arguments.checkpoint}: cannot be read ({error.strerror})") from error
    if arguments.num_classes is not None and not is_hdf5:
        raise UserError(
            "--num-classes: a BNext checkpoint tells that itself; leave it out, or name those of another head with "
            "--classes"
        )
    if arguments.variant is not None and not is_hdf5:
        raise UserError("--variant: a PyTorch checkpoint tells that itself; leave it out")
    return is_hdf5


def _pytorch(arguments):
    from bnext_keras.importers import read_checkpoint
    from bnext_keras.importers.released_zoo import detect, import_zoo

    state_dict = read_checkpoint(arguments.checkpoint).state_dict
    try:
        found = detect(state_dict)
    except CheckpointError as error:
        raise CheckpointError(f"{arguments.checkpoint}: {error}") from error
    if found is None:
        return _bnext(arguments)
    model, warnings = import_zoo(arguments.checkpoint, state_dict, found, arguments.input_size)
    options = ", ".join(f"{name}={value}" for name, value in found.options.items())
    facts = {
        "variant": found.network + (f" ({options})" if options else ""),
        "classes": str(model.output_shape[-1]),
        "input orientation": f"upright{_TURNING * found.is_turned}",
    }
    return model, facts, warnings


def _bnext(arguments):
    from bnext_keras.importers import import_bnext

    imported = import_bnext(arguments.checkpoint, arguments.input_size)
    found = imported.architecture
    ablations = [
        name
        for name, there in (("ELM-Attention", found.elm_attention), ("Info-RCP", found.info_recoupling))
        if not there
    ]
    widths = f" with widths {', '.join(map(str, found.widths))}" if found.variant == "BNext" else ""
    temperature = "unknown" if imported.temperature is None else f"{imported.temperature:.2g}"
    facts = {
        "variant": found.variant + widths,
        "classes": str(found.num_classes),
        "ablations": f"without {' and '.join(ablations)}" if ablations else "none",
        "stem stride": str(found.stem_stride),
        "zero weights": f"{imported.zero_weights:,} of {imported.binary_weights:,} binary weights",
        "weight temperature": temperature,
        "input orientation": f"upright{_TURNING}",
    }
    return imported.model, facts, imported.warnings


def _larq_zoo(arguments):
    from bnext_keras.importers import import_larq_zoo, import_meliusnet22
    from bnext_keras.importers.larq_zoo import SIGNATURES, detect

    known = (*SIGNATURES.values(), "BinaryDenseNet37Dilated")
    if arguments.variant not in (None, "MeliusNet22", *known):
        raise UserError(f"--variant {arguments.variant}: not one of MeliusNet22, {', '.join(known)}")
    name = arguments.variant or detect(arguments.checkpoint) or "MeliusNet22"
    options = (arguments.input_size, arguments.num_classes)
    if name == "MeliusNet22":
        model, fresh = import_meliusnet22(arguments.checkpoint, *options)
    else:
        model, fresh = import_larq_zoo(arguments.checkpoint, name, *options)
    facts = {"variant": name, "classes": str(model.output_shape[-1]), "input orientation": "upright"}
    warnings = [f"the file has no weights for {name}, which is freshly initialized: train it" for name in fresh]
    return model, facts, warnings


def _save(model, path):
    from bnext_keras.saving import hdf5

    with silenced():  # Keras finds its own HDF5 format old-fashioned, and compiled metrics missing.
        if path.suffix == ".keras":
            model.save(path)
        else:
            path.write_bytes(hdf5(model))


def _print_report(model, facts, console):
    from bnext_keras.classes import stated
    from bnext_keras.models import count

    from rich.table import Table

    table = Table(title=f"{model.name}, {' x '.join(map(str, model.input_shape[1:]))}", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    costs = count(model)
    normalization = stated(model).normalization or "not stated; bnext_keras.classes.annotate does"
    parameters = f"{costs.parameters:,}, of which {costs.binary_parameters:,} binary"
    for name, value in {**facts, "normalization": str(normalization), "parameters": parameters}.items():
        table.add_row(name, value)
    console.print(table)


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    parser.add_argument("checkpoint", type=Path, help="a .pth, .pt or .pth.tar file of PyTorch, or Larq Zoo's .h5")
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write: .h5 or .keras")
    parser.add_argument(
        "--input-size",
        type=positive,
        metavar="N",
        help="height and width of the images: a multiple of 32 (of 16 if the stem is not strided; "
        "default 224 for a strided stem, else 32)",
    )
    parser.add_argument(
        "--num-classes", type=positive, metavar="N", help="classes, for Larq Zoo's files without a head (default 1000)"
    )
    parser.add_argument(
        "--classes",
        type=positive,
        metavar="N",
        help="give the network another head, for so many classes, and keep all other weights: a start for training",
    )
    parser.add_argument(
        "--recalibrate",
        type=Path,
        metavar="PATH",
        help="measure the statistics of batch normalizations anew, for images unlike those of the published training: "
        "a folder of images, or a .npy file of model inputs",
    )
    parser.add_argument(
        "--variant",
        metavar="NAME",
        help="the network of Larq Zoo's file, where another one's weights have its shapes: BinaryDenseNet37Dilated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
