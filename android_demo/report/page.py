"""The page about one file of results."""

from android_demo.report.comparison import by_runner
from android_demo.report.document import document
from android_demo.report.names import device_names
from android_demo.report.ratio_rows import ratio_rows
from android_demo.report.sections.accuracy import accuracy
from android_demo.report.sections.facts import device_facts, repetitions
from android_demo.report.sections.latency import latency, memory
from android_demo.report.sections.operators import operators
from android_demo.report.sections.overview import overview
from android_demo.report.sections.sustained import sustained
from android_demo.results import Results


def render(results: Results, title: str = "") -> str:
    """An HTML page that needs nothing but itself.

    Args:
        results: What to show.
        title: Its heading; by default it names the devices.
    """
    measurements = results.measurements
    devices = device_names(measurements)
    default = f"Benchmark on {', '.join(devices.values())}" if measurements else "Benchmark without measurements"
    # Figures by section, in the order of the page; each section has a template of its name.
    figures: dict[str, object] = {}
    if measurements:
        figures = {
            "overview": overview(measurements, devices),
            "runners": ratio_rows(by_runner(measurements)) or None,
            "latency": latency(measurements, devices),
            "sustained": sustained(measurements, devices),
            "accuracy": accuracy(measurements, devices),
            "operators": operators(measurements, devices),
            "memory": memory(measurements, devices),
            "devices": device_facts(measurements),
            "repetitions": repetitions(measurements),
        }
    sections = [f"{name}.html" for name, found in figures.items() if found is not None]
    foot = f"Results file, schema {results.schema_version}."
    return document("page.html", title or default, measurements, foot, sections=sections, **figures)
