"""What the command line tells about a conversion."""

from collections.abc import Sequence

from bnext_keras.console import SafeConsole, line, plain

from rich.table import Table
from rich.text import Text

from converter.advice import Advice, merged
from converter.report.rows import rows, title
from converter.report.words import rounding_in_words
from converter.result import ConversionResult

_COLOURS = {"refused": "red", "wrong": "red", "slow": "yellow", "note": "default"}


def print_report(result: ConversionResult, console: SafeConsole) -> None:
    """Prints one table (what became of the binary convolutions, operators, size, agreement with Keras, time) and the
    advice below it."""
    checked = result.verification
    table = Table(title=title(result), show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in rows(result):
        table.add_row(name, text)
    errors = checked.errors + (result.quantization.errors if result.quantization else [])
    if errors:
        table.add_row(plain("errors", "red"), Text("\n").join(map(plain, errors)))
    console.print(table)
    if checked.hangs_on_rounding:
        console.print(rounding_in_words(checked))
    if result.advice:
        print_advice(result.advice, console)


def print_advice(found: Sequence[Advice], console: SafeConsole) -> None:
    """Prints a line for each piece of advice, the gravest first."""
    for advice in merged(found):
        severity = f"{advice.severity:8}", f"bold {_COLOURS[advice.severity]}"
        text = line(severity, (advice.layer, "bold"), f": {advice.what}; ", (advice.remedy, "dim"))
        console.print(text, soft_wrap=True)
    if not found:
        console.print("Nothing known keeps this model from running right or fast in Larq Compute Engine.")
