"""What the terminal and a notebook show of a conversion: a row for each fact."""

from bnext_keras.text import format_bytes, format_milliseconds, format_percent

from converter.report.charts import times_by
from converter.report.words import (
    compared_in_words,
    cost_in_words,
    differences_in_words,
    engine_in_words,
    inputs_in_words,
    is_classifier,
    normalization_in_words,
    output_in_words,
    quantized_in_words,
    reader_in_words,
    size_in_words,
    trained_in_words,
)
from converter.result import ConversionResult


def title(result: ConversionResult) -> str:
    """The model and the shapes of its inputs."""
    shapes = [" x ".join(map(str, shape)) for shape in result.inputs.values() or [result.input_shape]]
    return ", ".join([result.title, *shapes])


def rows(result: ConversionResult) -> list[tuple[str, str]]:
    """Names and texts: what became of the binary convolutions, operators, size, agreement with Keras, time."""
    checked = result.verification
    several, (difference, same_signs) = len(checked.outputs) > 1, differences_in_words(checked)
    converted, total = len(checked.binary_convs), len(checked.binary_convs) + len(checked.float_convs)
    found = [
        ("file", "not written" if result.path is None else str(result.path)),
        ("size", f"{format_bytes(result.size)}, {size_in_words(result)}"),
        *([("runs in", reader_in_words(result))] if result.runtime.is_engine else []),
        ("input orientation", str(result.input_orientation)),
        ("normalization", normalization_in_words(result)),
        *([("input", f"{result.input_type}, pixels from 0 to 255")] if result.input_type == "uint8" else []),
        ("named classes", f"{result.named_classes:,}" if result.named_classes else "none; --labels names them"),
        ("binary convolutions", f"{converted} of {total} became {result.runtime.binary}"),
        ("operators", ", ".join(f"{name} {count}" for name, count in result.operators.most_common())),
        ("verified on", f"{checked.samples} inputs against Keras ({inputs_in_words(result)})"),
        ("top-1 agreement", f"{checked.top1_agreement:.2%}" if is_classifier(checked) else "no output is of classes"),
        ("largest difference", difference),
        ("  with equal signs", same_signs),
        *((f"output {output.name}", output_in_words(output)) for output in checked.outputs if several),
        ("sign flips", f"{checked.flips:,} of {checked.signs:,} signs, of values within rounding of zero"),
    ]
    found += [(name, engine_in_words(engine)) for name, engine in result.engines.items()]
    if result.cost is not None:
        found.append(("beside LCE" if result.runtime.is_engine else "without LCE", cost_in_words(result)))
    if result.passes:
        before, after = result.passes[0].before.total(), result.passes[-1].after.total()
        simplified = f"{before} operators of the graph became {after}; {result.runtime.made_by} made"
        found.append(("simplification", f"{simplified} the {result.operators.total()} above of them"))
    if result.inspection is not None:
        found.append(("memory", f"{format_bytes(result.inspection.peak_memory)} for results, at least"))
    if result.trained_weights is not None:
        found.append(("trained weights", trained_in_words(result.trained_weights)))
    if result.quantization is not None:
        found.append(("quantization", _quantization(result.quantization)))
    found.append(("seconds", ", ".join(f"{step} {seconds:.1f}" for step, seconds in result.seconds.items())))
    if result.profile is not None:
        found.append(("time on this machine", _profile(result)))
    return found


def _quantization(quantization):
    if quantization.activations == "int8":
        before, after = map(format_bytes, quantization.file_bytes)
        return (
            f"weights and activations in int8, an approximation: {after} instead of {before}; ranges of "
            f"{quantization.calibrated_on} inputs; {compared_in_words(quantization)}{_left_float(quantization)}"
        )
    return quantized_in_words(quantization)


def _left_float(quantization):
    left = ", ".join(f"{count} {name}" for name, count in quantization.left_float.items())
    return f"; still float: the results of {left}" if left else ""


def _profile(result):
    profile = result.profile
    operators = list(zip(result.inspection.operators, profile.milliseconds, strict=True))
    milliseconds = times_by(lambda operator: operator.kind, operators)
    shares = [f"{kind} {format_percent(time / profile.explained)}" for kind, time in milliseconds.items() if time]
    return (
        f"{format_milliseconds(profile.total)} an image in {profile.runtime}, 1 thread, {profile.kernels} kernels, "
        f"{profile.processor}: "
        f"{', '.join(shares)} of the operators' sum, {format_milliseconds(profile.explained)}. Not a phone's figures"
        f"{_engine(profile)}"
    )


def _engine(profile):
    engine = profile.engine
    if engine is None or profile.is_of_engine:
        return ""
    if engine.network is None:
        return f". The engine: {engine.note}"
    return (
        f". The engine ({engine.kernels} kernels): {format_milliseconds(engine.network)}, "
        f"{profile.total / engine.network:.1f} times as fast"
    )
