"""Puts a page together: texts, the plan and the engine's modules as base64, and the hashes of what may run."""

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.charts.templates import environment

import jinja2
from markupsafe import Markup

from android_demo.export.model import ExportedModel
from android_demo.runner.build import THREADED, THREADED_MODULES, WEB_MEMORY, WEB_MODULES, web_module

ASSETS = Path(__file__).parent / "assets"
#: The modules in words.
_IN_WORDS = {"relaxed": "relaxed vectors of 128 bits", "simd": "vectors of 128 bits", "baseline": "without vectors"}


def render(model: ExportedModel, *, more: Path | None = None, facts: Mapping[str, object] | None = None) -> str:
    """The page. It is the same for the same model, version and compiler.

    Args:
        model: The network.
        more: A folder with what another application adds to it: ``more.html``, ``more.css`` and ``more.js``.
        facts: What that script needs to know, as ``about.app``.

    Raises:
        BuildError: if the engine has yet to be compiled and there is no compiler.
    """
    height, width, channels = model.input_shape
    names = list(WEB_MODULES)
    # An application's page comes from no server, so that it has one thread.
    threaded = [] if more else list(THREADED_MODULES)
    about = {
        "labels": None if model.labels is None else list(model.labels),
        "modules": names,
        "threaded": threaded,
        "pages": WEB_MEMORY,
        "names": {name: _IN_WORDS[name.removesuffix(THREADED)] for name in names + threaded},
        "images": {
            "mean": model.normalization.mean,
            "deviation": model.normalization.std,
            "turned": model.turned,
        },
        **({"app": facts} if facts else {}),
    }
    style, script, worker = (_text(ASSETS / name) for name in ("page.css", "page.js", "worker.js"))
    if more:
        style, script = style + _text(more / "more.css"), script + _text(more / "more.js")
    templates = environment(ASSETS, *([more] if more else []))
    colours = "in colour" if channels == 3 else "in grey"
    return templates.get_template("page.html").render(
        title=model.name,
        lead=f"Tells {model.num_classes} classes apart in pictures of {width} by {height} pixels {colours}.",
        has_more=more is not None,
        foot=f"Made by bnext-keras {__version__}. This one {'app' if more else 'file'} is all there is to it.",
        policy=_policy(style, script),
        style=style,
        script=script,
        worker=worker,
        about=jinja2.filters.do_tojson(jinja2.nodes.EvalContext(templates), about),
        modules={name: _base64(web_module(name).read_bytes()) for name in names + threaded},
        plan=_base64(model.plan),
    )


def _policy(style, script):
    """What the page may do, as browsers enforce it: run what was written, and request nothing from anywhere."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src '{_hash(script)}' 'wasm-unsafe-eval'",
            "worker-src blob:",
            f"style-src '{_hash(style)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash(text):
    return f"sha256-{_base64(hashlib.sha256(text.encode()).digest())}"


def _text(path):
    text = path.read_text(encoding="utf-8")
    # What would end the element that it stands in.
    assert "</s" not in text
    return Markup(text)


def _base64(content):
    return base64.b64encode(content).decode()
