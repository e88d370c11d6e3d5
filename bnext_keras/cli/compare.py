"""``bnext-models compare``: binary networks in a picture and on a page."""

import argparse
from pathlib import Path

from bnext_keras.cards import CARDS, card_named, find
from bnext_keras.cli._tool import complain, quiet_tensorflow, run, silenced, tool_parser
from bnext_keras.errors import UserError
from bnext_keras.files import check_exists, check_outputs, write_all

TOOL = "bnext-models compare"

DESCRIPTION = """\
Draw the accuracy of binary networks against operations, size and latency: a picture, or a
page of its own with every figure, which loads nothing from anywhere.

Accuracies are those that somebody published. Costs that others published are hollow
marks; what is counted or measured here is solid, with the device named."""

EPILOG = """\
examples:
  bnext-models compare comparison.html
  bnext-models compare comparison.png comparison.svg --axes ops
  bnext-models compare page.html --results pixel/results.json --results pi/results.json
  bnext-models compare page.html --results pixel --network mine.tflite=BNextTiny
  bnext-models compare page.html --measure BNextTiny,QuickNet

exit status: 0, or 2 if a file, a name or a network cannot be used; nothing is written then"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run("bnext-models", _compare, _parser().parse_args(argv))


def _compare(arguments: argparse.Namespace) -> int:
    writers = _writers(arguments.outputs)
    check_outputs(arguments.outputs, arguments.results)
    for file in arguments.results:
        check_exists(file)
    wanted = [card_named(name) for name in arguments.measure]
    cards = [card_named(name) for name in arguments.only] or list(CARDS)
    if ".png" in writers:
        from bnext_keras.extras import require

        require("matplotlib", extra="demo")
    from bnext_keras.comparison import measured
    from bnext_keras.comparison.points import points_of_cards, without_accuracy

    points, left_out = points_of_cards(cards), without_accuracy(cards)
    found = [measured.load(file) for file in arguments.results]
    if wanted:
        results, lines = _measure(wanted, arguments.measured_in)
        found.append(results)
        left_out += lines
    for results in found:
        more, lines = measured.points_of_results(results, dict(arguments.network))
        points += more
        left_out += lines
    if not any(point.axis in arguments.axes for point in points):
        raise UserError("none of these networks has a point on these axes", where=",".join(arguments.axes))
    write_all({path: writers[path.suffix.lower()](points, arguments.axes, left_out) for path in arguments.outputs})
    for line in left_out:
        complain("bnext-models", f"not shown: {line}")
    print(f"wrote {', '.join(map(str, arguments.outputs))}")
    return 0


def _writers(outputs):
    """A function of points, axes and what is left out, for each ending."""

    def page(points, axes, left_out):
        from bnext_keras.comparison.page import as_page

        return as_page(points, axes, left_out=left_out).encode()

    def svg(points, axes, left_out):
        from bnext_keras.comparison.page import as_svg

        return as_svg(points, axes).encode()

    def png(points, axes, left_out):
        from bnext_keras.comparison.picture import as_png

        return as_png(points, axes)

    known = {".html": page, ".svg": svg, ".png": png}
    for path in outputs:
        if path.suffix.lower() not in known:
            raise UserError("is no kind of file that is written here", where=str(path), remedy="html, svg and png are")
    return {suffix: known[suffix] for suffix in {path.suffix.lower() for path in outputs}}


def _measure(cards, folder):
    from bnext_keras.comparison.measured import measure
    from bnext_keras.console import SafeConsole

    quiet_tensorflow()
    with silenced():
        import tensorflow  # noqa: F401
    console = SafeConsole(stderr=True)
    with console.status("measuring") as status:
        return measure(cards, folder, status.update)


def _names(text: str) -> list[str]:
    return list(filter(None, text.split(",")))


def _axes(text: str) -> list[str]:
    known = ("ops", "size", "latency", "energy")
    names = _names(text)
    if not names or not set(names) <= set(known):
        raise argparse.ArgumentTypeError(f"{text!r}: name some of {', '.join(known)}")
    return list(dict.fromkeys(names))


def _file_of_network(text: str) -> tuple[str, str]:
    name, equals, network = text.rpartition("=")
    if not equals or find(network) is None:
        raise argparse.ArgumentTypeError(f"{text!r}: give FILE=NETWORK, with a network that bnext-models lists")
    return Path(name).name, network


def _parser():
    parser = tool_parser(TOOL, DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("outputs", nargs="+", type=Path, metavar="FILE", help="to be written; its ending, html, svg or png, says what")
    text = "costs to draw against: ops, size, latency, energy, an estimate (default: the first three)"
    add("--axes", type=_axes, default=["ops", "size", "latency"], metavar="NAME,NAME", help=text)
    add("--only", type=_names, default=[], metavar="NAME,NAME", help="these networks instead of all")
    group = parser.add_argument_group("measured latencies")
    add = group.add_argument
    text = "what bnext-benchmark wrote: results.json, or its folder; repeat for several"
    add("--results", type=Path, action="append", default=[], metavar="FILE", help=text)
    text = "the network that a measured file is, where its name does not tell; repeat for several"
    add("--network", type=_file_of_network, action="append", default=[], metavar="FILE=NETWORK", help=text)
    text = "networks to convert with fresh weights and to measure now, on this machine, in this project's engine"
    add("--measure", type=_names, default=[], metavar="NAME,NAME", help=text)
    text = "folder for these files and results, which are not made twice (default %(default)s)"
    add("--measured-in", type=Path, default=Path("measured"), metavar="DIR", help=text)
    return parser
