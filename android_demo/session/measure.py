"""Measuring from Python: what ``bnext-benchmark`` does on one device, without its table and its page."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from bnext_keras.errors import BenchmarkError

from android_demo.results import Results, Settings
from android_demo.session.job import Progress
from android_demo.session.procedure import Procedure
from android_demo.session.session import Session
from android_demo.session.store import open_store
from android_demo.targets import open_target
from android_demo.tools.choice import Runner, Tools, find_model
from android_demo.tools.downloads import CACHE, Downloads


def measure(
    models: Sequence[str | Path],
    *,
    device: str = "adb",
    out: str | Path = "benchmark-results",
    settings: Sequence[Settings] = (Settings(threads=1),),
    procedure: Procedure | None = None,
    resume: bool = False,
    top1: Mapping[str, float] | None = None,
    runner: str | None = None,
    tools: Tools | None = None,
    cache: Path = CACHE,
    progress: Progress = lambda text: None,
) -> Results:
    """Measures models on a device.

    A measurement that fails does not stop the others; its ``state`` and ``reason`` say so.

    Args:
        models: ``.tflite`` files.
        device: As after ``--device``: ``adb``, ``ssh:pi@raspberrypi``, ``qemu``, ``host``.
        out: Folder that takes ``results.json``, which is whole after every measurement.
        settings: How to run the tool; each makes a measurement of every model.
        procedure: Pauses, cores, profile and time limit; by default those of the command.
        resume: Whether to go on with the results in ``out``, of which finished ones are not measured again.
        top1: Accuracies in percent by file name, for the page.
        runner: ``bnext`` for this project's engine, ``lce``, or ``both``; by default the engine where it can run the
            file, and LCE's tool otherwise.
        tools: Programs of your own, and ``runner`` among them; by default those of LCE's release.
        cache: Folder for fetched tools and for plans.
        progress: Takes a line about what happens now.

    Returns:
        All results in ``out``.

    Raises:
        BenchmarkError: if a model, the device or a tool cannot be used, or another session writes to ``out``. What was
            measured before is in ``out``.
    """
    if isinstance(models, str | Path):
        raise BenchmarkError("models is one file, but must be a list of files")
    requests = [find_model(str(model), top1 or {}) for model in models]
    target = open_target(device, cache)
    if runner is not None and runner not in tuple(Runner):
        raise BenchmarkError(f"no such runner: {runner}", remedy="bnext, lce and both are")
    if tools is None:
        tools = Tools(Downloads(cache / "tools"), runner=Runner(runner) if runner else None, plans=cache / "plans")
    chosen = [model for request in requests for model in tools.models(request, target, progress)]
    with open_store(Path(out), resume) as store:
        session = Session(settings, procedure or Procedure(), store, progress, progress)
        with closing(session.run(target, chosen)) as measurements:
            for _ in measurements:
                pass
    return store.results
