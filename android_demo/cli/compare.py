"""``bnext-benchmark compare``: what became faster or slower between two files of results."""

from pathlib import Path

from bnext_keras.cli._tool import run, tool_parser
from bnext_keras.errors import BenchmarkError

from android_demo.cli import TOOL

DESCRIPTION = """\
Compare two files of results: the same models on the same device before and after, or on
two devices, or with two tools. Ratios come with a 95% confidence interval from the
repetitions, and with a verdict only if there are at least two on either side."""

EPILOG = """\
examples:
  bnext-benchmark compare old/results.json new/results.json
  bnext-benchmark compare old/results.json new/results.json --html comparison.html

exit status:
  0  compared
  1  something became slower, and --fail-if-slower was given
  2  a file cannot be used, or the two have nothing in common"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    return run(TOOL, _compare, _parser().parse_args(argv))


def _compare(arguments):
    from bnext_keras.files import check_outputs, write_atomically

    from rich.console import Console

    from android_demo.report import render_comparison
    from android_demo.report.comparison import Verdict, compare
    from android_demo.report.table import print_comparison
    from android_demo.results import load

    check_outputs(filter(None, [arguments.html]), [arguments.before, arguments.after], make_folder=True)
    before, after = load(arguments.before), load(arguments.after)
    found = compare(before, after)
    ratios = found.ratios()
    if not ratios:
        raise BenchmarkError(
            f"{arguments.before} and {arguments.after}: have no measurement in common; "
            "compared are equal models, threads and devices"
        )
    print_comparison(ratios, found.differences, Console())
    if arguments.html is not None:
        names = (str(arguments.before), str(arguments.after))
        write_atomically(arguments.html, render_comparison(before, after, names).encode(), make_folder=True)
    return int(arguments.fail_if_slower and any(ratio.verdict is Verdict.SLOWER for _, _, ratio in ratios))


def _parser():
    parser = tool_parser(f"{TOOL} compare", DESCRIPTION, EPILOG)
    parser.add_argument("before", type=Path, metavar="BEFORE", help="a results.json")
    parser.add_argument("after", type=Path, metavar="AFTER", help="another one")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page about it too")
    parser.add_argument("--fail-if-slower", action="store_true", help="exit status 1 if anything became slower")
    return parser
