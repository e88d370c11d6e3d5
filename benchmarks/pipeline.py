"""How many images per second the input pipeline prepares for training, in threads and in processes.

    python benchmarks/pipeline.py
    python benchmarks/pipeline.py photos/ --threads 1 2 4 --processes 1 2 4 8 16 --images 4000
    python benchmarks/pipeline.py --augmentation all
    python benchmarks/pipeline.py --tfrecords 12000 --threads 2 --processes 2

Takes the photographs in a folder, wherever in it they lie; without one, JPEGs of ImageNet's usual 500x375 pixels and
about 70 kB, made on the spot. With --tfrecords these images, over and over, become records of 16 files. Results are
224x224, and as in bnext-train it is the train step that normalizes them. Compare the rate with what the accelerators
consume: one that trains on 1000 images per second needs as many from here.

CPU times per image are what stays comparable on a machine that others use too: `main` is that of the process that
trains, all its threads together; `others` that of the processes that prepare images. With enough of these the rate is
bounded by `main` alone. Memory is that of the process that trains, without what the system keeps of files. The load,
how many programs wanted a core in the minute before, tells how far the rates count.
"""

import argparse
import multiprocessing
import os
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from bnext_keras import data
from bnext_keras.data.locations import ImageFile
from bnext_keras.data.processes import cores
from bnext_keras.image_files import find_images

import numpy as np
import tensorflow as tf
from PIL import Image
from rich.console import Console
from rich.table import Table

BATCH_SIZE = 64
DIFFERENT_IMAGES = 64
RECORD_FILES = 16


class DecodeOnly(data.Augmentation):
    """Has every image decoded, and hands on a black one of the right size."""

    def __call__(self, image, size, generator):
        return Image.new("RGB", (size[1], size[0]))


AUGMENTATIONS = {
    "decode": DecodeOnly(),
    "crop": data.Augmentation(randaugment=None),
    "published": data.Augmentation.imagenet(),
    "everything": data.Augmentation(color_jitter=0.4, random_erasing=0.25, mixup=0.2, cutmix=1.0),
}


def write_images(folder: Path) -> None:
    """Writes JPEGs with large shapes and grain, so that they have the size of photos."""
    random = np.random.default_rng(0)
    for number in range(DIFFERENT_IMAGES):
        shapes = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8)).resize((500, 375), Image.BICUBIC)
        grain = np.asarray(shapes) + random.normal(0, 10, (375, 500, 3))
        Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.jpg", quality=90)


class Photos:
    """All images in a folder, of a single class; see `bnext_keras.data.Examples`."""

    num_classes, class_names = 1, None

    def __init__(self, folder: Path):
        self._files = find_images(folder)
        self._numbers = data.from_arrays(np.zeros((len(self._files), 1, 1), np.uint8), np.zeros(len(self._files), int))

    def __len__(self):
        return len(self._files)

    def keys(self, epoch=None, seed=0):
        return self._numbers.keys(epoch, seed)

    def name(self, number):
        return str(self._files[number])

    def locate(self, number):
        return ImageFile(self._files[number], 0)

    def read(self, number):
        return self.locate(number).read()


def write_records(folder: Path, images: list[Path], count: int) -> None:
    """Writes so many records of some images, in turn."""
    for file in range(RECORD_FILES):
        with tf.io.TFRecordWriter(str(folder / f"train-{file:02}")) as writer:
            for number in range(file, count, RECORD_FILES):
                feature = {
                    "image/encoded": tf.train.Feature(
                        bytes_list=tf.train.BytesList(value=[images[number % len(images)].read_bytes()])
                    ),
                    "image/class/label": tf.train.Feature(int64_list=tf.train.Int64List(value=[0])),
                }
                writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


def measure(examples: data.Examples, augmentation: data.Augmentation, images: int, **way: int) -> tuple[float, ...]:
    """Images per second; CPU milliseconds per image, of this process and of others; and MB of this one.

    Without the first batches, for which processes must be started.
    """
    batches = data.training_data(
        examples,
        image_size=224,
        batch_size=min(BATCH_SIZE, len(examples)),
        epochs=10_000,
        augmentation=augmentation,
        normalized=False,
        **way,
    )
    iterator, count = iter(batches), 0
    for _ in range(8):
        next(iterator)
    start, cpu, others = time.perf_counter(), time.process_time(), cpu_of_children()
    while count < images:
        count += len(next(iterator)[1])
    return (
        count / (time.perf_counter() - start),
        1000 * (time.process_time() - cpu) / count,
        1000 * (cpu_of_children() - others) / count,
        memory() / 1e6,
    )


def memory() -> int:
    """Bytes of this process that are no file's."""
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(fields["RssAnon"].split()[0])


def cpu_of_children() -> float:
    """Seconds that this process's living children have computed."""
    ticks = 0
    for child in multiprocessing.active_children():
        fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="photographs (default: images made on the spot)")
    parser.add_argument("--tfrecords", type=int, metavar="N", help="put the images into N records")
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    counts = [number for number in (1, 2, 4, 8, 16) if number <= cores()]
    parser.add_argument("--processes", type=int, nargs="*", default=counts, help=f"(default here {counts})")
    parser.add_argument("--augmentation", choices=[*AUGMENTATIONS, "all"], default="published")
    parser.add_argument("--images", type=int, default=2000, help="images to prepare in every run (default 2000)")
    parser.add_argument("--runs", type=int, default=3, help="runs, of which the median counts (default 3)")
    arguments = parser.parse_args()

    ways = [{"threads": number} for number in arguments.threads]
    ways += [{"processes": number} for number in arguments.processes]
    table = Table("augmentation", "prepared by", "images/s", "CPU ms/image: main", "others", "MB: main", "load")
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as records:
        if arguments.folder is None:
            write_images(Path(made))
        examples: data.Examples = Photos(arguments.folder or Path(made))
        if arguments.tfrecords:
            write_records(Path(records), find_images(arguments.folder or Path(made)), arguments.tfrecords)
            start = time.perf_counter()
            examples = data.from_tfrecords(records, num_classes=1)
            Console().print(f"{len(examples)} records, found in {time.perf_counter() - start:.3f} s")
        for name in AUGMENTATIONS if arguments.augmentation == "all" else [arguments.augmentation]:
            for way in ways:
                ((kind, number),) = way.items()
                runs = [measure(examples, AUGMENTATIONS[name], arguments.images, **way) for _ in range(arguments.runs)]
                rate, main_cpu, other_cpu, held = (statistics.median(values) for values in zip(*runs, strict=True))
                who = f"{number} {kind if number > 1 else {'threads': 'thread', 'processes': 'process'}[kind]}"
                load = os.getloadavg()[0]
                table.add_row(
                    name, who, f"{rate:.0f}", f"{main_cpu:.3f}", f"{other_cpu:.2f}", f"{held:.0f}", f"{load:.1f}"
                )
    Console().print(f"{len(examples)} images, {cores()} cores")
    Console().print(table)


if __name__ == "__main__":
    main()
