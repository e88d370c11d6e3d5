"""``bnext-benchmark board``: several people's results in one table."""

from pathlib import Path

from bnext_keras.cli._tool import run, tool_parser

from android_demo.cli import TOOL
from android_demo.cli.compare import results_file

DESCRIPTION = """\
Make a page of several files of results: one table, sortable by every column, each row with
the device, the program that ran, its state, who measured and when. It is one HTML file that
loads nothing, to be put on any web server."""

EPILOG = """\
examples:
  bnext-benchmark board pixel/ raspberry/ -o board.html
  bnext-benchmark board *.json -o board.html --title "Our phones"

A folder stands for the results.json in it. bnext-benchmark --who NAME notes who measures;
otherwise the file's name stands there.

exit status:
  0  the page has been written
  2  a file cannot be used; one line says why; nothing is written"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _board, _parser().parse_args(argv))


def _board(arguments):
    from bnext_keras.files import check_outputs, write_atomically
    from bnext_keras.text import printable

    from android_demo.report.board import render_board
    from android_demo.results import load

    files = [results_file(path) for path in arguments.files]
    check_outputs([arguments.output], files)
    found = [(str(path), load(file)) for path, file in zip(arguments.files, files, strict=True)]
    write_atomically(arguments.output, render_board(found, arguments.title).encode())
    count = sum(len(results.measurements) for _, results in found)
    print(printable(f"{arguments.output}: {count} measurements of {len(found)} files"))
    return 0


def _parser():
    parser = tool_parser(f"{TOOL} board", DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("files", type=Path, nargs="+", metavar="FILE", help="a results.json, or the folder that it is in")
    text = "the page (default %(default)s)"
    add("-o", "--output", type=Path, default=Path("board.html"), metavar="FILE", help=text)
    add("--title", default="", metavar="TEXT", help="the page's heading")
    return parser
