"""How many images per second the input pipeline prepares for training, by augmentation and threads.

    python benchmarks/pipeline.py
    python benchmarks/pipeline.py --threads 1 2 4 8 --images 2000

The images are JPEGs of ImageNet's usual 500x375 pixels and about 70 kB, made on the spot; results are 224x224. Pillow
works in Python's threads: it lets go of the lock while it decodes, resizes and transforms. Compare with what
the accelerators consume: one that trains on 1000 images per second needs as many from here. The CPU time per image,
with the first number of threads, is what stays comparable on a machine that others use too.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bnext_keras import data

import numpy as np
from PIL import Image
from rich.console import Console
from rich.table import Table

BATCH_SIZE = 32
DIFFERENT_IMAGES = 64


class DecodeOnly(data.Augmentation):
    """Has every image decoded, and hands on a black one of the right size."""

    def __call__(self, image, size, generator):
        return Image.new("RGB", (size[1], size[0]))


AUGMENTATIONS = {
    "decode only": DecodeOnly(),
    "+ random-resized crop and flip": data.Augmentation(randaugment=None),
    "+ RandAugment (as published)": data.Augmentation.imagenet(),
    "+ jitter, erasing, mixup and cutmix": data.Augmentation(
        color_jitter=0.4, random_erasing=0.25, mixup=0.2, cutmix=1.0
    ),
}


def write_images(folder: Path) -> None:
    """Writes JPEGs with large shapes and grain, so that they have the size of photos."""
    random = np.random.default_rng(0)
    for number in range(DIFFERENT_IMAGES):
        shapes = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8)).resize((500, 375), Image.BICUBIC)
        grain = np.asarray(shapes) + random.normal(0, 10, (375, 500, 3))
        path = folder / f"class{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def measure(examples: data.Examples, augmentation: data.Augmentation, threads: int, images: int) -> tuple[float, float]:
    """Images per second, and CPU milliseconds per image; over whole epochs, without the first batches' start."""
    batches = data.training_data(
        examples,
        image_size=224,
        batch_size=BATCH_SIZE,
        epochs=2 + -(-images // len(examples)),
        augmentation=augmentation,
        threads=threads,
    )
    iterator = iter(batches)
    for _ in range(4):
        next(iterator)
    start, cpu_start, count = time.perf_counter(), time.process_time(), 0
    for batch, _ in iterator:
        count += len(batch)
    return count / (time.perf_counter() - start), 1000 * (time.process_time() - cpu_start) / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--images", type=int, default=1000, help="images to prepare in every run (default 1000)")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the median counts (default 3)")
    arguments = parser.parse_args()

    threads = [f"{number} thread{'s' * (number > 1)}" for number in arguments.threads]
    table = Table("images per second", *threads, "CPU ms per image")
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder))
        examples = data.from_folder(folder)
        for name, augmentation in AUGMENTATIONS.items():
            medians = []
            for number in arguments.threads:
                runs = [measure(examples, augmentation, number, arguments.images) for _ in range(arguments.runs)]
                medians.append([statistics.median(values) for values in zip(*runs, strict=True)])
            cells = [f"{rate:.0f}" for rate, _ in medians] + [f"{medians[0][1]:.1f}"]
            table.add_row(name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
