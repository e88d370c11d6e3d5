"""Writes the checkpoints of this folder with PyTorch itself; the tests only read them.

pip install torch==2.13.0
python tests/checkpoints/write.py
"""

import argparse
import sys
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER.parent))
import narrow_bnext  # noqa: E402


def main():
    state = OrderedDict((key, torch.from_numpy(value)) for key, value in narrow_bnext.state_dict().items())
    save(training(state), "training.pth.tar")
    save(state, "bare_legacy.pth", _use_new_zipfile_serialization=False)
    save(types(), "types.pth")
    save(types(), "types_legacy.pth", _use_new_zipfile_serialization=False)
    save(types(), "types_protocol4.pth", pickle_protocol=4)
    save({"state_dict": {"fc.weight": torch.ones(1).expand(1000, 1000)}}, "expanded.pth")
    save(torch.nn.Linear(2, 3), "whole_model.pth")


def save(content, name, **options):
    torch.save(content, FOLDER / name, **options)


def training(state):
    """A training run's checkpoint: with all that PyTorch, optimizers and scripts put beside the weights."""
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [2, 4])
    state = OrderedDict((f"module.{key}", value) for key, value in state.items())
    state._metadata = OrderedDict({"": {"version": 1}})
    return {
        "epoch": 511,
        "arch": "bnext_tiny",
        "state_dict": state,
        "best_top1_acc": torch.tensor(72.4),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "training_loss": [2.5, 2.25],
        "testing_top1": [np.float64(70.0), np.float32(72.4)],
        "temp": 1e-8,
        "alpha": torch.nn.Parameter(torch.ones(1)),
        "args": argparse.Namespace(data="/data", epochs=512),
        "history": Counter(a=1),
        "device": torch.device("cpu"),
        "shape": torch.zeros(2, 3).shape,
    }


def types():
    """Every type of number, and every way to look at a storage; `tests/test_checkpoint.py` knows the values."""
    numbers = torch.arange(24, dtype=torch.float32)
    return {
        **{
            str(kind).removeprefix("torch."): torch.arange(-2, 4).to(kind)
            for kind in (torch.float16, torch.float32, torch.float64, torch.bfloat16)
        },
        **{
            str(kind).removeprefix("torch."): torch.arange(6).to(kind)
            for kind in (torch.int64, torch.int32, torch.uint8)
        },
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(7),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "whole": numbers,
        "reshaped": numbers.reshape(2, 3, 4),
        "offset": numbers[20:],
        "strided": numbers[1::5],
        "transposed": numbers.reshape(4, 6).t(),
        "channels_last": numbers.reshape(2, 3, 2, 2).to(memory_format=torch.channels_last),
    }


if __name__ == "__main__":
    main()
