"""The engine in a browser beside the engine itself, on this machine: times, sizes, and how soon a page is ready.

    python benchmarks/browser.py                        BNextTiny at 224x224 and 32x32, and the digits' network
    python benchmarks/browser.py digits --seconds 20 --threads 4

Pages are those of ``bnext-export web``, in a headless Chromium, which must be installed; each of a page's modules of
WebAssembly in a page of its own. These run on one thread. They and the engine take turns of half a second. Times are
processor time, of the browser that of all its processes; other programs take nothing of it. *Times the engine's* is the
median of neighbouring turns, with its quartiles. *Photo* is what the browser spends from a JPEG of 12 megapixels to an
answer; *ready* is how long a page takes to open until it can answer, by a clock.

The second table is of pages from a server of this machine that isolates them, on one thread and on several, which take
turns, too. Their times are by the clock, since several threads spend more processor time, not less: on a machine that
does other things at the same time, there is little to gain.

Networks have random weights, on which their times do not depend. Converted files are kept in --files.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import bnext_keras

import numpy as np
from engine import NETWORKS, converted, image_for

from android_demo.export.model import read_model
from android_demo.export.web import render
from android_demo.runner import Interpreter
from android_demo.runner.build import WEB_MODULES
from converter.inspection.times import processor_name

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
import browser as browsers
from page_server import served

DEFAULT = ("BNextTiny", "BNextTiny-32", "digits")
TURN = 0.5
PHOTOS = 4
PHOTO = """(async () => {
  const canvas = Object.assign(document.createElement("canvas"), {width: 4000, height: 3000});
  const context = canvas.getContext("2d");
  for (let i = 0; i < 4000; i++) context.fillStyle = `hsl(${i} 50% 50%)`, context.fillRect(i, 0, 1, 3000 - i / 2);
  globalThis.photo = await new Promise((done) => canvas.toBlob(done, "image/jpeg"));
  await classify(photo);
})()"""


def native_turn(engine: Interpreter, image: np.ndarray) -> float:
    """Milliseconds of an inference, the mean of a turn."""
    end, start, runs = time.perf_counter() + TURN, time.process_time(), 0
    while time.perf_counter() < end:
        engine.run([image])
        runs += 1
    return 1e3 * (time.process_time() - start) / runs


def spent(browser: browsers.Browser) -> float:
    """Seconds of processor time of a browser's processes, in hundredths."""
    return sum(process["cpuTime"] for process in browser.call("SystemInfo.getProcessInfo")["processInfo"])


def web_turn(tab: browsers.Tab) -> float:
    """Milliseconds of an inference in a page, the mean of a turn."""
    start = spent(tab.browser)
    runs = tab.evaluate(f"ask('measure', {{seconds: {TURN}}}).then(({{runs}}) => runs)")
    return 1e3 * (spent(tab.browser) - start) / runs


def clock_turn(tab: browsers.Tab) -> tuple[float, float]:
    """Milliseconds of an inference in a page by the clock, the mean of a turn, and those of processor time."""
    start = spent(tab.browser)
    runs, steps = tab.evaluate(
        f"ask('measure', {{seconds: {TURN}}}).then(({{runs, steps}}) => [runs, steps.map((step) => step.milliseconds)])"
    )
    return sum(steps), 1e3 * (spent(tab.browser) - start) / runs


