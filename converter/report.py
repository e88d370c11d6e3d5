"""What the command line tells about a conversion."""

from rich.console import Console
from rich.table import Table

from converter.conversion import ConversionResult

_MIB = 2**20


def print_report(result: ConversionResult, console: Console) -> None:
    """Prints one table: what became of the binary convolutions, operators, size, agreement with Keras, time."""
    checked = result.verification
    converted, total = len(checked.binary_convs), len(checked.binary_convs) + len(checked.float_convs)
    table = Table(title=f"{result.name}, {' x '.join(map(str, result.input_shape))}", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("file", "not written" if result.path is None else str(result.path))
    table.add_row(
        "size",
        f"{result.size / _MIB:.2f} MiB, {result.size / result.theoretical_size:.3f} times the theoretical minimum of "
        f"{result.theoretical_size / _MIB:.2f} MiB",
    )
    table.add_row("input orientation", result.input_orientation)
    table.add_row("binary convolutions", f"{converted} of {total} became LceBconv2d")
    table.add_row("operators", ", ".join(f"{name} {count}" for name, count in result.operators.most_common()))
    table.add_row("verified on", f"{checked.samples} inputs against Keras")
    table.add_row("top-1 agreement", f"{checked.top1_agreement:.2%}")
    table.add_row("largest difference", f"{checked.max_difference:.2e}")
    table.add_row("  with equal signs", f"{checked.max_difference_same_signs:.2e}")
    table.add_row("sign flips", f"{checked.flips:,} of {checked.signs:,} signs, of values within rounding of zero")
    table.add_row("seconds", ", ".join(f"{step} {seconds:.1f}" for step, seconds in result.seconds.items()))
    if checked.errors:
        table.add_row("[red]errors", "\n".join(checked.errors))
    console.print(table)
