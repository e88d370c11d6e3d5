"""How all pages are filled in: every text that comes from outside is escaped, and a missing figure is an error."""

from pathlib import Path

from bnext_keras.text import finalized

import jinja2

#: What pages of several rooms include, such as the script that sorts tables.
SHARED = Path(__file__).parent


def environment(*folders: Path) -> jinja2.Environment:
    """The templates of these folders."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        finalize=finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
