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
  bnext-benchmark compare old/ new/ --html comparison.html
  bnext-benchmark compare results.json --models float.tflite int8.tflite

exit status:
  0  compared
  1  something became slower, and --fail-if-slower was given
  2  a file cannot be used, or the two have nothing in common"""


def main(argv: list[str]) -> int:
    """Runs the command line; returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.after is None and not arguments.models:
        parser.error("name two files of results, or one and --models X Y")
    return run(TOOL, _compare, arguments)


def results_file(path: Path) -> Path:
    """A file of results as a command line names it: by the folder that it is in, too."""
    return path / "results.json" if path.is_dir() else path


def _compare(arguments):
    from bnext_keras.console import SafeConsole
    from bnext_keras.files import check_outputs, write_atomically

    from android_demo.report import render_comparison
    from android_demo.report.comparison import Verdict, compare, only_model
    from android_demo.report.table import print_comparison
    from android_demo.results import load

    files = [results_file(path) for path in (arguments.before, arguments.after or arguments.before)]
    check_outputs(filter(None, [arguments.html]), files)
    before, after = map(load, files)
    if arguments.models:
        first, second = arguments.models
        before, after = only_model(before, first, str(files[0])), only_model(after, second, str(files[1]))
    found = compare(before, after)
    ratios = found.ratios()
    if not ratios:
        raise BenchmarkError(
            f"{' and '.join(map(str, dict.fromkeys(files)))}: have no measurement in common; "
            "compared are equal models, threads and devices, and two models with --models"
        )
    print_comparison(ratios, found.differences, SafeConsole())
    if arguments.html is not None:
        names = tuple(arguments.models or (str(arguments.before), str(arguments.after)))
        write_atomically(arguments.html, render_comparison(before, after, names).encode())
    return int(arguments.fail_if_slower and any(ratio.verdict is Verdict.SLOWER for _, _, ratio in ratios))


def _parser():
    parser = tool_parser(f"{TOOL} compare", DESCRIPTION, EPILOG)
    add = parser.add_argument
    add("before", type=Path, metavar="BEFORE", help="a results.json, or the folder that it is in")
    add("after", type=Path, nargs="?", metavar="AFTER", help="another one; it may be left out with --models")
    text = "compare model X of BEFORE with model Y of AFTER, both by their files' names"
    add("--models", nargs=2, metavar=("X", "Y"), help=text)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page about it too")
    parser.add_argument("--fail-if-slower", action="store_true", help="exit status 1 if anything became slower")
    return parser
