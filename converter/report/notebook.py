"""What a notebook shows of a conversion: the terminal's rows as a table of HTML."""

from bnext_keras.text import shown

from converter.advice import merged
from converter.report.rows import rows, title
from converter.report.words import rounding_in_words
from converter.result import ConversionResult


def render_table(result: ConversionResult) -> str:
    """A table without scripts or styles of its own; every text of the model's file is escaped."""
    checked = result.verification
    found = [*rows(result), *(("error", error) for error in result.errors)]
    if checked.hangs_on_rounding:
        found.append(("rounding", rounding_in_words(checked)))
    found += [(advice.severity, f"{advice.layer}: {advice.what}; {advice.remedy}") for advice in merged(result.advice)]
    lines = "".join(f"<tr><th>{shown(name)}</th><td>{shown(text)}</td></tr>" for name, text in found)
    return f"<table><caption>{shown(title(result))}</caption>{lines}</table>"
