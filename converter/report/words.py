"""What a conversion's verification says, in sentences."""

from collections import Counter

from bnext_keras.text import format_bytes, format_milliseconds, format_percent

from converter.quantization.quantize import Quantization
from converter.quantization.trained import TrainedWeights
from converter.result import ConversionResult
from converter.verification.verify import OutputVerification, Verification


def verification_in_words(result: ConversionResult) -> list[str]:
    """What the comparison with Keras says, for somebody who has not read `converter.verification.verify`."""
    checked, title = result.verification, result.runtime.title
    inputs, (difference, same_signs) = inputs_in_words(result), differences_in_words(checked)
    agreement = f"The largest output was the same for {format_percent(checked.top1_agreement)} of them; outputs"
    words = [
        f"{title[0].upper()}{title[1:]} ran the file on {checked.samples} inputs ({inputs}) with each of its kernels, "
        "and Keras the model. "
        f"{agreement if is_classifier(checked) else 'Outputs'} differ by at most {difference}."
    ]
    if len(checked.outputs) > 1:
        words += [f"Output '{output.name}', {output_in_words(output)}." for output in checked.outputs]
    if checked.signs:
        explained = ", each of a value within rounding of zero" if checked.passed else ""
        flips = (
            f"for {checked.flips:,} of them Keras took the other one{explained}"
            if checked.flips
            else "Keras took the same"
        )
        words.append(
            f"The binary convolutions took {checked.signs:,} signs; {flips}. "
            f"Run with {title}'s signs, Keras gives outputs that differ from {title}'s by at most "
            f"{same_signs}, "
            + (
                "which is float rounding."
                if checked.passed
                else "which is to be judged together with the errors above."
            )
        )
    if checked.sign_channels:
        words.append(
            f"Of {checked.sign_channels:,} channels that signs are taken of, {checked.sign_channels_covered:,} had "
            "both signs on these inputs; a fault in another channel might not show."
        )
    if checked.hangs_on_rounding:
        words.append(rounding_in_words(checked))
    if result.cost is not None:
        beside = "Beside one for LCE" if result.runtime.is_engine else "Without LCE's operators"
        words.append(f"{beside} the file is {cost_in_words(result)}.")
    if result.runtime.is_engine:
        words.append(f"The file runs in {reader_in_words(result)}.")
    if result.trained_weights is not None:
        words.append(f"Weights that were trained in few bits: {trained_in_words(result.trained_weights)}.")
    words += [f"{name[0].upper()}{name[1:]}: {engine_in_words(found)}." for name, found in result.engines.items()]
    return words


def trained_in_words(trained: TrainedWeights) -> str:
    """What became of weights that were trained in few bits."""
    counts = Counter(trained.layers.values())
    halved = [bits for bits in sorted(counts) if bits <= trained.least_bits == 4]
    kinds = {"int4": halved, "int8": [bits for bits in sorted(counts) if bits not in halved]}
    parts = [
        f"{', '.join(f'{counts[bits]} layers of {bits} bits' for bits in widths)} in {kind}"
        for kind, widths in kinds.items()
        if widths
    ]
    words = (
        f"{', '.join(parts)}, exactly as trained: {format_bytes(trained.bytes_after)} instead of "
        f"{format_bytes(trained.bytes_before)}"
        if parts
        else "none are in int8"
    )
    return words + (f"; {len(trained.left_float)} layers stay float" if trained.left_float else "")


def quantized_in_words(quantization: Quantization) -> str:
    """Which roles' weights were quantized, to what, and what became of the answers."""
    by_kind: dict[str, list[str]] = {}
    for role, count in quantization.layers.items():
        if count and quantization.weights[role] != "float32":
            by_kind.setdefault(quantization.weights[role], []).append(role)
    if not by_kind:
        return "no float weights of these roles are left to quantize"
    roles = [role for found in by_kind.values() for role in found]
    before, after = (
        format_bytes(sum(sizes[role] for role in roles))
        for sizes in (quantization.bytes_before, quantization.bytes_after)
    )
    kinds = ", ".join(f"{', '.join(found)} in {kind}" for kind, found in by_kind.items())
    return f"{kinds}: {after} instead of {before}; {compared_in_words(quantization)}"


