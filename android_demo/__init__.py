"""Measures ``.tflite`` files where they are to run: on a phone, a board, an emulated ARM64 CPU or this machine.

The command is ``bnext-benchmark``; this package is also ``bnext_keras.benchmark``. From Python:

    from android_demo import measure, render

    results = measure(["model.tflite"], device="adb", out="pixel")
    for entry in results.measurements:
        print(entry.device.model, entry.model.name, entry.state.value, entry.latency and entry.latency.mean_ms)
    Path("pixel/index.html").write_text(render(results))

Files of results are read, merged and compared anywhere, without a device:

>>> import json, pathlib, tempfile
>>> from android_demo import compare, load, render_comparison
>>> def results_file(name, *means_us):
...     repetitions = [
...         {"started_at": "2026-01-31T09:30:00Z", "seconds": 4.5, "output": {"inference_avg_us": mean}}
...         for mean in means_us
...     ]
...     measurement = {
...         "device": {"kind": "adb", "id": "0123456789ab", "model": "Some Phone"},
...         "tool": {"kind": "lce_benchmark_model"},
...         "model": {"name": "tiny.tflite", "sha256": "aa" * 32, "bytes": 2**20},
...         "settings": {"threads": 1, "repetitions": len(means_us)},
...         "state": "ok", "started_at": "2026-01-31T09:30:00Z", "repetitions": repetitions,
...     }
...     file = pathlib.Path(tempfile.mkdtemp(), name)
...     content = {"schema_version": "1.0", "measurements": [measurement]}
...     _ = file.write_text(json.dumps(content))
...     return file
>>> before = load(results_file("before.json", 9800, 10000, 10200))
>>> after = load(results_file("after.json", 4900, 5000, 5100))
>>> before.measurements[0].latency.mean_ms
10.0
>>> ((old, new, ratio),) = compare(before, after).ratios()
>>> f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}): {ratio.verdict.value}"
'0.50 (0.48 to 0.52): faster'
>>> "simplified against plain" in render_comparison(before, after, ("plain", "simplified"))
True

Nothing here imports TensorFlow: it starts at once and runs where only adb is.
"""

import importlib

#: Where the names live that are imported when they are first used.
_HOMES = {
    "BenchmarkError": "bnext_keras.errors",
    "Interpreter": "android_demo.runner",
    "Procedure": "android_demo.session.procedure",
    "Results": "android_demo.results",
    "Settings": "android_demo.results",
    "compare": "android_demo.report.comparison",
    "conditions": "android_demo.report.names",
    "load": "android_demo.results",
    "marks": "android_demo.report.names",
    "measure": "android_demo.session.measure",
    "merge": "android_demo.results",
    "render": "android_demo.report",
    "render_comparison": "android_demo.report",
    "save": "android_demo.results",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*(name for name in globals() if name.startswith("__")), *__all__})
