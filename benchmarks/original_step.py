"""A training step of BNext-T beside one of the original PyTorch code, on one thread.

    git clone https://github.com/hpi-xnor/BNext
    python benchmarks/original_step.py BNext/src --python torch-env/bin/python
    python benchmarks/original_step.py BNext/src --python torch-env/bin/python --image-size 32 --batch-size 128

``--python`` is an interpreter that has PyTorch and what the original's ``bnext.py`` imports: timm, einops, torchinfo.

Both train on as many random images, with soft kernels as at the beginning of a run, by AdamW with two groups of
variables and clipped gradients. They take turns, each in a process of its own, which runs this file. Printed is the
processor time of a step, of which other programs take little, and the ratio within a round: medians, and quartiles of
the ratio. At 224x224 there are 1000 classes; at other sizes 10, for which the original's stem does not halve the image,
as here.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

ONE_THREAD = {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
WARM_UP = 2


def keras_step(size: int, classes: int, batch_size: int):
    """A function that trains one step of this project's network."""
    import bnext_keras
    from bnext_keras.quantizers.signs import temperatures

    import numpy as np
    import tensorflow as tf

    model = bnext_keras.models.BNextTiny(input_shape=(size, size, 3), num_classes=classes)
    for temperature in temperatures(model).values():
        temperature.assign(1.0)
    model.compile(
        bnext_keras.training.TwoGroupAdamW(global_clipnorm=5.0),
        tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    images = np.random.default_rng(0).normal(size=(batch_size, size, size, 3)).astype(np.float32)
    labels = np.arange(batch_size) % 10
    return lambda: model.train_on_batch(images, labels)


def original_step(folder: Path, size: int, classes: int, batch_size: int):
    """The same with the original's network."""
    sys.path.insert(0, str(folder))
    import torch
    from bnext import BNext

    torch.set_num_threads(1)
    model = BNext(num_classes=classes, size="tiny").train()
    # In the released training code too, kernels are told by their names and dimensions.
    is_kernel = {each: each.ndim == 4 or "conv" in name for name, each in model.named_parameters()}
    groups = [
        {"params": [each for each in is_kernel if is_kernel[each] == kernels], "weight_decay": decay}
        for kernels, decay in ((False, 1e-3), (True, 1e-8))
    ]
    optimizer, loss = torch.optim.AdamW(groups, lr=1e-3), torch.nn.CrossEntropyLoss()
    images, labels = torch.randn(batch_size, 3, size, size), torch.arange(batch_size) % 10

    def step():
        loss(model(images), labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5)
        optimizer.step()
        optimizer.zero_grad()

    return step


def measure(step, steps: int) -> float:
    """Processor seconds of a step, the median."""
    times = []
    for _ in range(WARM_UP + steps):
        begin = time.process_time()
        step()
        times.append(time.process_time() - begin)
    return statistics.median(times[WARM_UP:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the original's folder src")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has PyTorch")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=5, help="of each, in a round (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=("keras", "original"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    size, batch_size = arguments.image_size, arguments.batch_size
    classes = 1000 if size == 224 else 10
    if arguments.side == "keras":
        return print(measure(keras_step(size, classes, batch_size), arguments.steps))
    if arguments.side == "original":
        return print(measure(original_step(arguments.folder, size, classes, batch_size), arguments.steps))

    times: dict[str, list[float]] = {"keras": [], "original": []}
    for _ in range(arguments.rounds):
        for side, python in (("keras", sys.executable), ("original", arguments.python)):
            command = [python, __file__, *sys.argv[1:], "--side", side]
            done = subprocess.run(command, env={**os.environ, **ONE_THREAD}, stdout=subprocess.PIPE, text=True)
            if done.returncode:
                sys.exit(f"{' '.join(command)} failed")
            times[side].append(float(done.stdout.split()[-1]))
    low, ratio, high = statistics.quantiles(
        [ours / theirs for ours, theirs in zip(times["keras"], times["original"], strict=True)], n=4
    )
    for side, each in times.items():
        print(f"{side}: {statistics.median(each):.2f} s for {batch_size} images of {size}x{size}")
    print(f"ratio: {ratio:.3f} ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
