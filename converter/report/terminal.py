"""What the command line tells about a conversion."""

from collections.abc import Sequence

from bnext_keras.text import format_bytes, format_milliseconds, format_percent

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from converter.advice import Advice, merged
from converter.report.charts import times_by
from converter.report.words import inputs_in_words, normalization_in_words, relative, rounding_in_words
from converter.result import ConversionResult

_COLOURS = {"refused": "red", "wrong": "red", "slow": "yellow", "note": "default"}


def print_report(result: ConversionResult, console: Console) -> None:
    """Prints one table (what became of the binary convolutions, operators, size, agreement with Keras, time) and the
    advice below it."""
    checked = result.verification
    converted, total = len(checked.binary_convs), len(checked.binary_convs) + len(checked.float_convs)
    table = Table(title=f"{escape(result.title)}, {' x '.join(map(str, result.input_shape))}", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("file", "not written" if result.path is None else escape(str(result.path)))
    table.add_row(
        "size",
        f"{format_bytes(result.size)}, {result.size / result.theoretical_size:.3f} times the theoretical minimum of "
        f"{format_bytes(result.theoretical_size)}",
    )
    table.add_row("input orientation", result.input_orientation)
    table.add_row("normalization", normalization_in_words(result))
    table.add_row("named classes", f"{result.named_classes:,}" if result.named_classes else "none; --labels names them")
    table.add_row("binary convolutions", f"{converted} of {total} became LceBconv2d")
    table.add_row("operators", ", ".join(f"{name} {count}" for name, count in result.operators.most_common()))
    table.add_row("verified on", f"{checked.samples} inputs against Keras ({inputs_in_words(result)})")
    table.add_row("top-1 agreement", f"{checked.top1_agreement:.2%}")
    table.add_row("largest difference", relative(checked.max_difference, checked))
    table.add_row("  with equal signs", relative(checked.max_difference_same_signs, checked))
    table.add_row("sign flips", f"{checked.flips:,} of {checked.signs:,} signs, of values within rounding of zero")
    if result.passes:
        before, after = result.passes[0].before.total(), result.passes[-1].after.total()
        table.add_row(
            "simplification",
            f"{before} operators of the graph became {after}; LCE made the {result.operators.total()} above of them",
        )
    if result.quantization is not None:
        table.add_row("quantization", _quantization_in_words(result.quantization))
    table.add_row("seconds", ", ".join(f"{step} {seconds:.1f}" for step, seconds in result.seconds.items()))
    if result.profile is not None:
        table.add_row("time on this machine", _profile_in_words(result))
    errors = checked.errors + (result.quantization.errors if result.quantization else [])
    if errors:
        table.add_row("[red]errors", escape("\n".join(errors)))
    console.print(table)
    if checked.hangs_on_rounding:
        console.print(rounding_in_words(checked), highlight=False)
    if result.advice:
        print_advice(result.advice, console)


def print_advice(found: Sequence[Advice], console: Console) -> None:
    """Prints a line for each piece of advice, the gravest first."""
    for advice in merged(found):
        colour = _COLOURS[advice.severity]
        console.print(
            f"[bold {colour}]{advice.severity:8}[/][bold]{escape(advice.layer)}[/]: {escape(advice.what)}; "
            f"[dim]{escape(advice.remedy)}",
            soft_wrap=True,
            highlight=False,
        )
    if not found:
        console.print("Nothing known keeps this model from running right or fast in Larq Compute Engine.")


def _quantization_in_words(quantization):
    roles = [role for role, count in quantization.layers.items() if count and quantization.weights[role] == "int8"]
    before, after = (
        format_bytes(sum(sizes[role] for role in roles))
        for sizes in (quantization.bytes_before, quantization.bytes_after)
    )
    return (
        f"{', '.join(roles)} in int8: {after} instead of {before}; on {quantization.samples} inputs the same first "
        f"answer as the float file for {format_percent(quantization.top1_agreement)}, outputs changed by "
        f"{format_percent(quantization.drift)} of their standard deviation"
    )


def _profile_in_words(result):
    profile = result.profile
    operators = list(zip(result.inspection.operators, profile.milliseconds, strict=True))
    milliseconds = times_by(lambda operator: operator.kind, operators)
    shares = [f"{kind} {format_percent(time / profile.explained)}" for kind, time in milliseconds.items()]
    return (
        f"{format_milliseconds(profile.total)} an image, one thread, {escape(profile.processor)}: {', '.join(shares)} "
        f"of the operators' sum, {format_milliseconds(profile.explained)}. Not a phone's figures"
    )
