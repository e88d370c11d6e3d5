"""Results with round figures for tests of files and pages; nothing of it was measured."""

from android_demo.results import (
    Core,
    Device,
    Kind,
    Measurement,
    ModelFile,
    Repetition,
    Settings,
    State,
    ThermalSample,
    Tool,
)
from android_demo.tools.benchmark_model import Operator, Profile, Statistics, ToolOutput

PHONE = Device(
    kind=Kind.ADB,
    id="0123456789ab",
    model="Some Phone",
    soc="SoC 1",
    cores=(
        Core(index=0, max_mhz=1800.0, name="Cortex-A55", governor="schedutil"),
        Core(index=1, max_mhz=1800.0, name="Cortex-A55", governor="schedutil"),
        Core(index=2, max_mhz=2400.0, name="Cortex-A76", governor="schedutil"),
    ),
    os="Android 14",
    abi="arm64-v8a",
    memory_mb=8192.0,
)
EMULATOR = Device(kind=Kind.QEMU, id="qemu", model="QEMU cortex-a76")
TOOL = Tool(kind="lce_benchmark_model", version="0.16.0", sha256="70" * 32)
MODEL = ModelFile(name="tiny.tflite", sha256="aa" * 32, bytes=2**20, top1_percent=72.4, accuracy_source="paper")
PROFILE = Profile(
    operators=(
        Operator(type="LceBconv2d", name="a:0", avg_ms=6.0),
        Operator(type="ADD", name="b:1", avg_ms=3.0),
        Operator(type="LceBconv2d", name="c:2", avg_ms=1.0),
    )
)


def repetition(mean_ms, *, std_ms=0.5, count=50, profile=None, memory_mb=30.0):
    """One start of the tool, its fastest inference 1 ms below, its slowest 2 ms above the mean."""
    mean, std = 1000.0 * mean_ms, 1000.0 * std_ms
    statistics = Statistics(count=count, first=mean, curr=mean, min=mean - 1000, max=mean + 2000, avg=mean, std=std)
    output = ToolOutput(
        started=True,
        init_us=20_000.0,
        inference_avg_us=mean,
        inference=statistics,
        memory_overall_mb=memory_mb,
        profile=profile,
    )
    return Repetition(
        started_at="2026-01-31T09:30:00Z", seconds=4.5, output=output, exit_code=0, profiled=profile is not None
    )


def measurement(*means_ms, model=MODEL, device=PHONE, threads=1, state=State.OK, reason="", profile=None, **settings):
    """A measurement whose repetitions have these means."""
    repetitions = [repetition(mean) for mean in means_ms]
    if profile is not None:
        repetitions.append(repetition(99.0, profile=profile))
    return Measurement(
        device=device,
        tool=TOOL,
        model=model,
        settings=Settings(threads=threads, repetitions=len(means_ms), **settings),
        state=state,
        reason=reason,
        started_at="2026-01-31T09:30:00Z",
        repetitions=tuple(repetitions),
        thermal=(
            ThermalSample(moment="before", seconds=0.0, celsius={"cpu": 31.0, "skin": 29.5}),
            ThermalSample(moment="after", seconds=40.0, celsius={"cpu": 44.0}, mhz={"cpu2": 2400.0}, status=0),
        ),
    )
