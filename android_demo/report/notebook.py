"""What a notebook shows of results: the terminal's table, as HTML."""

from bnext_keras.text import shown

from android_demo.report.names import conditions, device_names, marks, model_names
from android_demo.results import Results


def render_table(results: Results) -> str:
    """A table without scripts or styles of its own; every text of models and devices is escaped."""
    measurements = results.measurements
    devices, models = device_names(measurements), model_names(measurements)
    names = ("model", "device", "conditions", "ms", "state")
    lines = ["".join(f"<th>{name}</th>" for name in names)]
    for entry in measurements:
        latency = "" if entry.latency is None else f"{entry.latency.mean_ms:.2f}"
        state = ", ".join(filter(None, (entry.state.value.replace("_", " "), marks(entry), entry.reason)))
        cells = (models[entry.model.sha256], devices[entry.device.id], conditions(entry), latency, state)
        lines.append("".join(f"<td>{shown(cell)}</td>" for cell in cells))
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
