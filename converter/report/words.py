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
        f"{title} ran the file on {checked.samples} inputs ({inputs}) with each of its kernels, and Keras the model. "
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
        words.append(f"Without LCE's operators the file is {cost_in_words(result)}.")
    if result.trained_weights is not None:
        words.append(f"Weights that were trained in few bits: {trained_in_words(result.trained_weights)}.")
    words += [f"{name[0].upper()}{name[1:]}: {engine_in_words(found)}." for name, found in result.engines.items()]
    return words


def trained_in_words(trained: TrainedWeights) -> str:
    """What became of weights that were trained in few bits."""
    counts = Counter(trained.layers.values())
    parts = [f"{counts[bits]} layers of {bits} bits" for bits in sorted(counts)]
    words = (
        f"{', '.join(parts)} in int8, exactly as trained: {format_bytes(trained.bytes_after)} instead of "
        f"{format_bytes(trained.bytes_before)}"
        if parts
        else "none are in int8"
    )
    return words + (f"; {len(trained.left_float)} layers stay float" if trained.left_float else "")


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
    """What a file for other runtimes than LCE costs, beside LCE's."""
    cost = result.cost
    assert cost is not None
    return (
        f"{result.size / cost.lce_bytes:.1f} times the bytes of LCE's file, {format_bytes(cost.lce_bytes)}; here an "
        f"image takes {format_milliseconds(cost.milliseconds)} in {result.runtime.title} and "
        f"{format_milliseconds(cost.lce_milliseconds)} in LCE, one thread each. Not a phone's figures"
    )


def size_in_words(result: ConversionResult) -> str:
    """The file's size by that of the parameters alone, which is no bound: simplification needs fewer."""
    few = "" if result.trained_weights is None else "as many as trained for those of few, "
    eight = few + ("" if result.quantization is None else "8 for those in int8, ")
    return (
        f"{result.size / max(1, result.parameter_bytes):.3f} times the model's parameters "
        f"({format_bytes(result.parameter_bytes)}: 1 bit for binary weights, {eight}32 for others)"
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