def reader_in_words(result: ConversionResult) -> str:
    """What reads a file that is for this project's engine."""
    if result.has_int4:
        return "this project's engine alone: LCE does not read its weights of 4 bits"
    return "this project's engine, and in LCE: it has no weights of 4 bits"


def compared_in_words(quantization: Quantization) -> str:
    """How far a quantized file's answers, and the signs on their way, are from the float file's."""
    return (
        f"on {quantization.samples} inputs the same first answer as the float file for "
        f"{format_percent(quantization.top1_agreement)}, outputs changed by {format_percent(quantization.drift)} of "
        f"their standard deviation, {quantization.turned_signs:,} of {quantization.signs:,} signs turned over"
    )


def engine_in_words(found: Verification) -> str:
    """What the comparison of another engine than LCE says."""
    difference, same_signs = differences_in_words(found)
    agreement = f"the same first answer for {format_percent(found.top1_agreement)} of {found.samples} inputs, "
    return f"{agreement if is_classifier(found) else ''}outputs within {difference}, {same_signs} with equal signs"


def is_classifier(checked: Verification) -> bool:
    """Whether an output is taken for a classifier's, so that its largest number is an answer."""
    return not checked.outputs or any(output.top1_agreement is not None for output in checked.outputs)


def inputs_in_words(result: ConversionResult) -> str:
    """Which inputs the file was verified on."""
    if result.on_random_inputs_only:
        return "synthetic ones only, made on the spot"
    return f"{result.users_inputs} of yours, the rest made on the spot"


def cost_in_words(result: ConversionResult) -> str:
    """What a file for another runtime than LCE costs, or gains, beside LCE's."""
    cost = result.cost
    assert cost is not None
    return (
        f"{result.size / cost.lce_bytes:.2f} times the bytes of LCE's file, {format_bytes(cost.lce_bytes)}; here an "
        f"image takes {format_milliseconds(cost.milliseconds)} in {result.runtime.title} and "
        f"{format_milliseconds(cost.lce_milliseconds)} in LCE, one thread each. Not a phone's figures"
    )


def size_in_words(result: ConversionResult) -> str:
    """The file's size by that of the parameters alone, which is no bound: simplification needs fewer."""
    few = "" if result.trained_weights is None else "as many as trained for those of few, "
    kinds = set() if result.quantization is None else {*result.quantization.weights.values()}
    stored = "".join(f"{bits} for those in {kind}, " for bits, kind in ((8, "int8"), (4, "int4")) if kind in kinds)
    return (
        f"{result.size / max(1, result.parameter_bytes):.3f} times the model's parameters "
        f"({format_bytes(result.parameter_bytes)}: 1 bit for binary weights, {few}{stored}32 for others)"
    )


def normalization_in_words(result: ConversionResult) -> str:
    """How the file says that its images are normalized."""
    return str(result.normalization or "not stated; --mean, --std and --scale put it into the file")


def relative(difference: float, checked: Verification | OutputVerification) -> str:
    """A difference of outputs as people can judge it: by the largest output."""
    return f"{difference / (checked.largest_output or 1):.1e} of the largest output"


def differences_in_words(checked: Verification | OutputVerification) -> tuple[str, str]:
    """The largest difference of outputs, and the largest with equal signs; of several outputs the worst by its own."""
    each = checked.each if isinstance(checked, Verification) else [checked]

    def worst(name):
        output = max(each, key=lambda output: getattr(output, name) / (output.largest_output or 1))
        return relative(getattr(output, name), output)

    return worst("max_difference"), worst("max_difference_same_signs")


def output_in_words(output: OutputVerification) -> str:
    """What the comparison says of one output of several."""
    agreement = "" if output.top1_agreement is None else f"same first answer {format_percent(output.top1_agreement)}, "
    difference, same_signs = differences_in_words(output)
    return f"{' x '.join(map(str, output.shape))}: {agreement}within {difference}, {same_signs} with equal signs"


def rounding_in_words(checked: Verification) -> str:
    """What to make of a right file whose answers are not Keras'."""
    hang = f"Every operator does what its layer does, but answers hang on {checked.flips:,} signs of values within "
    if reason := checked.looks_untrained:
        return f"{hang}rounding of zero: the network looks untrained, {reason}. Train it first."
    return (
        f"{hang}rounding of zero. Inputs unlike those that a network was trained on can do that, or values "
        "that lie on thresholds: verify on images of yours (--verify-data)."
    )
