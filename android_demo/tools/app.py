"""The engine in an app on a phone: measured as Android lets apps run, with an app's priority and its cores."""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

from bnext_keras._version import __version__
from bnext_keras.files import write_atomically

from android_demo import results
from android_demo.results import ModelFile
from android_demo.runner.build import kept
from android_demo.targets import Target
from android_demo.tools.programs import InstalledTool

_SCRIPT = Path(__file__).with_suffix(".sh")


@dataclass(frozen=True)
class App:
    """The app of ``bnext-export apk``, which is installed for each repetition and removed after it."""

    kind = results.ENGINE_IN_APP

    def install(self, target: Target) -> InstalledTool:
        """Brings to a phone what installs apps and starts them."""
        digest = hashlib.sha256(_SCRIPT.read_bytes()).hexdigest()
        record = results.Tool(kind=self.kind, version=__version__, sha256=digest)
        return InstalledTool(record, ("sh", target.push(_SCRIPT)), profiles=False)


def write_app(model: Path, record: ModelFile) -> Path:
    """An app of a model that can be installed, made now if it is not in the cache. It replaces no app of the user's.

    Raises:
        PredictionError: if the model does not classify images.
        UserError: if it cannot be made; the message says why.
    """
    from android_demo.export.apk import render, sign
    from android_demo.export.model import read_model

    id = f"bnext.measured.m{record.sha256[:12]}"
    # What the user knows of its accuracy is no part of it.
    file = replace(record, top1_percent=None, accuracy_source="")
    content = render(read_model(model), file, id=id)
    return kept(f"{id}.apk", content, lambda path: write_atomically(path, sign(content)))
