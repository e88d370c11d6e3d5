"""What a conversion's verification says, in sentences."""

from bnext_keras.text import format_percent

from converter.result import ConversionResult


def verification_in_words(result: ConversionResult) -> list[str]:
    """What the comparison with Keras says, for somebody who has not read `converter.verification.verify`."""
    checked = result.verification
    inputs = "random numbers" if result.on_random_inputs_only else "your data and random numbers"
    words = [
        f"LCE ran the file on {checked.samples} inputs ({inputs}) with each of its kernels, and Keras the model. "
        f"The largest output was the same for {format_percent(checked.top1_agreement)} of them; outputs differ by at "
        f"most {checked.max_difference:.1e}."
    ]
    if checked.signs:
        explained = ", each of a value within rounding of zero" if checked.passed else ""
        flips = (
            f"for {checked.flips:,} of them Keras took the other one{explained}"
            if checked.flips
            else "Keras took the same"
        )
        words.append(
            f"The binary convolutions took {checked.signs:,} signs; {flips}. "
            f"Run with LCE's signs, Keras gives outputs within {checked.max_difference_same_signs:.1e} of LCE's, "
            + (
                "which is float rounding."
                if checked.passed
                else "which is to be judged together with the errors above."
            )
        )
    if checked.passed and checked.top1_agreement < 1 and checked.flips:
        words.append(
            "Answers differ although every operator does what its layer does: single signs that rounding turns over "
            "decide this network's answers. That is usual before training and a reason to look closer after it."
        )
    return words