def compare_threads(browser: browsers.Browser, name: str, page: str, threads: int, seconds: float) -> list[str]:
    """Rows of a page on one thread and on several."""
    with tempfile.TemporaryDirectory() as folder, served(folder) as address:
        Path(folder, "index.html").write_text(page)
        tabs = {}
        for count in dict.fromkeys((1, threads)):
            tabs[count] = browser.open(f"{address}/", cores=count)
            tabs[count].wait_for("!document.getElementById('controls').hidden")
        turns: dict[int, list[tuple[float, float]]] = {count: [] for count in tabs}
        start = time.perf_counter()
        while time.perf_counter() - start < seconds or len(turns[1]) < 5:
            for count, tab in tabs.items():
                turns[count].append(clock_turn(tab))
        rows = []
        for count, tab in tabs.items():
            clock, processor = (statistics.median(values) for values in zip(*turns[count], strict=True))
            ratios = [one[0] / own[0] for own, one in zip(turns[count], turns[1], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            words = tab.text("#ready").rpartition(", ")[2].rstrip(".")
            rows.append(
                f"| {name} | {words} | {clock:.2f} | {middle:.2f} ({low:.2f} to {high:.2f}) | {processor:.2f} |"
            )
            tab.close()
        return rows


def photo(tab: browsers.Tab) -> float:
    """Milliseconds from a photo to an answer."""
    tab.evaluate(PHOTO)
    start = spent(tab.browser)
    tab.evaluate(f"(async () => {{ for (let i = 0; i < {PHOTOS}; i++) await classify(photo); }})()")
    return 1e3 * (spent(tab.browser) - start) / PHOTOS


def open_module(browser: browsers.Browser, page: str, name: str, folder: Path) -> tuple[browsers.Tab, float]:
    """A page with one of its modules alone, and the seconds until it was ready."""
    file = folder / f"{name}.html"
    file.write_text(page.replace(f'"modules": {list(WEB_MODULES)}'.replace("'", '"'), f'"modules": ["{name}"]'))
    start = time.perf_counter()
    tab = browser.open(file.as_uri())
    tab.wait_for("!document.getElementById('controls').hidden")
    return tab, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"some of {', '.join(NETWORKS)}")
    parser.add_argument("--seconds", type=float, default=40, help="for each network (default 40)")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--threads", type=int, default=cores, metavar="N", help="besides one (default %(default)s)")
    text = "folder for converted files (default %(default)s)"
    parser.add_argument("--files", type=Path, default=Path(tempfile.gettempdir(), "bnext-engine-files"), help=text)
    arguments = parser.parse_args()
    if strangers := set(arguments.networks) - set(NETWORKS):
        parser.error(f"{', '.join(sorted(strangers))}: none of {', '.join(NETWORKS)}")
    if browsers.find() is None:
        parser.error("Chromium is not installed")
    arguments.files.mkdir(parents=True, exist_ok=True)
    threaded: list[str] = []
    print("| network | module | page, MB | ready, s | ms | times the engine's (quartiles) | photo, ms |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    with browsers.Browser() as browser, tempfile.TemporaryDirectory() as folder:
        for name in arguments.networks or DEFAULT:
            file = converted(name, arguments.files)
            page = render(read_model(file))
            engine = Interpreter(file)
            image = image_for(engine.input_shapes[0])
            tabs = {module: open_module(browser, page, module, Path(folder)) for module in WEB_MODULES}
            times: dict[str, list[float]] = {key: [] for key in (engine.kernels, *tabs)}
            start = time.perf_counter()
            while time.perf_counter() - start < arguments.seconds or len(times[engine.kernels]) < 5:
                times[engine.kernels].append(native_turn(engine, image))
                for module, (tab, _) in tabs.items():
                    times[module].append(web_turn(tab))
            native = times.pop(engine.kernels)
            print(f"| {name} | the engine, {engine.kernels} | | | {statistics.median(native):.2f} | | |")
            for module, (tab, ready) in tabs.items():
                pairs = zip(times[module], native, strict=True)
                sizes = f"{len(page) / 1e6:.2f} | {ready:.2f}"
                low, middle, high = statistics.quantiles([web / own for web, own in pairs], n=4)
                print(
                    f"| {name} | {module} | {sizes} | {statistics.median(times[module]):.2f} "
                    f"| {middle:.2f} ({low:.2f} to {high:.2f}) | {photo(tab):.0f} |",
                    flush=True,
                )
                tab.close()
            threaded += compare_threads(browser, name, page, arguments.threads, arguments.seconds / 2)
    print("\n| network | threads | ms, by the clock | times as fast as one (quartiles) | processor time, ms |")
    print("| --- | --- | ---: | ---: | ---: |", *threaded, sep="\n")
    print(f"\n{processor_name()}, bnext-keras {bnext_keras.__version__}")


if __name__ == "__main__":
    main()
