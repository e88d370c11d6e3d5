"""Pictures of random sizes in a page of ``bnext-export web``, compared with what Pillow makes of them, pixel by pixel.

    python benchmarks/trials/page_pictures.py model.tflite --seconds 60 --seed 0

The model takes images in colour. Pictures are noise of 1 to --most pixels a side, of which many are as narrow as no
photo is. Prints how many came out the same, and the first that did not; ends with 1 if there is one.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from android_demo.export.model import read_model
from android_demo.export.web import render

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))
import browser as browsers
from pictures import fitted, noise, packed, seen


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the sizes (default 0)")
    parser.add_argument("--most", type=int, default=700, help="pixels of a side (default 700)")
    arguments = parser.parse_args()
    model = read_model(arguments.model)
    height, width, _ = model.input_shape
    random, same, other = np.random.default_rng(arguments.seed), 0, []
    with browsers.Browser() as browser, tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        page.write_text(render(model))
        tab = browser.open(page.as_uri())
        tab.wait_for("!document.getElementById('controls').hidden")
        end = time.monotonic() + arguments.seconds
        while time.monotonic() < end:
            size = tuple(map(int, np.exp(random.uniform(0, np.log(arguments.most), 2)).round()))
            image = noise(*size)
            if np.array_equal(seen(tab, packed(image))[1], fitted(image, height, width)):
                same += 1
            else:
                other.append(size)
    print(f"{same} pictures are the same, {len(other)} are not{f', first of {other[0]}' if other else ''}")
    return 1 if other else 0


if __name__ == "__main__":
    sys.exit(main())
